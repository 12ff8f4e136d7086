"""Batch norm's running statistics that are not those of its inputs: eval mode judges another model than was trained."""

from __future__ import annotations

from gapless.diagnose.case import Case, Cause, NotAsked
from gapless.diagnose.finding import Finding

TOLERATED = 0.01
"""What renewed statistics may give."""


def _judge(case: Case) -> Finding:
    renewed = case.measured.folds(case.reference, "held renewed")
    if len(renewed) < 2:
        raise NotAsked("the plain model has no batch norm")
    gain = case.difference(renewed, case.held)
    return Finding(
        "statistics",
        1,
        f"Batch norm's running statistics are off: taken anew from the {case.rows} trained on, without another "
        f"training step, they change the score on new {case.rows} by {case.points(gain.mean)} (95 % interval "
        f"{case.span(gain.interval)}).",
        gain.interval,
        gain.above(TOLERATED),
        "Call gapless.batchnorm.reestimate(model, batches) after training; use a larger momentum or larger batches.",
        "Score the model in eval mode before and after reestimate on the same rows: the score must rise.",
    )


CAUSE = Cause("statistics", _judge)
