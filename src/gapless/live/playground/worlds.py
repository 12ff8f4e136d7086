"""The data of the playground: points in the plane, digits, or the reader's own, as a task with its model."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from gapless import draws
from gapless.data import Rows, Task
from gapless.data.splits import put_aside
from gapless.data.task import with_model
from gapless.errors import UsageError
from gapless.lab.setting import digit_pools
from gapless.lab.worlds import relabelled
from gapless.live.playground.settings import Settings
from gapless.models import ModelOptions

SPREAD = {"moons": 0.32, "circles": 0.22, "spirals": 0.12}
"""Standard deviation of the points around their shape: the classes overlap, so that no model gets all of them right."""
NEW = 600
"""New rows that are scored after every epoch, at most."""
REACH = 2.6
"""The plane is drawn from minus to plus this, in standard deviations."""


def world(settings: Settings, own: Task | None) -> Task:
    """The task of these settings: `rows` rows to train on, drawn by the seed, and new rows, with the model.

    Raises:
        UsageError: the reader's own data is asked for and none was given.
    """
    size: ModelOptions | None = ModelOptions(settings.width, settings.depth)
    name: str | None = "mlp"
    if settings.data == "own":
        if own is None or own.confirm is None:
            raise UsageError("the playground has no data of your own: start it with --data DATA")
        new = own.confirm.take(np.arange(min(NEW, len(own.confirm))))
        task = replace(own, develop=_some(own.develop, settings), confirm=new)
        name, size = ("mlp", size) if task.kind == "table" else (None, None)
    elif settings.data == "digits":
        pool, new = digit_pools()
        classes = tuple("0123456789")
        task = Task("digits", _some(pool, settings), new.take(np.arange(NEW)), classes=classes)
    else:
        develop, new = (points(settings.data, n, seed) for n, seed in ((settings.rows, settings.seed), (NEW, 2**32)))
        task = Task(settings.data, develop, new, classes=("orange", "green"))
    drawn_anew = relabelled(task.develop, settings.flipped, len(task.classes), settings.seed)
    changed = replace(task.develop, y=drawn_anew.y) if settings.flipped else task.develop
    return with_model(replace(task, develop=changed), name, size)


def fits(own: Task) -> None:
    """UsageError where a reader's own data is nothing for the playground."""
    if own.kind == "text" or not own.classes:
        what = "texts" if own.kind == "text" else "a number to predict"
        raise UsageError(
            f"--data {own.name}: the playground takes pictures and tables with classes, and this is {what}"
        )


def points(shape: Literal["moons", "circles", "spirals"], n: int, seed: int) -> Rows:
    """n points (n, 2) of two classes, with mean 0 and standard deviation 1 or so along each axis."""
    stream = draws.stream(seed, "playground points")
    y = (np.arange(n) % 2).astype(np.int64)
    along = stream.random(n)
    if shape == "moons":
        angle = np.pi * along
        x = np.stack([np.cos(angle) - 0.5, np.sin(angle) - 0.25], 1) * np.where(y, -1.0, 1.0)[:, None]
    elif shape == "circles":
        angle, radius = 2 * np.pi * along, np.where(y, 1.3, 0.6)
        x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    else:
        angle = 3.5 * np.pi * np.sqrt(0.04 + 0.96 * along)
        x = np.stack([np.cos(angle), np.sin(angle)], 1) * (angle / 6)[:, None] * np.where(y, -1.0, 1.0)[:, None]
    x = x + stream.normal(0, SPREAD[shape], x.shape)
    return Rows((1.2 * x).astype(np.float32), y)


def plane(side: int) -> NDArray[np.float32]:
    """The points (side * side, 2) at which the plane is coloured, row by row from the top left."""
    across = np.linspace(-REACH, REACH, side, dtype=np.float32)
    x, y = np.meshgrid(across, across[::-1])
    return np.stack([x.ravel(), y.ravel()], 1)


def _some(pool: Rows, settings: Settings) -> Rows:
    """So many rows of a pool, drawn by the seed with each class's share."""
    classes = len(np.unique(cast("NDArray[np.int64]", pool.y)))
    if settings.rows >= len(pool) - 2 * classes:
        return pool
    return pool.take(put_aside(pool.y, settings.rows, settings.seed)[1])
