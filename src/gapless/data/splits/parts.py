"""Develop and confirm once, train and select again and again.

Every split is a function of its arguments: the draws are keyed by (seed, purpose, ...) with numpy's Philox.
(scikit-learn's splitters would draw other rows than earlier runs had, and do not keep copies together.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.random import Generator, Philox, SeedSequence
from numpy.typing import NDArray

from gapless.data.duplicates import duplicate_notes, group_numbers
from gapless.data.splits.units import (
    DEVELOPED,
    FEWEST_GROUPS,
    Index,
    Moments,
    aside,
    fold,
    grouped,
    latest,
    moments_of,
    window,
)
from gapless.data.task import Array, Rows, Task
from gapless.errors import DataError, UsageError

CONFIRM_SHARE = 0.3
CONFIRM_MOST = 10_000
_BINS = 10  # quantile bins that stand in for classes in a regression
_PER_CLASS = 2  # rows of a class that develop needs: one to train on, one to choose with
_PUT_ASIDE, _SELECT = 1, 2  # the purposes of the draws


def put_aside(
    y: Array, share_or_count: float | int, seed: int, stratified: bool = True, copies: Index | None = None
) -> tuple[Index, Index]:
    """Divides rows into (develop, confirm), two ascending index arrays that together hold every row once.

    Args:
        y: labels (N,): whole numbers are classes, floats a regression, stratified by tenths of its distribution.
        share_or_count: the size of confirm: a float is a share in (0, 1), an int a number of rows.
        seed: from 0.
        stratified: each class has its share in confirm; develop always keeps two rows of each class.
        copies: (N,) numbers of equal rows; where rows of the same class can change places, equal rows end in one part.
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
    if copies is not None:
        _keep_together(in_develop, strata, copies, generator)
    return np.flatnonzero(in_develop), np.flatnonzero(~in_develop)


def divide(
    y: Array,
    train_size: int | None,
    has_confirm: bool,
    seed: int,
    copies: Index | None = None,
    group: Index | None = None,
    time: Moments | None = None,
) -> tuple[Index, Index]:
    """The rows of develop and of confirm when the user wants `train_size` rows to develop with.

    With test data of its own, rows that are not drawn are left out and the second index is empty; without, all the
    other rows become confirm. Without a train size 30 % of the rows, at most 10,000, become confirm.

    Args:
        copies: (N,) numbers of equal rows, as for `put_aside`.
        group: (N,) numbers; rows of one group are in one part, so that the sizes are only nearly those asked for.
        time: (N,) when each row is from; the latest ones become confirm.
    """
    rows = len(y)
    if train_size is not None:
        _check_train_size(y, train_size, has_confirm)
    if (train_size is None and has_confirm) or train_size == rows:
        return np.arange(rows), np.arange(0)
    count = min(_share_of(rows, CONFIRM_SHARE), CONFIRM_MOST) if train_size is None else rows - train_size
    if time is not None and not has_confirm:
        apart = latest(moments_of(time, group), count, f"of {rows:,} rows")
    elif group is not None:
        generator = _generator(seed, _PUT_ASIDE)
        apart = aside(_classes(y, group), _are_classes(y), count, group, generator, train_size is None)
    else:
        develop, others = put_aside(y, count, seed, copies=copies)
        return develop, others[:0] if has_confirm else others
    develop, others = np.flatnonzero(~apart), np.flatnonzero(apart)
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
    """The divided task with notes about copies and groups; an error where a class cannot be learned, or where there are
    too few groups for a verdict."""
    require_rows(task)
    if task.confirm is None:
        raise DataError(f"{task.name}: there are no confirm rows")
    require_groups(task)
    if task.develop.group is not None or task.develop.time is not None:
        select_of(task.develop, 0, 0)  # whether they can be divided at all: an error here comes before any training
    notes = (*_unit(task), *_across(task), *_when(task), *duplicate_notes(task.develop, task.confirm))
    return replace(task, notes=(*task.notes, *notes))


def require_groups(task: Task) -> None:
    """Raises DataError where the rows of the verdict are of fewer than ten groups."""
    if task.confirm is None or task.confirm.group is None:
        return
    held = grouped(task.confirm.group)
    if held >= FEWEST_GROUPS:
        return
    rows = task.develop.group, task.confirm.group
    groups = grouped(np.concatenate([found for found in rows if found is not None]))
    raise DataError(
        f"{task.name}: the rows for the verdict are of {held} groups ({task.group}; {groups} in all), and with fewer "
        f"than {FEWEST_GROUPS} no interval holds for new ones. Bring rows of more groups ({FEWEST_GROUPS} for the "
        f"verdict and {DEVELOPED} to develop with at the least), with --train-size leave more of them aside, or "
        "leave --group out for a verdict about these groups alone"
    )


def _unit(task: Task) -> tuple[str, ...]:
    """A note on the groups, where there are such."""
    assert task.confirm is not None
    if task.confirm.group is None:
        return ()
    return (
        f"Rows with the same {task.group} belong together: {grouped(task.develop.group):,} groups to develop with, "
        f"{grouped(task.confirm.group):,} for the verdict; a group is the unit of its intervals.",
    )


