"""What a verdict can show at all, told before anything is trained: the smallest gain that these rows bring to light.

The interval of a gain has a half width of about z sqrt(v / N + s / S): v is the variance of a row's difference between
the two models, N the rows, s the variance of the gain between seeds, S the seeds. A gain that is to be shown four times
in five must be larger than that by 0.84 such errors.

v and s are guesses until there is a verdict. On shares of right answers v is taken as half of a (1 - a) with a the
plain model's score, 0.8 while it is not known (0.37 and 0.41 of it on digits with 60 and 150 rows); on r2, whose rows
add squared errors, as 0.76 (1 - r2)^2: that of normal errors which two models have in common to 0.9.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gapless.data import Task
from gapless.evidence.result import Power
from gapless.metrics import usual

SHOWN = 0.8
"""How often a gain of that size is shown."""
ALIKE = 0.3
"""Correlation of the differences within a group: ten pictures a patient count as 2.7 (coverage of 68 % where they were
taken for ten)."""
_SEEDS, _BETWEEN_SEEDS = 5, 0.01**2
_SCORE, _R2 = 0.8, 0.5  # of a plain model of which nothing is known


def effective(rows: int, group: NDArray[np.int64] | None) -> float:
    """How many single rows these are worth: N / (1 + (m - 1) 0.3) for groups of m rows (Kish's design effect)."""
    if group is None:
        return float(rows)
    sizes = np.unique(group, return_counts=True)[1].astype(np.float64)
    return rows / (1 + (float((sizes**2).sum()) / rows - 1) * ALIKE)


def guessed(task: Task) -> bool:
    """Whether there is a guess for the task's metric: for the usual ones."""
    return task.judged_by == usual(len(task.classes))


def expected(task: Task, plain: float | None = None, level: float = 0.95) -> Power:
    """The smallest gain that the rows of the verdict can show.

    Args:
        plain: the plain model's score, as far as it is known. level: of the interval.
    """
    assert task.confirm is not None
    if task.classes:
        score = _SCORE if plain is None else min(max(plain, 0.0), 1.0)
        differ = 0.5 * max(score * (1 - score), 0.01)
    else:
        score = _R2 if plain is None else min(max(plain, 0.0), 1.0)
        differ = 0.76 * max(1 - score, 0.01) ** 2
    rows = effective(len(task.confirm), task.confirm.group)
    errors = float(stats.norm.isf((1 - level) / 2) + stats.norm.isf(1 - SHOWN))
    return Power(errors * (differ / rows + _BETWEEN_SEEDS / _SEEDS) ** 0.5, round(rows, 1), plain is not None)
