"""The augmentation of a recipe on a training batch: pictures first, then pairs of samples and their targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from gapless.augment import mix
from gapless.augment.image.ops.geometry import GEOMETRY
from gapless.augment.image.targets import move_masks
from gapless.augment.image.torch import interpreter as batched
from gapless.errors import DataError, UsageError

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from gapless.recipe.parts import Augment


def augment_batch(
    part: Augment,
    inputs: Tensor,
    labels: Tensor,
    generator: Generator,
    classes: int | None = None,
    categorical: Sequence[int] = (),
    outside: int = 0,
) -> tuple[Tensor, Tensor]:
    """Inputs and targets for one training step; every picture and row gets draws of its own.

    Args:
        part: the augmentation of a recipe.
        inputs: pictures (B, C, H, W), float32 in [0, 1] or uint8, before they are normalised; or table rows (B, F)
            float32 with standardised numeric columns. Other shapes can be mixed up and nothing else. Never changed in
            place.
        labels: (B,) class numbers int64; (B,) or (B, n) floating-point targets of a regression, or of n yes-or-no
            questions; or masks (B, H, W) or (B, 1, H, W), which move with their pictures. Positions in any other form
            are not known as such: (B, 4) boxes are n numbers here.
        generator: where the draws come from, a CPU generator; the same state gives the same batch.
        classes: how many classes there are; needed where the recipe mixes samples or smooths labels.
        categorical: tables: the numbers of the columns that hold categories.
        outside: masks: the label where a moved picture is filled black or gray; losses ignore -100 or 255 by custom.

    Returns:
        inputs of the same shape, dtype, device and memory format; targets: the labels as they were, or soft ones
        (B, classes) float32, for masks (B, classes, H, W), where samples are mixed or labels smoothed (torch's
        cross_entropy takes both). CutMix pastes masks, which stay class numbers.

    Raises:
        UsageError: class labels are to be mixed or smoothed and `classes` is missing; labels or inputs have a form
            that the recipe's operations do not fit; no generator.
        DataError: there are more or fewer labels than inputs.
    """
    _check(part, inputs, labels, generator)
    hard = not (_listed(labels) or labels.is_floating_point())
    if hard and classes is None and _makes_soft(part, labels):
        raise UsageError("this recipe mixes or smooths labels: say how many classes there are, batch(..., classes=10)")
    last = inputs.ndim == 4 and not inputs.is_contiguous() and inputs.is_contiguous(memory_format=torch.channels_last)
    chances = torch.rand((len(inputs), part.policy().columns), generator=generator, dtype=torch.float64).numpy()
    stream = np.random.Generator(np.random.Philox(int(torch.randint(2**62, (), generator=generator))))
    varied = vary(part, inputs, chances)
    if _moving(part, inputs) and _is_mask(labels, inputs) and len(inputs):
        program = part.policy().program(chances, inputs.shape[2], inputs.shape[3])
        labels = move_masks(program, labels.flatten(0, -3), outside).view(labels.shape)
    made, targets = pair(part, varied, labels, stream, (classes or 0) if hard else 0, categorical)
    return (made.contiguous(memory_format=torch.channels_last) if last else made), targets


def _check(part: Augment, inputs: object, labels: object, generator: object) -> None:
    """What callers that are not typed give, and what would otherwise be passed over in silence."""
    if not isinstance(inputs, torch.Tensor):
        raise UsageError(
            f"inputs must be a tensor of pictures or rows, got a {type(inputs).__name__}; for texts use recipe.vary "
            "and recipe.mixing"
        )
    if not isinstance(generator, torch.Generator):
        raise UsageError(
            f"generator must be a torch.Generator, got {generator!r}; make one before the loop: "
            "torch.Generator().manual_seed(0)"
        )
    part.require("image" if inputs.ndim == 4 else "table")
    asked = [*(op.op for op in part.every_op), *(name for name in ("cutmix", "noise") if getattr(part, name))]
    if inputs.ndim not in (2, 4) and asked:
        raise UsageError(
            f"inputs must be pictures (B, C, H, W) or rows (B, F) for {', '.join(asked)}, got shape "
            f"{tuple(inputs.shape)}; frames of a video (B, T, C, H, W) move alike as channels, inputs.flatten(1, 2)"
        )
    moving = _moving(part, inputs)
    if not isinstance(labels, torch.Tensor):
        if moving or part.mixup or part.cutmix or part.label_smoothing:
            raise UsageError(
                f"labels must be a tensor, got a {type(labels).__name__}; recipe.batch does not know where boxes or "
                "points are: move them with gapless.augment.image (recipe.augment.policy().program, run, move_boxes)"
            )
        return
    if len(labels) != len(inputs):
        raise DataError(f"there must be a label for each of {len(inputs)} inputs, got {len(labels)} labels")
    if labels.ndim > 2 and not _is_mask(labels, inputs) and (moving or part.cutmix):
        raise UsageError(
            f"labels of shape {tuple(labels.shape)} may have positions in the pictures {tuple(inputs.shape)}, which "
            f"{', '.join(moving) or 'cutmix'} would leave behind: give masks as (B, H, W) of the pictures' size; move "
            "points and boxes with gapless.augment.image (recipe.augment.policy().program, run, move_points)"
        )
    check_labels(part, labels, inputs)


def check_labels(part: Augment, labels: Tensor, inputs: Tensor | None = None) -> None:
    """UsageError where labels of this kind cannot be mixed or smoothed as the recipe says."""
    if labels.is_floating_point():
        if part.label_smoothing:
            raise UsageError(
                f"augment.label_smoothing is for class numbers, got labels {labels.dtype} of shape "
                f"{tuple(labels.shape)}: give yes-or-no labels smoothed, labels * (1 - s) + s / 2, and use a recipe "
                "with label_smoothing 0, as for a regression"
            )
    elif labels.ndim != 1 and _makes_soft(part, labels):
        if labels.ndim == 3 and inputs is not None and _is_mask(labels, inputs):
            return
        raise UsageError(
            f"labels to be mixed or smoothed must be class numbers of shape (B,), got {labels.dtype} of shape "
            f"{tuple(labels.shape)}: for one-hot labels give labels.argmax(1), for masks (B, H, W), and for several "
            "classes at once labels.float(), which are mixed as they are"
        )


def _moving(part: Augment, inputs: Tensor) -> list[str]:
    """The recipe's operations that move what stands in these inputs."""
    return [op.op for op in part.every_op if op.op in GEOMETRY] if inputs.ndim == 4 else []


