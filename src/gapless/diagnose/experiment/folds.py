"""What folds say of a difference: its mean over rows, with an interval and the chance that it is no more than a bound.

Each row is new to one training, that of its fold. Chance lies in the rows and in what a fold's rows share: one
training set, one seed. With MS_fold and MS_row of a one-way analysis of variance, MS_fold / N estimates the variance
of the mean without bias (Searle, Casella and McCulloch, Variance Components, 1992, section 3.5), but from five folds
with four degrees of freedom only. It is moderated as in Smyth (Statistical Applications in Genetics and Molecular
Biology 3, 2004): the rows' mean square stands for twelve further degrees of freedom of the fold's. The estimate is
never smaller than what the rows alone show. Simulated in `tests/truth/test_defects.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gapless.evidence.result import Interval

Floats = NDArray[np.floating]
Index = NDArray[np.int64]

PRIOR = 12
"""Degrees of freedom that the rows' mean square lends to that of the folds."""


@dataclass(frozen=True)
class Estimate:
    """A mean with its standard error and the degrees of freedom of that."""

    mean: float
    error: float
    freedom: float

    @property
    def interval(self) -> Interval:
        half = float(stats.t.isf(0.025, self.freedom)) * self.error
        return Interval(self.mean, self.mean - half, self.mean + half)

    def above(self, bound: float) -> float:
        """The chance of so large a mean where the true one is no more than `bound`."""
        return float(stats.t.sf((self.mean - bound) / self.error, self.freedom))


def by_group(each: Mapping[int, Floats], groups: Mapping[int, Index]) -> dict[int, Floats]:
    """One value for each group of each fold in the place of its rows' values; their mean is that of the rows, and their
    spread is what groups add to it: mean + G / N * (sum over the group's rows of (value - mean)), G groups, N rows."""
    rows = np.concatenate([*each.values()]).astype(np.float64)
    mean, numbers = float(rows.mean()), {f: np.unique(groups[f], return_inverse=True)[1] for f in each}
    count = sum(int(n.max(initial=-1)) + 1 for n in numbers.values())
    return {f: mean + count / len(rows) * np.bincount(numbers[f], each[f] - mean) for f in each}


def estimate(each: Mapping[int, Floats], smallest: float = 1.0, groups: Mapping[int, Index] | None = None) -> Estimate:
    """The mean over rows of what each fold has for its rows.

    Args:
        groups: the number of each row's group, where rows belong together: a group is then what is drawn.
        smallest: what one row that differs would add, where no row does: the error is at least that of one such row
            among all, so that no mean is certain.

    Raises:
        ValueError: fewer than two folds or rows.
    """
    if groups is not None:
        each = by_group(each, groups)
    parts = [values.astype(np.float64) for values in each.values()]
    if len(parts) < 2 or min(map(len, parts)) < 2:
        raise ValueError("an estimate needs two folds or more of two rows or more")
    rows = np.concatenate(parts)
    n, mean = len(rows), float(rows.mean())
    within = sum(float(((p - p.mean()) ** 2).sum()) for p in parts) / (n - len(parts))
    between = sum(len(p) * float((p.mean() - mean) ** 2) for p in parts) / (len(parts) - 1)
    freedom = len(parts) - 1
    moderated = (freedom * between + PRIOR * within) / (freedom + PRIOR)
    variance = max(within, moderated, smallest**2 / n)
    return Estimate(mean, (variance / n) ** 0.5, min(n - len(parts), freedom + PRIOR))


def difference(
    a: Mapping[int, Floats],
    b: Mapping[int, Floats],
    smallest: float = 1.0,
    groups: Mapping[int, Index] | None = None,
) -> Estimate | None:
    """a minus b, paired row by row on the folds that both have; None where these are fewer than two."""
    common = sorted(set(a) & set(b))
    if len(common) < 2:
        return None
    return estimate({fold: a[fold] - b[fold] for fold in common}, smallest, groups)
