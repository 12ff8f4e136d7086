"""Intervals for means of scores that vary with the seed and with the row at once.

A score (or a paired difference) of seed s on row n is modelled as d[s, n] = mean + seed[s] + row[n] + rest[s, n], all
random and crossed. Then var(mean) = var_seed / S + var_row / N + var_rest / (S N), which two-way analysis of variance
estimates without bias by (MS_seed + MS_row - MS_rest) / (S N). Satterthwaite's formula gives its degrees of freedom
(Biometrics Bulletin 2, 1946). A t-test over seeds alone forgets that the rows are a sample; a bootstrap over rows alone
forgets the seeds.

Where rows rarely differ (two good models, a gap near zero) the rows' part of that normal interval collapses: thirty
rows without a difference would be proof that there is none. There the rows' part comes from the gamma limits of rare
events instead (see `rare`), for the rows above the usual value and those below it apart, put together as in Zou and
Donner (Statistics in Medicine 27, 2008): the square of a half width is the sum of the squares of its parts. With many
differences both are the same.

Rows that belong together (pictures of one patient) are one draw: with `groups` a group takes the place of the row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gapless.evidence.rare import mid_p_limits
from gapless.evidence.result import Interval, Spread

Table = NDArray[np.floating]
Groups = NDArray[np.int64]


@dataclass(frozen=True)
class _Rows:
    """What one table says of the chance in its rows.

    var, rest: MS_row / SN and MS_rest / SN, with their degrees of freedom. below, above: how far the mean may lie
    below and above the one seen, as far as the rows go, each at the level asked for.
    """

    var: float
    freedom: int
    rest: float
    rest_freedom: int
    below: float
    above: float


def mean_interval(
    d: Table, unit: float | None = None, groups: Groups | None = None, level: float = 0.95, step: float = 0.0
) -> Interval:
    """The mean of d (S, N) with its interval, for new seeds and new rows.

    Where the unbiased estimate of the variance falls below what the seeds or the rows alone show (the remainder's
    mean square being the larger one by chance), that larger value stands: the interval errs to the wide side.

    Args:
        unit: how far a row can lie from its usual value where scores are steps of that size, as right and wrong are
            (1 for accuracy and for differences in it); None for scores without bound.
        groups: (N,) whole numbers; rows of one group are one draw.
        level: the share of such intervals that hold the truth.
        step: without a unit, how far a row may lie from the others at least, though none of those seen does: one row
            of a rare class, where a mean over classes is scored.

    Raises:
        ValueError: fewer than two seeds or two rows (or groups).
    """
    _check(d)
    by_seed = d.mean(1, dtype=np.float64)
    return _interval(by_seed, [_rows(d, unit, groups, level, step)], level)


def seed_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """The mean of one number a seed with its interval for new seeds: where there are no rows, as for a count of steps.

    Raises:
        ValueError: fewer than two seeds.
    """
    if len(values) < 2:
        raise ValueError(f"an interval needs at least two seeds, got {len(values)}")
    return _interval(np.asarray(values, np.float64), [], level)


def gap_interval(
    train: Table,
    confirm: Table,
    unit: float | None = None,
    groups: Groups | None = None,
    level: float = 0.95,
    step: float = 0.0,
) -> Interval:
    """mean(train) - mean(confirm): the generalization gap of models trained on these very rows.

    The rows trained on are what they are; chance lies in the seeds, which both tables share, and in the rows of
    confirm. train (S, M), confirm (S, N). Given the differences of two models for both tables it is the interval of
    the change of the gap.
    """
    _check(train, confirm)
    by_seed = train.mean(1, dtype=np.float64) - confirm.mean(1, dtype=np.float64)
    return _interval(by_seed, [_rows(-confirm, unit, groups, level, step)], level)


def difference_interval(
    a: Table,
    b: Table,
    unit: float | None = None,
    groups: tuple[Groups | None, Groups | None] = (None, None),
    level: float = 0.95,
    step: float = 0.0,
) -> Interval:
    """mean(a) - mean(b), with both rows drawn at random; a (S, N) and b (S, M) share their seeds but not their rows.

    groups: (N,) and (M,), where rows belong together.
    """
    _check(a, b)
    by_seed = a.mean(1, dtype=np.float64) - b.mean(1, dtype=np.float64)
    rows = [_rows(a, unit, groups[0], level, step), _rows(-b, unit, groups[1], level, step)]
    return _interval(by_seed, rows, level)


def p_value(d: Table, unit: float | None = None, groups: Groups | None = None, step: float = 0.0) -> float:
    """The smallest share of error at which the interval of d's mean leaves zero out, from 1e-9 to 1."""
    low, high = math.log(1e-9), 0.0
    for _ in range(20):
        middle = (low + high) / 2
        found = mean_interval(d, unit, groups, 1 - math.exp(middle), step)
        low, high = (low, middle) if found.low > 0 or found.high < 0 else (middle, high)
    return math.exp(high)


def _check(*tables: Table) -> None:
    if any(min(t.shape) < 2 for t in tables) or len({len(t) for t in tables}) > 1:
        raise ValueError("an interval needs at least two seeds and two rows, and the same seeds on both sides")


