"""What the seeds of an experiment gave, and the intervals over it: the verdict's own functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gapless.evidence.intervals import gap_interval, mean_interval, seed_interval
from gapless.evidence.result import Interval

Measured = Mapping[str, NDArray[Any] | float]
"""What one seed gives, by name: a number, several numbers in an order (X,), or right and wrong row by row (N,) bool."""


@dataclass(frozen=True)
class Shown(Interval):
    """An interval of a share of rows, to be shown in per cent, or of a difference of shares, in points."""

    unit: Literal["%", "points"] = "points"


class Evidence:
    """The measurements of all seeds, by name.

    Rows (N,) bool are the same rows for every seed, so their intervals are for new seeds and new rows; numbers have
    intervals for new seeds.
    """

    def __init__(self, seeds: Sequence[Measured]):
        self._seeds = seeds

    def table(self, name: str) -> NDArray[np.float64]:
        """(S, N), or (S,) for a name that is one number a seed."""
        return np.stack([np.asarray(seed[name], np.float64) for seed in self._seeds])

    def _of_rows(self, name: str) -> bool:
        return np.asarray(self._seeds[0][name]).dtype == np.bool_

    def mean(self, name: str) -> Interval:
        """Of rows: their share, or of a number."""
        found = self._interval(self.table(name), self._of_rows(name))
        if not self._of_rows(name):
            return found
        return Shown(found.mean, max(0.0, found.low), min(1.0, found.high), "%")  # a share is at most one

    def difference(self, name: str, other: str) -> Interval:
        """`name` minus `other`, paired by seed, and by row where both are rows."""
        found = self._interval(self.table(name) - self.table(other), self._of_rows(name))
        return _points(found) if self._of_rows(name) else found

    def interaction(self, both: str, one: str, other: str, neither: str) -> Interval:
        """(both - one) - (other - neither), paired: what two things do together beyond what each does alone."""
        tables = [self.table(name) for name in (both, one, other, neither)]
        return self.of(tables[0] - tables[1] - tables[2] + tables[3])

    def of(self, table: NDArray[np.float64]) -> Interval:
        """Of a table (S, N) made from the rows of several names: a combination of their differences."""
        return _points(self._interval(table, False))

    def gap(self, train: str, new: str) -> Interval:
        """The gap between the rows that each seed was trained on, as many for each, and new ones."""
        return _points(gap_interval(self.table(train), self.table(new), 1.0))

    def ratio(self, name: str, other: str) -> Interval:
        """`name` / `other`, both positive numbers, by the interval of the difference of their logarithms."""
        found = seed_interval((np.log(self.table(name)) - np.log(self.table(other))).tolist())
        return Interval(*(float(np.exp(v)) for v in (found.mean, found.low, found.high)))

    def curve(self, name: str) -> list[Interval]:
        """An interval for each of several numbers (X,)."""
        return [seed_interval(column.tolist()) for column in self.table(name).T]

    def best(self, names: Sequence[str]) -> str:
        """The name whose mean is largest."""
        return max(names, key=lambda name: float(self.table(name).mean()))

    def _interval(self, table: NDArray[np.float64], rows: bool) -> Interval:
        if table.ndim == 1:
            return seed_interval(table.tolist())
        return mean_interval(table, 1.0 if rows else None)


def _points(found: Interval) -> Shown:
    return Shown(found.mean, found.low, found.high, "points")
