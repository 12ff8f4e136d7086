"""How both models of the verdict do class by class, and what is taken for what."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gapless.evidence.intervals import mean_interval
from gapless.evidence.paired import BEST, PLAIN, Confirmation
from gapless.evidence.result import Confusion, Interval, Reached, Recall

CONFUSIONS = 30
"""Confusions that a result lists, at most."""
_LEAST = 5
"""Rows of a class from which a change of its recall is given an interval; of fewer it says nothing."""

Answers = NDArray[np.int64]


def answered(confirmation: Confirmation) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """What the plain model and the best recipe answered to the confirm rows, (S, N) each, on the seeds that both have;
    None where the answers were not kept (runs of before)."""
    best = BEST if confirmation.seeds(BEST) else PLAIN
    by_model = {m: {e.seed: e.answers for e in confirmation.entries if e.model == m} for m in (PLAIN, best)}
    seeds = sorted(by_model[PLAIN].keys() & by_model[best].keys())
    sides = [[answers for s in seeds if (answers := by_model[m][s]) is not None] for m in (PLAIN, best)]
    if not seeds or any(len(side) < len(seeds) for side in sides):
        return None
    plain, other = (np.stack(side) for side in sides)
    return plain, other


def recalls(confirmation: Confirmation, labels: Answers, names: tuple[str, ...]) -> tuple[Recall, ...]:
    """The share of each class's confirm rows that is right, a mean over seeds; the most frequent class first.

    Empty for a regression, and where the answers were not kept.
    """
    found = answered(confirmation) if names else None
    if found is None:
        return ()
    sides = [side == labels for side in found]
    counts = np.bincount(labels, minlength=len(names))
    classes = [k for k in np.argsort(-counts, kind="stable").tolist() if counts[k]]
    asked = sum(int(counts[k]) >= _LEAST for k in classes) if confirmation.seeds(BEST) else 0
    recalled: list[Recall] = []
    for k in classes:
        rows = labels == k
        plain, best = (wilson(float(right[:, rows].mean()), int(counts[k])) for right in sides)
        change, reading = _change(confirmation, sides, rows, asked)
        recalled.append(Recall(names[k], int(counts[k]), plain, best, change, reading, *_precisions(found, labels, k)))
    return tuple(recalled)


def _change(
    confirmation: Confirmation, sides: list[NDArray[np.bool_]], rows: NDArray[np.bool_], asked: int
) -> tuple[Interval | None, Reached]:
    """How much more of a class the best recipe finds, paired by seed and row; and what may be said of it where so many
    classes were asked (Bonferroni)."""
    if not asked or rows.sum() < _LEAST or len(sides[0]) < 2:
        return None, "unknown"
    each = (sides[1][:, rows].astype(np.float32)) - sides[0][:, rows]
    groups = None if confirmation.groups is None else confirmation.groups[rows]
    if groups is not None and len(np.unique(groups)) < _LEAST:
        return None, "unknown"
    found = mean_interval(each, 1.0, groups)
    strict = mean_interval(each, 1.0, groups, 1 - 0.05 / asked)
    return found, "gained" if strict.low > 0 else "lost" if strict.high < 0 else "may be chance"


def _precisions(found: tuple[NDArray[np.float32], ...], labels: Answers, k: int) -> list[Interval | None]:
    """Of the rows that each side takes for class k, the share that is; None where it never answers k."""
    shares: list[Interval | None] = []
    for side in found:
        said = side == k
        total = float(said.sum(1).mean())
        right = float((said & (labels == k)).sum(1).mean())
        shares.append(wilson(right / total, max(1, round(total))) if total else None)
    return shares


def confusions(confirmation: Confirmation, labels: Answers, names: tuple[str, ...]) -> tuple[Confusion, ...]:
    """Which class is taken for which, by both models, the most frequent first; empty where answers were not kept."""
    found = answered(confirmation) if names else None
    if found is None:
        return ()
    counts: dict[tuple[int, int], list[float]] = {}
    for number, side in enumerate(found):
        wrong = side != labels
        pairs = np.stack([np.broadcast_to(labels, side.shape)[wrong], side[wrong].astype(np.int64)], 1)
        kinds, times = np.unique(pairs, axis=0, return_counts=True)
        for (true, said), n in zip(kinds.tolist(), times.tolist(), strict=True):
            counts.setdefault((true, said), [0.0, 0.0])[number] = n / len(side)
    order = sorted(counts, key=lambda pair: (-max(counts[pair]), pair))[:CONFUSIONS]
    return tuple(Confusion(names[true], names[said], *counts[true, said]) for true, said in order)


def wilson(share: float, n: int) -> Interval:
    """The share with its 95 % score interval (Wilson, JASA 22, 1927), which is honest at 0 and 1.

    Args:
        share: right among n rows, a mean over seeds; the rows are the sample, so seeds do not add to n.
    """
    z = float(stats.norm.isf(0.025))
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return Interval(share, max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))
