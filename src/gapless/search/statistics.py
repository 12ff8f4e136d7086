"""Intervals for means of scores that vary with the seed and with the row at once.

A score (or a paired difference) of seed s on row n is modelled as d[s, n] = mean + seed[s] + row[n] + rest[s, n], all
random and crossed. Then var(mean) = var_seed / S + var_row / N + var_rest / (S N), which two-way analysis of variance
estimates without bias by (MS_seed + MS_row - MS_rest) / (S N). Satterthwaite's formula gives its degrees of freedom
(Biometrics Bulletin 2, 1946). A t-test over seeds alone forgets that the rows are a sample; a bootstrap over rows alone
forgets the seeds.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gapless.search.result import Interval, Spread

Table = NDArray[np.floating]


def mean_interval(d: Table) -> Interval:
    """The mean of d (S, N) with its 95 % interval, for new seeds and new rows.

    Where the unbiased estimate of the variance falls below what the seeds or the rows alone show (the remainder's
    mean square being the larger one by chance), that larger value stands: the interval errs to the wide side.

    Raises:
        ValueError: fewer than two seeds or two rows.
    """
    return difference_interval(d, None)


def difference_interval(a: Table, b: Table | None) -> Interval:
    """mean(a) - mean(b) with its 95 % interval; a (S, N) and b (S, M) share their seeds but not their rows.

    This is the interval of a generalization gap: a on the rows trained on, b on the rows of confirm.
    """
    if min(a.shape) < 2 or (b is not None and (min(b.shape) < 2 or len(a) != len(b))):
        raise ValueError("an interval needs at least two seeds and two rows, and the same seeds on both sides")
    mean = float(a.mean(dtype=np.float64)) - (0.0 if b is None else float(b.mean(dtype=np.float64)))
    # (variance of the mean, degrees of freedom) of each independent part; the last is taken away again
    by_seed = a.mean(1, dtype=np.float64) - (0.0 if b is None else b.mean(1, dtype=np.float64))
    seeds = len(by_seed)
    parts = [(float(by_seed.var(ddof=1)) / seeds, seeds - 1)]
    rest = []
    for table in (a, b):
        if table is not None:
            rows, residual = _row_parts(table)
            parts.append(rows)
            rest.append(residual)
    variance = sum(v for v, _ in parts) - sum(v for v, _ in rest)
    variance = max(variance, *(v for v, _ in parts))
    if variance <= 0:
        return Interval(mean, mean, mean)
    freedom = variance**2 / sum(v**2 / f for v, f in parts + rest if v > 0)
    half = float(stats.t.ppf(0.975, max(1.0, freedom))) * math.sqrt(variance)
    return Interval(mean, mean - half, mean + half)


def _row_parts(d: Table) -> tuple[tuple[float, int], tuple[float, int]]:
    """(MS_row / SN, N - 1) and (MS_rest / SN, (S-1)(N-1)) of d (S, N)."""
    d = d.astype(np.float64)
    s, n = d.shape
    by_seed, by_row, mean = d.mean(1, keepdims=True), d.mean(0, keepdims=True), d.mean()
    row = float(((by_row - mean) ** 2).sum()) / (n - 1) / n
    rest = float(((d - by_seed - by_row + mean) ** 2).sum()) / ((s - 1) * (n - 1)) / (s * n)
    return (row, n - 1), (rest, (s - 1) * (n - 1))


def spread(scores: Table) -> Spread:
    """Mean and standard deviation between seeds of scores (S, N)."""
    seeds = scores.mean(1, dtype=np.float64)
    return Spread(float(seeds.mean()), float(seeds.std(ddof=1)), tuple(float(v) for v in seeds))
