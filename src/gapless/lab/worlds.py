"""Data that experiments need beside the digits: the same pictures in other weather, a table, made reviews."""

from __future__ import annotations

from functools import cache
from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from gapless.data import Rows, Task

Weather = Literal["noise", "blur", "contrast", "fog", "dark", "turned", "inverted", "thin"]
TABLE_TRAIN = 300


def weathered(rows: Rows, weather: Weather, strength: float, seed: int = 0) -> Rows:
    """The same pictures (N, H, W, C) in other weather. strength: 0 leaves them, 1 is much.

    In the manner of Hendrycks and Dietterich, Benchmarking Neural Network Robustness to Common Corruptions, ICLR 2019,
    section 4, at strengths for small pictures.
    """
    x = rows.x.astype(np.float64) / 255
    rng = np.random.default_rng(seed)
    if weather == "noise":
        x = x + rng.normal(0, 0.6 * strength, x.shape)
    elif weather == "blur":
        x = ndimage.gaussian_filter(x, (0, 1.2 * strength, 1.2 * strength, 0))
    elif weather == "contrast":
        x = x.mean() + (x - x.mean()) * (1 - 0.9 * strength)
    elif weather == "fog":
        thick = ndimage.gaussian_filter(rng.random(x.shape), (0, 2, 2, 0))
        x = x * (1 - 0.6 * strength) + strength * (0.6 + 2 * (thick - 0.5))
    elif weather == "dark":
        x = x * (1 - 0.7 * strength)
    elif weather == "turned":
        x = ndimage.rotate(x, 45 * strength, axes=(1, 2), reshape=False, order=1)
    elif weather == "inverted":
        x = x * (1 - strength) + (1 - x) * strength
    else:
        x = x * (1 - strength) + strength * ndimage.grey_erosion(x, size=(1, 2, 2, 1))
    return Rows(np.round(np.clip(x, 0, 1) * 255).astype(np.uint8), rows.y)


def relabelled(rows: Rows, share: float, classes: int, seed: int) -> Rows:
    """The rows with this share of their labels drawn anew, uniformly."""
    rng = np.random.default_rng(seed)
    y = rows.y.copy()
    chosen = rng.permutation(len(y))[: round(share * len(y))]
    y[chosen] = rng.integers(classes, size=len(chosen))
    return Rows(rows.x, y)


@cache
def tumours() -> Task:
    """scikit-learn's breast cancer table: 569 rows of 30 numbers, standardised, two classes; 269 are new."""
    from sklearn.datasets import load_breast_cancer

    x, y = cast("tuple[NDArray[np.float64], NDArray[np.int64]]", load_breast_cancer(return_X_y=True))
    order = np.random.default_rng(5).permutation(len(y))
    train = x[order[:TABLE_TRAIN]]
    z = ((x - train.mean(0)) / train.std(0)).astype(np.float32)[order]
    y = y[order].astype(np.int64)
    parts = Rows(z[:TABLE_TRAIN], y[:TABLE_TRAIN]), Rows(z[TABLE_TRAIN:], y[TABLE_TRAIN:])
    return Task("tumours", *parts, classes=("malignant", "benign"))


# ── pictures moved, with torch alone ──


def moved(
    x: Tensor, seed: int, degrees: float = 0.0, scale: float = 0.0, shift: float = 0.0, shear: float = 0.0
) -> Tensor:
    """Square pictures (N, 1, S, S), each turned, scaled, shifted and sheared at random within these ranges.

    degrees, shear: up to so many degrees either way; scale: by 1 - scale to 1 + scale; shift: up to this share of a
    side.
    """
    draw = torch.Generator().manual_seed(seed)
    u = 2 * torch.rand(4, len(x), generator=draw) - 1
    return turned(x, u[0] * degrees, 1 + scale * u[1], 2 * shift * u[2:4].T, u[3].flip(0) * shear)


def turned(
    x: Tensor, degrees: Tensor, scale: Tensor | None = None, shift: Tensor | None = None, shear: Tensor | None = None
) -> Tensor:
    """Pictures (N, 1, S, S) moved by these amounts (N,), shift (N, 2) in half sides; bilinear, the edge goes on."""
    angle = torch.deg2rad(degrees)
    cos, sin = angle.cos(), angle.sin()
    matrix = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
    if shear is not None:
        slant = torch.eye(2).expand(len(x), 2, 2).clone()
        slant[:, 0, 1] = torch.deg2rad(shear).tan()
        matrix = slant @ matrix
    if scale is not None:
        matrix = matrix / scale[:, None, None]
    moves = torch.zeros(len(x), 2) if shift is None else shift
    grid = functional.affine_grid(torch.cat([matrix, moves[:, :, None]], 2), list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, padding_mode="border", align_corners=False)


# ── made reviews in English, whose truth is known ──

_GOOD = ["good", "great", "lovely", "brilliant", "delightful", "charming", "superb", "fine", "pleasant", "clever"]
_BAD = ["bad", "awful", "dreadful", "dull", "boring", "terrible", "poor", "weak", "tedious", "silly"]
_THINGS = ["film", "plot", "acting", "music", "dialogue", "story", "ending", "cast", "pace", "script"]
_FILL = ["really", "quite", "somehow", "rather", "certainly", "perhaps", "indeed", "truly", "mostly", "simply"]


def opinion(text: str) -> int:
    """The sum of its opinions: +1 for praise, -1 for blame, turned round by `not` within the three words before."""
    said = text.lower().replace(".", " ").replace(",", " ").split()
    total = 0
    for i, word in enumerate(said):
        value = (word in _GOOD) - (word in _BAD)
        total += -value if "not" in said[max(0, i - 3) : i] else value
    return total


def reviews(rows: int, seed: int) -> Rows:
    """So many short reviews; class 1 praises. Every third opinion is said by its opposite after `not`."""
    rng = np.random.default_rng([seed, 11])
    texts: list[str] = []
    labels: list[int] = []
    while len(texts) < rows:
        good = int(rng.integers(2))
        said: list[str] = []
        for _ in range(int(rng.integers(2, 6))):
            own = bool(good) == (rng.random() < 0.75)
            turned_round = rng.random() < 0.33
            word = str(rng.choice(_GOOD if own != turned_round else _BAD))
            filler = f"{rng.choice(_FILL)} " if rng.random() < 0.6 else ""
            said.append(f"the {rng.choice(_THINGS)} was {'not ' if turned_round else ''}{filler}{word}")
        text = ". ".join(said) + "."
        if opinion(text) != 0:
            texts.append(text)
            labels.append(int(opinion(text) > 0))
    return Rows(np.array(texts, dtype=object), np.array(labels, dtype=np.int64))
