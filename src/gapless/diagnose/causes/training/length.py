"""Too short or too long: the same training at half and at twice its length, its learning rate falling to zero."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from gapless.diagnose.case import Case, Cause, NotAsked
from gapless.diagnose.experiment.folds import Estimate
from gapless.diagnose.experiment.training import Training
from gapless.diagnose.finding import Finding

TOLERATED = 0.01
"""A gain that is not worth another length."""


FAR = 8
"""Times the length that is tried where the model does not learn its own rows."""


def _times(reference: Training, factor: float) -> Training:
    return replace(reference, epochs=max(1, round(factor * reference.epochs)))


def lengths(case: Case) -> tuple[Training, ...]:
    """The other lengths that are tried."""
    factors, reference = (0.5, 2, FAR) if case.dull else (0.5, 2), case.reference
    return tuple(_times(reference, f) for f in factors if _times(reference, f) != reference)


def _judge(case: Case) -> Finding:
    reference, found = case.reference, dict[int, Estimate]()
    for training in lengths(case):
        with suppress(NotAsked):  # the long one may have been too dear
            found[training.epochs] = case.difference(case.folds(training), case.held)
    if not found:
        raise NotAsked("there was no time for all trainings")
    epochs, best = max(found.items(), key=lambda entry: entry[1].mean)
    short = epochs > reference.epochs
    said = "; ".join(f"{n} change it by {case.points(e.mean)} ({case.span(e.interval)})" for n, e in found.items())
    return Finding(
        "length",
        1,
        f"Training is too {'short' if short else 'long'}: {reference.epochs} epochs; of the score on new {case.rows}, "
        f"{said}.",
        best.interval,
        min(1.0, len(found) * best.above(TOLERATED)),
        f"Train {epochs} epochs, and ask again.",
        f"Train {epochs} epochs with three other seeds: the score on new {case.rows} must rise.",
    )


CAUSE = Cause("length", _judge, lengths)
