"""Runs a program on a batch of torch tensors, on any device; the reference that the fast interpreter is tested against.

Levels stay float between the steps. For uint8 pictures they are rounded to whole levels before every step that looks at
neighbours and at the end, for a `Lut` always.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from gapless.augment.image.algebra import Box, Color, Element, Kernel, Lut, Warp
from gapless.augment.image.program import Fill, Group, Program
from gapless.errors import DataError

_E = TypeVar("_E", bound=Element)
_PADDING = {"black": "zeros", "gray": "zeros", "edge": "border", "reflect": "reflection"}


def run(program: Program, images: Tensor) -> Tensor:
    """The augmented pictures; `images` itself when the program changes nothing, and never changed in place.

    Args:
        program: for as many pictures of this size.
        images: (B, C, H, W), float32 in [0, 1] or uint8. C = 1 is gray, 3 RGB, 4 RGBA: alpha moves with the picture and
            keeps its value under colour; any other C: every channel is changed as gray is.

    Returns:
        (B, C, H, W) of the same dtype, on the same device.
    """
    _check(program, images)
    if not program.groups:
        return images
    whole_levels = images.dtype == torch.uint8
    x = images.to(torch.float32).div_(255) if whole_levels else images
    fresh = True
    for group in program.groups:
        if whole_levels and not fresh and isinstance(group.element, (Warp, Kernel)):
            x = _round(x)
        fresh = False
        x = _run_group(group, x, program.fill, images)
    return x.mul(255).round_().clamp_(0, 255).to(torch.uint8) if whole_levels else x


def _check(program: Program, images: Tensor) -> None:
    if images.dtype not in (torch.float32, torch.uint8):
        raise DataError(f"images must be float32 or uint8, got {images.dtype}")
    if images.ndim != 4 or (len(images), *images.shape[2:]) != (program.batch, program.height, program.width):
        raise DataError(
            f"images must have shape (B, C, H, W) = ({program.batch}, C, {program.height}, {program.width}) "
            f"as the program was made for, got {tuple(images.shape)}"
        )
    # On an accelerator, looking at the levels would make the host wait for it.
    if images.dtype == torch.float32 and images.device.type == "cpu" and images.numel():
        low, high = (float(v) for v in torch.aminmax(images.detach()))
        if not (low >= -1e-4 and high <= 1 + 1e-4):
            raise DataError(f"images must hold levels in [0, 1], got levels from {low:g} to {high:g}")


def _run_group(group: Group, x: Tensor, fill: Fill, images: Tensor) -> Tensor:
    if group.rows is None:
        return _apply(group.element, x, fill)
    rows = torch.from_numpy(group.rows).to(x.device, non_blocking=True)
    changed = _apply(group.element, x.index_select(0, rows), fill)
    if x is images:
        return x.index_copy(0, rows, changed)
    return x.index_copy_(0, rows, changed)


def _apply(element: Element, x: Tensor, fill: Fill) -> Tensor:
    """A new tensor: the element applied to x (n, C, H, W) with levels in [0, 1]."""
    match element:
        case Warp():
            return _warp(element, x, fill)
        case Kernel():
            return _on_colour(_kernel, element, x)
        case Color():
            return _on_colour(_color, element, x)
        case Lut():
            return _on_colour(_lut, element, x)
        case Box():
            return _on_colour(_box, element, x)
        case _:
            raise TypeError(f"no torch code for {type(element).__name__}")


def _on_colour(function: Callable[[_E, Tensor], Tensor], element: _E, x: Tensor) -> Tensor:
    """Applies it to the channels that are colour: all but the alpha of RGBA."""
    if x.shape[1] != 4:
        return function(element, x)
    return torch.cat((function(element, x[:, :3]), x[:, 3:]), dim=1)


def _on_device(array: NDArray[Any], x: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)).to(x.device, non_blocking=True)


def _round(x: Tensor) -> Tensor:
    return x.mul(255).round_().div_(255)


@lru_cache(maxsize=64)
def _places(height: int, width: int, device: torch.device) -> Tensor:
    """(3, H W): x, y and 1 for every pixel's centre, in half sides."""
    ys = (2 * torch.arange(height, dtype=torch.float32, device=device) + 1) / height - 1
    xs = (2 * torch.arange(width, dtype=torch.float32, device=device) + 1) / width - 1
    y, x = torch.meshgrid(ys, xs, indexing="ij")
    return torch.stack((x, y, torch.ones_like(x))).view(3, -1)


def _warp(element: Warp, x: Tensor, fill: Fill) -> Tensor:
    n, _, height, width = x.shape
    projective = bool((element.data[:, 2] != Warp.identity[2]).any())
    lines = 3 if projective else 2
    matrix = _on_device(element.data[:, :lines], x)
    planes = matrix.view(n * lines, 3).mm(_places(height, width, x.device)).view(n, lines, height, width)
    if projective:
        planes = planes[:, :2] / planes[:, 2:]
    grid = planes.permute(0, 2, 3, 1)
    if fill == "gray":
        return _sample(x - 0.5, grid, fill).add_(0.5)
    return _sample(x, grid, fill)


def _sample(x: Tensor, grid: Tensor, fill: Fill) -> Tensor:
    return F.grid_sample(x, grid, mode="bilinear", padding_mode=_PADDING[fill], align_corners=False)


def _color(element: Color, x: Tensor) -> Tensor:
    n, channels = x.shape[:2]
    if channels == 3:
        matrix = _on_device(element.data, x)
        shift = matrix[:, :, 6:]
        if element.needs_mean:
            shift = torch.baddbmm(shift, matrix[:, :, 3:6], x.mean((2, 3))[:, :, None])
        return torch.baddbmm(shift, matrix[:, :, :3], x.reshape(n, 3, -1)).view(x.shape).clamp_(0, 1)
    own, mean, shift = _on_device(element.gray().T, x).view(3, n, 1, 1, 1)
    if element.needs_mean:
        shift = torch.addcmul(shift, mean, x.mean((1, 2, 3), keepdim=True))
    return torch.addcmul(shift, own, x).clamp_(0, 1)


def _lut(element: Lut, x: Tensor) -> Tensor:
    n, channels = x.shape[:2]
    levels = x.mul(255).round_().long().reshape(n, channels, -1)
    table = element.data if channels == 3 else element.data[:, :1]
    table = _on_device(table, x).div_(255).expand(n, channels, 256)
    return table.gather(2, levels).view(x.shape)


def _kernel(element: Kernel, x: Tensor) -> Tensor:
    height, width = x.shape[2:]
    if height < 3 or width < 3:
        return x.clone()
    weight = _on_device(element.data, x)[:, :, :, None, None, None]
    inner = torch.zeros_like(x[:, :, 2:, 2:])
    for i in range(3):
        for j in range(3):
            inner.addcmul_(weight[:, i, j], x[:, :, i : height - 2 + i, j : width - 2 + j])
    out = x.clone()
    out[:, :, 1:-1, 1:-1] = inner.clamp_(0, 1)
    return out


def _box(element: Box, x: Tensor) -> Tensor:
    height, width = x.shape[2:]
    places = _places(height, width, x.device).view(3, height, width)
    left, top, right, bottom, level = _on_device(element.data.T, x).view(5, -1, 1, 1, 1)
    xs, ys = places[0, :1, :], places[1, :, :1]
    inside = (xs >= left) & (xs < right) & (ys >= top) & (ys < bottom)
    return torch.where(inside, level, x)
