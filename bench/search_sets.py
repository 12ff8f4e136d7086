"""Generated sets of the sizes and kinds at which searches were found to judge models that were hardly trained.

Each is drawn from a seed, so that two programs see the same rows; none is part of the package.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gapless.data import Rows, Task
from gapless.data.readers.texts import as_array


def numbers(rows: int = 3782, seed: int = 0) -> Task:
    """Five numeric columns, two classes (29 % of the second), curved borders and labels of which a tenth is drawn."""
    rng = np.random.default_rng([seed, 1])
    x = rng.standard_normal((rows, 5)) * [1.0, 2.0, 0.5, 1.0, 3.0] + [0, 1, 0, -1, 2]
    z = (x - x.mean(0)) / x.std(0)
    height = np.sin(2.2 * z[:, 0]) * z[:, 1] + z[:, 2] * z[:, 3] + 0.7 * np.cos(2.5 * z[:, 4]) * z[:, 0]
    y = height > np.quantile(height, 0.71)
    drawn = rng.random(rows) < 0.1
    y[drawn] = rng.random(drawn.sum()) < 0.29
    return Task("numbers", Rows(x.astype(np.float32), y.astype(np.int64)), classes=("no", "yes"))


def reviews(rows: int = 3000, seed: int = 0) -> Task:
    """Short reviews, 82 % of them positive: opinions among a long tail of words, one in five turned by a "not"."""
    rng = np.random.default_rng([seed, 2])
    syllables = [
        "ka",
        "lo",
        "mi",
        "ren",
        "tas",
        "vo",
        "dul",
        "pe",
        "sor",
        "qui",
        "ban",
        "ge",
        "hil",
        "no",
        "fra",
        "wex",
    ]
    words = ["".join(rng.choice(syllables, rng.integers(1, 4))) for _ in range(9000)]
    good, bad = words[100:140], words[200:240]
    chance = 1 / np.arange(10, 9010)
    chance /= chance.sum()
    texts: list[str] = []
    y = (rng.random(rows) < 0.82).astype(np.int64)
    for label in y:
        said = list(rng.choice(words, rng.integers(6, 22), p=chance))
        for _ in range(rng.integers(3, 7)):
            honest = rng.random() < 0.92
            positive = bool(label) == honest
            turned = rng.random() < 0.15
            word = str(rng.choice(good if positive != turned else bad))
            said.insert(int(rng.integers(0, len(said) + 1)), f"not {word}" if turned else word)
        texts.append(" ".join(said))
    return Task("reviews", Rows(as_array(texts), y), classes=("bad", "good"))


def _shape(kind: int, side: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """How much of each pixel a shape covers: discs, squares, rings, crosses, stripes, triangles, waves."""
    yy, xx = np.mgrid[0:side, 0:side] / side - 0.5
    turn = rng.uniform(-0.5, 0.5)
    cx, cy = rng.uniform(-0.12, 0.12, 2)
    u = (xx - cx) * np.cos(turn) + (yy - cy) * np.sin(turn)
    v = (yy - cy) * np.cos(turn) - (xx - cx) * np.sin(turn)
    size = rng.uniform(0.14, 0.3)
    r = np.hypot(u, v)
    inside = (
        r < size,
        np.maximum(abs(u), abs(v)) < 0.9 * size,
        (r < size) & (r > 0.62 * size),
        ((abs(u) < 0.25 * size) | (abs(v) < 0.25 * size)) & (np.maximum(abs(u), abs(v)) < size),
        (np.maximum(abs(u), abs(v)) < size) & (np.sin(10 * np.pi * u / size / 2) > 0),
        (v > -0.5 * size) & (v < size - 1.8 * abs(u)),
        (abs(v - 0.3 * size * np.sin(9 * u / size)) < 0.22 * size) & (abs(u) < size),
    )
    return inside[kind].astype(np.float64)


def pictures(rows: int = 1183, side: int = 48, classes: int = 7, colour: bool = True, seed: int = 0) -> Task:
    """One shape of seven on a ground of blots, turned, shifted, faint, in colours that say nothing."""
    rng = np.random.default_rng([seed, 3, side])
    y = rng.integers(0, classes, rows)
    channels = 3 if colour else 1
    x = np.empty((rows, side, side, channels), dtype=np.uint8)
    for row, kind in enumerate(y):
        ground = rng.uniform(60, 190, channels)
        picture = np.broadcast_to(ground, (side, side, channels)).copy()
        for _ in range(6):  # blots that are no shape of the seven
            yy, xx = np.mgrid[0:side, 0:side] / side
            px, py, width = rng.uniform(0, 1), rng.uniform(0, 1), rng.uniform(0.05, 0.2)
            blot = np.exp(-((xx - px) ** 2 + (yy - py) ** 2) / width**2)
            picture += blot[..., None] * rng.normal(0, 20, channels)
        strength = rng.uniform(50, 120) * rng.choice([-1, 1])
        picture += _shape(int(kind), side, rng)[..., None] * (strength + rng.normal(0, 12, channels))
        picture += rng.normal(0, 10, picture.shape)
        x[row] = picture.clip(0, 255).round()
    name = f"pictures-{side}"
    return Task(name, Rows(x, y.astype(np.int64)), classes=tuple("abcdefg"[:classes]))


def numbers_task() -> Task:
    return numbers()


def reviews_task() -> Task:
    return reviews()


def colours_task() -> Task:
    return pictures()


def grays_task() -> Task:
    return pictures(630, 96, 5, colour=False)
