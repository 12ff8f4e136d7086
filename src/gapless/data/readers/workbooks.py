"""Workbooks: .xlsx, .xls and .ods, their first sheet that holds a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from gapless.data.readers.delimited import unique_names
from gapless.data.tables.sheet import Cells, Sheet
from gapless.data.task import Skipped
from gapless.errors import DataError

WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")


def read_workbook(path: Path) -> Sheet:
    """The first sheet with more than one row and column; what stands above the names of its columns is passed over."""
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError as error:
        raise DataError(
            f"{path}: reading workbooks needs python-calamine; install it (pip install 'gapless[tables]'), or save the "
            "sheet as CSV"
        ) from error
    try:
        book = CalamineWorkbook.from_path(path)
        names = list(book.sheet_names)
        found = [(name, book.get_sheet_by_name(name).to_python()) for name in names]
    except (CalamineError, OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as a workbook ({str(error)[:100]}); save the sheet as CSV") from error
    for name, rows in found:
        sheet = _sheet(path, rows)
        if sheet is not None:
            others = [other for other in names if other != name]
            note = f"{path.name}: sheet {name!r} was read, not {', '.join(map(repr, others))}." if others else ""
            return Sheet(path, "", *sheet[:2], (*([note] if note else []), *sheet[2]), sheet[3])
    raise DataError(f"{path}: no sheet holds a table: names of columns and rows below them")


def _sheet(
    path: Path, rows: Sequence[Sequence[Any]]
) -> tuple[dict[str, Cells], list[int], tuple[str, ...], tuple[Skipped, ...]] | None:
    """Columns, numbers of the rows, notes and rows left out; None where there is no table."""
    texts = [(number, [_text(cell) for cell in row]) for number, row in enumerate(rows, 1)]
    filled = [(number, row) for number, row in texts if any(row)]
    above = next((n for n, (_, row) in enumerate(filled) if sum(map(bool, row)) > 1), None)
    if above is None or len(filled) < above + 2:
        return None
    header = filled[above][1]
    named, notes = unique_names(header)
    columns: dict[str, Cells] = {}
    kept = filled[above + 1 :]
    for place, name in enumerate(named):
        cells = [row[place] if place < len(row) else "" for _, row in kept]
        if header[place] or any(cells):  # a sheet's empty margin is no column
            columns[name] = cells
    title = " ".join(cell for _, row in filled[:above] for cell in row if cell)
    if title:
        notes = (*notes, f"{path.name}: what stands above the names of the columns was passed over: {title[:60]!r}.")
    return columns, [number for number, _ in kept], notes, ()


def _text(cell: Any) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(cell)
    if isinstance(cell, datetime) and cell.time() == time():
        return cell.date().isoformat()
    if isinstance(cell, datetime | date | time):
        return cell.isoformat()
    return str(cell.total_seconds()) if isinstance(cell, timedelta) else str(cell).strip()
