"""Pictures with a planted symmetry: small turns keep their classes, mirror images and right angles never do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gapless.data import Rows, Task
from gapless.models import ModelOptions, choose

SIDE = 16
JITTER = 12.0
"""Degrees by which the pictures of a class are turned."""
TURNS = 4
HARMFUL = ("flip_x", "flip_y", "quarter_turn")
"""Operations that always make a picture one of another class."""


def letter(angle: float, mirrored: bool) -> NDArray[np.float64]:
    """An F, turned counter-clockwise by degrees, or its mirror image turned; levels from 0 to 1."""
    place = (np.arange(SIDE) + 0.5) / SIDE * 2 - 1
    x, y = np.meshgrid(place, place)
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    x, y = x * c - y * s, x * s + y * c
    x = -x if mirrored else x
    stem = _bar(x, y, -0.25, 0.0, 0.14, 0.62)
    top = _bar(x, y, 0.1, -0.5, 0.45, 0.13)
    middle = _bar(x, y, 0.0, 0.0, 0.32, 0.13)
    return np.maximum(stem, np.maximum(top, middle))


def _bar(
    x: NDArray[np.float64], y: NDArray[np.float64], at: float, up: float, wide: float, high: float
) -> NDArray[np.float64]:
    soft = SIDE / 2
    return np.clip(soft * (wide - abs(x - at)) + 0.5, 0, 1) * np.clip(soft * (high - abs(y - up)) + 0.5, 0, 1)


def symmetry(rows: int, seed: int, new: int = 400, noise: float = 0.25) -> Task:
    """Four turns of an F and of its mirror image: eight classes.

    A turn by up to 45 - JITTER = 33 degrees leaves every picture nearest to its own class, one beyond 45 takes half of
    them to another; a mirror image is always another class.
    """
    rng = np.random.default_rng([seed, 17])

    def drawn(n: int) -> Rows:
        y = np.arange(n) % (2 * TURNS)
        pictures = [letter(360 / TURNS * (k % TURNS) + rng.uniform(-JITTER, JITTER), k >= TURNS) for k in y]
        levels = np.stack(pictures) * 0.8 + 0.1 + noise * rng.standard_normal((n, SIDE, SIDE))
        return Rows((np.clip(levels, 0, 1) * 255).astype(np.uint8)[..., None], y.astype(np.int64))

    classes = tuple(f"{360 // TURNS * k}{m}" for m in ("", " mirrored") for k in range(TURNS))
    return _modelled(Task("symmetry", drawn(rows), drawn(new), classes))


def _modelled(task: Task) -> Task:
    name, build = choose("cnn", task.kind, task.shape, task.outputs, task.categories, ModelOptions(8))
    return replace(task, model=build, model_name=name)
