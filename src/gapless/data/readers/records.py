"""Files of records with named fields, as sheets: text, JSON, JSON lines, Parquet, Feather, workbooks, databases."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from gapless.data.readers.databases import is_database, read_database
from gapless.data.readers.delimited import read_sheet
from gapless.data.readers.encodings import encoding_of
from gapless.data.readers.workbooks import WORKBOOKS, read_workbook
from gapless.data.tables.frames import cells_of
from gapless.data.tables.sheet import Cells, Sheet
from gapless.data.task import Skipped
from gapless.errors import DataError

TEXT = (".csv", ".tsv")
COLUMNAR = (".parquet", ".feather", ".arrow")
SUFFIXES = (*TEXT, ".jsonl", ".ndjson", ".json", *COLUMNAR, *WORKBOOKS)


def is_records(source: str) -> bool:
    """Whether a word names a file of any of these kinds that is there."""
    path = Path(source).expanduser()
    return is_database(source) or (path.suffix.lower() in SUFFIXES and path.is_file())


def read_records(path: Path, longest: int | None = None) -> Sheet:
    """A file of any of `SUFFIXES`, or sqlite:FILE?table=NAME, as a sheet.

    longest: characters that a cell of a .csv or .tsv may have.
    """
    if is_database(str(path)):
        return read_database(str(path))
    suffix = path.suffix.lower()
    if suffix in COLUMNAR:
        return _columnar(path, suffix)
    if suffix in WORKBOOKS:
        return read_workbook(path)
    match suffix:
        case ".json":
            return _json(path)
        case ".jsonl" | ".ndjson":
            return _json_lines(path)
        case _:
            return read_sheet(path, longest)


def _json(path: Path) -> Sheet:
    """An array of records, or columns by name, alone or in the one field of an object that is an array of records."""
    encoding = encoding_of(path)
    try:
        found = json.loads(path.read_text(encoding=encoding.name, errors=encoding.errors))
    except (ValueError, RecursionError) as error:
        lines = "; a file with one object a line is named .jsonl" if "Extra data" in str(error) else ""
        raise DataError(f"{path}: is not JSON that can be read ({str(error)[:80]}){lines}") from error
    if isinstance(found, dict):
        fields = cast(dict[str, Any], found)
        arrays = [value for value in fields.values() if _are_records(value)]
        if len(arrays) == 1:
            found = arrays[0]
        elif fields and all(isinstance(value, list | dict) for value in fields.values()):
            return _from_columns(path, fields)
    if not _are_records(found):
        raise DataError(f'{path}: must be an array of records, such as [{{"age": 41, "kind": "a"}}, ...]')
    records = cast(list[dict[str, Any]], found)
    return Sheet(path, "", _columns(path, records), range(1, len(records) + 1), (), ())


def _are_records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in cast(list[Any], value))


def _from_columns(path: Path, fields: Mapping[str, Any]) -> Sheet:
    """`{"age": [41, 7], ...}`, or with the numbers of the rows, `{"age": {"0": 41, "1": 7}, ...}`."""
    columns = {name: list(value.values()) if isinstance(value, dict) else value for name, value in fields.items()}
    lengths = {len(values) for values in columns.values()}
    if len(lengths) != 1 or len(columns) < 2 or not max(lengths):
        raise DataError(
            f"{path}: its columns must be two or more and equally long, got {len(columns)} of {sorted(lengths)}"
        )
    return Sheet(
        path, "", {name: _cells(values) for name, values in columns.items()}, range(1, max(lengths) + 1), (), ()
    )


def _json_lines(path: Path) -> Sheet:
    """One JSON object a line; a field that is missing or null is an empty cell, and so is a list or an object."""
    encoding = encoding_of(path)
    found: list[dict[str, Any]] = []
    lines: list[int] = []
    skipped: list[Skipped] = []
    try:
        with path.open(encoding=encoding.name, errors=encoding.errors) as stream:
            for number, line in enumerate(stream, 1):
                if not line.strip():
                    continue
                record, reason = _record(line)
                if record is None:
                    skipped.append(Skipped(f"{path.name} line {number}", reason))
                else:
                    found.append(record)
                    lines.append(number)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not whole {encoding.name} text ({error}); save it as UTF-8") from error
    if len(skipped) > len(found) or not found:
        first = f"{skipped[0].where}: {skipped[0].reason}" if skipped else "there are none"
        raise DataError(f"{path}: most lines are no records, the first is {first}; write one JSON object a line")
    notes = (encoding.note,) if encoding.note else ()
    return Sheet(path, "", _columns(path, found), lines, notes, tuple(skipped))


def _record(line: str) -> tuple[dict[str, Any] | None, str]:
    try:
        value = json.loads(line)
    except ValueError as error:
        return None, f"not JSON ({error})"
    except RecursionError:
        return None, "not JSON that can be read: its brackets are nested too deep"
    if not isinstance(value, dict):
        return None, f"a {type(value).__name__} and not an object with fields"
    return cast(dict[str, Any], value), ""


def _columns(path: Path, found: Sequence[dict[str, Any]]) -> dict[str, Cells]:
    names = list(dict.fromkeys(name for record in found for name in record))
    if len(names) < 2:
        raise DataError(
            f"{path}: records need a target and another field, these have {', '.join(names) or 'no fields'}"
        )
    if len(names) * len(found) > 10 * sum(map(len, found)) + 1000:
        raise DataError(
            f"{path}: its {len(found):,} records name {len(names):,} fields, hardly any of which they share"
        )
    return {name: _cells(record.get(name) for record in found) for name in names}


def _cells(values: Iterable[Any]) -> list[str]:
    return [_cell(value) for value in values]


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip() if isinstance(value, str | int | float) else ""


class _Lazy(Mapping[str, Cells]):
    """The columns of a Parquet or Feather file, each read and turned into cells when it is asked for."""

    def __init__(self, path: Path, names: Sequence[str], read: Any):
        self._path, self._names, self._read = path, names, read
        self._known: dict[str, Cells] = {}

    def __getitem__(self, name: str) -> Cells:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._known:
            self._known[name] = cells_of(_arrow_values(self._path, self._read, name))
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _arrow_values(path: Path, read: Any, name: str) -> Any:
    from pyarrow import ArrowException, types

    try:
        column = read(columns=[name]).column(0)
        if types.is_date(column.type) or types.is_timestamp(column.type):
            column = column.cast("timestamp[s]", safe=False)
        elif types.is_decimal(column.type):
            column = column.cast("float64")
        elif types.is_binary(column.type) or types.is_large_binary(column.type):
            return np.array([v and v.decode("utf-8", "replace") for v in column.to_pylist()], dtype=object)
        return column.to_numpy()
    except (ArrowException, OSError, ValueError, KeyError, OverflowError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> DataError:
    said = (str(error).splitlines() or [type(error).__name__])[0]
    return DataError(f"{path}: cannot be read as {path.suffix[1:].title()} ({said}); write it again")


_MOST_ROWS = 200_000_000  # a run-length file of some kB can declare more than fit into any memory


def _columnar(path: Path, suffix: str) -> Sheet:
    try:
        from pyarrow import ArrowException, feather, types
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        kind = suffix[1:].title()
        raise DataError(f"{path}: reading {kind} needs pyarrow; install it: pip install 'gapless[tables]'") from error
    try:
        if suffix == ".parquet":
            file = ParquetFile(path)
            schema, rows, read = file.schema_arrow, file.metadata.num_rows, file.read
        else:
            table = feather.read_table(path)
            schema, rows = table.schema, table.num_rows
            read = table.select
    except (ArrowException, OSError, ValueError, KeyError) as error:
        raise _unreadable(path, error) from error
    if not 0 < rows <= _MOST_ROWS:
        raise DataError(f"{path}: has columns and {f'{rows:,}' if rows else 'no'} rows; give 1 to {_MOST_ROWS:,}")
    names = list(dict.fromkeys(str(name) for name in schema.names))
    if len(names) < 2:
        raise DataError(f"{path}: a table needs a target and at least one more column, this one has {len(names)}")
    unread = {
        str(field.name): "each row holds a list or an object, not a value"
        for field in schema
        if types.is_nested(field.type)
    }
    columns = _Lazy(path, [name for name in names if name not in unread], read)
    return Sheet(path, "", columns, range(1, rows + 1), (), (), unread)
