"""The intervals of the verdict: closed forms by hand, and how often they hold the truth in simulated worlds."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from gapless.search.statistics import difference_interval, mean_interval, spread

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
    half = stats.t.ppf(0.975, freedom) * math.sqrt(variance)
    found = mean_interval(HAND)
    assert found.mean == pytest.approx(37 / 12)
    assert (found.low, found.high) == pytest.approx((37 / 12 - half, 37 / 12 + half))


def test_gap_by_hand() -> None:
    a, b = np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([[0.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    # differences by seed 1/2 - 1/3 and 1 - 2/3: variance 1/72, of their mean 1/144 on one degree of freedom
    # a: row means 1 and 1/2: 1/8 / 1 / 2 = 1/16 on one; residuals of 1/4 all over: 4/16 / 1 / 4 = 1/16 on one
    # b: row means 0, 1, 1/2: 1/2 / 2 / 3 = 1/12 on two; residuals 1/6, 1/6, -1/3: 1/3 / 2 / 6 = 1/36 on two
    # all together 1/144 + 1/16 + 1/12 - 1/16 - 1/36 = 1/16, which is less than what the rows of b alone show
    variance = 1 / 12
    freedom = variance**2 / (1 / 144**2 + 1 / 16**2 + 1 / 12**2 / 2 + 1 / 16**2 + 1 / 36**2 / 2)
    assert freedom < 1  # so it counts as one
    half = stats.t.ppf(0.975, 1) * math.sqrt(variance)
    found = difference_interval(a, b)
    assert (found.low, found.mean, found.high) == pytest.approx((1 / 4 - half, 1 / 4, 1 / 4 + half))


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


def test_never_narrower_than_seeds_alone_or_rows_alone_allow() -> None:
    """Where the remainder's mean square is large by chance the estimate could fall to nothing; it must not."""
    for seed in range(300):
        d = crossed(np.random.default_rng(seed), 3, 6, 0.0, 0.0, 1.0)
        found = mean_interval(d)
        least = max(d.mean(1).var(ddof=1) / 3, d.mean(0).var(ddof=1) / 6)
        assert found.high - found.mean >= 1.96 * math.sqrt(least)


def test_no_variation_is_a_point() -> None:
    found = mean_interval(np.full((5, 20), 0.25, np.float32))
    assert (found.low, found.mean, found.high) == (0.25, 0.25, 0.25)


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
    ],
)
def test_too_little_is_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="at least two seeds and two rows"):
        call()


# ── coverage ──

REPEATS = 1500
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
    assert 0.93 <= held / REPEATS <= 0.975, held / REPEATS
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
    assert 0.93 <= held / REPEATS <= 0.98, held / REPEATS
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
    assert 0.93 <= held / REPEATS <= 0.98, held / REPEATS
    assert naive / REPEATS < most, naive / REPEATS
