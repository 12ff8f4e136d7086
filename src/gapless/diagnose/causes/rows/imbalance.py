"""Classes of unequal size, of which the rarer are not learned."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gapless.diagnose.case import Case, Cause, NotAsked
from gapless.diagnose.finding import Finding
from gapless.evidence.answers.classes import wilson
from gapless.evidence.result import Interval

Index = NDArray[np.int64]

TOLERATED = 0.05
"""By how much balanced accuracy may be lower."""
FEWEST = 5
"""Held rows of a class, with fewer of which its recall says nothing."""


def _judge(case: Case) -> Finding:
    if not case.classes:
        raise NotAsked("a regression has no classes")
    y, right = case.task.develop.y, case.new_each
    known = ~np.isnan(right)
    counts = np.bincount(y[known], minlength=case.classes)
    judged = np.flatnonzero(counts >= FEWEST)
    if len(judged) < 2:
        raise NotAsked(f"fewer than two classes have {FEWEST} rows")
    recall = np.array([right[known & (y == k)].mean() for k in judged])
    overall, balanced = float(right[known].mean()), float(recall.mean())
    # each recall with two rows added on either side (Agresti and Coull 1998), so that none is certain
    share = (recall * counts[judged] + 2) / (counts[judged] + 4)
    weights = counts[judged] / counts[judged].sum() - 1 / len(judged)
    error = float(np.sqrt((weights**2 * share * (1 - share) / counts[judged]).sum()))
    error = max(error, _of_groups(case, right, known, judged, weights / counts[judged]))
    effect = overall - balanced
    worst = judged[np.argmin(recall)]
    found = wilson(float(recall.min()), int(counts[worst]))
    commonest = int(counts.argmax())
    what = (
        f"The classes are of unequal size ({counts.max():,} {case.rows} of {case.task.classes[commonest]!r}, "
        f"{counts[judged].min():,} of the rarest judged) and the rarer are not learned: {100 * overall:.1f} % right "
        f"over all, {100 * balanced:.1f} % when each class counts the same; of {case.task.classes[worst]!r} "
        f"{100 * recall.min():.1f} % are found (95 % interval {100 * found.low:.1f} to {100 * found.high:.1f})."
    )
    return Finding(
        "imbalance",
        0,
        what,
        Interval(effect, effect - 1.96 * error, effect + 1.96 * error),
        float(stats.norm.sf((effect - TOLERATED) / error)) if error else 1.0,
        "Weigh the loss by class or draw rare classes more often, and judge by balanced accuracy.",
        "Train once with as many rows of each class: recall of the rare classes must rise.",
    )


def _of_groups(
    case: Case, right: NDArray[np.floating], known: NDArray[np.bool_], judged: Index, weights: NDArray[np.floating]
) -> float:
    """The standard error where rows belong together and a group is what is drawn; 0 where each row is its own.

    Args:
        weights: of each judged class, what one of its rows that is right adds.
    """
    y, group = case.task.develop.y, case.task.develop.group
    if group is None:
        return 0.0
    each = np.zeros(len(y))
    for k, weight in zip(judged, weights, strict=True):
        mine = known & (y == k)
        each[mine] = weight * (right[mine] - right[mine].mean())
    sums = np.bincount(np.unique(group, return_inverse=True)[1], each)
    return float(np.sqrt((sums**2).sum() * len(sums) / (len(sums) - 1)))


CAUSE = Cause("imbalance", _judge)
