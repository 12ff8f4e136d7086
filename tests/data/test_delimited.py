"""Text files of cells: what was written is what is read."""

import csv
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gapless.data.readers.delimited import read_sheet
from gapless.data.tables.sheet import Sheet

SEPARATORS = [",", ";", "\t", "|"]
# Any text that survives: the reader strips the space around cells and reads a carriage return as a new line.
cell = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00"), max_size=12).map(str.strip)


def read(content: bytes, name: str = "a.csv") -> Sheet:
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return read_sheet(path)


def written(rows: list[list[str]], separator: str, encoding: str = "utf-8") -> bytes:
    stream = io.StringIO()
    csv.writer(stream, delimiter=separator, quoting=csv.QUOTE_MINIMAL, lineterminator="\n").writerows(rows)
    return stream.getvalue().encode(encoding)


@settings(deadline=None)
@given(
    rows=st.integers(2, 5).flatmap(lambda n: st.lists(st.lists(cell, min_size=n, max_size=n), min_size=1, max_size=8)),
    separator=st.sampled_from(SEPARATORS),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
@example(rows=[["a", '"'], ['say "no"', "x, y; z"]], separator=";", encoding="utf-8")
@example(rows=[["two\nlines", "b"], ["", "c"]], separator=",", encoding="utf-16")
def test_what_was_written_is_read(rows: list[list[str]], separator: str, encoding: str) -> None:
    header = [f"name {i}" for i in range(len(rows[0]))]
    rows = [*rows, ["end"] * len(header)]
    sheet = read(written([header, *rows], separator, encoding))
    assert sheet.separator == separator
    assert list(sheet.columns) == header
    assert [list(row) for row in zip(*sheet.columns.values(), strict=True)] == [row for row in rows if any(row)]


@pytest.mark.parametrize("separator", SEPARATORS)
def test_the_other_separators_may_stand_in_cells(separator: str) -> None:
    others = "".join(set(SEPARATORS) - {separator})
    rows = [["a", "b"], *([f"x{others}y", str(i)] for i in range(5))]
    sheet = read(written(rows, separator))
    assert sheet.separator == separator
    assert sheet.columns["a"] == [f"x{others}y"] * 5


def test_decimal_commas_do_not_make_the_separator_a_comma() -> None:
    sheet = read(b"a;b;c\n1,5;2,5;3\n1,5;2;3,5\n")
    assert sheet.separator == ";"
    assert sheet.columns == {"a": ["1,5", "1,5"], "b": ["2,5", "2"], "c": ["3", "3,5"]}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings(encoding: str) -> None:
    sheet = read("größe,farbe\n1,grün\n2,weiß\n".encode(encoding))
    assert sheet.columns == {"größe": ["1", "2"], "farbe": ["grün", "weiß"]}
    assert sheet.notes == ()


def test_windows_1252_is_found_and_noted() -> None:
    sheet = read("größe,farbe\n1,grün\n".encode("latin-1"))
    assert sheet.columns == {"größe": ["1"], "farbe": ["grün"]}
    assert sheet.notes == ("a.csv is not UTF-8 and was read as Windows-1252; check letters with accents.",)


def test_windows_1252_far_down_the_file() -> None:
    sheet = read(b"a,b\n" + b"1,x\n" * 50_000 + "2,é\n".encode("latin-1"))
    assert sheet.columns["b"][-1] == "é"
    assert len(sheet.lines) == 50_001


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_line_ends_and_blank_lines(end: bytes) -> None:
    sheet = read(end.join([b"a,b", b"", b"1, x ", b",", b"2,y", b""]))
    assert sheet.columns == {"a": ["1", "2"], "b": ["x", "y"]}
    assert sheet.lines == [3, 5]


def test_rows_of_another_length_are_listed() -> None:
    sheet = read(b"a,b\n1,x\n2\n3,y\n4,z,z\n5,w\n")
    assert sheet.columns["a"] == ["1", "3", "5"]
    assert [(one.where, one.reason) for one in sheet.skipped] == [
        ("a.csv line 3", "1 cells where the header has 2"),
        ("a.csv line 5", "3 cells where the header has 2"),
    ]


def test_a_repeated_header_is_listed() -> None:
    sheet = read(b"a,b\n1,x\na,b\n2,y\n")
    assert sheet.columns["a"] == ["1", "2"]
    assert [(one.where, one.reason) for one in sheet.skipped] == [("a.csv line 3", "the header again")]


def test_names_that_are_missing_or_stand_twice() -> None:
    sheet = read(b",a,a,b\n0,1,2,3\n")
    assert list(sheet.columns) == ["column 1", "a", "a (2)", "b"]
    assert sheet.notes == ("The header names 'a' more than once; column 3 is called 'a (2)' here.",)


def test_quoted_cells_over_lines_and_their_line_numbers() -> None:
    sheet = read(b'a,b\n"one\ntwo",1\nthree,2\n')
    assert sheet.columns["a"] == ["one\ntwo", "three"]
    assert sheet.lines == [3, 4]
