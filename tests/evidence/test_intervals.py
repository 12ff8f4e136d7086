"""The intervals of the verdict: closed forms by hand, and how often they hold the truth in simulated worlds."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from gapless.evidence.intervals import (
    difference_interval,
    gap_interval,
    mean_interval,
    other_rows_interval,
    p_value,
    spread,
)
from gapless.evidence.rare import mid_p_limits
from gapless.evidence.result import Interval

Table = NDArray[np.float64]


def crossed(rng: np.random.Generator, seeds: int, rows: int, seed: float, row: float, rest: float) -> Table:
    """Normal crossed noise around 0 with these standard deviations."""
    return (
        seed * rng.standard_normal((seeds, 1))
        + row * rng.standard_normal((1, rows))
        + rest * rng.standard_normal((seeds, rows))
    )


def over_seeds_alone(d: Table) -> tuple[float, float]:
    """What a t-test over the seeds' means says: the wrong interval that the right one is compared with."""
    means = d.mean(1)
    half = float(stats.t.ppf(0.975, len(means) - 1)) * means.std(ddof=1) / math.sqrt(len(means))
    return float(means.mean() - half), float(means.mean() + half)


# ── closed form ──

# Three seeds and four rows, worked out with pencil and paper:
#   seed means 2, 3, 4.25; row means 2, 3, 11/3, 11/3; grand mean 37/12.
HAND = np.array([[1.0, 2.0, 3.0, 2.0], [2.0, 3.0, 3.0, 4.0], [3.0, 4.0, 5.0, 5.0]])


def test_two_way_analysis_by_hand() -> None:
    # SS_seed = 4 * [(2-37/12)^2 + (3-37/12)^2 + (4.25-37/12)^2] = 4 * (169 + 1 + 196) / 144 = 61/6
    # SS_row = 3 * [(13/12)^2 + (1/12)^2 + 2 (7/12)^2] = 3 * (169 + 1 + 98) / 144 = 67/12
    # SS_total = 131 - 12 * (37/12)^2 = 203/12, so SS_rest = 203/12 - 122/12 - 67/12 = 14/12
    ms_seed, ms_row, ms_rest = 61 / 12, 67 / 36, 14 / 72
    cells = 12
    variance = (ms_seed + ms_row - ms_rest) / cells
    freedom = (ms_seed + ms_row - ms_rest) ** 2 / (ms_seed**2 / 2 + ms_row**2 / 3 + ms_rest**2 / 6)
    found = mean_interval(HAND)
    # rows are off by -13/12, -1/12, 7/12, 7/12; the seeds add what the rows do not explain, on the same t
    t, z = stats.t.ppf(0.975, freedom), stats.norm.ppf(0.975)
    squares = (169 / 144 + 1 / 144, 2 * 49 / 144)
    further = (sum(squares) + (13 / 12) ** 2) / (14 / 6 + 13 / 12)
    (down, down_most), (up, up_most) = (mid_p_limits(7 / 6, q, further, 0.025) for q in squares)
    share = ms_row / cells / (sum(squares) / 16)
    reach = [math.hypot(7 / 6 - up, down_most - 7 / 6), math.hypot(up_most - 7 / 6, 7 / 6 - down)]
    halves = [t * math.sqrt(variance - ms_row / cells + (r / 4) ** 2 * share / z**2) for r in reach]
    assert found.mean == pytest.approx(37 / 12)
    assert (found.low, found.high) == pytest.approx((37 / 12 - halves[0], 37 / 12 + halves[1]))


@pytest.mark.parametrize(("rows", "points"), [(30, 0.0999), (300, 0.00999)])
def test_rule_of_three_by_hand(rows: int, points: float) -> None:
    """No difference on N rows leaves room for -ln(0.05) / N of them, about three: never for none."""
    found = mean_interval(np.zeros((5, rows)), unit=1.0)
    assert (found.low, found.mean, found.high) == pytest.approx((-points, 0.0, points), rel=0.001)
    always = mean_interval(np.ones((5, rows)), unit=1.0)
    assert (always.low, always.mean, always.high) == pytest.approx((1 - points, 1.0, 1 + points), rel=0.001)


