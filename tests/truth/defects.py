"""Small tables with one planted defect each, and how their user trains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from small_tasks import with_model

from gapless.data import Rows, Task

Array = NDArray[np.generic]


@dataclass(frozen=True)
class World:
    """A task, the user's epochs and learning rate, and the causes of which one must come first or second."""

    task: Task
    epochs: int
    lr: float
    causes: tuple[str, ...]


def rows_of(
    seed: int, rows: int, confirm: int = 200, noise: float = 0.3, columns: int = 5, idle: int = 0
) -> tuple[Array, Array]:
    """Two classes by the sign of a sum of columns under noise; idle columns say nothing."""
    rng = np.random.default_rng([seed, 11])
    x = rng.standard_normal((rows + confirm, columns + idle)).astype(np.float32)
    y = (x[:, :columns].sum(1) / columns**0.5 + noise * rng.standard_normal(len(x)) > 0).astype(np.int64)
    return x, y


def task_of(name: str, x: Array, y: Array, rows: int, width: int = 8) -> Task:
    task = Task(name, Rows(x[:rows], y[:rows]), Rows(x[rows:], y[rows:]), ("no", "yes") if y.dtype == np.int64 else ())
    return with_model(task, "mlp", width)


def healthy(seed: int) -> World:
    x, y = rows_of(seed, 600)
    return World(task_of("healthy", x, y, 600), 12, 1e-2, ())


def healthy_numbers(seed: int) -> World:
    rng = np.random.default_rng([seed, 12])
    x = rng.standard_normal((800, 4)).astype(np.float32)
    y = (x[:, 0] - x[:, 1] + 0.5 * x[:, 2] + 0.5 * rng.standard_normal(800)).astype(np.float32)
    return World(task_of("healthy numbers", x, y, 600, width=16), 30, 1e-2, ())


def overfit(seed: int) -> World:
    x, y = rows_of(seed, 150, noise=0.8, idle=25)
    return World(task_of("overfit", x, y, 150, width=64), 60, 1e-2, ("gap",))


def too_short(seed: int) -> World:
    x, y = rows_of(seed, 400)
    return World(task_of("too short", x, y, 400), 2, 5e-3, ("length", "rate"))


def low_rate(seed: int) -> World:
    x, y = rows_of(seed, 400)
    return World(task_of("low rate", x, y, 400), 8, 1e-3, ("rate", "length", "underfit"))


def underfit(seed: int) -> World:
    """A checkerboard for a model of one unit."""
    rng = np.random.default_rng([seed, 13])
    x = rng.uniform(-1, 1, (700, 3)).astype(np.float32)
    y = ((x[:, 0] > 0) ^ (x[:, 1] > 0)).astype(np.int64)
    return World(task_of("underfit", x, y, 500, width=1), 15, 1e-2, ("underfit", "rivals"))


def leak(seed: int) -> World:
    """A quarter of the rows for the verdict stand among those trained on."""
    world = overfit(seed)
    develop, confirm = world.task.develop, world.task.confirm
    assert confirm is not None
    count = len(confirm) // 4
    x, y = confirm.x.copy(), confirm.y.copy()
    x[:count], y[:count] = develop.x[:count], develop.y[:count]
    return replace(world, task=replace(world.task, confirm=Rows(x, y)), causes=("copies",))


def near_copies(seed: int) -> World:
    """A quarter of them with one column changed."""
    world = leak(seed)
    confirm = world.task.confirm
    assert confirm is not None
    x = confirm.x.copy()
    x[:, -1] = np.random.default_rng([seed, 14]).standard_normal(len(x))
    return replace(world, task=replace(world.task, confirm=Rows(x, confirm.y)))


def imbalance(seed: int) -> World:
    """One row in twelve is of the other class, and hard to tell."""
    rng = np.random.default_rng([seed, 15])
    y = (rng.random(800) < 1 / 12).astype(np.int64)
    x = rng.standard_normal((800, 4)).astype(np.float32)
    x[:, 0] += 1.2 * y
    return World(task_of("imbalance", x, y, 600), 12, 1e-2, ("imbalance",))


def wrong_labels(seed: int) -> World:
    """One label in seven is wrong, of two classes that are easy to tell."""
    x, y = rows_of(seed, 600, noise=0.1)
    wrong = np.random.default_rng([seed, 19]).permutation(600)[: 600 // 7]
    y[wrong] = 1 - y[wrong]
    return World(task_of("wrong labels", x, y, 600), 20, 1e-2, ("wrong labels",))


def groups(seed: int) -> World:
    """Rows of 60 patients, known by what they have in common and not by what ails them; the column is noticed only."""
    rng = np.random.default_rng([seed, 16])
    patient = np.arange(600) // 10
    ill = rng.integers(0, 2, 60)
    x = (rng.standard_normal((60, 6))[patient] + 0.3 * rng.standard_normal((600, 6))).astype(np.float32)
    y = ill[patient].astype(np.int64)
    task = task_of("groups", np.concatenate([x, x[::3]]), np.concatenate([y, y[::3]]), 600, 64)
    # rows for the verdict are of other patients of the same kind: copies are another defect
    other = rng.standard_normal((200, 6)).astype(np.float32)
    develop = replace(task.develop, maybe={"patient": patient})
    task = replace(task, develop=develop, confirm=Rows(other, rng.integers(0, 2, 200)))
    return World(task, 40, 1e-2, ("groups",))


def healthy_groups(seed: int) -> World:
    """A healthy set with a column of clerks, which plays no part."""
    world = healthy(seed)
    clerk = np.random.default_rng([seed, 17]).integers(0, 50, len(world.task.develop))
    return replace(world, task=replace(world.task, develop=replace(world.task.develop, maybe={"clerk": clerk})))


def leaky_column(seed: int) -> World:
    """A column that was written down after the target, with one error in thirty."""
    x, y = rows_of(seed, 500, noise=1.0)
    wrong = np.random.default_rng([seed, 18]).random(len(y)) < 1 / 30
    x = np.concatenate([x, (y ^ wrong)[:, None].astype(np.float32)], 1)
    return World(task_of("leaky column", x, y, 500), 20, 1e-2, ("leaky column",))


def few_rows(seed: int) -> World:
    """Sixty columns that all count, and eight rows for each."""
    x, y = rows_of(seed, 480, noise=0.1, columns=60)
    return World(task_of("few rows", x, y, 480, width=16), 15, 1e-2, ("more data", "gap"))


def elsewhere(seed: int) -> World:
    """A second hospital, where one column is measured on another scale."""
    world = healthy(seed)
    x, y = rows_of(seed + 1000, 300, confirm=0)
    x[:, 0] += 2.5
    return replace(world, task=replace(world.task, also=(("B", Rows(x, y)),)), causes=("elsewhere",))


def nowhere_else(seed: int) -> World:
    """A second hospital, where all is as in the first."""
    world = healthy(seed)
    return replace(world, task=replace(world.task, also=(("B", Rows(*rows_of(seed + 1000, 300, confirm=0))),)))


WORLDS: dict[str, Callable[[int], World]] = {
    "healthy": healthy,
    "healthy numbers": healthy_numbers,
    "overfit": overfit,
    "too short": too_short,
    "low rate": low_rate,
    "underfit": underfit,
    "leak": leak,
    "near copies": near_copies,
    "imbalance": imbalance,
    "wrong labels": wrong_labels,
    "groups": groups,
    "healthy groups": healthy_groups,
    "leaky column": leaky_column,
    "few rows": few_rows,
    "elsewhere": elsewhere,
    "nowhere else": nowhere_else,
}
