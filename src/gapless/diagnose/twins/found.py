"""What a search for twins gives back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]


@dataclass(frozen=True)
class Twins:
    """Rows of one part that have a twin in another, or elsewhere in the same one.

    looked: how many rows were looked at. rows: those that have one. partners: the twin of each. expected: how many
    would be found by chance in a set of rows that are all drawn apart, at the most.
    """

    looked: int
    rows: Index
    partners: Index
    expected: float

    @property
    def share(self) -> float:
        return len(self.rows) / max(1, self.looked)


NONE = Twins(0, np.zeros(0, np.int64), np.zeros(0, np.int64), 0.0)


def sampled(count: int, most: int) -> Index:
    """Row numbers, evenly spread, at most so many."""
    return np.unique(np.linspace(0, max(0, count - 1), min(count, most)).round().astype(np.int64))