def _across(task: Task) -> tuple[str, ...]:
    """A note where the user's own test data has groups that were developed with."""
    assert task.confirm is not None
    if task.develop.group is None or task.confirm.group is None:
        return ()
    shared = len(np.intersect1d(task.develop.group, task.confirm.group))
    if not shared:
        return ()
    return (
        f"{shared:,} of the {grouped(task.confirm.group):,} groups ({task.group}) of the test data also stand in the "
        "develop rows: for these the verdict is about known groups.",
    )


def _when(task: Task) -> tuple[str, ...]:
    """A note on what the rows of the verdict are where they are the latest."""
    assert task.confirm is not None
    develop, confirm = task.develop.time, task.confirm.time
    if develop is None or confirm is None:
        return ()
    before = float(np.mean(develop < confirm.min()))
    said = "all develop rows are from before them" if before == 1 else f"{before:.0%} of the develop rows are older"
    return (f"The rows for the verdict are the latest ones ({task.time}): {said}.",)


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


def select_of(rows: Rows, repeat: int, seed: int, share: float = 0.2) -> tuple[Index, Index]:
    """Divides develop rows into (train, select) for repeat 0, 1, 2, ...: as `select_split` does, or by their groups
    and their time where these are known."""
    if rows.time is not None:
        return window(moments_of(rows.time, rows.group), repeat, share)
    return select_split(rows.y, repeat, seed, share, rows.group)


def select_split(
    y: Array, repeat: int, seed: int, share: float = 0.2, group: Index | None = None
) -> tuple[Index, Index]:
    """Divides develop rows into (train, select) for repeat 0, 1, 2, ...: two ascending index arrays.

    The repeats of a round are the folds of one stratified partition into round(1 / share) folds, so that a round of
    five holds every row in select once; the next round shuffles anew. A class with a single row stays in train, a
    class with two or more always has a row in train. A regression is stratified by tenths of its distribution.
    Groups (N,) are dealt out whole; one that alone has a class stays in train.
    """
    if not 0 < share <= 0.5:
        raise ValueError(f"share must be in (0, 0.5], got {share}")
    if repeat < 0:
        raise ValueError(f"repeat must be 0 or more, got {repeat}")
    if group is not None:
        folds = round(1 / share)
        apart = fold(
            _classes(y, group), _are_classes(y), group, repeat, folds, lambda turn: _generator(seed, _SELECT, turn)
        )
        return np.flatnonzero(~apart), np.flatnonzero(apart)
    strata = _strata(y)
    alone = np.bincount(strata)[strata] == 1 if _are_classes(y) else np.zeros(len(y), dtype=np.bool_)
    choosable = np.flatnonzero(~alone)
    folds = min(round(1 / share), len(choosable))
    if folds < 2:
        raise DataError(f"{len(y)} develop rows cannot be divided into train and select; two of a class are needed")
    turn, place = divmod(repeat, folds)
    shuffled = _generator(seed, _SELECT, turn).permutation(choosable)
    # Dealing the rows out class by class gives each fold its part of every class, and all folds the same size.
    dealt = shuffled[np.argsort(strata[shuffled], kind="stable")]
    in_select = np.zeros(len(y), dtype=np.bool_)
    in_select[dealt[place::folds]] = True
    return np.flatnonzero(~in_select), np.flatnonzero(in_select)


def _divided(task: Task, train_size: int | None, seed: int) -> Task:
    rows = task.develop
    # Equal pictures and texts are copies; equal table rows may well be two cases and stay where they fall.
    copies = group_numbers(rows.x) if task.kind != "table" else None
    develop, confirm = divide(rows.y, train_size, task.confirm is not None, seed, copies, rows.group, rows.time)
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


def _classes(y: Array, group: Index) -> Index:
    """A number for each row's class, or for the tenth of its group's mean in a regression."""
    if _are_classes(y):
        return _strata(y)
    number = np.unique(group, return_inverse=True)[1]
    means = np.bincount(number, y.astype(np.float64)) / np.bincount(number)
    return _strata(means)[number]


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


def _keep_together(in_develop: NDArray[np.bool_], strata: Index, copies: Index, generator: Generator) -> None:
    """Moves equal rows into one part, each in exchange for a row of its stratum that has no copy; changes the mask.

    The part is drawn in proportion to the rows the group already has there. Where the rows to exchange run out in both
    the group stays divided: sizes and shares of the classes come first.
    """
    sizes = np.bincount(copies)
    here = np.bincount(copies, weights=in_develop)
    divided = np.flatnonzero((here > 0) & (here < sizes))
    if not len(divided):
        return
    single = sizes[copies] == 1
    affected = np.flatnonzero(np.isin(copies, divided))
    free = {
        (bool(side), int(stratum)): generator.permutation(
            np.flatnonzero(single & (in_develop == side) & (strata == stratum))
        ).tolist()
        for side in (False, True)
        for stratum in np.unique(strata[affected])
    }
    affected = affected[np.argsort(copies[affected], kind="stable")]
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
