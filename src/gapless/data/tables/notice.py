"""What is noticed about a table before anything is trained: groups, order in time, imbalance, columns that tell all."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.random import Generator, Philox, SeedSequence
from numpy.typing import NDArray

from gapless.data.labels import Labels
from gapless.data.splits import Index
from gapless.data.tables import dates
from gapless.data.tables.columns import Column, Numbers, Words
from gapless.data.tables.reading import Reading, names_rows
from gapless.data.tables.sheet import Cells, as_texts
from gapless.data.tables.targets import Belonging, Labelled
from gapless.data.task import Array

_IMBALANCED = 0.9  # share of the commonest class
_LEAKS = 0.995  # share of rows that one column gets right, or the square of its correlation with a quantity
_LOOKED_AT = 5_000  # rows
_GROUPS, _GROUP_ROWS = 5, 2  # groups there must be, and their rows in the mean
_MOST_ROWS = 50  # of a group in the mean, for those that no name gives away
_EQUAL = 0.9  # share of cells that rows of one group have in common, to be nearly equal
_PURE = 0.95  # share of a group's rows of one class from which on groups decide the label
_PARTS = 100  # of a column's values, in each of which one class must prevail before thresholds are looked for
_FLAGS = 2  # columns of 0 and 1 right before the last one that make several labels likely


def noticed(
    rows: Labelled,
    labels: Labels,
    cells: Mapping[str, Cells],
    readings: Sequence[Reading],
    columns: Mapping[str, Column],
    develop: Index,
    belongs: Belonging,
) -> list[str]:
    """A sentence for each thing that makes a verdict say less than it seems to."""
    notes = _imbalance(rows.y, labels)
    notes += _time(cells, readings) if belongs.time is None else []
    notes += [said for _, _, said in _groups(cells, readings, rows.y, labels)] if belongs.group is None else []
    notes += _flags(rows, readings, labels)
    return notes + _leaks(columns, rows.y, labels, develop)


def _imbalance(y: Array, labels: Labels) -> list[str]:
    if not labels.classes:
        return []
    counts = np.bincount(y.astype(np.int64))
    share = float(counts.max() / counts.sum())
    if share < _IMBALANCED:
        return []
    name = labels.classes[int(counts.argmax())]
    return [f"{100 * share:.1f} % of the rows are of class {name!r}: who always answers it gets that many right."]


def _time(cells: Mapping[str, Cells], readings: Sequence[Reading]) -> list[str]:
    """The first column of dates, and whether the rows stand in its order."""
    for reading in readings:
        if reading.kind != "date":
            continue
        found = cells[reading.name]
        if isinstance(found, np.ndarray):
            moments = found.astype("datetime64[s]")
        else:
            assert reading.form is not None
            moments = dates.read(found, reading.form)[0]
        present = moments[~np.isnat(moments)]
        if len(present) < 3 or present.min() == present.max():
            continue
        steps, still = np.diff(present), np.timedelta64(0, "s")
        ordered = bool((steps >= still).all() or (steps <= still).all())
        said = "The rows stand in the order of time" if ordered else "The rows have dates"
        return [
            f"{said} ({reading.name!r}), and the parts are drawn at random: the verdict is about rows of the same "
            f"time. For one about the future say --time {shlex.quote(reading.name)}: the latest rows are put aside."
        ]
    return []


def may_group(
    rows: Labelled, labels: Labels, cells: Mapping[str, Cells], readings: Sequence[Reading], belongs: Belonging
) -> dict[str, Index]:
    """By name, the columns that may say which rows belong together, a number for each row; none where one is given."""
    if belongs.group is not None:
        return {}
    return {name: group for name, group, _ in _groups(cells, readings, rows.y, labels)}


def _groups(
    cells: Mapping[str, Cells], readings: Sequence[Reading], y: Array, labels: Labels
) -> list[tuple[str, Index, str]]:
    """Columns that say which rows belong together (cases of several rows, with one label or nearly the same cells), the
    groups, and what is said of it."""
    found: list[tuple[str, Index, str]] = []
    for reading in readings:
        if reading.kind not in ("number", "identifier", "category") or not _may_group(reading, cells[reading.name]):
            continue
        _, group = np.unique(_words(cells[reading.name]), return_inverse=True)
        sizes = np.bincount(group)
        if len(sizes) < _GROUPS or len(y) < _GROUP_ROWS * len(sizes):
            continue
        few = len(y) < _MOST_ROWS * len(sizes)
        alike = _alike(group, y, labels) if few else ""
        if few and not alike and _nearly_equal(group, [cells[other.name] for other in readings if other != reading]):
            alike = ", nearly equal ones"
        if names_rows(reading.name) or alike:
            said = (
                f"Column {reading.name!r} has {len(sizes):,} values with {len(y) / len(sizes):.1f} rows each{alike}: "
                f"if these belong together, say --group {shlex.quote(reading.name)}; else rows of one case are in "
                "training and in the verdict, which then is about known cases alone."
            )
            found.append((reading.name, group.astype(np.int64), said))
    return found


def _alike(group: NDArray[np.int64], y: Array, labels: Labels) -> str:
    """What is said of groups that decide the label as no chance division would; empty for others."""
    if labels.classes:
        pure = _purity(group, y) >= _PURE and _purity(_shuffled(group), y) < 0.9 * _PURE
        return ", all of one class" if pure else ""
    y = y.astype(np.float64)
    means = np.bincount(group, y) / np.bincount(group)
    within = float(np.sum((y - means[group]) ** 2) / max(1, len(y) - len(means)))
    return ", all of nearly one value" if within < (1 - _PURE) * float(y.var()) else ""


def _nearly_equal(group: NDArray[np.int64], others: Sequence[Cells]) -> bool:
    """Whether rows of one group have most of their cells in common, and others have not."""
    order = np.argsort(group, kind="stable")[:_LOOKED_AT]
    same = group[order[1:]] == group[order[:-1]]
    words = [
        _words(cells[order] if isinstance(cells, np.ndarray) else [cells[row] for row in order.tolist()])
        for cells in others
    ]
    if not words or not same.any():
        return False
    beside = np.mean([np.mean((column[1:] == column[:-1])[same]) for column in words])
    apart = _shuffled(np.arange(len(order)))
    return bool(beside >= _EQUAL and np.mean([np.mean(column == column[apart]) for column in words]) < _EQUAL - 0.2)


def _words(cells: Cells) -> NDArray[np.str_]:
    return np.array(as_texts(cells) if isinstance(cells, np.ndarray) else cells, dtype=str)


def _may_group(reading: Reading, cells: Cells) -> bool:
    """Words, or whole numbers under a name of identifiers: other numbers repeat without a meaning."""
    if not isinstance(cells, np.ndarray) and reading.kind != "number":
        return True
    return names_rows(reading.name)


def _purity(group: NDArray[np.int64], y: Array) -> float:
    """The share of rows whose label is the commonest of their group."""
    counts = np.zeros((int(group.max()) + 1, int(y.max()) + 1), dtype=np.int64)
    np.add.at(counts, (group, y.astype(np.int64)), 1)
    return float(counts.max(axis=1).sum() / len(y))


def _shuffled(group: NDArray[np.int64]) -> NDArray[np.int64]:
    return Generator(Philox(SeedSequence(0))).permutation(group)


def _flags(rows: Labelled, readings: Sequence[Reading], labels: Labels) -> list[str]:
    """Columns of 0 and 1 right before a last column of 0 and 1 may be labels of the same rows."""
    names = list(rows.sheet.columns)
    if labels.classes != ("0", "1") or not readings or names[-1] in {reading.name for reading in readings}:
        return []
    flags: list[str] = []
    for name in reversed(names[:-1]):
        if not set(rows.sheet.texts(name)) <= {"0", "1", "0.0", "1.0"}:
            break
        flags.append(name)
    others = [name for name in names[:-1] if name not in flags]
    if len(flags) < _FLAGS or not others:
        return []
    listed = ", ".join(repr(name) for name in flags[::-1][:5])
    return [
        f"Columns {listed} hold 0 and 1 like the target and are learned from; if they are labels of the same rows, "
        "leave them out with --ignore."
    ]


def _leaks(columns: Mapping[str, Column], y: Array, labels: Labels, develop: Index) -> list[str]:
    """Columns that tell the target alone, which often means that they were written down after it."""
    chosen = develop[:: max(1, len(develop) // _LOOKED_AT)]
    target = y[chosen]
    if labels.classes and np.bincount(target.astype(np.int64)).max() >= 0.95 * len(target):
        return []
    notes: list[str] = []
    for name, column in columns.items():
        if isinstance(column, Numbers):
            share = _told_by_numbers(column.values[chosen], target, len(labels.classes))
        elif isinstance(column, Words) and labels.classes:
            places = column.places[chosen] + 1
            several = np.bincount(places)[places] > 1
            share = _purity(places, target) if several.mean() > 0.9 else 0.0
        else:
            continue
        if share >= _LEAKS:
            gets = (
                f"tells the class of {100 * share:.1f} % of the rows" if labels.classes else "all but tells the target"
            )
            notes.append(
                f"Column {name!r} alone {gets}: is it known when a prediction is wanted? --ignore leaves it out."
            )
    return notes


def _told_by_numbers(values: NDArray[np.float64], y: Array, classes: int) -> float:
    """The share of classes that a few thresholds get right, or the squared correlation with a quantity."""
    there = ~np.isnan(values)
    if there.sum() < 0.9 * len(values) or len(values) < 20:
        return 0.0
    values, y = values[there], y[there]
    values = values / (np.abs(values).max() or 1.0)
    if not classes:
        quantity = y.astype(np.float64)
        if np.std(values) == 0 or np.std(quantity) == 0:
            return 0.0
        return float(np.corrcoef(values, quantity)[0, 1] ** 2)
    # Thresholds that tell the classes leave most of many equal parts of the values with one class.
    parts = np.argsort(np.argsort(values, kind="stable"), kind="stable") * _PARTS // len(values)
    if _purity(parts, y) < 1 - 2 * classes / _PARTS - 0.02:
        return 0.0
    from sklearn.tree import DecisionTreeClassifier

    # Two thresholds a class: more would learn any column of distinct numbers by heart.
    tree = DecisionTreeClassifier(max_leaf_nodes=min(2 * classes, 20), min_samples_leaf=2, random_state=0)
    column = values.astype(np.float32)[:, None]
    return float(np.mean(tree.fit(column, y).predict(column) == y))
