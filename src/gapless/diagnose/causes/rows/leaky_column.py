"""A column of a table that tells nearly all by itself: known only after the fact, or a shortcut of this data alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from gapless.diagnose.case import Case, Cause, Floats, NotAsked
from gapless.diagnose.experiment.folds import Estimate
from gapless.diagnose.experiment.quick import worth
from gapless.diagnose.experiment.training import FOLDS, Training
from gapless.diagnose.finding import Finding
from gapless.evidence.result import Interval

ALONE = 0.8
"""Of the way from chance to perfect, how far a column gets alone that is called too good."""
DEPENDS = 0.25
"""Of what the model gets above chance, how much it loses without such a column."""
ASKED = 3
"""Columns, at most, that are tried on all folds: the best on the first."""
ROWS = 4000
"""Rows, at most, from which one column is learned."""
_LEAVES, _LEAST = 8, 3
"""Leaves of a tree on one column for a class or a number, and rows of a leaf: some thresholds, nothing by heart."""


@dataclass(frozen=True)
class _Told:
    """A column, and what held rows are worth to who knows it alone."""

    column: int
    alone: Estimate


def _tree(case: Case, column: int, fold: int) -> Floats:
    """What the rows that a fold holds are worth to a small tree on one column."""
    train, held = replace(case.alone, fold=fold).rows(case.task, case.seed)
    train, x, y = train[:: -(-len(train) // ROWS)], case.task.develop.x, case.task.develop.y
    kind: Any = DecisionTreeClassifier if case.classes else DecisionTreeRegressor
    leaves = min(_LEAVES * max(1, case.classes), 40)
    tree = kind(max_leaf_nodes=leaves, min_samples_leaf=_LEAST, random_state=0)
    tree.fit(x[train, column, None], y[train])
    return worth(case.task, train, held, tree.predict(x[held, column, None]))


def _told(case: Case) -> _Told | None:
    """The column that tells most; None where no column gets so far alone that it is looked into."""
    columns = case.task.develop.x.shape[1]
    if case.task.kind != "table" or columns < 2:
        return None
    first = np.array([_tree(case, column, 0).mean() for column in range(columns)])
    found = [_all_folds(case, int(column)) for column in np.argsort(-first, kind="stable")[:ASKED]]
    best = max(found, key=lambda told: told.alone.mean)
    return best if best.alone.mean >= _bar(case) else None


def _all_folds(case: Case, column: int) -> _Told:
    each: Mapping[int, Floats] = {fold: _tree(case, column, fold) for fold in range(FOLDS)}
    return _Told(column, case.estimate(each))


def _bar(case: Case) -> float:
    return case.chance + ALONE * (1 - case.chance)


def _without(case: Case, column: int) -> Training:
    return replace(case.alone, without=column)


def _needs(case: Case) -> tuple[Training, ...]:
    told = _told(case)
    return () if told is None else (_without(case, told.column),)


def _judge(case: Case) -> Finding:
    if case.task.kind != "table":
        raise NotAsked(f"{case.rows} have no columns")
    if case.task.develop.x.shape[1] < 2:
        raise NotAsked("there is one column only")
    told = _told(case)
    refute = "Find out when the column is written down: known before the target, for every row to come, it is no leak."
    if told is None:
        what = "No column alone tells nearly all."
        return Finding("leaky column", 0, what, Interval(0.0, 0.0, 0.0), 1.0, "Nothing.", refute)
    name = case.task.features[told.column] if case.task.features else f"number {told.column}"
    lost = case.difference(case.held, case.folds(_without(case, told.column)))
    most = max(0.0, case.new.mean - case.chance)
    columns = case.task.develop.x.shape[1]
    return Finding(
        "leaky column",
        0,
        f"Column {name!r} alone gets {case.score(told.alone.mean)}, the model with all columns "
        f"{case.score(case.new.mean)}, and without it {case.score(case.new.mean - lost.mean)}: it loses "
        f"{case.points(lost.mean)} (95 % interval {case.span(lost.interval)}). So good a column is often written down "
        "after the target, or tells it in this data alone.",
        lost.interval,
        max(min(1.0, columns * told.alone.above(_bar(case))), lost.above(DEPENDS * most)),
        f"Ask when {name!r} is known. If not before the prediction, leave it out (--ignore takes a column's name) and "
        f"count on {case.score(case.new.mean - lost.mean)}.",
        refute,
    )


CAUSE = Cause("leaky column", _judge, _needs)
