"""Density matching: sub-policies under which rows kept aside still look like the rows trained on, to a plain model.

Lim et al., Fast AutoAugment, arXiv 1905.00397, section 3: a model is trained on each fold without augmentation; of the
policies that Optuna's TPE proposes, those are kept that leave its loss on the fold left out smallest. No child is
trained. The loss of rows as they are is always the smallest, so weak policies win on it; who uses the result compares
it with no policy at all.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable

import numpy as np
import optuna

from gapless.augment.policies.space import MAGNITUDES, OPERATIONS, PROBABILITIES, SUB_POLICIES, Codes, Space


def match(space: Space, loss: Callable[[Codes], float], trials: int, keep: int, seed: int) -> list[tuple[float, Codes]]:
    """The `keep` policies of least loss among `trials` that TPE proposed, the best first.

    Args:
        loss: of rows kept aside under a policy.
        seed: decides the proposals; the same losses give the same ones.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(seed=seed % 2**32, n_startup_trials=max(2, trials // 4))
    study = optuna.create_study(direction="minimize", sampler=sampler)
    found: list[tuple[float, Codes]] = []
    for _ in range(trials):
        trial = study.ask()
        codes = space.codes([_decided(space, trial, place) for place in np.ndindex(SUB_POLICIES, OPERATIONS, 3)])
        value = loss(codes)
        study.tell(trial, value)
        found.append((value, codes))
    return sorted(found, key=lambda each: each[0])[:keep]


def _decided(space: Space, trial: optuna.Trial, place: tuple[int, ...]) -> int:
    sub, operation, what = place
    name = f"{sub} {operation}"
    if what == 0:
        return int(trial.suggest_categorical(f"op {name}", range(len(space.ranges))))
    if what == 1:  # a step that is never taken is none
        return trial.suggest_int(f"probability {name}", 1, PROBABILITIES - 1)
    return trial.suggest_int(f"magnitude {name}", 0, MAGNITUDES - 1)


def merged(policies: Iterable[Codes]) -> Codes:
    """All sub-policies of several policies as one, each of them once."""
    every = np.concatenate(list(policies))
    _, first = np.unique(every.reshape(len(every), -1), axis=0, return_index=True)
    return every[np.sort(first)]
