"""How rows are divided: develop and confirm once, train and select again and again.

Every split is a function of its arguments: the draws are keyed by (seed, purpose, ...) with numpy's Philox.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.random import Generator, Philox, SeedSequence
from numpy.typing import NDArray

from gapless.data.duplicates import duplicate_notes, group_numbers
from gapless.data.task import Array, Rows, Task
from gapless.errors import DataError, UsageError

Index = NDArray[np.int64]

CONFIRM_SHARE = 0.3
CONFIRM_MOST = 10_000
_BINS = 10  # quantile bins that stand in for classes in a regression
_PER_CLASS = 2  # rows of a class that develop needs: one to train on, one to choose with
_PUT_ASIDE, _SELECT = 1, 2  # the purposes of the draws


def put_aside(
    y: Array, share_or_count: float | int, seed: int, stratified: bool = True, groups: Index | None = None
) -> tuple[Index, Index]:
    """Divides rows into (develop, confirm), two ascending index arrays that together hold every row once.

    Args:
        y: labels (N,): whole numbers are classes, floats a regression, stratified by tenths of its distribution.
        share_or_count: the size of confirm: a float is a share in (0, 1), an int a number of rows.
        seed: from 0.
        stratified: each class has its share in confirm; develop always keeps two rows of each class.
        groups: (N,) numbers of equal rows; where rows of the same class can change places, equal rows end in one part.
    """
    rows = len(y)
    count = share_or_count if isinstance(share_or_count, int) else _share_of(rows, share_or_count)
    if not 0 < count < rows:
        raise DataError(f"cannot put {count:,} of {rows:,} rows aside for confirm; give more rows, or test data apart")
    strata = _strata(y) if stratified else np.zeros(rows, dtype=np.int64)
    keep = _PER_CLASS if stratified and _are_classes(y) else 0
    least = int(np.minimum(np.bincount(strata), keep).sum())
    if rows - count < least:
        raise DataError(
            f"{rows:,} rows are too few to put {count:,} aside: develop needs {keep} rows of each class, {least:,} "
            f"together; give more rows, or test data apart"
        )
    generator = _generator(seed, _PUT_ASIDE)
    in_develop = _draw(strata, rows - count, keep, generator)
    if groups is not None:
        _keep_together(in_develop, strata, groups, generator)
    return np.flatnonzero(in_develop), np.flatnonzero(~in_develop)


def divide(
    y: Array, train_size: int | None, has_confirm: bool, seed: int, groups: Index | None = None
) -> tuple[Index, Index]:
    """The rows of develop and of confirm when the user wants `train_size` rows to develop with.

    With test data of its own, rows that are not drawn are left out and the second index is empty; without, all the
    other rows become confirm. Without a train size 30 % of the rows, at most 10,000, become confirm.
    """
    if train_size is None and has_confirm:
        return np.arange(len(y)), np.arange(0)
    if train_size is None:
        return put_aside(y, min(_share_of(len(y), CONFIRM_SHARE), CONFIRM_MOST), seed, groups=groups)
    _check_train_size(y, train_size, has_confirm)
    if train_size == len(y):
        return np.arange(len(y)), np.arange(0)
    develop, others = put_aside(y, len(y) - train_size, seed, groups=groups)
    return develop, others[:0] if has_confirm else others


def subset(task: Task, n: int, seed: int) -> Task:
    """The task with a stratified subset of n develop rows.

    Where the task has no confirm rows, all the other rows become confirm; where it has, they are left out.
    """
    return _divided(task, n, seed)


def complete(task: Task, train_size: int | None, seed: int) -> Task:
    """The task as every search needs it: cut to `train_size`, with confirm rows, two rows a class, copies reported."""
    require_rows(task)
    if task.confirm is None or train_size is not None:
        task = _divided(task, train_size, seed)
    return checked(task)


def checked(task: Task) -> Task:
    """The divided task with notes about copies; an error where a class cannot be learned."""
    require_rows(task)
    if task.confirm is None:
        raise DataError(f"{task.name}: there are no confirm rows")
    return replace(task, notes=(*task.notes, *duplicate_notes(task.develop, task.confirm)))


def require_rows(task: Task) -> None:
    """Raises DataError when a class has fewer than two develop rows; names the classes."""
    if not task.classes:
        if len(task.develop) < _PER_CLASS:
            raise DataError(f"{task.name}: a regression needs at least two develop rows, got {len(task.develop)}")
        return
    require_two(task.name, task.classes, np.bincount(task.develop.y.astype(np.int64), minlength=len(task.classes)))


def require_two(where: str, classes: Sequence[str], counts: Index) -> None:
    """Raises DataError when a class has fewer than two rows; names the first."""
    few = [(name, int(count)) for name, count in zip(classes, counts, strict=True) if count < _PER_CLASS]
    if few:
        name, count = few[0]
        more = f" ({len(few):,} classes are that small)" if len(few) > 1 else ""
        held = "no row to develop with" if count == 0 else "a single row to develop with"
        raise DataError(
            f"{where}: class {name!r} has {held}{more}; each class needs at least two, one to train on and one to "
            "choose with. Add rows of this class or remove it"
        )


def select_split(y: Array, repeat: int, seed: int, share: float = 0.2) -> tuple[Index, Index]:
    """Divides develop rows into (train, select) for repeat 0, 1, 2, ...: two ascending index arrays.

    The repeats of a round are the folds of one stratified partition into round(1 / share) folds, so that a round of
    five holds every row in select once; the next round shuffles anew. A class with a single row stays in train, a
    class with two or more always has a row in train. A regression is stratified by tenths of its distribution.
    """
    if not 0 < share <= 0.5:
        raise ValueError(f"share must be in (0, 0.5], got {share}")
    if repeat < 0:
        raise ValueError(f"repeat must be 0 or more, got {repeat}")
    strata = _strata(y)
    alone = np.bincount(strata)[strata] == 1 if _are_classes(y) else np.zeros(len(y), dtype=np.bool_)
    choosable = np.flatnonzero(~alone)
    folds = min(round(1 / share), len(choosable))
    if folds < 2:
        raise DataError(f"{len(y)} develop rows cannot be divided into train and select; two of a class are needed")
    turn, fold = divmod(repeat, folds)
    shuffled = _generator(seed, _SELECT, turn).permutation(choosable)
    # Dealing the rows out class by class gives each fold its part of every class, and all folds the same size.
    dealt = shuffled[np.argsort(strata[shuffled], kind="stable")]
    in_select = np.zeros(len(y), dtype=np.bool_)
    in_select[dealt[fold::folds]] = True
    return np.flatnonzero(~in_select), np.flatnonzero(in_select)


def _divided(task: Task, train_size: int | None, seed: int) -> Task:
    rows = task.develop
    # Equal pictures and texts are copies; equal table rows may well be two cases and stay where they fall.
    groups = group_numbers(rows.x) if task.kind != "table" else None
    develop, confirm = divide(rows.y, train_size, task.confirm is not None, seed, groups)
    return replace(task, develop=rows.take(develop), confirm=task.confirm or _taken(rows, confirm))


def _taken(rows: Rows, index: Index) -> Rows | None:
    return rows.take(index) if len(index) else None


def _check_train_size(y: Array, train_size: int, has_confirm: bool) -> None:
    rows = len(y)
    if train_size > rows:
        raise UsageError(f"train size must be at most {rows:,}, the rows there are, got {train_size:,}")
    if train_size == rows and not has_confirm:
        raise UsageError(
            f"train size must leave rows for confirm: there are {rows:,} rows and no test data, got {train_size:,}"
        )
    least = _PER_CLASS * len(np.unique(y)) if _are_classes(y) else _PER_CLASS
    if train_size < least:
        why = "two rows of each class" if _are_classes(y) else "two rows"
        raise UsageError(f"train size must be at least {least:,}, {why}, got {train_size:,}")


def _share_of(rows: int, share: float) -> int:
    if not 0 < share < 1:
        raise ValueError(f"share must be in (0, 1), got {share}")
    return max(1, round(rows * share))


def _are_classes(y: Array) -> bool:
    return y.dtype.kind in "iub"


def _strata(y: Array) -> Index:
    """A number from 0 for each row's class, or for its tenth of the distribution in a regression."""
    if _are_classes(y):
        return np.unique(y, return_inverse=True)[1].astype(np.int64)
    rank = np.empty(len(y), dtype=np.int64)
    rank[np.argsort(y, kind="stable")] = np.arange(len(y))
    return rank * min(_BINS, len(y)) // max(1, len(y))


