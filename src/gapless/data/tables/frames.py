"""Columns that Python holds (pandas, polars, arrow, numpy) as cells: no library is needed to read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gapless.data.tables.sheet import Cells, Sheet
from gapless.errors import DataError


def sheet_of(frame: Any, name: str) -> Sheet:
    """A sheet of anything with `columns` that gives a column by name: a data frame of pandas or polars, or a mapping of
    names to sequences."""
    names = list(frame.columns) if hasattr(frame, "columns") else list(frame)
    columns: dict[str, Cells] = {}
    unread: dict[str, str] = {}
    length = 0
    for column in names:
        values = np.asarray(frame[column])
        length = len(values)
        if values.ndim != 1 or (values.dtype == object and _are_nested(values)):
            unread[str(column)] = "each row holds several values"
            continue
        columns[str(column)] = cells_of(values)
    return Sheet(Path(name), "", columns, range(length), (), (), unread)


def is_frame(data: Any) -> bool:
    """Whether data has columns by name: a mapping, a frame of pandas or polars, a data set of Hugging Face."""
    return isinstance(data, Mapping) or (hasattr(data, "__getitem__") and column_names(data) is not None)


def column_names(data: Any) -> list[str] | None:
    """The names of the columns of a data frame (pandas, polars) or of a Hugging Face data set."""
    for attribute in ("columns", "column_names"):
        found = getattr(data, attribute, None)
        if found is not None and not callable(found):
            return [str(name) for name in found]
    return None


def sheet_of_frame(frame: Any, name: str) -> Sheet:
    """A sheet of what `is_frame` takes; DataError where its columns are not equally long, or empty."""
    columns = column_names(frame)
    if hasattr(frame, "column_names") and columns is not None and not hasattr(frame, "columns"):
        frame = {column: labels_column(frame, column) for column in columns}
    sheet = sheet_of(frame, name)
    lengths = {len(cells) for cells in sheet.columns.values()}
    if len(lengths) > 1:
        raise DataError(f"{name}: its columns must be equally long, got {', '.join(map(str, sorted(lengths)))}")
    if lengths in ({0}, set[int]()):
        raise DataError(f"{name}: there are no rows")
    return sheet


def column_of(data: Any, name: str) -> list[Any]:
    """The values of a column; DataError where there is none of that name."""
    if name not in (column_names(data) or ()):
        raise DataError(f"there is no column {name!r}; its columns are {', '.join(column_names(data) or ())}")
    return list(data[name])


def labels_column(data: Any, name: str) -> NDArray[Any]:
    """A column of a Hugging Face data set; the numbers of its classes become their names."""
    values = column_of(data, name)
    names = getattr(getattr(data, "features", {}).get(name), "names", None)
    if names:
        values = [None if value is None or value < 0 else names[value] for value in values]
    found = np.empty(len(values), dtype=object)
    found[:] = values
    cells = cells_of(found) if not any(isinstance(value, list | tuple | dict) for value in values[:100]) else found
    return np.array(cells, dtype=str) if isinstance(cells, list) else cells


def _are_nested(values: NDArray[Any]) -> bool:
    present = [value for value in values[:100] if value is not None]
    return bool(present) and isinstance(present[0], list | tuple | dict | np.ndarray)


def cells_of(values: NDArray[Any]) -> Cells:
    """Numbers and moments as they are, all else as text; None, NaN, NA and NaT are empty."""
    kind = values.dtype.kind
    if kind in "iuf":
        return values.astype(np.float64)
    if kind == "M":
        return values.astype("datetime64[s]")
    if kind == "m":
        seconds = values.astype("timedelta64[s]").astype(np.float64)
        return np.where(np.isnat(values), np.nan, seconds)
    found: list[Any] = values.tolist()
    present = [value for value in found if not _is_none(value)]
    if present and all(
        isinstance(value, Real | Decimal) and value is not True and value is not False for value in present
    ):
        return np.array([np.nan if _is_none(value) else float(value) for value in found], dtype=np.float64)
    if present and all(isinstance(value, datetime | date) for value in present):
        return np.array([None if _is_none(v) else _naive(v) for v in found], dtype="datetime64[s]")
    return _texts(found)


def _naive(value: datetime | date) -> datetime | date:
    from datetime import UTC

    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) and value.tzinfo else value


def _texts(found: Sequence[Any]) -> list[str]:
    return ["" if _is_none(value) else str(value).strip() for value in found]


def _is_none(value: Any) -> bool:
    # NaN and NaT differ from themselves; pandas' NA does not compare at all.
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value
