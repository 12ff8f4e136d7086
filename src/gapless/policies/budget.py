"""How long trainings of a policy search are, so that the promise of --minutes holds."""

from __future__ import annotations

from gapless.errors import BudgetError
from gapless.evidence.proof import FEWEST_SEEDS, SEEDS
from gapless.policies.controls import GRID, SHARE
from gapless.policies.options import COST, PolicyOptions
from gapless.run.clock import Clock
from gapless.search.budget import CLOSING, REFIT, SHORTEST, Speed, default_epochs

SIDES = 6
"""Models of the verdict: none, learned, random, TrivialAugment, RandAugment, a published policy."""
LUCK = 1.15
"""By how much longer trainings may take than was measured."""
PROPOSING = 15.0
"""Seconds for the proposals of density matching, which train nothing."""
STRETCH = 2
"""How many times the usual length of a training is worth its time: variations take longer to learn."""


def _trainings(options: PolicyOptions, seeds: int) -> float:
    """Full trainings of all stages together, in those of four fifths of the rows."""
    settling = 0.0 if options.lr is not None else 1.0
    controls = (len(GRID) + 4) * SHARE
    return settling + COST[options.method] + controls + SIDES * seeds * REFIT


def full_length(rows: int, options: PolicyOptions, speed: Speed, clock: Clock) -> int:
    """Epochs of a full training: the longest worth its time with which everything fits.

    Raises:
        BudgetError: not even the shortest fits; says the smallest budget that would do.
    """
    beside = PROPOSING if options.method == "density" else CLOSING
    left = (clock.left - CLOSING - beside) * options.workers / LUCK
    each = max(speed.recipe, 1e-9) * 0.8  # the speed is that of an epoch over all rows
    if options.epochs is not None:
        needed = options.epochs * each * _trainings(options, FEWEST_SEEDS)
        if needed > left:
            raise _too_short(options, clock, needed, f"trainings of {options.epochs} epochs")
        return options.epochs
    most = STRETCH * default_epochs(round(0.8 * rows), options.batch_size)
    if SHORTEST * each * _trainings(options, FEWEST_SEEDS) > left:
        needed = SHORTEST * each * _trainings(options, FEWEST_SEEDS)
        raise _too_short(options, clock, needed, f"the shortest trainings, of {SHORTEST} epochs")
    fits = [int(left / (each * _trainings(options, seeds))) for seeds in (SEEDS, FEWEST_SEEDS)]
    return max(SHORTEST, min(most, max(fits[0], min(fits[1], most // 4))))


def _too_short(options: PolicyOptions, clock: Clock, needed: float, what: str) -> BudgetError:
    minutes = (clock.spent + CLOSING + LUCK * needed / options.workers) / 60
    return BudgetError(
        f"--minutes {options.minutes:.3g} is too short for {what} on this model and data; the smallest that would do "
        f"is about {int(minutes * 10 + 1) / 10:.1f}"
    )