def _draw(strata: Index, total: int, keep: int, generator: Generator) -> NDArray[np.bool_]:
    """A mask with `total` rows, drawn from each stratum in proportion and at least `keep` of each."""
    counts = np.bincount(strata)
    drawn = _allocate(counts, total, np.minimum(counts, keep))
    shuffled = generator.permutation(len(strata))
    dealt = shuffled[np.argsort(strata[shuffled], kind="stable")]
    place = np.arange(len(strata)) - np.repeat(np.cumsum(counts) - counts, counts)
    mask = np.zeros(len(strata), dtype=np.bool_)
    mask[dealt[place < drawn[strata[dealt]]]] = True
    return mask


def _allocate(counts: Index, total: int, least: Index) -> Index:
    """Whole numbers that sum to `total`, nearest to proportional, between `least` and `counts`."""
    ideal = counts * (total / counts.sum())
    got = np.maximum(np.floor(ideal).astype(np.int64), least)
    while got.sum() < total:
        got[np.argmax(np.where(got < counts, ideal - got, -np.inf))] += 1
    while got.sum() > total:
        got[np.argmax(np.where(got > least, got - ideal, -np.inf))] -= 1
    return got


def _keep_together(in_develop: NDArray[np.bool_], strata: Index, groups: Index, generator: Generator) -> None:
    """Moves equal rows into one part, each in exchange for a row of its stratum that has no copy; changes the mask.

    The part is drawn in proportion to the rows the group already has there. Where the rows to exchange run out in both
    the group stays divided: sizes and shares of the classes come first.
    """
    sizes = np.bincount(groups)
    here = np.bincount(groups, weights=in_develop)
    divided = np.flatnonzero((here > 0) & (here < sizes))
    if not len(divided):
        return
    single = sizes[groups] == 1
    affected = np.flatnonzero(np.isin(groups, divided))
    free = {
        (bool(side), int(stratum)): generator.permutation(
            np.flatnonzero(single & (in_develop == side) & (strata == stratum))
        ).tolist()
        for side in (False, True)
        for stratum in np.unique(strata[affected])
    }
    affected = affected[np.argsort(groups[affected], kind="stable")]
    ends = np.cumsum(sizes[divided])[:-1]
    for group, members in zip(divided, np.split(affected, ends), strict=True):
        drawn = bool(generator.random() < here[group] / sizes[group])
        for home in (drawn, not drawn):
            moving = members[in_develop[members] != home].tolist()
            needed = Counter(int(strata[row]) for row in moving)
            if all(len(free[home, stratum]) >= count for stratum, count in needed.items()):
                for row in moving:
                    in_develop[free[home, int(strata[row])].pop()] = not home
                    in_develop[row] = home
                break


def _generator(seed: int, *purpose: int) -> Generator:
    return Generator(Philox(SeedSequence([seed, *purpose])))
