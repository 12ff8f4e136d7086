"""Two samples become one: mixup and CutMix on batches, their labels, and the noise that fits tables.

Everything is a pure function. What is random is drawn first, from a generator that is handed in, into `Pairs` and
boxes; the same pairs then mix pictures, rows, labels and masks alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from gapless.errors import DataError, UsageError


@dataclass(frozen=True)
class Pairs:
    """Whom every sample is mixed with.

    Args:
        partner: (B,) int64, the partner's place in the batch.
        share: (B,) float32 in [0, 1], how much of the sample itself is kept: the papers' lambda.
    """

    partner: Tensor
    share: Tensor

    def to(self, device: torch.device | str) -> Pairs:
        return Pairs(self.partner.to(device), self.share.to(device))

    def column(self, like: Tensor) -> Tensor:
        """The shares in a shape that broadcasts against (B, ...)."""
        return self.share.to(like.dtype).view(-1, *[1] * (like.ndim - 1))


def draw_pairs(
    batch: int, alpha: float, generator: np.random.Generator, per: Literal["sample", "batch"] = "sample"
) -> Pairs:
    """Partners by a random permutation, shares from Beta(alpha, alpha).

    Zhang et al., mixup, arXiv 1710.09412: one share for the batch; `sample` draws one for each, which mixes as much and
    makes the gradient less noisy.

    Args:
        alpha: above 0; 0.2 mixes little, 1 draws shares uniformly.
    """
    if not alpha > 0:
        raise UsageError(f"alpha must be above 0, got {alpha!r}")
    shares = generator.beta(alpha, alpha, size=batch if _per(per) == "sample" else 1)
    share = torch.from_numpy(np.broadcast_to(shares, (batch,)).astype(np.float32))
    return Pairs(torch.from_numpy(generator.permutation(batch)), share)


def soft_labels(labels: Tensor, classes: int, smoothing: float = 0.0) -> Tensor:
    """(B, classes) float32 whose rows sum to 1: (1 - s) one-hot + s / classes.

    Szegedy et al., arXiv 1512.00567, section 7 (label smoothing). The same as torch's `label_smoothing`.

    Args:
        labels: (B,) class numbers, int64; segmentation masks (B, H, W) become (B, classes, H, W).
        smoothing: s in [0, 1).
    """
    if not 0 <= smoothing < 1:
        raise UsageError(f"smoothing must be in [0, 1), got {smoothing!r}")
    if labels.dtype != torch.int64:
        raise DataError(f"labels must be class numbers, torch.int64, got {labels.dtype}")
    # On an accelerator, looking at the labels would make the host wait for it.
    if labels.device.type == "cpu" and labels.numel():
        low, high = (int(number) for number in torch.aminmax(labels))
        if low < 0 or high >= classes:
            raise DataError(f"labels must be from 0 to {classes - 1}, got labels from {low} to {high}")
    out = torch.full((len(labels), classes, *labels.shape[1:]), smoothing / classes, device=labels.device)
    return out.scatter_(1, labels.unsqueeze(1), 1 - smoothing + smoothing / classes)


def blend(values: Tensor, pairs: Pairs) -> Tensor:
    """share * own + (1 - share) * partner's: mixup of pictures, of regression targets, of labels and masks that are
    soft (`soft_labels`) or multi-hot.

    Args:
        values: (B, ...) floating point.
    """
    _check(values, pairs)
    if not values.is_floating_point():
        raise DataError(f"mixup averages, so it needs floating point values, got {values.dtype}")
    return torch.lerp(values[pairs.partner], values, pairs.column(values))


def draw_boxes(
    pairs: Pairs,
    height: int,
    width: int,
    generator: np.random.Generator,
    per: Literal["sample", "batch"] = "sample",
) -> tuple[Tensor, Pairs]:
    """The box that each picture takes from its partner, and the pairs with the share that remains outside it.

    Yun et al., CutMix, arXiv 1905.04899, section 3.1: sides sqrt(1 - share) of the picture's, the centre anywhere in
    the picture, cut at its edges; the share is then set to the true one. The paper has one box for the batch.

    Args:
        per: `batch`: all boxes have the same centre, and with pairs drawn per batch the same sides.

    Returns:
        boxes (B, 4) int64: left, top, right, bottom in pixels, right and bottom outside; and the corrected pairs.
    """
    side = np.sqrt(1 - pairs.share.cpu().numpy().astype(np.float64))
    sizes = np.array([width, height])
    center = np.floor(generator.random((len(side) if _per(per) == "sample" else 1, 2)) * sizes)
    half = np.rint(side[:, None] * sizes) / 2
    low = np.clip(np.floor(center - half + 0.5), 0, sizes)
    high = np.clip(np.floor(center + half + 0.5), 0, sizes)
    kept = 1 - (high - low).prod(axis=1) / (width * height)
    device = pairs.share.device
    boxes = torch.from_numpy(np.concatenate([low, high], axis=1).astype(np.int64)).to(device)
    return boxes, Pairs(pairs.partner, torch.from_numpy(kept.astype(np.float32)).to(device))


def paste(pictures: Tensor, pairs: Pairs, boxes: Tensor) -> Tensor:
    """CutMix: the partner's pixels inside the box, the picture's own outside; for pictures and segmentation masks.

    Args:
        pictures: (B, ..., H, W) of any dtype.
        boxes: (B, 4) from `draw_boxes`.
    """
    _check(pictures, pairs)
    if boxes.shape != (len(pictures), 4):
        raise DataError(f"boxes must have shape ({len(pictures)}, 4), got {tuple(boxes.shape)}")
    height, width = pictures.shape[-2:]
    x = torch.arange(width, device=pictures.device)
    y = torch.arange(height, device=pictures.device)[:, None]
    left, top, right, bottom = boxes.T.view(4, -1, 1, 1)
    inside = (x >= left) & (x < right) & (y >= top) & (y < bottom)
    inside = inside.view(len(pictures), *[1] * (pictures.ndim - 3), height, width)
    return torch.where(inside, pictures[pairs.partner], pictures)


def blend_table(x: Tensor, pairs: Pairs, categorical: Sequence[int], generator: np.random.Generator) -> Tensor:
    """mixup of table rows: numeric columns are averaged, a categorical one is the partner's with probability 1 - share.

    Args:
        x: (B, F) floating point.
        categorical: the numbers of the columns that hold categories.
    """
    out = blend(x, pairs)
    columns = _columns(x, categorical)
    if columns:
        own = torch.from_numpy(generator.random((len(x), len(columns)))).to(x.device) < pairs.share[:, None]
        out[:, columns] = torch.where(own, x[:, columns], x[pairs.partner][:, columns])
    return out


def add_noise(
    x: Tensor, deviation: Tensor, strength: float, categorical: Sequence[int], generator: np.random.Generator
) -> Tensor:
    """x + strength * deviation * N(0, 1) on numeric columns; categorical columns stay as they are.

    Args:
        x: (B, F) floating point.
        deviation: (F,) the standard deviation of each column over the training rows.
        strength: in units of the deviation, at least 0.
    """
    if not strength >= 0:
        raise UsageError(f"strength of the noise must be at least 0, got {strength!r}")
    if deviation.shape != x.shape[1:]:
        raise DataError(f"deviation must have one entry for each of {x.shape[1]} columns, got {tuple(deviation.shape)}")
    scale = deviation.to(x.dtype) * strength
    columns = _columns(x, categorical)
    if columns:
        scale[columns] = 0
    normal = torch.from_numpy(generator.standard_normal(tuple(x.shape), dtype=np.float32))
    return torch.addcmul(x, normal.to(x.device, x.dtype), scale)


def accuracy(logits: Tensor, labels: Tensor, pairs: Pairs | None = None) -> float:
    """The share of right answers against hard labels; a mixed sample counts its two labels by their shares.

    Args:
        logits: (B, classes), or (B, classes, H, W).
        labels: (B,) the class numbers before mixing, or masks (B, H, W) of them.
    """
    if logits.shape[:1] + logits.shape[2:] != labels.shape:
        raise DataError(
            f"logits {tuple(logits.shape)} need labels of shape {tuple(logits.shape[:1] + logits.shape[2:])}, "
            f"got {tuple(labels.shape)}"
        )
    right = (logits.argmax(1) == labels).to(torch.float32)
    if pairs is not None:
        _check(labels, pairs)
        other = (logits.argmax(1) == labels[pairs.partner]).to(torch.float32)
        right = torch.lerp(other, right, pairs.column(right))
    return float(right.mean())


def _per(per: str) -> str:
    if per not in ("sample", "batch"):
        raise UsageError(f"per must be 'sample' or 'batch', got {per!r}")
    return per


def _check(values: Tensor, pairs: Pairs) -> None:
    if len(values) != len(pairs.share):
        raise DataError(f"there are {len(values)} samples but {len(pairs.share)} pairs; draw pairs for this batch")


def _columns(x: Tensor, categorical: Sequence[int]) -> list[int]:
    if x.ndim != 2:
        raise DataError(f"a table must have shape (B, F), got {tuple(x.shape)}")
    wrong = [column for column in categorical if not 0 <= column < x.shape[1]]
    if wrong:
        raise DataError(f"categorical columns must be from 0 to {x.shape[1] - 1}, got {wrong}")
    return list(categorical)
