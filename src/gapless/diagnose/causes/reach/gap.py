"""The generalization gap in clean mode: score on the rows trained on minus score on new ones."""

from __future__ import annotations

from gapless.diagnose.case import Case, Cause
from gapless.diagnose.finding import Finding
from gapless.recipe.shipped import preset

TOLERATED = 0.02
"""A gap that is nobody's trouble."""


def _judge(case: Case) -> Finding:
    gap = case.gap
    return Finding(
        "gap",
        2,
        f"The model learns its rows by heart: {case.score(case.known)} on those trained on, "
        f"{case.score(case.new.mean)} on new ones, a gap of {case.points(gap.mean)} (95 % interval "
        f"{case.span(gap.interval)}), in eval mode and without augmentation.",
        gap.interval,
        gap.above(TOLERATED),
        "Regularize: `gapless tune` finds which of the four pillars close the gap, and how strong they must be.",
        f"Score the model on {case.rows} it has never seen: a gap that is no larger than chance would refute it.",
        recipe=preset(case.task.kind, "light"),
    )


CAUSE = Cause("gap", _judge)
