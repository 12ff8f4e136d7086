"""Tables that cannot be read: one clear error that says where and what to do."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gapless.data import Task
from gapless.data.source import SourceOptions, load
from gapless.errors import DataError, UsageError

GOOD = "a,colour,kind\n" + "".join(f"{i},{'rgb'[i % 3]},{'yes' if i % 2 else 'no'}\n" for i in range(40))


def read(path: Path, content: str | bytes, **options: object) -> Task:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load(str(path), SourceOptions(**options))  # pyright: ignore[reportArgumentType]  # each test its own


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b" \n \n", "the file is empty"),
        (b"a,b\n", "has a header and no rows"),
        (b"a\n1\n2\n", r"no comma, semicolon, tab or bar separates columns in the first line, 'a'"),
        (b"PK\x03\x04spreadsheet", "is not a text file; save a spreadsheet as CSV"),
        (b"a,b\n\x00\x01\x00\x00\xff\n", "is not a text file"),
        (b"\xff\xfea", "is not whole utf-16 text"),
        (b'a,b\n1,"x\n2,y\n', r"t\.csv line 3: unexpected end of data; check the quotes"),
        (b'a,b\n1,"x"y\n2,y\n', r"t\.csv line 2: .* expected after '\"'; check the quotes"),
        (b"a,b\n" + b'1,"' + b"x" * 200_000 + b'"\n', r"line 2: field larger than field limit"),
        (b"a,b\n1,2,3\n4,5,6\n7,8\n", r"2 of 3 rows do not fit the header, the first is t\.csv line 2 \(3 cells"),
    ],
)
def test_files_that_are_no_tables(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path / "t.csv", content)


@pytest.mark.parametrize(
    "content",
    [
        "1,2,3\n" * 20,
        "".join(f"{i}.5,{i},{'yes' if i % 2 else 'no'}\n" for i in range(20)),
        "".join(f"{'pq'[i % 2]},{'xyz'[i % 3]}\n" for i in range(20)),
        "1,,3\n" + "4,5,6\n" * 5,
    ],
)
def test_a_missing_header(tmp_path: Path, content: str) -> None:
    with pytest.raises(DataError, match=r"the first row, .*, looks like data; the first row must name the columns"):
        read(tmp_path / "t.csv", content)


def test_a_target_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no column 'knid' to predict\. Did you mean 'kind'\?"):
        read(tmp_path / "t.csv", GOOD, target="knid")
    with pytest.raises(DataError, match=r"no column 'price' to predict\. Choose one of: a, colour, kind\."):
        read(tmp_path / "t.csv", GOOD, target="price")


def test_more_than_half_without_a_target(tmp_path: Path) -> None:
    rows = "a,y\n" + "".join(f"{i},{i % 2 if i < 19 else ''}\n" for i in range(40))
    with pytest.raises(DataError, match="21 of 40 rows have no value in the target column 'y', more than half"):
        read(tmp_path / "t.csv", rows)
    rows = "a,y\n" + "".join(f"{i},{i % 2 if i < 20 else ''}\n" for i in range(40))
    assert len(read(tmp_path / "t.csv", rows).skipped) == 20


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["same"] * 40, "there is only the value 'same', so there is nothing to learn"),
        (["3.5"] * 40, "there is only the value '3.5'"),
        ([""] * 40, "there is no value, so there is nothing to learn"),
        (["yes"] * 39 + ["no"], "class 'no' has a single row and only 'yes' is left besides"),
        (
            [f"name {i}" for i in range(40)],
            "40 of its 40 distinct values stand in a single row, so they look like text",
        ),
        (["1e39", "2.5"] * 20, r"target values must fit in float32, got 1e\+39"),
    ],
)
def test_targets_that_cannot_be_learned(tmp_path: Path, cells: list[str], message: str) -> None:
    content = "a,y\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells))
    with pytest.raises(DataError, match=message):
        read(tmp_path / "t.csv", content)


def test_no_column_refuses_the_table(tmp_path: Path) -> None:
    rows = "".join(f"{i % 9},Mr {chr(97 + i % 26)}{i},ticket {i},{i % 2}\n" for i in range(40))
    task = read(tmp_path / "t.csv", "n,name,ticket,y\n" + rows)
    assert task.features == ("n",)
    told = "2 columns 'name', 'ticket' left out: they tell one case from another ('name': it has 40 distinct values in"
    assert any(note.startswith(told) and note.endswith("--keep COLUMN keeps one.") for note in task.notes)


def test_the_limit_between_categories_and_identifiers(tmp_path: Path) -> None:
    def task(rows: int, words: int) -> Task:
        content = "w,n,y\n" + "".join(f"w{i % words},{i},{i % 2}\n" for i in range(rows))
        return read(tmp_path / "t.csv", content)

    assert task(100, 20).categories == (0, 21)
    assert task(500, 25).categories == (0, 26)
    assert task(100, 30).categories == (0,)  # less than five rows of each word
    assert task(500, 50).categories[1] > 25  # each word stands ten times: the commoner ones are told apart


def test_nothing_to_learn_from(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column is left to learn from: 1 given, all of them constant or empty"):
        read(tmp_path / "t.csv", "a,y\n" + "".join(f"7,{i % 2}\n" for i in range(40)))


def test_too_large_a_train_size(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="train size must be at most 40, the rows there are, got 41"):
        read(tmp_path / "t.csv", GOOD, train_size=41)
    with pytest.raises(UsageError, match="train size must be at least 4, two rows of each class, got 3"):
        read(tmp_path / "t.csv", GOOD, train_size=3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,color,kind\n1,r,yes\n", r"'colour' is missing\. Did you mean 'color'\?"),
        ("a,colour\n1,r\n", "'kind' is missing"),
        ("a,colour,kind\n1,r,maybe\n", "class 'maybe' does not stand in the develop rows, whose classes are no, yes"),
        ("a,colour,kind\n1,r,\n2,r,\n3,r,yes\n", "2 of 3 rows have no value in the target column"),
        ("a,colour,kind\n", "has a header and no rows"),
    ],
)
def test_test_data_that_does_not_fit(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "test.csv").write_text(content)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "t.csv", GOOD, test=tmp_path / "test.csv")


@pytest.mark.parametrize(("name", "state"), [("test.npz", "is of another kind"), ("gone.csv", "does not exist")])
def test_test_data_of_another_kind(tmp_path: Path, name: str, state: str) -> None:
    if state == "is of another kind":
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(DataError, match=rf"--test must be a table or a file of texts like the source; .* {state}"):
        read(tmp_path / "t.csv", GOOD, test=tmp_path / name)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_task_or_a_data_error(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        try:
            read(Path(folder) / "t.csv", content)
        except DataError as error:
            assert str(error)


@settings(deadline=None)
@given(st.text(st.sampled_from('ab01,;\n"|\t.NA '), max_size=200))
def test_any_cells_are_a_task_or_a_data_error(content: str) -> None:
    with TemporaryDirectory() as folder:
        try:
            read(Path(folder) / "t.csv", content)
        except DataError as error:
            assert str(error)
