"""The guard's estimates, and how sure they are: 95 % intervals over examples, each with all its variants.

Notation: y_i the label of example i, a_i the class that its original is taken for, b_iv that of its variant v;
d_i0 = [a_i != y_i], d_i = mean over v of [b_iv != y_i]; K classes, N examples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gapless.diagnose.experiment.folds import by_group

Classes = NDArray[np.int64]
LEAST_SKILL = 0.1
"""A judge whose skill J in a class is below this cannot tell changed labels of the class from its own mistakes."""


@dataclass(frozen=True)
class Estimate:
    """A share with its 95 % interval."""

    mean: float
    low: float
    high: float

    @classmethod
    def of_share(cls, share: float, n: int) -> Estimate:
        """Wilson's score interval (J. Am. Stat. Assoc. 22, 1927) for a share of n independent examples.

        (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n). Where each example has several variants,
        n is still the number of examples: the interval errs to the wide side.
        """
        z2 = float(stats.norm.ppf(0.975)) ** 2
        centre, half = share + z2 / (2 * n), math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n)))
        low, high = (centre - half) / (1 + z2 / n), (centre + half) / (1 + z2 / n)
        return cls(share, max(0.0, min(low, share)), min(1.0, max(high, share)))


def drawn(examples: int, groups: Classes | None) -> int:
    """How many were drawn: examples, or groups where these belong together."""
    return examples if groups is None else len(np.unique(groups))


def agreement(was: Classes, now: Classes, groups: Classes | None = None) -> Estimate:
    """mean [b_iv = a_i], of `was` (N,) and `now` (draws, N), with Wilson's interval."""
    return Estimate.of_share(float((now == was).mean()), drawn(len(was), groups))


def skills(y: Classes, was: Classes, classes: int) -> NDArray[np.float64]:
    """(K,) Youden's index J_k = 1 - e_k - r_k of each class (Cancer 3, 1950).

    e_k: the share of originals of the class that are taken for another; r_k: of those of other classes that are taken
    for it. A judge that always names the commonest class is seldom wrong, and has no skill.
    """
    return np.array([1 - _rate(was[y == k] != k) - _rate(was[y != k] == k) for k in range(classes)])


def changed_share(
    y: Classes, was: Classes, now: Classes, classes: int, groups: Classes | None = None
) -> Estimate | None:
    """The share of variants whose label has changed, as far as the classifier can tell; None where it cannot.

    c = mean (d_i - d_i0) / J_k,  k = y_i,  over the examples of classes with J_k >= LEAST_SKILL

    In a class, variants disagree with their label more often than originals by c_k J_k: one whose label has changed is
    taken for its old class with probability r_k only (Rogan and Gladen, Am. J. Epidemiol. 107, 1978). A negative c
    means that variants are judged better than originals. None where more than half of the examples are of classes
    without skill.

    The interval is Student's over examples, of the influences u_i around c, which carry the uncertainty of e_k and r_k
    too (delta method): paired, since each example is its own control. Two made-up examples, one changed each way, widen
    it (Bonett and Price, J. Educ. Behav. Stat. 37, 2012, for paired shares), so that no change at all in N examples
    does not claim certainty. With groups (N,) the sums of the influences of each group take the examples' place.
    """
    skill, n = skills(y, was, classes), len(y)
    judged = (skill >= LEAST_SKILL)[y]
    if 2 * judged.sum() < n:
        return None
    before, after = (was != y).astype(np.float64), (now != y).mean(axis=0)
    u, one = np.zeros(n), n / float(judged.sum())  # one: the weight of an example that is judged
    for k in np.flatnonzero(skill >= LEAST_SKILL):
        mine, j = y == k, skill[k]
        rise = after[mine] - before[mine]
        share = _rate(rise) / j
        u[mine] += one * (rise + share * (before[mine] - _rate(before[mine]))) / j
        others = (was[~mine] == k).astype(np.float64)
        u[~mine] += one * mine.sum() / (~mine).sum() * share / j * (others - _rate(others))
    return _paired(min(1.0, max(-1.0, float(u.mean()))), u, 1 / float(skill[y][judged].mean()), groups)


def _rate(found: NDArray[np.generic]) -> float:
    """The mean, 1 of nothing: a class without examples, or without others beside it, cannot be told."""
    return float(found.mean()) if len(found) else 1.0


def collision_tests(
    y: Classes, was: Classes, now: Classes, classes: int, groups: Classes | None = None
) -> list[tuple[int, int, float]]:
    """(label, other class, p) of the classes that turn into others.

    One-sided sign test (McNemar's, exact) over the examples of the label where `taken_share` differs from 0, times what
    Holm's step-down procedure asks for among all K (K - 1) pairs; only p < 0.05 are given, so that a table without any
    change names a pair once in twenty.
    """
    found: list[tuple[float, int, int]] = []
    for label in range(classes):
        for other in range(classes):
            d = _summed(_taken(y, was, now, label, other), groups, y == label)
            more, less = int((d > 0).sum()), int((d < 0).sum())
            if other != label and more > less:
                p = float(stats.binomtest(more, more + less, 0.5, alternative="greater").pvalue)
                found.append((p, label, other))
    pairs, highest = classes * (classes - 1), 0.0
    kept: list[tuple[int, int, float]] = []
    for rank, (p, label, other) in enumerate(sorted(found)):
        highest = max(highest, min(1.0, p * (pairs - rank)))
        if highest < 0.05:
            kept.append((label, other, highest))
    return kept


def taken_share(
    y: Classes, was: Classes, now: Classes, label: int, other: int, groups: Classes | None = None
) -> Estimate:
    """Mean over examples of the label of (mean over v of [b_iv = other]) - [a_i = other], with an interval as above."""
    d = _taken(y, was, now, label, other)
    return _paired(float(d.mean()), d, 1.0, None if groups is None else groups[y == label])


def _taken(y: Classes, was: Classes, now: Classes, label: int, other: int) -> NDArray[np.float64]:
    rows = y == label
    return (now[:, rows] == other).mean(axis=0) - (was[rows] == other)


def _summed(d: NDArray[np.float64], groups: Classes | None, rows: NDArray[np.bool_]) -> NDArray[np.float64]:
    """d of some rows, or its sum over each group."""
    if groups is None:
        return d
    return np.bincount(np.unique(groups[rows], return_inverse=True)[1], d).astype(np.float64)


def _paired(mean: float, d: NDArray[np.float64], one: float, groups: Classes | None = None) -> Estimate:
    """Student's interval for the mean of d (N,) with a made-up `one` and `-one` beside it, cut at -1 and 1."""
    if groups is not None:
        d = by_group({0: d}, {0: groups})[0].astype(np.float64)
    d = np.concatenate([d, [one, -one]])
    half = float(stats.t.ppf(0.975, len(d) - 1)) * float(d.std(ddof=1)) / math.sqrt(len(d))
    low, high = float(d.mean()) - half, float(d.mean()) + half
    return Estimate(mean, max(-1.0, min(low, mean)), min(1.0, max(high, mean)))
