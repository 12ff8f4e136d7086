"""The learning curve: what more rows would give, and how many rows a gain is worth.

Each held row has a score at every size trained on. A form of the curve is linear once its exponent is fixed:
e(n) = a + b g(n), g(n) = n^-c, and the logarithm for c towards 0. Then what it says at any size is a sum of the scores
at the sizes tried with fixed weights, one number for each held row, and has the interval of all means over folds.
Which exponent holds nobody knows, so several are asked: those that fit, and the interval is the hull of theirs.
(Intervals of one form are known to be too short: Figueroa et al., BMC Medical Informatics 12, 2012.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gapless.diagnose.experiment.folds import Estimate
from gapless.evidence.result import Interval

Floats = NDArray[np.floating]
Each = Mapping[int, Floats]
Estimator = Callable[[Each], Estimate]

EXPONENTS = (0.0, 0.25, 0.5, 1.0, 1.5)
"""Of the forms that are asked; 0 is the logarithm. Errors fall with exponents of 0.07 to 0.5 for most tasks (Hestness
et al., arXiv 1712.00409), and with 1 where a simple model is right."""
FARTHEST = 4.0
"""Times the rows, at most, for which anything is said."""


@dataclass(frozen=True)
class Curve:
    """Scores of held rows by share of the rows trained on.

    shares: ascending, the last is 1. each: for every share, fold by fold. estimator: of a mean over folds.
    """

    shares: tuple[float, ...]
    each: tuple[Each, ...]
    estimator: Estimator

    def _sum(self, weights: Floats) -> dict[int, Floats]:
        folds = sorted(set.intersection(*(set(one) for one in self.each)))
        return {f: np.sum([w * one[f] for w, one in zip(weights, self.each, strict=True)], axis=0) for f in folds}

    def forms(self) -> tuple[float, ...]:
        """Exponents whose curve through the smaller sizes holds the score at the largest."""
        good: list[float] = []
        for c in EXPONENTS:
            missed = _weights(self.shares[:-1], c, 1.0)
            off = self.estimator(self._sum(np.append(-missed, 1.0))).interval
            if off.low <= 0 <= off.high:
                good.append(c)
        return tuple(good)

    def more(self, factor: float) -> list[Estimate]:
        """What `factor` times the rows would add to the score, by each form that fits."""
        now = np.eye(len(self.shares))[-1]
        return [self.estimator(self._sum(_weights(self.shares, c, factor) - now)) for c in self.forms()]

    def worth(self, other: Each) -> tuple[float, Interval]:
        """At which share of the rows the curve has the score of another training, from the smallest share to FARTHEST.

        The interval holds all shares at which some form's difference from it is no more than chance (Fieller, Journal
        of the Royal Statistical Society B 16, 1954). An end at the bound means "or beyond".
        """
        grid = np.geomspace(self.shares[0], FARTHEST, 60)
        held: list[float] = []
        nearest = (np.inf, 1.0)
        for c in self.forms():
            for share in grid:
                off = self._off(_weights(self.shares, c, float(share)), other)
                if off.interval.low <= 0 <= off.interval.high:
                    held.append(float(share))
                nearest = min(nearest, (abs(off.mean), float(share)))
        if not held:  # better or worse than anything on the curve
            held = [nearest[1]]
        step = float(grid[1] / grid[0])  # no finer than the grid
        return nearest[1], Interval(nearest[1], max(grid[0], min(held) / step), min(FARTHEST, max(held) * step))

    def _off(self, weights: Floats, other: Each) -> Estimate:
        mine = self._sum(weights)
        return self.estimator({f: mine[f] - other[f] for f in mine if f in other})


def _weights(shares: Sequence[float], c: float, at: float) -> Floats:
    """What each share's score counts in the fitted curve at another share; larger ones weigh more in the fit, as they
    vary less."""

    def form(n: Floats) -> Floats:
        return -np.log(n) if c == 0 else n**-c

    sizes = np.asarray(shares, np.float64)
    design = np.stack([np.ones(len(sizes)), form(sizes)], 1)
    weighted = design.T * sizes
    point = np.array([1.0, float(form(np.array([at]))[0])])
    return point @ np.linalg.solve(weighted @ design, weighted)


def hull(found: Sequence[Estimate]) -> Interval:
    """From the lowest end to the highest; the middle one's mean."""
    means = sorted(one.mean for one in found)
    ends = [one.interval for one in found]
    return Interval(means[len(means) // 2], min(e.low for e in ends), max(e.high for e in ends))
