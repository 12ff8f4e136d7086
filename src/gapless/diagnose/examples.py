"""What a recipe shows the model: a few training rows as they are, and as the recipe changes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from gapless.augment.text import Resources
from gapless.recipe import Recipe

if TYPE_CHECKING:
    from gapless.augment.text.resources import Paraphrases
    from gapless.data import Task

SHOWN, DRAWS = 6, 8
"""Rows that are shown, and augmented versions of each picture."""
VERSIONS, LONGEST = 3, 400
"""Versions of each text, and characters of it that are shown."""


@dataclass(frozen=True)
class Samples:
    """Pictures of the training rows as they are, and as a recipe shows them to the model.

    before: uint8 (n, H, W, C). after: uint8 (n, k, H, W, C), k draws for each. C is 1, 3 or 4.
    """

    before: NDArray[np.uint8]
    after: NDArray[np.uint8]

    def __post_init__(self) -> None:
        before, after = self.before, self.after
        if before.ndim != 4 or before.shape[3] not in (1, 3, 4) or str(before.dtype) != "uint8":
            raise ValueError(f"before must be uint8 (n, H, W, 1, 3 or 4), got {before.dtype} {before.shape}")
        if after.ndim != 5 or (after.shape[0], *after.shape[2:]) != before.shape or str(after.dtype) != "uint8":
            raise ValueError(f"after must be uint8 (n, k, H, W, C) like before {before.shape}, got {after.shape}")


@dataclass(frozen=True)
class TextSample:
    """A text of the training rows as it is, and as a recipe shows it to the model in its first epochs."""

    before: str
    after: tuple[str, ...]


def text_samples(task: Task, recipe: Recipe, seed: int) -> tuple[TextSample, ...]:
    """A few training texts of different classes, and what the recipe makes of each in its first epochs."""
    if task.kind != "text" or not recipe.augment.ops:
        return ()
    rows = _one_of_each(task, seed)
    before: list[str] = [text[:LONGEST] for text in task.develop.x[rows].tolist()]
    shown = Resources(paraphrases={op: _cut(found, task.develop.x[rows]) for op, found in task.paraphrases.items()})
    drawn = [recipe.vary(before, seed, epoch, rows, shown) for epoch in range(VERSIONS)]
    return tuple(TextSample(text, tuple(after[number] for after in drawn)) for number, text in enumerate(before))


def _cut(found: Paraphrases, texts: Iterable[str]) -> dict[str, list[str]]:
    """The paraphrases of texts that are shown cut, cut as well."""
    return {text[:LONGEST]: [variant[:LONGEST] for variant in found[text]] for text in texts}


def picture_samples(task: Task, recipe: Recipe, seed: int) -> Samples | None:
    """A few training pictures of different classes, and what the recipe makes of each."""
    part = recipe.augment
    if task.kind != "image" or not (part.every_op or part.mixup or part.cutmix):
        return None
    rows = _one_of_each(task, seed)
    before = np.ascontiguousarray(task.develop.x[rows], dtype=np.uint8)
    images = torch.from_numpy(before).permute(0, 3, 1, 2).float() / 255
    labels = torch.from_numpy(task.develop.y[rows])
    generator = torch.Generator().manual_seed(seed)
    classes = len(task.classes) or None
    drawn = [recipe.batch(images, labels, generator, classes)[0] for _ in range(DRAWS)]
    after = torch.stack(drawn, 1).mul(255).round().clamp(0, 255).to(torch.uint8)
    return Samples(before, after.permute(0, 1, 3, 4, 2).numpy())


def _one_of_each(task: Task, seed: int) -> list[int]:
    """Row numbers of up to SHOWN pictures, of as many different classes as there are."""
    order = np.random.default_rng(seed).permutation(len(task.develop))
    if task.classes:
        _, first = np.unique(task.develop.y[order], return_index=True)
        chosen = order[np.sort(first)]
        order = np.concatenate([chosen, np.setdiff1d(order, chosen, assume_unique=True)])
    return sorted(order[:SHOWN].tolist())