def test_limits_of_rare_events_solve_their_equation() -> None:
    """Mid-p for whole counts: P(more) + P(as many) / 2 is the tail, as Poisson's own distribution has it."""
    for seen in (1, 4, 20, 200):
        low, high = mid_p_limits(seen, seen, 1.0, 0.025)
        assert stats.poisson.sf(seen, low) + stats.poisson.pmf(seen, low) / 2 == pytest.approx(0.025)
        assert stats.poisson.cdf(seen - 1, high) + stats.poisson.pmf(seen, high) / 2 == pytest.approx(0.025)
    low, high = mid_p_limits(40_000, 40_000, 1.0, 0.025)
    assert (low, high) == pytest.approx((40_000 - 392, 40_000 + 392), abs=5)


def test_gap_takes_the_rows_trained_on_as_they_are() -> None:
    confirm = crossed(np.random.default_rng(0), 4, 50, 0.1, 1.0, 0.5)
    train = np.repeat(np.array([[0.9], [1.0], [0.8], [0.95]]), 6, axis=1)
    train[:, ::2] += 0.5
    train[:, 1::2] -= 0.5  # other rows with the same means: nothing changes
    found, expected = gap_interval(train, confirm), mean_interval(train.mean(1, keepdims=True) - confirm)
    assert (found.low, found.mean, found.high) == pytest.approx((expected.low, expected.mean, expected.high))


def test_other_rows_by_hand() -> None:
    # differences 1, 2, 3: s^2 = 1; (1/3 + 20/80) = 7/12 of it, two degrees of freedom
    half = stats.t.ppf(0.975, 2) * math.sqrt(7 / 12)
    found = other_rows_interval(Interval(5.0, 4.9, 5.2), [1.0, 2.0, 3.0], train=80, test=20)
    assert (found.low, found.mean, found.high) == pytest.approx((5 - half, 5.0, 5 + half))
    steady = other_rows_interval(Interval(5.0, 4.9, 5.2), [2.0, 2.0], train=80, test=20)
    assert (steady.low, steady.high) == (4.9, 5.2)  # never narrower than for these very rows
    with pytest.raises(ValueError, match="two splits or more, got 1"):
        other_rows_interval(Interval(5.0, 4.9, 5.2), [1.0], train=80, test=20)


def test_spread_by_hand() -> None:
    found = spread(np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]], np.float32))
    assert found.seeds == (0.5, 1.0, 0.0)
    assert found.mean == 0.5
    assert found.sd == pytest.approx(0.5)


# ── laws ──

tables = st.tuples(st.integers(2, 6), st.integers(2, 30), st.integers(0, 10**6))


@given(tables, st.floats(-5, 5), st.floats(0.1, 10))
def test_shift_and_scale(at: tuple[int, int, int], shift: float, factor: float) -> None:
    d = crossed(np.random.default_rng(at[2]), at[0], at[1], 0.3, 1.0, 0.5)
    plain, moved = mean_interval(d), mean_interval(factor * d + shift)
    expected = [factor * v + shift for v in (plain.mean, plain.low, plain.high)]
    assert [moved.mean, moved.low, moved.high] == pytest.approx(expected, rel=1e-6, abs=1e-6)


