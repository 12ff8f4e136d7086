"""Joint proposals over all pillars: Optuna's TPE, asked afresh from what the journal holds."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.trial import create_trial

from gapless.recipe import Recipe
from gapless.search.space import OFF, Knob, Rates, tidy

_LR = "learning rate"


def propose(
    tried: Sequence[tuple[Recipe, float, float]], knobs: Sequence[Knob], rates: Rates, seed: int
) -> tuple[Recipe, float]:
    """A recipe and learning rate that are likely to do better than most of those tried.

    Multivariate TPE (Bergstra et al., NeurIPS 2011; multivariate: Falkner et al., ICML 2018) over one number a knob,
    "off" included, and the logarithm of the learning rate; a random draw from the prior while fewer than ten are known.

    Args:
        tried: recipe, learning rate and value (higher is better) of what has been tried.
        rates: learning rates are drawn between their second and their last but one notch.
        seed: decides the draw; another one for every proposal.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space: dict[str, BaseDistribution] = {k.name: FloatDistribution(OFF, 1.0) for k in knobs}
    space[_LR] = FloatDistribution(math.log(rates.notches[1]), math.log(rates.notches[-2]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=10, multivariate=True)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for recipe, lr, value in tried:
        at = {k.name: k.position(k.read(recipe)) for k in knobs} | {_LR: _inside(math.log(lr), space[_LR])}
        study.add_trial(create_trial(params=at, distributions=space, value=value))
    drawn = study.ask(space).params
    recipe = Recipe()
    for knob in knobs:
        recipe = knob.write(recipe, knob.value(drawn[knob.name]))
    return tidy(recipe), float(f"{math.exp(drawn[_LR]):.2g}")


def _inside(value: float, distribution: BaseDistribution) -> float:
    assert isinstance(distribution, FloatDistribution)
    return min(distribution.high, max(distribution.low, value))
