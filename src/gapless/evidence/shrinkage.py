"""How much of a score is chance, as the loss of the same training tells.

The share of right answers on a few hundred rows is a coarse measure, and the best of fifty is the luckiest. The loss of
the same training on the same rows is a fine one, though not the one that is asked for. So the search learns, from all
trainings it has seen, what score goes with what loss, and keeps of a score's distance from that line only as much as
comes back when a candidate is trained on other splits. With score s and loss l of candidate c on split j, both less
their means on that split:

    s[c, j] = b l[c, j] + r[c] + e[c, j],    corrected score = b l + k r,    k = var(r) / (var(r) + var(e) / n[c])

b is fitted by least squares, var(r) and var(e) come from a one-way analysis of variance, and k r is the empirical Bayes
estimate of r (Efron and Morris, JASA 70, 1975). This ranks recipes; a verdict is made of plain scores.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEWEST = 12
"""Trainings to fit a line through; with fewer, scores stand as they are."""
REPEATS = 6
"""Degrees of freedom to tell chance from what comes back; with fewer, half of the rest is taken for chance."""
FITTED = 0.85
"""Share of the trainings of a split, the best by their loss, that the line is fitted to: it bends far from them."""
STEEP = 2.0
"""The slope in its standard errors from which on it is believed."""
LASTING = 0.1
"""var(r) / var(e) at the least: a search is too short to show that nothing comes back."""


@dataclass(frozen=True)
class Point:
    """What a finished training came to on the select rows of a split."""

    candidate: int
    split: int
    score: float
    loss: float


@dataclass(frozen=True)
class Line:
    """What is expected of a score, fitted to the trainings of a search.

    slope: points of score for one nat of loss, below 0; 0 where nothing is known. farthest: the loss above a split's
    mean from which on the line is flat. lasting, chance: var(r) and var(e).
    """

    slope: float = 0.0
    farthest: float = 0.0
    lasting: float = 0.0
    chance: float = 0.0

    def corrected(self, points: Iterable[Point]) -> dict[tuple[int, int], float]:
        """The corrected score of each candidate on each split, `points` being all that are compared."""
        points = list(points)
        if not self.slope:
            return {(p.candidate, p.split): p.score for p in points}
        trained, found = Counter(p.candidate for p in points), dict[tuple[int, int], float]()
        for split in _by_split(points).values():
            score, loss = _columns(split)
            rest = score - score.mean() - self.slope * np.minimum(loss - loss.mean(), self.farthest)
            for point, s, r in zip(split, score.tolist(), rest.tolist(), strict=True):
                found[point.candidate, point.split] = s - (1 - self._kept(trained[point.candidate])) * r
        return found

    def _kept(self, splits: int) -> float:
        """k, for a candidate that has finished so many splits."""
        whole = self.lasting + self.chance / splits
        return self.lasting / whole if whole else 1.0


def fitted(points: Iterable[Point]) -> Line:
    """The line through the finished trainings of a search; the one that leaves scores alone while it has no ground."""
    near = [p for split in _by_split(points).values() for p in sorted(split, key=lambda p: p.loss)[: _most(len(split))]]
    if len(near) < FEWEST:
        return Line()
    groups = list(_by_split(near).values())
    columns = [_columns(group) for group in groups]
    score = np.concatenate([s - s.mean() for s, _ in columns])
    loss = np.concatenate([x - x.mean() for _, x in columns])
    freedom, squares = len(near) - len(groups) - 1, float((loss**2).sum())
    if freedom < 1 or not squares:
        return Line()
    slope = float((score * loss).sum()) / squares
    rest = score - slope * loss
    error = math.sqrt(float((rest**2).sum()) / freedom / squares)
    if slope >= -STEEP * error:
        return Line()
    parts = _parts([p.candidate for group in groups for p in group], rest)
    return Line(slope, float(loss.max()), *parts)


def _most(count: int) -> int:
    return math.ceil(FITTED * count)


def _by_split(points: Iterable[Point]) -> dict[int, list[Point]]:
    groups: dict[int, list[Point]] = defaultdict(list)
    for point in points:
        groups[point.split].append(point)
    return groups


def _columns(points: list[Point]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.array([p.score for p in points]), np.array([p.loss for p in points])


def _parts(candidates: list[int], rest: NDArray[np.float64]) -> tuple[float, float]:
    """var(r) and var(e) from candidates that have finished several splits."""
    rows: dict[int, list[float]] = defaultdict(list)
    for candidate, value in zip(candidates, rest.tolist(), strict=True):
        rows[candidate].append(value)
    groups = [np.array(group) for group in rows.values() if len(group) > 1]
    freedom = sum(len(group) - 1 for group in groups)
    if freedom < REPEATS or len(groups) < 2:
        half = float(np.mean(rest**2)) / 2
        return half, half
    chance = sum(float(((group - group.mean()) ** 2).sum()) for group in groups) / freedom
    between = float(np.var([group.mean() for group in groups], ddof=1))
    lasting = between - chance * float(np.mean([1 / len(group) for group in groups]))
    return max(lasting, LASTING * chance), chance
