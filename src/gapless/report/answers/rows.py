"""The rows that turned, with what they are: a picture, a text, or the cells of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gapless.data.inputs.tables import ArrayInputs, TableInputs
from gapless.report.drawing.pictures import Picture, picture
from gapless.report.figures import number, one_line

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gapless.data import Task
    from gapless.evidence.result import Turned, TurnedRow

SHOWN = 8
"""Rows of each way of turning that a page shows, at most."""
LONGEST, CELLS, CELL = 300, 6, 30
"""Characters of a text, cells of a table's row, and characters of each, that are shown."""


@dataclass(frozen=True)
class ShownRow:
    """A row that turned. picture: None but for pictures; text: a text, or the cells of a table."""

    what: TurnedRow
    picture: Picture | None
    text: str


@dataclass(frozen=True)
class ShownRows:
    """better: wrong before and right after, or closer; worse: the other way round."""

    better: tuple[ShownRow, ...]
    worse: tuple[ShownRow, ...]


def shown_rows(task: Task, turned: Turned | None) -> ShownRows | None:
    """What the rows that turned most are; None where that is not known."""
    if turned is None or task.confirm is None:
        return None
    x = task.confirm.x
    sides = (tuple(_shown(task, x, row) for row in rows[:SHOWN]) for rows in (turned.better_rows, turned.worse_rows))
    return ShownRows(*sides)


def _shown(task: Task, x: NDArray[np.generic], row: TurnedRow) -> ShownRow:
    if task.kind == "image":
        return ShownRow(row, picture(np.asarray(x[row.row], dtype=np.uint8)), "")
    if task.kind == "text":
        return ShownRow(row, None, one_line(str(x[row.row]), LONGEST))
    cells = _cells(task, np.asarray(x[row.row], dtype=np.float32))
    more = f", and {len(cells) - CELLS:,} more columns" if len(cells) > CELLS else ""
    said = ", ".join(f"{one_line(name, CELL)} {_cell(value)}" for name, value in list(cells.items())[:CELLS])
    return ShownRow(row, None, said + more)


def _cells(task: Task, row: NDArray[np.float32]) -> dict[str, float | str | None]:
    """The cells of a row of a table as its source had them; of a table without an encoder, as the model sees them."""
    encoder = task.inputs.encoder if isinstance(task.inputs, TableInputs | ArrayInputs) else None
    if encoder is not None:
        return encoder.decode(row)
    names = task.features or tuple(f"column {i}" for i in range(len(row)))
    return dict(zip(names, row.tolist(), strict=True))


def _cell(value: float | str | None) -> str:
    return "missing" if value is None else one_line(value, CELL) if isinstance(value, str) else number(value)
