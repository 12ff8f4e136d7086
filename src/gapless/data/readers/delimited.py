"""Text files of cells: their encoding, separator, header and rows.

Read with Python's csv module: no faster reader leaves out just the rows that do not fit and tells their lines.
"""

from __future__ import annotations

import csv
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import TextIO

from gapless.data.readers.encodings import Encoding, encoding_of
from gapless.data.tables.missing import MISSING, number
from gapless.data.tables.sheet import Sheet
from gapless.data.task import Skipped
from gapless.errors import DataError

_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_SAMPLE = 100  # records that decide on the separator
_INTERNED = 10_000  # distinct words of a column that share their memory


def read_sheet(path: Path, longest: int | None = None) -> Sheet:
    """Reads a .csv or .tsv file: separated by comma, semicolon, tab or bar; with a header; for encodings see there.

    Args:
        longest: characters that a cell may have; None takes what Python's csv module allows, 131,072.
    """
    encoding = encoding_of(path)
    try:
        with _cells_up_to(longest):
            return _read(path, encoding)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not whole {encoding.name} text ({error}); save it as UTF-8") from error


@contextmanager
def _cells_up_to(longest: int | None) -> Generator[None]:
    """The csv module's limit is one for the whole process; it is given back."""
    before = csv.field_size_limit()
    csv.field_size_limit(longest or before)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _read(path: Path, encoding: Encoding) -> Sheet:
    with _opened(path, encoding) as stream:
        separator, skip = _layout(path, stream)
    with _opened(path, encoding) as stream:
        records = _records(path, stream, separator)
        above = [next(records)[1] for _ in range(skip)]
        header = [cell.strip() for cell in next(records)[1]]
        if all(number(cell) is not None for cell in header if cell not in MISSING):
            raise _no_header(path, header)
        names, renamed = unique_names(header)
        columns, lines, skipped = _rows(path, records, header)
    if not lines and not skipped:
        raise DataError(f"{path}: has a header and no rows")
    if len(skipped) > len(lines):
        first = skipped[0]
        raise DataError(
            f"{path}: {len(skipped):,} of {len(lines) + len(skipped):,} rows do not fit the header, the first is "
            f"{first.where} ({first.reason}); check the separator, here {_SEPARATORS[separator]}, and the quotes"
        )
    _require_header(path, header, columns)
    notes = (encoding.note, *renamed) if encoding.note else renamed
    title = " ".join("".join(record).strip() for record in above if not _names_separator(record))
    if title:
        notes = (*notes, f"{path.name}: what stands above the names of the columns was passed over: {title[:60]!r}.")
    return Sheet(path, separator, dict(zip(names, columns, strict=True)), lines, notes, tuple(skipped))


def _rows(
    path: Path, records: Iterator[tuple[int, list[str]]], header: Sequence[str]
) -> tuple[list[list[str]], list[int], list[Skipped]]:
    """The columns of the rows that fit the header, their lines, and the rows left out."""
    columns: list[list[str]] = [[] for _ in header]
    words: list[dict[str, str]] = [{} for _ in header]
    lines: list[int] = []
    skipped: list[Skipped] = []
    for line, record in records:
        row = [cell.strip() for cell in record]
        if len(row) != len(header) or row == header:
            reason = "the header again" if row == header else f"{len(row)} cells where the header has {len(header)}"
            skipped.append(Skipped(f"{path.name} line {line}", reason))
            continue
        lines.append(line)
        for column, known, cell in zip(columns, words, row, strict=True):
            column.append(known.setdefault(cell, cell) if len(known) < _INTERNED else cell)
    return columns, lines, skipped


@contextmanager
def _opened(path: Path, encoding: Encoding) -> Generator[TextIO]:
    try:
        with path.open(encoding=encoding.name, errors=encoding.errors, newline="") as stream:
            yield stream
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _layout(path: Path, stream: TextIO) -> tuple[str, int]:
    """The separator, and how many records stand above the header.

    The separator is the one that gives most of the first records as many cells as the header, then the most cells; the
    header is the first record with more than one value in it. Excel's first line `sep=;` names the separator.
    """
    # A quoted cell may span lines: twice as many lines as records leave room.
    head = list(islice(stream, 2 * _SAMPLE))
    named = _names_separator([head[0]]) if head else ""
    best: tuple[float, int, int, str] = (0.0, 0, 1, "")
    for separator in [named] if named else _SEPARATORS:
        records = _first_records(head, separator)
        above = next((n for n, cells in enumerate(records) if sum(map(bool, cells)) > 1), 0)
        sizes = [len(cells) for cells in records[above:]]
        if sizes and sizes[0] > 1:
            best = max(best, (sum(size == sizes[0] for size in sizes) / len(sizes), -above, sizes[0], separator))
    if not best[3]:
        first = next((line.strip() for line in head if line.strip()), "")
        raise DataError(
            f"{path}: no comma, semicolon, tab or bar separates columns in the first line, {first[:60]!r}; "
            "a table needs a target and at least one more column"
        )
    return best[3], -best[1]


def _names_separator(record: Sequence[str]) -> str:
    """The separator that Excel's line `sep=;` names, in a record or in a line as a whole."""
    line = record[0].strip("\r\n") if record else ""
    if len(record) > 1 and line.lower() == "sep=":  # taken apart by the separator that it names
        return ","
    return line[4:] if line.lower().startswith("sep=") and line[4:] in _SEPARATORS else ""


def _first_records(head: Sequence[str], separator: str) -> list[list[str]]:
    """The first records that are not blank, up to one that cannot be read, their cells stripped."""
    found: list[list[str]] = []
    # Reading the file proper names the line of such a record.
    with suppress(csv.Error):
        for record in islice(csv.reader(head, delimiter=separator, skipinitialspace=True), _SAMPLE):
            if any(record):
                found.append([cell.strip() for cell in record])
    return found


def _records(path: Path, stream: TextIO, separator: str) -> Iterator[tuple[int, list[str]]]:
    """The records that are not blank, each with the line on which it ends."""
    reader = csv.reader(stream, delimiter=separator, strict=True, skipinitialspace=True)
    try:
        for record in reader:
            if any(record):
                yield reader.line_num, record
    except csv.Error as error:
        raise DataError(f"{path} line {reader.line_num}: {error}; check the quotes around cells") from error


def unique_names(header: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """A distinct name for every column, and notes about those that had none or shared one."""
    names: list[str] = []
    notes: list[str] = []
    for place, cell in enumerate(header, start=1):
        plain = cell or f"column {place}"
        name, copy = plain, 1
        while name in names:
            copy += 1
            name = f"{plain} ({copy})"
        if cell and name != cell:
            notes.append(f"The header names {cell!r} more than once; column {place} is called {name!r} here.")
        names.append(name)
    return names, tuple(notes)


def _require_header(path: Path, header: Sequence[str], columns: Sequence[Sequence[str]]) -> None:
    """Raises DataError when the first row looks like data: its words all stand again below themselves."""
    named = [(cell, column) for cell, column in zip(header, columns, strict=True) if cell not in MISSING]
    words = [(cell, column) for cell, column in named if number(cell) is None]
    if words and all(cell in column for cell, column in words):
        raise _no_header(path, header)


def _no_header(path: Path, header: Sequence[str]) -> DataError:
    return DataError(
        f"{path}: the first row, {', '.join(header)[:60]!r}, looks like data; the first row must name the columns"
    )
