"""Rows that belong together: how much of the score is owed to rows of the same group that were trained on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gapless.data.splits import FEWEST_GROUPS
from gapless.diagnose.case import Case, Cause, NotAsked
from gapless.diagnose.experiment.folds import Estimate, estimate
from gapless.diagnose.experiment.training import Training
from gapless.diagnose.finding import Finding

TOLERATED = 0.02
"""By how much the score may be too good."""
ASKED = 2
"""Groupings, at most, that are tried: those of the fewest groups, where most rows belong together."""


def groupings(case: Case) -> tuple[str, ...]:
    """Names of groupings that were noticed in the data and that are large enough to be tried."""
    counts = {name: len(np.unique(group)) for name, group in case.task.develop.maybe.items()}
    some = [name for name, count in counts.items() if FEWEST_GROUPS <= count < len(case.task.develop)]
    return tuple(sorted(some, key=lambda name: counts[name])[:ASKED])


def _apart(case: Case, name: str) -> Training:
    return replace(case.alone, apart=name)


def _needs(case: Case) -> tuple[Training, ...]:
    return () if case.grouped else tuple(_apart(case, name) for name in groupings(case))


def _lost(case: Case, name: str) -> tuple[Estimate, float]:
    """What the score loses where no row of its group was trained on, paired row by row, and what is left."""
    training, group = _apart(case, name), case.task.develop.maybe[name]
    each: dict[int, np.ndarray] = {}
    groups: dict[int, np.ndarray] = {}
    apart: list[np.ndarray] = []
    for fold, held in case.folds(training).items():
        rows = replace(training, fold=fold).rows(case.task, case.seed)[1]
        known = ~np.isnan(case.new_each[rows])
        each[fold], groups[fold] = case.new_each[rows][known] - held[known], group[rows][known]
        apart.append(held)
    return estimate(each, case.smallest, groups), float(np.concatenate(apart).mean())


def _judge(case: Case) -> Finding:
    if case.grouped:
        raise NotAsked("the groups are given: folds and intervals keep them")
    names = groupings(case)
    if not names:
        raise NotAsked("no column or name of a file says which rows belong together")
    found = {name: _lost(case, name) for name in names}
    name, (lost, apart) = max(found.items(), key=lambda entry: entry[1][0].mean)
    count = len(np.unique(case.task.develop.maybe[name]))
    return Finding(
        "groups",
        0,
        f"{case.rows.capitalize()} with the same {name} belong together ({count:,} groups of "
        f"{len(case.task.develop) / count:.1f}): new {case.rows} score {case.score(case.new.mean)} where others of "
        f"their group were trained on, {case.score(apart)} where none was. For new groups the score is too good by "
        f"{case.points(lost.mean)} (95 % interval {case.span(lost.interval)}).",
        lost.interval,
        min(1.0, len(found) * lost.above(TOLERATED)),
        f"Say --group {name}: each group is then on one side of every split, and is what intervals count.",
        f"Score the model on {case.rows} of groups that it has never seen: the score must stay as it is.",
    )


CAUSE = Cause("groups", _judge, _needs)
