"""Underfitting: the model does not learn even its own rows, where another model shows that there is more to learn."""

from __future__ import annotations

import numpy as np

from gapless.diagnose.case import Case, Cause, NotAsked
from gapless.diagnose.causes.training.length import lengths
from gapless.diagnose.causes.training.rate import rates
from gapless.diagnose.experiment.training import FOLDS
from gapless.diagnose.finding import Finding

TOLERATED = 0.02
"""By how much a quick model may be better on new rows than the network on its own."""


def _judge(case: Case) -> Finding:
    """A score on new rows is reached by who has learned the training rows at least as well: what a quick model gets on
    new rows, the network must get on those it was trained on, at the best of the lengths and rates that were tried."""
    if not case.quick:
        raise NotAsked("there was no time for quick models")
    tried = [case.measured.folds(t, "train") for t in (case.reference, *lengths(case), *rates(case))]
    train = max((t for t in tried if len(t) == FOLDS), key=lambda t: sum(float(v.mean()) for v in t.values()))
    short = {
        name: case.estimate({fold: each[fold] - np.float32(train[fold].mean()) for fold in each})
        for name, each in case.quick.items()
    }
    known = sum(float(v.mean()) for v in train.values()) / len(train)
    name, most = max(short.items(), key=lambda entry: entry[1].mean)
    return Finding(
        "underfit",
        1,
        f"The model does not learn its own rows: {case.score(known)} on the {case.rows} it was trained on, at the best "
        f"length and rate that were tried, where {name} gets {case.score(known + most.mean)} on new ones, "
        f"{case.points(most.mean)} more ({case.span(most.interval)}).",
        most.interval,
        min(1.0, len(short) * most.above(TOLERATED)),
        "Give it more: a wider or deeper model, other inputs, or less regularization.",
        "Train it on 20 rows alone until they are learned: a model and a rate that are right learn them by heart.",
    )


CAUSE = Cause("underfit", _judge)
