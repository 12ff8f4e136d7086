"""The learning rate: the same training at a third of it and at three times as much."""

from __future__ import annotations

from dataclasses import replace

from gapless.diagnose.case import Case, Cause, NotAsked
from gapless.diagnose.experiment.folds import Estimate
from gapless.diagnose.experiment.training import Training
from gapless.diagnose.finding import Finding

TOLERATED = 0.01
"""A gain that is not worth another rate."""


FAR = 10.0
"""Times the rate that is tried where the model does not learn its own rows."""


def rates(case: Case) -> tuple[Training, ...]:
    """The other rates that are tried."""
    factors = (1 / 3, 3.0, FAR) if case.dull else (1 / 3, 3.0)
    return tuple(replace(case.reference, lr=case.reference.lr * f) for f in factors)


def _judge(case: Case) -> Finding:
    found: dict[float, Estimate] = {}
    reasons: list[str] = []
    for training in rates(case):
        try:
            found[training.lr] = case.difference(case.folds(training), case.held)
        except NotAsked as reason:  # three times the rate may well not train at all
            reasons.append(str(reason))
    if not found:
        raise NotAsked(reasons[0])
    lr, best = max(found.items(), key=lambda entry: entry[1].mean)
    said = "; ".join(
        f"{rate:.2g} changes it by {case.points(e.mean)} ({case.span(e.interval)})" for rate, e in found.items()
    )
    low = lr > case.reference.lr
    return Finding(
        "rate",
        1,
        f"The learning rate {case.reference.lr:.2g} is too {'low' if low else 'high'} for the score on new "
        f"{case.rows}: {said}.",
        best.interval,
        min(1.0, len(found) * best.above(TOLERATED)),
        f"Train at a learning rate of {lr:.2g}, and ask again.",
        f"Train at {lr:.2g} with three seeds: the score on new rows must rise.",
    )


CAUSE = Cause("rate", _judge, rates)
