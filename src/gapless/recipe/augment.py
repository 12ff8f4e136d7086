"""The augmentation of a recipe on a training batch: pictures first, then pairs of samples and their targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from gapless.augment import mix
from gapless.augment.image import batched
from gapless.errors import UsageError

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from gapless.recipe.recipe import Augment, Recipe


def augment_batch(
    recipe: Recipe,
    inputs: Tensor,
    labels: Tensor,
    generator: Generator,
    classes: int | None = None,
    categorical: Sequence[int] = (),
) -> tuple[Tensor, Tensor]:
    """Inputs and targets for one training step; every picture and row gets draws of its own.

    Args:
        recipe: whose `augment` part is applied.
        inputs: pictures (B, C, H, W), float32 in [0, 1] or uint8, before they are normalised; or table rows (B, F)
            float32 with standardised numeric columns. Never changed in place.
        labels: (B,) class numbers int64; or (B,) floating-point targets of a regression.
        generator: where the draws come from, a CPU generator; the same state gives the same batch.
        classes: how many classes there are; needed where the recipe mixes samples or smooths labels.
        categorical: tables: the numbers of the columns that hold categories.

    Returns:
        inputs of the same shape, dtype and device; targets: the labels as they were, or soft ones (B, classes) float32
        where samples are mixed or labels smoothed (torch's cross_entropy takes both).

    Raises:
        UsageError: class labels are to be mixed or smoothed and `classes` is missing.
    """
    part = recipe.augment_part
    if not isinstance(inputs, torch.Tensor):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers are not all typed
        raise UsageError(
            f"inputs must be a tensor of pictures or rows, got a {type(inputs).__name__}; for texts use recipe.vary "
            "and recipe.mixing"
        )
    part.require("image" if inputs.ndim == 4 else "table")
    hard = not labels.is_floating_point()
    if hard and classes is None and (part.mixup or part.cutmix or part.label_smoothing):
        raise UsageError(
            "this recipe mixes or smooths labels: say how many classes there are, augment(..., classes=10)"
        )
    chances = torch.rand((len(inputs), part.policy().columns), generator=generator, dtype=torch.float64).numpy()
    stream = np.random.Generator(np.random.Philox(int(torch.randint(2**62, (), generator=generator))))
    return pair(part, vary(part, inputs, chances), labels, stream, (classes or 0) if hard else 0, categorical)


def vary(part: Augment, inputs: Tensor, chances: NDArray[np.float64]) -> Tensor:
    """Every picture by itself: the recipe's ops, by uniform numbers (B, columns of the policy). Tables as they are."""
    if inputs.ndim != 4 or not part.ops or not len(inputs):
        return inputs
    return batched.run(part.policy().program(chances, inputs.shape[2], inputs.shape[3]), inputs)


def pair(
    part: Augment,
    inputs: Tensor,
    labels: Tensor,
    stream: np.random.Generator,
    classes: int,
    categorical: Sequence[int] = (),
) -> tuple[Tensor, Tensor]:
    """A batch as a whole: noise on tables, mixup or cutmix, and the targets; classes is 0 for a regression."""
    if inputs.ndim == 2 and part.noise:
        deviation = torch.ones(inputs.shape[1], device=inputs.device)
        inputs = mix.add_noise(inputs, deviation, part.noise, categorical, stream)
    targets = targets_of(part, labels, classes)
    if not (part.mixup or part.cutmix) or not len(inputs):
        return inputs, targets
    return _mixed(part, inputs, targets, stream, categorical)


def targets_of(part: Augment, labels: Tensor, classes: int) -> Tensor:
    """The labels as they are, or soft ones (B, classes) where they are to be smoothed or mixed."""
    if classes and (part.label_smoothing or part.mixup or part.cutmix):
        return mix.soft_labels(labels, classes, part.label_smoothing)
    return labels


def _mixed(
    part: Augment, inputs: Tensor, targets: Tensor, stream: np.random.Generator, categorical: Sequence[int]
) -> tuple[Tensor, Tensor]:
    cut = inputs.ndim == 4 and part.cutmix > 0 and (not part.mixup or stream.random() < 0.5)
    if cut:
        pairs = mix.draw_pairs(len(inputs), part.cutmix, stream)
        boxes, pairs = mix.draw_boxes(pairs.to(inputs.device), inputs.shape[2], inputs.shape[3], stream)
        return mix.paste(inputs, pairs, boxes), mix.blend(targets, pairs)
    if not part.mixup:  # cutmix alone, on a table
        return inputs, targets
    pairs = mix.draw_pairs(len(inputs), part.mixup, stream).to(inputs.device)
    if inputs.ndim == 2:
        return mix.blend_table(inputs, pairs, categorical, stream), mix.blend(targets, pairs)
    whole = inputs.dtype == torch.uint8
    blended = mix.blend(inputs.float() if whole else inputs, pairs)
    return (blended.round().to(torch.uint8) if whole else blended), mix.blend(targets, pairs)