def _is_mask(labels: Tensor, inputs: Tensor) -> bool:
    """Labels of every pixel of a picture."""
    if inputs.ndim != 4 or _listed(labels):
        return False
    flat = labels.ndim == 3 or (labels.ndim == 4 and labels.shape[1] == 1)
    return flat and labels.shape[-2:] == inputs.shape[-2:]


def _listed(labels: object) -> bool:
    """Labels that are no tensor, which is allowed where nothing is done to them."""
    return not isinstance(labels, torch.Tensor)


def _makes_soft(part: Augment, labels: Tensor) -> bool:
    """Whether class numbers become soft labels; CutMix alone pastes masks as they are."""
    return bool(part.label_smoothing or part.mixup or (part.cutmix and labels.ndim < 3))


def vary(part: Augment, inputs: Tensor, chances: NDArray[np.float64]) -> Tensor:
    """Every picture by itself: the recipe's ops, by uniform numbers (B, columns of the policy). Tables as they are."""
    if inputs.ndim != 4 or not part.every_op or not len(inputs):
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
    if classes and _makes_soft(part, labels):
        return mix.soft_labels(labels, classes, part.label_smoothing)
    return labels


def _mixed(
    part: Augment, inputs: Tensor, targets: Tensor, stream: np.random.Generator, categorical: Sequence[int]
) -> tuple[Tensor, Tensor]:
    cut = inputs.ndim == 4 and part.cutmix > 0 and (not part.mixup or stream.random() < 0.5)
    if cut:
        pairs = mix.draw_pairs(len(inputs), part.cutmix, stream)
        boxes, pairs = mix.draw_boxes(pairs.to(inputs.device), inputs.shape[2], inputs.shape[3], stream)
        inputs = mix.paste(inputs, pairs, boxes)
        return inputs, mix.paste(targets, pairs, boxes) if targets.ndim > 2 else mix.blend(targets, pairs)
    if not part.mixup:  # cutmix alone, on a table
        return inputs, targets
    pairs = mix.draw_pairs(len(inputs), part.mixup, stream).to(inputs.device)
    if inputs.ndim == 2:
        return mix.blend_table(inputs, pairs, categorical, stream), mix.blend(targets, pairs)
    whole = inputs.dtype == torch.uint8
    blended = mix.blend(inputs.float() if whole else inputs, pairs)
    return (blended.round().to(torch.uint8) if whole else blended), mix.blend(targets, pairs)