@given(tables)
def test_order_of_seeds_and_rows_means_nothing(at: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(at[2])
    a = crossed(rng, at[0], at[1], 0.3, 1.0, 0.5)
    b = crossed(rng, at[0], at[1] + 1, 0.3, 1.0, 0.5)
    order = rng.permutation(at[0])
    plain = difference_interval(a, b)
    mixed = difference_interval(a[order][:, rng.permutation(at[1])], b[order])
    assert (plain.low, plain.high) == pytest.approx((mixed.low, mixed.high))


@given(tables)
def test_sides(at: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(at[2])
    a, b = (crossed(rng, at[0], at[1] + more, 0.3, 1.0, 0.5) for more in (0, 3))
    there, back = difference_interval(a, b), difference_interval(b, a)
    assert (there.low, there.mean, there.high) == pytest.approx((-back.high, -back.mean, -back.low))
    assert there.low < there.mean < there.high


@given(tables, st.integers(2, 4))
def test_groups_of_equal_size_are_their_means(at: tuple[int, int, int], size: int) -> None:
    d = crossed(np.random.default_rng(at[2]), at[0], at[1] * size, 0.3, 1.0, 0.5)
    groups = np.repeat(np.arange(at[1]), size)
    found = mean_interval(d, groups=groups + 7)
    order = np.random.default_rng(0).permutation(len(groups))
    mixed = mean_interval(d[:, order], groups=groups[order])
    means = mean_interval(d.reshape(at[0], at[1], size).mean(2))
    assert found.mean == pytest.approx(means.mean)
    assert (found.low, found.high) == pytest.approx((mixed.low, mixed.high))
    # With few groups the limits of rare events, which know how far rows may lie, are now and then the narrower ones.
    assert found.high - found.low >= (0.9 if at[1] >= 15 else 0.8) * (means.high - means.low)


def test_groups_of_one_row_are_rows() -> None:
    d = crossed(np.random.default_rng(5), 5, 40, 0.3, 1.0, 0.5)
    assert mean_interval(d, groups=np.arange(40)[::-1].copy()).high == pytest.approx(mean_interval(d).high)


@settings(max_examples=20)
@given(tables, st.floats(0.3, 0.6))
def test_p_is_the_level_at_which_zero_leaves(at: tuple[int, int, int], shift: float) -> None:
    d = crossed(np.random.default_rng(at[2]), at[0], at[1], 0.1, 1.0, 0.5) + shift
    p = p_value(d)
    found = [mean_interval(d, level=1 - factor * p) for factor in (1.01, 0.99) if 1e-8 < factor * p < 1]
    held = [i.low <= 0 <= i.high for i in found]
    assert held in ([False, True], [True], [])


def test_never_narrower_than_seeds_alone_or_rows_alone_allow() -> None:
    """Where the remainder's mean square is large by chance the estimate could fall to nothing; it must not."""
    for seed in range(300):
        d = crossed(np.random.default_rng(seed), 3, 6, 0.0, 0.0, 1.0)
        found = mean_interval(d)
        least = max(d.mean(1).var(ddof=1) / 3, d.mean(0).var(ddof=1) / 6)
        assert found.high - found.mean >= 1.96 * math.sqrt(least)


def test_without_variation_and_without_bound_nothing_is_known() -> None:
    found = mean_interval(np.full((5, 20), 0.25, np.float32))
    assert (found.low, found.mean, found.high) == (-math.inf, 0.25, math.inf)


def test_float32_scores_keep_their_digits() -> None:
    d = np.full((5, 20_000), 0.1, np.float32)
    d[:, ::2] += np.float32(0.2)
    assert mean_interval(d).mean == pytest.approx(mean_interval(d.astype(np.float64)).mean, abs=1e-12)


@pytest.mark.parametrize(
    "call",
    [
        lambda: mean_interval(np.zeros((1, 9))),
        lambda: mean_interval(np.zeros((9, 1))),
        lambda: difference_interval(np.zeros((3, 9)), np.zeros((2, 9))),
        lambda: difference_interval(np.zeros((3, 9)), np.zeros((3, 1))),
        lambda: gap_interval(np.zeros((3, 9)), np.zeros((2, 9))),
    ],
)
def test_too_little_is_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="at least two seeds and two rows"):
        call()


# ── coverage ──

REPEATS = 400
WORLDS = {
    # name: (seeds, rows, sd of seed, row and rest, most that the t-test over seeds covers)
    "rows vary as the rest does": (5, 100, 0.0, 1.0, 1.0, 0.75),
    "few rows, steady seeds": (5, 30, 0.0, 0.7, 0.3, 0.45),
    "both vary": (5, 100, 0.1, 0.55, 0.55, 0.89),
    "eight seeds": (8, 100, 0.055, 0.55, 0.55, 0.72),
    "seeds vary most": (5, 200, 0.14, 0.32, 0.7, 0.97),
    "many rows": (5, 1000, 0.02, 0.22, 0.32, 0.94),
}


@pytest.mark.parametrize("name", WORLDS)
def test_mean_interval_holds_the_truth(name: str) -> None:
    seeds, rows, seed, row, rest, most = WORLDS[name]
    rng = np.random.default_rng(1)
    held = naive = 0
    for _ in range(REPEATS):
        d = crossed(rng, seeds, rows, seed, row, rest)
        found, (low, high) = mean_interval(d), over_seeds_alone(d)
        held += found.low <= 0 <= found.high
        naive += low <= 0 <= high
    assert 0.92 <= held / REPEATS <= 0.985, held / REPEATS
    assert naive / REPEATS < most, naive / REPEATS


def test_mean_interval_on_right_and_wrong_answers() -> None:
    """Scores of 0 and 1: whether a model is right depends on the row, on the seed, and on both together."""

    def answers(rng: np.random.Generator, difficulty: Table, ability: float) -> Table:
        noise = crossed(rng, 5, difficulty.shape[1], 0.1, 0.0, 1.0)
        return (ability + 1.5 * difficulty + noise > 0).astype(np.float64)

    # P(ability + N(0, 1.5^2 + 0.1^2 + 1) > 0) for each side, so the true gain is known
    deviation = math.sqrt(1.5**2 + 0.1**2 + 1)
    truth = float(stats.norm.cdf(1.6 / deviation) - stats.norm.cdf(1.2 / deviation))
    rng = np.random.default_rng(2)
    held = naive = 0
    for _ in range(REPEATS):
        difficulty = rng.standard_normal((1, 300))
        d = answers(rng, difficulty, 1.6) - answers(rng, difficulty, 1.2)
        found, (low, high) = mean_interval(d), over_seeds_alone(d)
        held += found.low <= truth <= found.high
        naive += low <= truth <= high
    assert 0.92 <= held / REPEATS <= 0.985, held / REPEATS
    assert naive < held


@pytest.mark.parametrize(
    ("rows_a", "rows_b", "seed", "row_a", "row_b", "most"),
    [(120, 60, 0.05, 0.0, 0.5, 0.87), (100, 400, 0.0, 0.5, 0.5, 0.75), (100, 100, 0.1, 0.3, 0.6, 0.9)],
)
def test_difference_interval_holds_the_truth(
    rows_a: int, rows_b: int, seed: float, row_a: float, row_b: float, most: float
) -> None:
    """A gap: the same seeds on both sides, other rows; a seed that is good on one side is good on the other."""
    rng = np.random.default_rng(3)
    held = naive = 0
    for _ in range(REPEATS):
        common = 0.05 * rng.standard_normal((5, 1))
        a = common + crossed(rng, 5, rows_a, seed, row_a, 0.4)
        b = common + crossed(rng, 5, rows_b, seed, row_b, 0.4)
        found = difference_interval(a, b)
        by_seed = a.mean(1) - b.mean(1)
        half = stats.t.ppf(0.975, 4) * by_seed.std(ddof=1) / math.sqrt(5)
        held += found.low <= 0 <= found.high
        naive += abs(by_seed.mean()) <= half
    assert 0.92 <= held / REPEATS <= 0.985, held / REPEATS
    assert naive / REPEATS < most, naive / REPEATS
