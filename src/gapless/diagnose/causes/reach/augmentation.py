"""No augmentation, where it would help: what varied rows give, and how many more rows that is worth."""

from __future__ import annotations

from dataclasses import replace

from gapless.diagnose.case import Case, Cause, NotAsked
from gapless.diagnose.causes.reach.more_data import curve, parts
from gapless.diagnose.estimators.curve import FARTHEST
from gapless.diagnose.experiment.training import Training
from gapless.diagnose.finding import Finding
from gapless.evidence.parts import only
from gapless.recipe import Recipe
from gapless.recipe.shipped import presets

TOLERATED = 0.01
"""A gain that is not worth the trouble."""
PILLAR = "augment"


def _recipe(case: Case) -> Recipe | None:
    """The augmentation of the lightest preset that has any."""
    some = (recipe for recipe in presets(case.task.kind).values() if PILLAR in recipe.pillars())
    first = next(some, None)
    return None if first is None else only(first, [PILLAR])


def _augmented(case: Case, recipe: Recipe) -> Training:
    return replace(case.alone, recipe=recipe)


def _needs(case: Case) -> tuple[Training, ...]:
    recipe = _recipe(case)
    return () if recipe is None else (_augmented(case, recipe),)


def _judge(case: Case) -> Finding:
    recipe = _recipe(case)
    if recipe is None:
        raise NotAsked(f"no preset for {case.rows} has augmentation")
    varied = case.folds(_augmented(case, recipe))
    gain = case.difference(varied, case.held)
    return Finding(
        "augmentation",
        2,
        f"Varied {case.rows} teach more: light augmentation alone changes the score on new {case.rows} by "
        f"{case.points(gain.mean)} (95 % interval {case.span(gain.interval)}){_worth(case, varied)}.",
        gain.interval,
        gain.above(TOLERATED),
        "Train with augmentation: `gapless tune` finds which, and how strong.",
        f"Train with the recipe and without it on three seeds: the score on new {case.rows} must rise.",
        recipe=recipe,
    )


def _worth(case: Case, varied: object) -> str:
    """What it is worth in rows, where the learning curve was measured."""
    if not parts(case):
        return ""
    try:
        found = curve(case)
    except NotAsked:
        return ""
    if not found.forms():
        return ""
    share, ends = found.worth(case.folds(_augmented(case, _recipe(case) or Recipe())))
    high = f"{FARTHEST:g} times or more" if ends.high > 0.99 * FARTHEST else f"{ends.high:.1f} times"
    low = f"{ends.low:.2g}" + (" or less" if ends.low < 1.01 * found.shares[0] else "")
    return f": as much as {share:.1f} times the {case.rows} without it would ({low} to {high})"


CAUSE = Cause("augmentation", _judge, _needs)
