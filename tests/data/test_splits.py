"""The laws of the splits: every row once, in proportion, the same again, equal rows together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gapless.data import Rows, Task
from gapless.data.duplicates import group_numbers
from gapless.data.splits import complete, divide, put_aside, require_rows, select_split, subset
from gapless.errors import DataError, UsageError

seeds = st.integers(0, 2**32)
# Class counts from tiny to some: labels are shuffled by hypothesis's own seed.
counts = st.lists(st.integers(2, 40), min_size=2, max_size=8)


def labels_of(sizes: list[int], seed: int) -> NDArray[np.int64]:
    y = np.repeat(np.arange(len(sizes)), sizes)
    return np.random.default_rng(seed).permutation(y)


def is_partition(first: NDArray[np.int64], second: NDArray[np.int64], rows: int) -> bool:
    ascending = bool((np.diff(first) > 0).all() and (np.diff(second) > 0).all())
    return ascending and sorted([*first.tolist(), *second.tolist()]) == list(range(rows))


def task_of(x: NDArray[np.uint8], y: NDArray[np.int64], confirm: Rows | None = None) -> Task:
    names = tuple(f"class {i}" for i in range(int(y.max()) + 1))
    return Task("made", Rows(x, y), confirm, classes=names)


def pictures(rows: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (rows, 4, 4, 1), dtype=np.uint8)


@settings(deadline=None)
@given(counts, seeds, st.floats(0.1, 0.6))
def test_put_aside_is_a_stratified_partition(sizes: list[int], seed: int, share: float) -> None:
    y = labels_of(sizes, seed)
    count = max(1, round(len(y) * share))
    if len(y) - count < 2 * len(sizes):
        with pytest.raises(DataError, match="too few"):
            put_aside(y, share, seed)
        return
    develop, confirm = put_aside(y, share, seed)
    assert is_partition(develop, confirm, len(y))
    assert len(confirm) == count
    in_develop = np.bincount(y[develop], minlength=len(sizes))
    assert in_develop.min() >= 2
    # In proportion to a row, except that the two rows kept of each class come from the others' share.
    ideal = np.array(sizes) * len(develop) / len(y)
    kept_extra = np.maximum(0, 2 - ideal).sum()
    assert (np.abs(in_develop - ideal) <= 1 + kept_extra + 2).all()
    if ideal.min() >= 2:
        assert (np.abs(in_develop - ideal) < 1).all()


@settings(deadline=None)
@given(counts, seeds)
def test_put_aside_is_the_same_again_and_another_for_another_seed(sizes: list[int], seed: int) -> None:
    y = labels_of([size + 20 for size in sizes], seed)
    first, again, other = (put_aside(y, 0.3, s)[0] for s in (seed, seed, seed + 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_put_aside_takes_a_number_of_rows() -> None:
    develop, confirm = put_aside(np.repeat([0, 1], 50), 7, seed=3)
    assert (len(develop), len(confirm)) == (93, 7)


def test_put_aside_without_strata_takes_any_rows() -> None:
    y = np.array([0] * 99 + [1])
    without = [int((y[put_aside(y, 50, seed, stratified=False)[0]] == 1).sum()) for seed in range(40)]
    assert set(without) == {0, 1}


@settings(deadline=None)
@given(seeds, st.integers(40, 200))
def test_a_regression_is_stratified_by_tenths(seed: int, rows: int) -> None:
    y = np.random.default_rng(seed).lognormal(size=rows).astype(np.float32)
    develop, confirm = put_aside(y, 0.3, seed)
    assert is_partition(develop, confirm, rows)
    tenth = np.argsort(np.argsort(y, kind="stable")) * 10 // rows
    in_confirm = np.bincount(tenth[confirm], minlength=10)
    assert (np.abs(in_confirm - 0.3 * np.bincount(tenth)) < 1.001).all()


@settings(deadline=None)
@given(seeds, st.integers(1, 5), st.integers(2, 4))
def test_equal_rows_end_in_one_part(seed: int, copied: int, copies: int) -> None:
    y = labels_of([60, 60], seed)
    groups = np.arange(120)
    generator = np.random.default_rng(seed)
    for label in (0, 1):
        rows = generator.permutation(np.flatnonzero(y == label))[: copied * copies]
        for group in np.split(rows, copied):
            groups[group] = group[0]
    groups = np.unique(groups, return_inverse=True)[1]
    develop, confirm = put_aside(y, 0.3, seed, copies=groups)
    assert not set(groups[develop]) & set(groups[confirm])
    assert is_partition(develop, confirm, 120)
    assert np.bincount(y[confirm]).tolist() == [18, 18]


def test_equal_rows_stay_divided_where_nothing_can_be_exchanged() -> None:
    y = np.repeat([0, 1], 10)
    develop, confirm = put_aside(y, 0.3, seed=0, copies=y)
    assert np.bincount(y[confirm]).tolist() == [3, 3]
    assert is_partition(develop, confirm, 20)


def test_copies_go_to_either_part() -> None:
    y = np.zeros(100, dtype=np.int64)
    y[50:] = 1
    groups = np.arange(100)
    groups[1] = 0
    groups = np.unique(groups, return_inverse=True)[1]
    homes: list[bool] = []
    for seed in range(60):
        before = put_aside(y, 0.5, seed)[0]
        if (0 in before) != (1 in before):
            homes.append(0 in put_aside(y, 0.5, seed, copies=groups)[0])
    assert 0.2 < np.mean(homes) < 0.8


@pytest.mark.parametrize("count", [0, 10, 11])
def test_put_aside_needs_rows_on_both_sides(count: int) -> None:
    with pytest.raises(DataError, match=f"cannot put {count} of 10 rows aside"):
        put_aside(np.repeat([0, 1], 5), count, seed=0)


def test_divide_gives_at_most_ten_thousand_rows_to_confirm() -> None:
    y = np.arange(40_000) % 10
    develop, confirm = divide(y, None, has_confirm=False, seed=0)
    assert (len(develop), len(confirm)) == (30_000, 10_000)
    assert np.bincount(y[confirm]).tolist() == [1000] * 10


@settings(deadline=None)
@given(counts, seeds, st.integers(2, 4))
def test_the_folds_of_a_round_hold_every_row_once(sizes: list[int], seed: int, turn: int) -> None:
    y = labels_of(sizes, seed)
    folds = min(5, len(y))
    splits = [select_split(y, folds * turn + repeat, seed) for repeat in range(folds)]
    for train, select in splits:
        assert is_partition(train, select, len(y))
        # A class that has two rows is never without one to train on.
        assert set(y[train]) == set(y)
    assert sorted(np.concatenate([select for _, select in splits])) == list(range(len(y)))
    in_select = np.array([np.bincount(y[select], minlength=len(sizes)) for _, select in splits])
    assert (np.ptp(in_select, axis=0) <= 1).all()
    assert np.ptp([len(select) for _, select in splits]) <= 1


@settings(deadline=None)
@given(seeds)
def test_a_class_with_one_row_stays_in_train(seed: int) -> None:
    y = labels_of([1, 9, 1, 15], seed)
    selected = np.concatenate([select_split(y, repeat, seed)[1] for repeat in range(5)])
    assert np.bincount(y[selected], minlength=4).tolist() == [0, 9, 0, 15]


def test_rounds_differ_and_are_reproducible() -> None:
    y = np.arange(100) % 4
    first, again, next_round, other_seed = (
        select_split(y, repeat, seed)[1].tolist() for repeat, seed in ((0, 7), (0, 7), (5, 7), (0, 8))
    )
    assert first == again
    assert first != next_round
    assert first != other_seed


@pytest.mark.parametrize(("share", "sizes"), [(0.2, 20), (0.25, 25), (0.5, 50), (0.1, 10)])
def test_the_share_of_select(share: float, sizes: int) -> None:
    assert len(select_split(np.arange(100) % 4, 0, 0, share)[1]) == sizes


@settings(deadline=None)
@given(seeds)
def test_select_of_a_regression_covers_the_range(seed: int) -> None:
    y = np.random.default_rng(seed).normal(size=100).astype(np.float32)
    tenth = np.argsort(np.argsort(y)) // 10
    _, select = select_split(y, 0, seed)
    assert np.bincount(tenth[select], minlength=10).tolist() == [2] * 10


@pytest.mark.parametrize("share", [0.0, 0.51, -1.0])
def test_select_refuses_a_wrong_share(share: float) -> None:
    with pytest.raises(ValueError, match=r"share must be in \(0, 0.5\]"):
        select_split(np.arange(10) % 2, 0, 0, share)


def test_select_refuses_a_negative_repeat() -> None:
    with pytest.raises(ValueError, match="repeat must be 0 or more"):
        select_split(np.arange(10) % 2, -1, 0)


def test_select_needs_two_rows_of_a_class() -> None:
    with pytest.raises(DataError, match="cannot be divided"):
        select_split(np.arange(5), 0, 0)


def test_a_subset_leaves_all_the_others_to_confirm() -> None:
    whole = task_of(pictures(100), np.arange(100) % 5)
    part = subset(whole, 20, seed=1)
    assert part.confirm is not None
    assert np.bincount(part.develop.y).tolist() == [4] * 5
    assert np.bincount(part.confirm.y).tolist() == [16] * 5
    rows = {row.tobytes() for row in whole.develop.x}
    assert {row.tobytes() for row in part.develop.x} | {row.tobytes() for row in part.confirm.x} == rows


def test_a_subset_keeps_given_confirm_rows() -> None:
    confirm = Rows(pictures(7, seed=1), np.arange(7) % 5)
    part = subset(task_of(pictures(100), np.arange(100) % 5, confirm), 20, seed=1)
    assert part.confirm is confirm
    assert len(part.develop) == 20


def test_all_rows_as_subset_with_given_confirm_rows() -> None:
    confirm = Rows(pictures(7, seed=1), np.arange(7) % 5)
    assert len(subset(task_of(pictures(20), np.arange(20) % 5, confirm), 20, seed=1).develop) == 20


@pytest.mark.parametrize(
    ("n", "message"),
    [
        (101, "train size must be at most 100, the rows there are, got 101"),
        (100, "must leave rows for confirm"),
        (9, "train size must be at least 10, two rows of each class, got 9"),
    ],
)
def test_a_subset_that_cannot_be(n: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        subset(task_of(pictures(100), np.arange(100) % 5), n, seed=0)


def test_a_subset_of_a_regression_needs_two_rows() -> None:
    task = Task("made", Rows(pictures(30), np.linspace(0, 1, 30, dtype=np.float32)))
    assert len(subset(task, 2, seed=0).develop) == 2
    with pytest.raises(UsageError, match="at least 2, two rows, got 1"):
        subset(task, 1, seed=0)


def test_complete_puts_confirm_aside_and_reports_copies() -> None:
    x = pictures(60)
    x[30:] = x[:30]
    y = np.arange(60) % 2
    y[30:] = y[:30]
    confirm = Rows(x[:5].copy(), 1 - y[:5])
    done = complete(task_of(x, y, confirm), None, seed=0)
    assert "5 of the 5 confirm rows also stand in the develop rows" in done.notes[0]
    assert "15 rows are copies of another row but carry a different label." in done.notes[1]
    apart = complete(task_of(pictures(60), y), None, seed=0)
    assert apart.confirm is not None and len(apart.confirm) == 18
    assert apart.notes == ()


def test_complete_keeps_copied_pictures_in_one_part() -> None:
    x = pictures(100)
    x[1:9] = x[0]
    y = np.arange(100) // 50
    done = complete(task_of(x, y), None, seed=5)
    assert done.confirm is not None
    groups = group_numbers(done.develop.x, done.confirm.x)
    assert not set(groups[: len(done.develop)]) & set(groups[len(done.develop) :])
    assert len(done.confirm) == 30


def test_complete_leaves_equal_table_rows_where_they_fall() -> None:
    x = np.repeat(np.arange(4, dtype=np.float32), 25)[:, None]
    done = complete(Task("made", Rows(x, np.arange(100) % 2), classes=("a", "b")), None, seed=0)
    assert "30 of the 30 confirm rows also stand in the develop rows" in done.notes[0]


@pytest.mark.parametrize(("rows", "held"), [(1, "a single row"), (0, "no row")])
def test_a_class_that_is_too_small_is_named(rows: int, held: str) -> None:
    y = np.array([0] * 10 + [1] * rows)
    task = Task("made", Rows(pictures(len(y)), y), classes=("cat", "dog"))
    with pytest.raises(DataError, match=f"class 'dog' has {held} to develop with"):
        require_rows(task)


def test_several_classes_that_are_too_small_are_counted() -> None:
    y = np.array([0] * 10 + [1, 2, 3])
    task = Task("made", Rows(pictures(13), y), classes=("cat", "dog", "cow", "pig"))
    with pytest.raises(DataError, match=r"'dog' has a single row to develop with \(3 classes are that small\)"):
        complete(task, None, seed=0)


def test_a_regression_needs_two_rows() -> None:
    with pytest.raises(DataError, match="at least two develop rows, got 1"):
        require_rows(Task("made", Rows(pictures(1), np.ones(1, dtype=np.float32))))
