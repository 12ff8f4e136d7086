"""Which column of a sheet is the target, and which rows have one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gapless.data.delimited import Sheet
from gapless.data.task import Array, Skipped
from gapless.errors import DataError, did_you_mean

_TARGETS = ("target", "label", "class", "y")


@dataclass(frozen=True)
class Labelled:
    """The rows of a sheet that have a target: their numbers and their labels."""

    sheet: Sheet
    rows: NDArray[np.int64]
    y: Array
    skipped: tuple[Skipped, ...]


def target_of(sheet: Sheet, target: str | None, text: str | None = None) -> tuple[str, tuple[str, ...]]:
    """The target column, and a note where it was guessed: by the usual names, else the last one that is not `text`."""
    names = [name for name in sheet.columns if name != text]
    if target is not None:
        if target not in names:
            raise DataError(f"{sheet.path}: there is no column {target!r} to predict.{did_you_mean(target, names)}")
        return target, ()
    usual = {name.casefold(): name for name in reversed(names)}
    for word in _TARGETS:
        if word in usual:
            return usual[word], (f"The target is column {usual[word]!r}; --target names another.",)
    return names[-1], (f"The target is column {names[-1]!r}, the last one; --target names another.",)


def labelled(sheet: Sheet, target: str, y: Array, missing: NDArray[np.bool_]) -> Labelled:
    """Leaves out the rows without a target and lists them."""
    without = np.flatnonzero(missing)
    if 2 * len(without) > len(y):
        raise DataError(
            f"{sheet.path}: {len(without):,} of {len(y):,} rows have no value in the target column {target!r}, more "
            "than half; fill it or choose another with --target"
        )
    cells = sheet.columns[target]
    left_out = tuple(Skipped(sheet.where(row), f"no target: {target!r} is {cells[row]!r}") for row in without.tolist())
    rows = np.flatnonzero(~missing)
    return Labelled(sheet, rows, y[rows], (*sheet.skipped, *left_out))
