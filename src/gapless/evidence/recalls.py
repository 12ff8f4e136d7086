"""How much of each class both models of the verdict find, which a score over all rows does not tell of rare classes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gapless.evidence.paired import BEST, PLAIN, Confirmation
from gapless.evidence.result import Interval, Recall


def recalls(confirmation: Confirmation, labels: NDArray[np.int64], names: tuple[str, ...]) -> tuple[Recall, ...]:
    """The share of each class's confirm rows that is right, a mean over seeds; the most frequent class first.

    Empty for a regression, and where the answers were not kept (runs of before).
    """
    if not names or any(e.answers is None for e in confirmation.entries if e.model in (PLAIN, BEST)):
        return ()
    sides = [
        np.mean([e.answers == labels for e in confirmation.entries if e.model == model], 0)
        for model in (PLAIN, BEST if confirmation.seeds(BEST) else PLAIN)
    ]
    counts = np.bincount(labels, minlength=len(names))
    found: list[Recall] = []
    for k in np.argsort(-counts, kind="stable").tolist():
        if counts[k]:
            plain, best = (wilson(float(right[labels == k].mean()), int(counts[k])) for right in sides)
            found.append(Recall(names[k], int(counts[k]), plain, best))
    return tuple(found)


def wilson(share: float, n: int) -> Interval:
    """The share with its 95 % score interval (Wilson, JASA 22, 1927), which is honest at 0 and 1.

    Args:
        share: right among n rows, a mean over seeds; the rows are the sample, so seeds do not add to n.
    """
    z = float(stats.norm.isf(0.025))
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return Interval(share, max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))
