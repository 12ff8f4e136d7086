"""Luck: how much the score on new rows depends on the seed of weights and order alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import stats

from gapless.diagnose.case import Case, Cause, NotAsked
from gapless.diagnose.experiment.training import FOLDS, Training
from gapless.diagnose.finding import Finding
from gapless.evidence.result import Interval

TOLERATED = 0.02
"""A standard deviation between seeds that is nobody's trouble."""


def _again(case: Case) -> Training:
    return replace(case.alone, seed=1)


def _needs(case: Case) -> tuple[Training, ...]:
    return (_again(case),)


def _judge(case: Case) -> Finding:
    again = case.folds(_again(case))
    if len(again) < FOLDS:
        raise NotAsked("there was no time for all trainings")
    other = {fold: again[fold] - case.held[fold] for fold in again}
    means = np.array([d.mean() for d in other.values()])
    groups = case.groups
    # what a fold's mean difference varies by because its rows are a sample, and would not on many
    rows = np.array([_of_rows(d, None if groups is None else groups[fold]) for fold, d in other.items()])
    squares, count = means**2, len(means)
    luck = float(np.sqrt(max(0.0, (squares - rows).mean() / 2)))
    low, high = (
        float(np.sqrt(max(0.0, (squares.sum() / stats.chi2.ppf(q, count) - rows.mean()) / 2))) for q in (0.975, 0.025)
    )
    bound = 2 * TOLERATED**2 + np.maximum(rows, (case.smallest / np.array([len(d) for d in other.values()])) ** 2)
    return Finding(
        "seeds",
        2,
        f"The score depends on luck: with another seed of weights and order the score on new {case.rows} changes by a "
        f"standard deviation of {case.points(luck)} (95 % interval {case.span(Interval(luck, low, high))}).",
        Interval(luck, low, high),
        float(stats.chi2.sf((squares / bound).sum(), count)),
        "Compare models over five seeds or more, and average weights (--ema 0.99) or train longer for steadier ones.",
        "Train three times with other seeds on the same rows: the scores on many new rows must lie near each other.",
    )


def _of_rows(d: np.ndarray, group: np.ndarray | None) -> float:
    """The variance of the mean of d that is owed to the rows, or to the groups where these belong together."""
    if group is None:
        return float(d.var(ddof=1) / len(d)) if len(d) > 1 else 0.0
    sums = np.bincount(np.unique(group, return_inverse=True)[1], d - d.mean())
    return float((sums**2).sum() * len(sums) / max(1, len(sums) - 1) / len(d) ** 2)


CAUSE = Cause("seeds", _judge, _needs)
