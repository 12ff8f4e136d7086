"""Files of records with named fields, as sheets: JSON lines and Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

from gapless.data.delimited import Sheet, read_sheet
from gapless.data.encodings import encoding_of
from gapless.data.task import Skipped
from gapless.errors import DataError

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")


def read_records(path: Path, longest: int) -> Sheet:
    """A file of any of `SUFFIXES` as a sheet; `longest`: characters that a cell of a .csv or .tsv may have."""
    match path.suffix.lower():
        case ".parquet":
            return _parquet(path)
        case ".jsonl" | ".ndjson":
            return _json_lines(path)
        case _:
            return read_sheet(path, longest)


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


def _columns(path: Path, found: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    names = list(dict.fromkeys(name for record in found for name in record))
    if len(names) < 2:
        raise DataError(f"{path}: records need a text and a target, these have only {', '.join(names) or 'no fields'}")
    return {name: _cells(record.get(name) for record in found) for name in names}


def _cells(values: Iterable[Any]) -> list[str]:
    return [_cell(value) for value in values]


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    return str(value).strip() if isinstance(value, str | int | float) else ""


def _parquet(path: Path) -> Sheet:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise DataError(f"{path}: reading Parquet needs pyarrow; install it: pip install 'gapless[parquet]'") from error
    try:
        table = ParquetFile(path).read()
        columns = {str(name): _cells(table.column(name).to_pylist()) for name in dict.fromkeys(table.column_names)}
    except (ArrowException, OSError, ValueError, KeyError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path}: cannot be read as Parquet ({said}); write it again") from error
    rows = table.num_rows
    if not rows:
        raise DataError(f"{path}: has columns and no rows")
    if len(columns) < 2:
        raise DataError(f"{path}: a file of texts needs a text and a target column, this one has {len(columns)}")
    return Sheet(path, "", columns, list(range(1, rows + 1)), (), ())
