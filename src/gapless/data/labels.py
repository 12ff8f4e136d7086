"""What a target column or label array means: classes with their names, or a quantity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gapless.data.task import Array
from gapless.errors import DataError

# What stands for "no value" in a text file, exactly as written.
MISSING = frozenset({"", "NA", "N/A", "na", "n/a", "<NA>", "#N/A", "NaN", "nan", "NAN", "null", "NULL", "None", "?"})

_MOST_CLASSES = 20  # distinct whole numbers that may still be class numbers
_CLASS_ROWS = 0.1  # and their number as a share of the rows


@dataclass(frozen=True)
class Labels:
    """Labels as a Task takes them; a missing one is -1 or NaN.

    y: class numbers int64 (N,), or float32 (N,) for a regression.
    classes: names in the order of their numbers; empty for a regression.
    note: which of the two it is, and why.
    """

    y: Array
    classes: tuple[str, ...]
    note: str

    @property
    def missing(self) -> NDArray[np.bool_]:
        return np.equal(self.y, -1) if self.classes else np.isnan(self.y)


def number(text: str) -> float | None:
    """The finite number that the text is, or None. Python's underscores and 'inf' do not count."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None


def labels_from_cells(cells: Sequence[str], column: str) -> Labels:
    """Classes when the cells are words or a few distinct whole numbers, else a regression."""
    present = [cell for cell in cells if cell not in MISSING]
    values = [number(cell) for cell in present]
    numeric = [value for value in values if value is not None]
    _require_different(present, f"target column {column!r}")
    if len(numeric) < len(values) and (len(numeric) < 0.95 * len(values) or _few_whole_numbers(numeric)):
        return _as_classes(cells, f"Column {column!r} holds words, so this is a classification")
    if _few_whole_numbers(numeric):
        return _as_classes(cells, f"Column {column!r} holds few distinct whole numbers, so this is a classification")
    return Labels(
        _quantities(cells),
        (),
        f"Column {column!r} holds {len(set(numeric)):,} distinct numbers, so this is a regression; to have classes, "
        "write them as words.",
    )


def match_cells(cells: Sequence[str], classes: tuple[str, ...], where: str) -> Array:
    """The labels of test rows, by the classes (none: a regression) that the develop rows have."""
    return _numbered([_class_name(cell) for cell in cells], classes, where) if classes else _quantities(cells)


def labels_from_array(y: Array, where: str) -> Labels:
    """Classes from integers, booleans and strings; a regression from floats, unless they are few whole numbers."""
    if y.dtype.kind not in "iubfUS":
        raise DataError(f"{where}: labels must be integers, strings or floats, got {y.dtype}")
    if y.dtype.kind == "f":
        present = y[np.isfinite(y)].astype(np.float64).tolist()
        _require_different(present, where)
        if not _few_whole_numbers(present):
            note = f"The labels are floats with {len(set(present)):,} distinct values, so this is a regression."
            return Labels(_finite(y), (), note)
        return _as_classes(_texts(y), "The labels are few distinct whole numbers, so this is a classification")
    distinct = len(np.unique(y))
    if 2 * distinct > max(len(y), 4):
        kind = "strings" if y.dtype.kind in "US" else "integers"
        raise DataError(
            f"{where}: {distinct:,} distinct {kind} in {len(y):,} rows are too many classes; store a quantity as floats"
        )
    return _as_classes(_texts(y), "The labels are integers or strings, so this is a classification")


def match_array(y: Array, classes: tuple[str, ...], where: str) -> Array:
    """The labels of test rows, by the classes (none: a regression) that the develop rows have."""
    if classes:
        return _numbered([_class_name(text) for text in _texts(y)], classes, where)
    if y.dtype.kind not in "iubf":
        raise DataError(f"{where}: the target is a quantity, so labels must be numbers, got {y.dtype}")
    return _finite(y)


def _require_different(present: Sequence[object], where: str) -> None:
    if len(set(present)) < 2:
        held = f"only the value {present[0]!r}" if present else "no value"
        raise DataError(f"{where}: there is {held}, so there is nothing to learn; two or more are needed")


def _finite(y: Array) -> Array:
    values = y.astype(np.float64)
    values[~np.isfinite(values)] = np.nan
    return _narrowed(values)


def _narrowed(values: NDArray[np.float64]) -> Array:
    if np.nanmax(np.abs(values), initial=0) > np.finfo(np.float32).max:
        raise DataError(f"target values must fit in float32, got {np.nanmax(np.abs(values)):.3g}; rescale the target")
    return values.astype(np.float32)


def _quantities(cells: Sequence[str]) -> Array:
    values = [None if cell in MISSING else number(cell) for cell in cells]
    return _narrowed(np.array([math.nan if value is None else value for value in values], dtype=np.float64))


def _few_whole_numbers(values: Sequence[float]) -> bool:
    distinct = set(values)
    whole = all(value == int(value) for value in distinct)
    # Two distinct values are classes however few rows there are.
    return whole and len(distinct) <= min(_MOST_CLASSES, max(2, _CLASS_ROWS * len(values)))


def _as_classes(cells: Sequence[str], note: str) -> Labels:
    names = [_class_name(cell) for cell in cells]
    classes = tuple(sorted({name for name in names if name not in MISSING}, key=class_order))
    return Labels(_numbered(names, classes, ""), classes, f"{note} with {len(classes):,} classes.")


def _numbered(names: Sequence[str], classes: tuple[str, ...], where: str) -> Array:
    numbers = {name: i for i, name in enumerate(classes)} | dict.fromkeys(MISSING, -1)
    unknown = sorted({name for name in names if name not in numbers})
    if unknown:
        raise DataError(
            f"{where}: class {unknown[0]!r} does not stand in the develop rows, whose classes are "
            f"{', '.join(classes[:10])}{' ...' if len(classes) > 10 else ''}; remove these rows or add such rows there"
        )
    return np.array([numbers[name] for name in names], dtype=np.int64)


def _class_name(cell: str) -> str:
    """The cell itself; '3.0' and '3' are the same class."""
    value = number(cell)
    return str(int(value)) if value is not None and value == int(value) else cell


def class_order(name: str) -> tuple[float, str]:
    """Numbers by size, then words by letter."""
    value = number(name)
    return (math.inf if value is None else value, name)


def _texts(y: Array) -> list[str]:
    if y.dtype.kind == "S":
        return [bytes(label).decode("utf-8", "replace").strip() for label in y.tolist()]
    return [str(label).strip() for label in y.tolist()]
