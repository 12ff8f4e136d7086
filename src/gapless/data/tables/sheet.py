"""A table as it was read: columns of cells by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gapless.data.task import Skipped

Cells = list[str] | NDArray[np.float64] | NDArray[np.datetime64]
"""Text, stripped of surrounding space, empty where there is no value; or, from files that know what their columns
hold, numbers (NaN: no value) or moments (datetime64[s], NaT: no value)."""


@dataclass(frozen=True)
class Sheet:
    """The columns of a source, by name in its order, all equally long.

    lines: the line of the file on which each row ends, or its number.
    unread: columns that could not be read, and why, such as a list in each row.
    """

    path: Path
    separator: str
    columns: Mapping[str, Cells]
    lines: Sequence[int]
    notes: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    unread: Mapping[str, str] = field(default_factory=dict[str, str])

    def where(self, row: int) -> str:
        """The place of a row, for people."""
        unit = "line" if self.separator else "row"
        return f"{self.path.name} {unit} {self.lines[row]}"

    def texts(self, name: str) -> list[str]:
        """The cells of a column as text."""
        cells = self.columns[name]
        return as_texts(cells) if isinstance(cells, np.ndarray) else cells

    def without(self, marks: Sequence[str]) -> Sheet:
        """The sheet with empty cells where one of the marks stands, as it is written or as a number."""
        if not marks:
            return self
        columns = {name: _without(cells, marks) for name, cells in self.columns.items()}
        return replace(self, columns=columns)


def as_texts(cells: NDArray[np.float64] | NDArray[np.datetime64]) -> list[str]:
    """Numbers and moments as they are written: whole numbers without a point, nothing for a missing value."""
    if cells.dtype.kind == "M":
        return ["" if np.isnat(value) else str(value) for value in cells]
    return [
        "" if value != value else str(int(value)) if value == int(value) else repr(value) for value in _floats(cells)
    ]


def _floats(cells: NDArray[np.float64] | NDArray[np.datetime64]) -> list[float]:
    values = cells.astype(np.float64)
    values[np.isinf(values)] = np.nan
    return values.tolist()


def _without(cells: Cells, marks: Sequence[str]) -> Cells:
    numbers = {value for mark in marks if (value := _value(mark)) is not None}
    if isinstance(cells, np.ndarray):
        if cells.dtype.kind != "f" or not numbers:
            return cells
        return np.where(np.isin(cells, sorted(numbers)), np.nan, cells)
    gone = {cell for cell in set(cells) if cell in marks or _value(cell) in numbers}
    return ["" if cell in gone else cell for cell in cells] if gone else cells


def _value(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
