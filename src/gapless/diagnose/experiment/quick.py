"""Quick models on the folds of a diagnosis."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gapless.data.splits import select_of
from gapless.diagnose.experiment.training import FOLDS
from gapless.evidence.rivals import rivals

if TYPE_CHECKING:
    from gapless.data import Task

Floats = NDArray[np.floating]


def quick_models(task: Task, seed: int, seconds: float) -> dict[str, Mapping[int, Floats]]:
    """What held rows are worth to each quick model that came to its end on every fold; the constant one is left out.

    Rows are worth what `training.each_row` says.
    """
    ends, found = time.perf_counter() + seconds, dict[str, dict[int, Floats]]()
    for fold in range(FOLDS):
        left = (ends - time.perf_counter()) / (FOLDS - fold)
        train, held = select_of(task.develop, fold, seed)
        part = replace(task, develop=task.develop.take(train), paraphrases={})
        for rival in rivals(part, max(0.0, left), task.develop.take(held), seed)[1:]:
            if rival.answers is not None:
                found.setdefault(rival.name, {})[fold] = worth(task, train, held, rival.answers)
    return {name: each for name, each in found.items() if len(each) == FOLDS}


def worth(task: Task, train: NDArray[np.int64], held: NDArray[np.int64], answers: NDArray[Any]) -> Floats:
    """What held rows are worth with these answers, as `training.each_row` has it for a model trained on `train`."""
    y = task.develop.y
    if task.classes:
        return (answers == y[held]).astype(np.float32)
    known = y[train].astype(np.float64)
    return (1 - (answers - y[held]) ** 2 / max(float(known.var()), 1e-12)).astype(np.float32)
