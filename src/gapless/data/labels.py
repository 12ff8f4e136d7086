"""What a target column or label array means: classes with their names, or a quantity."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gapless.data.tables import amounts
from gapless.data.tables.missing import MISSING, number
from gapless.data.task import Array
from gapless.errors import DataError

__all__ = [
    "MISSING",
    "Aim",
    "Labels",
    "class_texts",
    "labels_from_array",
    "labels_from_cells",
    "match_array",
    "match_cells",
    "number",
]

Aim = Literal["classification", "regression"]

_MOST_CLASSES = 20  # distinct whole numbers that may still be class numbers
_CLASS_ROWS = 0.1  # and their number as a share of the rows
_PER_CLASS = 2  # rows that a class needs: one to train on, one to choose with
_SEVERAL = 0.2  # share of distinct cells with a separator in them, from which on they may hold several labels
_NAMED = 5  # classes named in a note


class SeveralLabelsError(DataError):
    """A target whose cells hold several labels each."""


@dataclass(frozen=True)
class Labels:
    """Labels as a Task takes them; a missing one is -1 or NaN.

    y: class numbers int64 (N,), or float32 (N,) for a regression.
    classes: names in the order of their numbers; empty for a regression.
    note: which of the two it is, and why.
    rare: classes with a single row, which are left out: their rows count as missing.
    style: how the numbers of a regression are written. fold: classes that differ only by case or space are one.
    """

    y: Array
    classes: tuple[str, ...]
    note: str
    rare: frozenset[str] = frozenset()
    style: amounts.Style = amounts.PLAIN
    fold: bool = False

    @property
    def missing(self) -> NDArray[np.bool_]:
        return np.equal(self.y, -1) if self.classes else np.isnan(self.y)

    def take(self, rows: NDArray[np.bool_]) -> Labels:
        return replace(self, y=self.y[rows])


def labels_from_cells(cells: Sequence[str], column: str, aim: Aim | None = None, fold: bool = False) -> Labels:
    """Classes when the cells are words or a few distinct whole numbers, else a regression.

    Args:
        aim: which of the two, where the user decides. fold: classes that differ only by case or space are one.
    """
    style, cells = _plain(cells)
    present = [cell for cell in cells if cell not in MISSING]
    values = [number(cell) for cell in present]
    numeric = [value for value in values if value is not None]
    where = f"target column {column!r}"
    _require_different(present, where)
    words = len(numeric) < len(values) and (len(numeric) < amounts.SHARE * len(values) or _few_whole_numbers(numeric))
    if aim == "regression" and len(numeric) < amounts.SHARE * len(values):
        odd = next(cell for cell, value in zip(present, values, strict=True) if value is None)
        raise DataError(
            f"{where} holds words such as {odd[:40]!r}, so it cannot be a regression; leave --task regression out, or "
            "choose another --target"
        )
    if aim == "classification" or (aim is None and (words or _few_whole_numbers(numeric))):
        _refuse_several(present, where)
        hold = "is taken as classes, as asked for" if aim else "holds words, so this is a classification"
        if not aim and not words:
            hold = "holds few distinct whole numbers, so this is a classification (--task regression: it is none)"
        return _as_classes(cells, f"Column {column!r} {hold}", where, fold)
    written = "" if style.plain else f", written with {style}"
    asked = "is taken as a quantity, as asked for" if aim else f"holds {len(set(numeric)):,} distinct numbers{written}"
    so = "." if aim else ", so this is a regression; to have classes, say --task classification."
    return Labels(_quantities(cells), (), f"Column {column!r} {asked}{so}", style=style)


def match_cells(cells: Sequence[str], labels: Labels, where: str) -> Labels:
    """The labels of test rows, by the classes (none: a regression) that the develop rows have."""
    if not labels.classes:
        values = amounts.read_as(cells, labels.style).values
        return replace(labels, y=_narrowed(values), note="")
    names = [_class_name(cell) for cell in cells]
    if labels.fold:
        known = {_folded(name): name for name in labels.classes}
        names = [known.get(_folded(name), name) for name in names]
    return replace(labels, y=_numbered(names, labels, where), note="")


def _plain(cells: Sequence[str]) -> tuple[amounts.Style, Sequence[str]]:
    """The cells with numbers as programs write them, where they are written as people do."""
    found = amounts.read(cells)
    if found is None or found.style.plain:
        return amounts.Style(), cells
    pairs = zip(cells, found.values.tolist(), strict=True)
    return found.style, [cell if math.isnan(value) else repr(value) for cell, value in pairs]


def _refuse_several(present: Sequence[str], where: str) -> None:
    """An error where the cells are combinations of labels, such as 'sport|music'."""
    distinct = set(present)
    for separator in "|;,":
        several = sorted(cell for cell in distinct if separator in cell)
        if len(several) < max(2, _SEVERAL * len(distinct)):
            continue
        parts = Counter(part.strip() for cell in distinct for part in set(cell.split(separator)))
        if len(parts) < len(distinct) and 2 * sum(count > 1 for count in parts.values()) >= len(parts):
            # A comma also stands inside of one label, so a guessed target is passed over rather than refused for it.
            raise (DataError if separator == "," else SeveralLabelsError)(
                f"{where}: its cells hold several labels each, such as {several[0][:40]!r} ({len(parts):,} labels in "
                f"{len(distinct):,} combinations), and gapless trains on one label a row; make a column of yes and no "
                "for each label, choose one with --target and leave the others out with --ignore"
            )


def labels_from_array(y: Array, where: str, aim: Aim | None = None) -> Labels:
    """Classes from integers, booleans and strings; a regression from floats, unless they are few whole numbers."""
    if y.dtype.kind not in "iubfUS":
        raise DataError(f"{where}: labels must be integers, strings or floats, got {y.dtype}")
    if aim == "regression":
        if y.dtype.kind in "US":
            raise DataError(f"{where}: labels of a regression must be numbers, got {y.dtype}; leave --task out")
        return Labels(_finite(y), (), "The labels are taken as quantities, as asked for.")
    if aim == "classification":
        return _as_classes(_texts(y), "The labels are taken as classes, as asked for", where)
    if y.dtype.kind == "f":
        present = y[np.isfinite(y)].astype(np.float64).tolist()
        _require_different(present, where)
        if not _few_whole_numbers(present):
            note = f"The labels are floats with {len(set(present)):,} distinct values, so this is a regression."
            return Labels(_finite(y), (), note)
        return _as_classes(_texts(y), "The labels are few distinct whole numbers, so this is a classification", where)
    distinct = len(np.unique(y))
    if 2 * distinct > max(len(y), 4):
        kind = "strings" if y.dtype.kind in "US" else "integers"
        raise DataError(
            f"{where}: {distinct:,} distinct {kind} in {len(y):,} rows are too many classes; store a quantity as floats"
        )
    return _as_classes(_texts(y), "The labels are integers or strings, so this is a classification", where)


def match_array(y: Array, labels: Labels, where: str) -> Labels:
    """The labels of test rows, by the classes (none: a regression) that the develop rows have."""
    if labels.classes:
        return replace(labels, y=_numbered(class_texts(y), labels, where), note="")
    if y.dtype.kind not in "iubf":
        raise DataError(f"{where}: the target is a quantity, so labels must be numbers, got {y.dtype}")
    return replace(labels, y=_finite(y), note="")


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


def _as_classes(cells: Sequence[str], note: str, where: str, fold: bool = False) -> Labels:
    names = [_class_name(cell) for cell in cells]
    counts = Counter(name for name in names if name not in MISSING)
    _require_different([*counts], where)
    alike = _alike(counts)
    if fold:
        common = {name: max(group, key=lambda one: counts[one]) for group in alike for name in group}
        names = [common.get(name, name) for name in names]
        counts = Counter(name for name in names if name not in MISSING)
    rare = frozenset(name for name, count in counts.items() if count < _PER_CLASS)
    classes = tuple(sorted(counts.keys() - rare, key=class_order))
    if 2 * len(rare) > counts.total():
        raise DataError(
            f"{where}: {len(rare):,} of its {len(counts):,} distinct values stand in a single row, so they look like "
            "text or identifiers and not like classes; choose another --target"
        )
    if len(classes) < 2:
        left = ", ".join(map(repr, classes))
        raise DataError(
            f"{where}: class {min(rare)!r} has a single row and only {left} is left besides; each class needs "
            "at least two rows, one to train on and one to choose with. Add rows of this class"
        )
    labels = Labels(np.empty(0, dtype=np.int64), classes, f"{note} with {len(classes):,} classes.", rare, fold=fold)
    notes = [labels.note]
    if rare:
        notes.append(
            f"Left out: {_listed(sorted(rare))}, with a single row each; a class needs one row to train on and one to "
            "choose with."
        )
    if alike and fold:
        notes.append(f"Classes that differ only by case or space were taken as one: {_listed(alike[0])}.")
    elif alike:
        are = "; ".join(_listed(group) for group in alike[:3])
        notes.append(f"Classes that differ only by case or space: {are}. If they are the same, say --fold-case.")
    return replace(labels, y=_numbered(names, labels, where), note=" ".join(notes))


def _alike(names: Counter[str]) -> list[list[str]]:
    """The classes that differ only by case or space, group by group."""
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        groups.setdefault(_folded(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def _folded(name: str) -> str:
    return "".join(name.casefold().split())


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(repr(name) for name in names[:_NAMED]) + more


def _numbered(names: Sequence[str], labels: Labels, where: str) -> Array:
    classes = labels.classes
    numbers = {name: i for i, name in enumerate(classes)} | dict.fromkeys((*MISSING, *labels.rare), -1)
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


def class_texts(y: Array) -> list[str]:
    """The names of the classes that labels are of, row by row."""
    return [_class_name(text) for text in _texts(y)]


def _texts(y: Array) -> list[str]:
    if y.dtype.kind == "S":
        return [bytes(label).decode("utf-8", "replace").strip() for label in y.tolist()]
    return [str(label).strip() for label in y.tolist()]
