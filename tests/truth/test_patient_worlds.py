"""Worlds where a patient is known again, and nothing can be learned for new ones: whole patients tell the truth."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier

import gapless
from gapless.data import Rows, Task
from gapless.evidence.intervals import mean_interval

WORLDS = 30


def world(seed: int, rows: int) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Sixty patients with a label by chance each, and rows that show who a patient is."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(60), rows)
    x = rng.normal(size=(60, 5))[patient] + 0.1 * rng.normal(size=(len(patient), 5))
    return x, rng.integers(0, 2, 60)[patient], patient


def right(task: Task, rows: Rows) -> NDArray[np.float64]:
    nearest = KNeighborsClassifier(1).fit(task.develop.x, task.develop.y)
    return (nearest.predict(rows.x) == rows.y).astype(np.float64)


@pytest.mark.parametrize("rows", [2, 4, 10])
def test_a_memory_of_patients_is_no_skill(rows: int) -> None:
    """A model that knows patients again, against one that tosses a coin: the truth on new patients is no gain."""
    scores: dict[bool, list[float]] = {False: [], True: []}
    improved = {False: 0, True: 0}
    for seed in range(WORLDS):
        x, y, patient = world(seed, rows)
        coin = np.random.default_rng(seed)
        for whole in (False, True):
            task = gapless.load(x, y, group=patient if whole else None, seed=seed)
            assert task.confirm is not None
            knows = right(task, task.confirm)
            scores[whole].append(float(knows.mean()))
            tossed = (coin.random((5, len(knows))) < 0.5).astype(np.float64)
            improved[whole] += mean_interval(knows - tossed, 1.0, task.confirm.group).low > 0
    assert np.mean(scores[False]) > 0.6 + 0.03 * rows
    assert abs(np.mean(scores[True]) - 0.5) < 0.06
    assert improved[False] >= 0.8 * WORLDS
    assert improved[True] <= 4  # of 30: fails once in a hundred where one in twenty is wrong
