"""Runs a program on a batch of torch tensors, on any device; the reference that the fast interpreter is tested against.

Levels stay float between the steps. For uint8 pictures they are rounded to whole levels before every step that looks at
more than one pixel and at the end, for a `Lut` always.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gapless.augment.image.algebra import (
    Blur,
    Box,
    Color,
    Element,
    Grid,
    Histogram,
    Hue,
    Jpeg,
    Kernel,
    Lut,
    Noise,
    Warp,
)
from gapless.augment.image.chains import Group
from gapless.augment.image.program import Program
from gapless.augment.image.torch.filters import blur, jpeg, kernel
from gapless.augment.image.torch.pointwise import color, histogram, hue, lut, noise
from gapless.augment.image.torch.warp import box, exact, grid, resample, warp
from gapless.errors import DataError


def run(program: Program, images: Tensor) -> Tensor:
    """The augmented pictures; `images` itself when the program changes nothing, and never changed in place.

    Args:
        program: for as many pictures of this size.
        images: (B, C, H, W), float32 in [0, 1] or uint8. C = 1 is gray, 3 RGB, 4 RGBA: alpha moves with the picture and
            keeps its value under colour; any other C: every channel is changed as gray is.

    Returns:
        (B, C, H', W') of the same dtype, on the same device, of the program's size.
    """
    _check(program, images)
    if not program.groups:
        return images
    with exact(images.device):
        return _run(program, images)


def _run(program: Program, images: Tensor) -> Tensor:
    whole_levels = images.dtype == torch.uint8
    x = images.to(torch.float32).div_(255) if whole_levels else images
    for number, group in enumerate(program.groups):
        if whole_levels and number and group.element.neighbours:
            x = x.mul(255).round_().div_(255)
        x = _run_group(group, x, program, images)
    return x.mul(255).round_().clamp_(0, 255).to(torch.uint8) if whole_levels else x


def _check(program: Program, images: Tensor) -> None:
    if images.dtype not in (torch.float32, torch.uint8):
        raise DataError(f"images must be float32 or uint8, got {images.dtype}")
    wanted = (program.batch, program.height, program.width)
    if images.ndim != 4 or any(np.any(np.not_equal(a, b)) for a, b in zip(_sides(images), wanted, strict=True)):
        raise DataError(
            f"images must have shape (B, C, H, W) = ({program.batch}, C, {program.height}, {program.width}) "
            f"as the program was made for, got {tuple(images.shape)}"
        )
    # On an accelerator, looking at the levels would make the host wait for it.
    if images.dtype == torch.float32 and images.device.type == "cpu" and images.numel():
        low, high = (float(level) for level in torch.aminmax(images.detach()))
        if not (low >= -1e-4 and high <= 1 + 1e-4):
            raise DataError(f"images must hold levels in [0, 1], got levels from {low:g} to {high:g}")


def _sides(images: Tensor) -> tuple[int, int, int]:
    return len(images), images.shape[2], images.shape[3]


def _run_group(group: Group, x: Tensor, program: Program, images: Tensor) -> Tensor:
    if group.rows is None:
        return _apply(group.element, x, program)
    rows = torch.from_numpy(group.rows).to(x.device, non_blocking=True)
    changed = _apply(group.element, x.index_select(0, rows), program)
    if x is images:
        return x.index_copy(0, rows, changed)
    return x.index_copy_(0, rows, changed)


def _apply(element: Element, x: Tensor, program: Program) -> Tensor:
    """A new tensor: the element applied to x (n, C, H, W) with levels in [0, 1]."""
    if isinstance(element, Warp):
        if element.smooth:
            return resample(element, x, program.size, program.fill)
        return warp(element, x, program.fill, program.reading)
    if x.shape[1] == 4:
        return torch.cat((_on_colour(element, x[:, :3]), x[:, 3:]), dim=1)
    return _on_colour(element, x)


def _on_colour(element: Element, x: Tensor) -> Tensor:
    match element:
        case Color():
            return color(element, x)
        case Hue():
            return hue(element, x)
        case Lut():
            return lut(element, x)
        case Histogram():
            return histogram(element, x)
        case Noise():
            return noise(element, x)
        case Kernel():
            return kernel(element, x)
        case Blur():
            return blur(element, x)
        case Jpeg():
            return jpeg(element, x)
        case Box():
            return box(element, x)
        case Grid():
            return grid(element, x)
        case _:
            raise TypeError(f"no torch code for {type(element).__name__}")
