"""Rows that belong together, and rows that stand in time: how they are divided.

A group (the pictures of one patient) is drawn whole, and stands where its first row stands in time. (scikit-learn's
StratifiedGroupKFold deals groups out from the largest down, so that another shuffle brings nearly the same folds.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from gapless.errors import DataError

Index = NDArray[np.int64]
Moments = NDArray[np.float64]

FEWEST_GROUPS = 10
"""Groups without which an interval over groups says nothing: its own error would be as large as what it is to show."""
DEVELOPED = 5
"""Groups that the rows to develop with keep where others are put aside: one for each fold."""
_GOLDEN = 0.618  # the fractional parts of its multiples fill the unit interval evenly


def numbered(names: Sequence[str], known: dict[str, int]) -> Index:
    """The same number for the same name, also of those that are `known` already; new ones are added to these."""
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)


def grouped(group: Index | None) -> int:
    """How many groups there are; 0 where none are known."""
    return 0 if group is None else len(np.unique(group))


def moments_of(time: Moments, group: Index | None) -> Moments:
    """When each row stands in a division by time: at its own moment, or at the first one of its group."""
    if group is None:
        return time
    number = np.unique(group, return_inverse=True)[1]
    first = np.full(int(number.max()) + 1, np.inf)
    np.minimum.at(first, number, time)
    return first[number]


def latest(moments: Moments, count: int, where: str) -> NDArray[np.bool_]:
    """A mask of about `count` rows, the latest; rows of one moment are on one side.

    Raises:
        DataError: all rows are of one moment.
    """
    edge = np.sort(moments)[len(moments) - count]
    found = [mask for mask in (moments >= edge, moments > edge) if 0 < mask.sum() < len(moments)]
    if not found:
        raise DataError(f"{where}: too many rows are of one moment to put the latest aside; leave --time out")
    return min(found, key=lambda mask: abs(int(mask.sum()) - count))


def window(moments: Moments, repeat: int, share: float) -> tuple[Index, Index]:
    """(train, select) for a repeat: select is a share of the rows, one after the other in time, train what is before.

    The first window is the latest; the next ones, five a round, lie earlier by a fifth of its width each, and those of
    later rounds between them. So train holds from 60 to 80 % of the rows.
    """
    turn, fold = divmod(repeat, round(1 / share))
    back = share * share * (fold + turn * _GOLDEN % 1)
    order, ordered = np.argsort(moments, kind="stable"), np.sort(moments)
    rows = len(moments)
    ends = round(rows * (1 - back))
    begins = _edge(ordered, ends - max(1, round(rows * share)))
    ends = _edge(ordered, ends) if ends < rows else rows
    if ends <= begins:
        ends = rows
    if not begins:
        raise DataError(f"{rows} develop rows of one moment cannot be divided by time; leave --time out")
    return np.sort(order[:begins]), np.sort(order[begins:ends])


def _edge(ordered: Moments, at: int) -> int:
    """The place nearest to `at` where one moment ends and the next one begins, other than the beginning."""
    edges = np.flatnonzero(np.diff(ordered)) + 1
    return int(edges[np.abs(edges - at).argmin()]) if len(edges) else 0


def aside(y: Index, classes: bool, count: int, group: Index, generator: Generator, whole: bool) -> NDArray[np.bool_]:
    """A mask of about `count` rows to put aside, whole groups of every stratum.

    A group whose rows develop cannot do without (two of each class) stays there.

    Args:
        y: a number for the class or the tenth of each row. classes: whether two of each must stay.
        whole: whether more rows than `count` may be taken so that there are ten groups.
    """
    number, strata = _strata(y, group)
    sizes, left = np.bincount(number), np.bincount(y)
    held = _held(y, number)
    order = generator.permutation(len(sizes))
    order = order[np.argsort(strata[order], kind="stable")]
    taken, due, rows = np.zeros(len(sizes), dtype=np.bool_), 0.0, 0

    def spared(one: int) -> bool:
        return not classes or bool((left[held[one][0]] - held[one][1] >= np.minimum(2, left[held[one][0]])).all())

    for one in order.tolist():
        due += count / len(y) * sizes[one]
        if rows + sizes[one] / 2 <= due and spared(one):
            taken[one], rows = True, rows + int(sizes[one])
            left[held[one][0]] -= held[one][1]
    for one in order.tolist() if whole else ():
        if taken.sum() < FEWEST_GROUPS and (~taken).sum() > DEVELOPED and not taken[one] and spared(one):
            taken[one] = True
            left[held[one][0]] -= held[one][1]
    return taken[number]


def fold(
    y: Index, classes: bool, group: Index, repeat: int, folds: int, generator: Callable[[int], Generator]
) -> NDArray[np.bool_]:
    """A mask of the rows of one fold: groups are dealt out so that each fold has its part of every stratum.

    A group that alone has a class is in no fold.

    Args:
        y, classes: as for `aside`. generator: of the draws of a round.
    """
    number, strata = _strata(y, group)
    sizes = np.bincount(number)
    alone = {groups[0] for groups in _groups_of(y, number) if len(groups) == 1} if classes else set[int]()
    folds = min(folds, len(sizes) - len(alone))
    if folds < 2:
        raise DataError(
            f"{len(sizes)} groups cannot be divided into train and select: each class must stand in two groups or more"
        )
    turn, at = divmod(repeat, folds)
    choosable = [one for one in generator(turn).permutation(len(sizes)).tolist() if one not in alone]
    totals, here, stratum, home = [0] * folds, [0] * folds, -1, np.full(len(sizes), -1)
    for one in sorted(choosable, key=lambda one: strata[one]):
        if strata[one] != stratum:
            here, stratum = [0] * folds, int(strata[one])
        home[one] = chosen = min(range(folds), key=lambda f: (here[f], totals[f]))
        here[chosen] += int(sizes[one])
        totals[chosen] += int(sizes[one])
    return home[number] == at


def _strata(y: Index, group: Index) -> tuple[Index, Index]:
    """The number of each row's group, and the stratum of each group: the rarest class that it holds."""
    number = np.unique(group, return_inverse=True)[1].astype(np.int64)
    rank = np.argsort(np.argsort(np.bincount(y), kind="stable"), kind="stable")
    strata = np.full(int(number.max()) + 1, len(rank))
    np.minimum.at(strata, number, rank[y])
    return number, strata


def _held(y: Index, number: Index) -> list[tuple[Index, Index]]:
    """The classes that each group holds, and how many rows of each."""
    order = np.argsort(number, kind="stable")
    parts = np.split(y[order], np.cumsum(np.bincount(number))[:-1])
    return [np.unique(part, return_counts=True) for part in parts]


def _groups_of(y: Index, number: Index) -> list[list[int]]:
    """The groups that hold each class."""
    found: list[list[int]] = [[] for _ in range(int(y.max()) + 1)]
    for label, one in sorted(set(zip(y.tolist(), number.tolist(), strict=True))):
        found[label].append(one)
    return found