def _interval(by_seed: NDArray[np.float64], tables: list[_Rows], level: float) -> Interval:
    """The interval of the mean of by_seed (S,), to which each table's rows add their part."""
    mean, seeds = float(by_seed.mean()), len(by_seed)
    seed = float(by_seed.var(ddof=1)) / seeds
    rows = sum(t.var for t in tables)
    variance = max(seed + rows - sum(t.rest for t in tables), seed, *(t.var for t in tables))
    parts = [(seed, seeds - 1)]
    for t in tables:
        parts += [(t.var, t.freedom), (t.rest, t.rest_freedom)]
    errors = sum(v**2 / f for v, f in parts if f)
    freedom = max(1.0, variance**2 / errors) if errors else math.inf
    normal, t_value = float(stats.norm.isf((1 - level) / 2)), float(stats.t.isf((1 - level) / 2, freedom))
    beside = max(0.0, variance - rows)  # what the seeds add to the rows' part

    def half(sides: list[float]) -> float:
        return t_value * math.sqrt(beside + sum((side / normal) ** 2 for side in sides))

    return Interval(mean, mean - half([t.below for t in tables]), mean + half([t.above for t in tables]))


def _rows(d: Table, unit: float | None, groups: Groups | None, level: float, step: float) -> _Rows:
    """The analysis of variance of d (S, N), and how far its mean may be off for the chance in its rows."""
    d = d.astype(np.float64)
    usual = d.mean() if unit is None else unit * np.round(d.mean() / unit)
    off = d.mean(0) - usual
    sides = np.stack([np.maximum(-off, 0), np.maximum(off, 0)])
    most = max(float(np.abs(off).max()), step) if unit is None else unit
    if groups is not None:
        d, sides, most = _by_group(d, sides, float(most), groups)
    s, n = d.shape
    by_seed, by_row, mean = d.mean(1, keepdims=True), d.mean(0, keepdims=True), d.mean()
    var = float(((by_row - mean) ** 2).sum()) / (n - 1) / n
    rest = float(((d - by_seed - by_row + mean) ** 2).sum()) / ((s - 1) * (n - 1)) / (s * n)
    below, above = _reach(sides, float(most), var, level)
    return _Rows(var, n - 1, rest, (s - 1) * (n - 1), below, above)


def _by_group(
    d: NDArray[np.float64], sides: NDArray[np.float64], most: float, groups: Groups
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """The same with a column for each group: what the group adds to the mean over rows, as if all were of one size.

    The mean over rows is a ratio of sums over groups; a column is its linear part (Cochran, Sampling Techniques,
    section 6.4), so that unequal groups are weighed by their rows.
    """
    names, number, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise ValueError("an interval over groups needs at least two of them")
    member = np.zeros((len(groups), len(names)))
    member[np.arange(len(groups)), number] = len(names) / len(groups)
    mean = d.mean()
    return mean + (d - mean) @ member, sides @ member, most * float(sizes.max()) * len(names) / len(groups)


def _reach(sides: NDArray[np.float64], most: float, var: float, level: float) -> tuple[float, float]:
    """How far below and above its estimate the mean may lie, given what rows are off by: sides (2, N), down and up."""
    if not most:  # every row is the same, and nothing says how far another could be off
        return math.inf, math.inf
    n, tail = sides.shape[1], (1 - level) / 2
    totals, squares = sides.sum(1), (sides**2).sum(1)
    # a further event is taken to be as large as those that were seen, and one of the largest size beside them
    further = float((squares.sum() + most**2) / (totals.sum() + most))
    limits = [mid_p_limits(float(t), float(q), further, tail) for t, q in zip(totals, squares, strict=True)]
    (down_low, down_high), (up_low, up_high) = limits
    down, up = float(totals[0]), float(totals[1])
    # rare events have the variance of their squares; what the rows show is smaller where they are not rare
    events = float(squares.sum()) / n**2
    share = var / events if events else 1.0
    below = math.hypot(up - up_low, down_high - down) / n * math.sqrt(share)
    return below, math.hypot(up_high - up, down - down_low) / n * math.sqrt(share)


def other_rows_interval(gain: Interval, splits: Sequence[float], train: int, test: int) -> Interval:
    """The interval of a gain for models trained on other rows of the same kind and number.

    Trainings on overlapping parts of one set vary less than trainings on sets of their own; Nadeau and Bengio (Machine
    Learning 52, 2003, section 3) correct the variance of J such splits to (1 / J + test / train) s^2, with J - 1
    degrees of freedom. They put the interval round the mean of the splits; here it stands round the gain on rows that
    had no part in choosing the recipe, and is never narrower than the gain's own interval.

    Args:
        gain: as measured on rows kept aside.
        splits: the paired difference of both models on each split.
        train, test: rows trained on and scored in a split.

    Raises:
        ValueError: fewer than two splits.
    """
    if len(splits) < 2:
        raise ValueError(f"other_rows_interval needs two splits or more, got {len(splits)}")
    variance = (1 / len(splits) + test / train) * float(np.var(splits, ddof=1))
    half = float(stats.t.isf(0.025, len(splits) - 1)) * math.sqrt(variance)
    return Interval(gain.mean, min(gain.low, gain.mean - half), max(gain.high, gain.mean + half))


def spread(scores: Table) -> Spread:
    """Mean and standard deviation between seeds of scores (S, N)."""
    seeds = scores.mean(1, dtype=np.float64)
    return Spread(float(seeds.mean()), float(seeds.std(ddof=1)), tuple(float(v) for v in seeds))
