"""Torch code for the kinds that are about places: warps, boxes and grids. x is (n, C, H, W) with levels in [0, 1]."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from gapless.augment.image.algebra import Box, Grid, Warp
from gapless.augment.image.program import Fill, Reading

_PADDING = {"black": "zeros", "gray": "zeros", "edge": "border", "reflect": "reflection"}


def exact(device: torch.device) -> AbstractContextManager[object]:
    """Within, autocast is off: places and colours in half precision would be wrong by whole pixels and levels."""
    known = torch.amp.is_autocast_available(device.type)
    return torch.autocast(device.type, enabled=False) if known else nullcontext()


def numbers(array: NDArray[Any], x: Tensor) -> Tensor:
    """An array of the program as float32 on the pictures' device."""
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)).to(x.device, non_blocking=True)


@lru_cache(maxsize=64)
def centers(count: int, device: torch.device) -> Tensor:
    """(count,) the centres of the pixels along a side, in half sides."""
    return (2 * torch.arange(count, dtype=torch.float32, device=device) + 1) / count - 1


@lru_cache(maxsize=64)
def _places(height: int, width: int, device: torch.device) -> Tensor:
    """(3, H W): x, y and 1 for every pixel."""
    y, x = torch.meshgrid(centers(height, device), centers(width, device), indexing="ij")
    return torch.stack((x, y, torch.ones_like(x))).view(3, -1)


def warp(element: Warp, x: Tensor, fill: Fill, reading: Reading) -> Tensor:
    n, _, height, width = x.shape
    projective = bool((element.data[:, 2] != Warp.identity[2]).any())
    lines = 3 if projective else 2
    matrix = numbers(element.data[:, :lines], x)
    planes = matrix.view(n * lines, 3).mm(_places(height, width, x.device)).view(n, lines, height, width)
    if projective:
        planes = planes[:, :2] / planes[:, 2:]
    places = planes.permute(0, 2, 3, 1)
    if fill != "gray":
        return _read(x, places, fill, reading)
    level = _filling(x)
    return _read(x - level, places, fill, reading).add_(level)


def _read(x: Tensor, places: Tensor, fill: Fill, reading: Reading) -> Tensor:
    return F.grid_sample(x, places, mode=reading, padding_mode=_PADDING[fill], align_corners=False)


def _filling(x: Tensor) -> Tensor:
    """The level of the gray fill for each channel: 0 for alpha."""
    level = torch.full((x.shape[1], 1, 1), 128 / 255, device=x.device)
    if x.shape[1] == 4:
        level[3] = 0
    return level


def resample(element: Warp, x: Tensor, size: tuple[int, int], fill: Fill) -> Tensor:
    """A smooth warp: along each side, a triangle filter as wide as the shrinking, over the pixels there are.

    Where the middle of the filter is outside the picture, the fill is seen.
    """
    matrix = numbers(element.data, x)
    across = _weights(matrix[:, 0, 0], matrix[:, 0, 2], x.shape[3], size[1], fill)
    down = _weights(matrix[:, 1, 1], matrix[:, 1, 2], x.shape[2], size[0], fill)
    out = torch.matmul(torch.matmul(down[:, None], x), across.mT[:, None])
    if fill != "gray":
        return out
    shown = (down.sum(2)[:, :, None] * across.sum(2)[:, None, :])[:, None]
    return torch.addcmul(out, 1 - shown, _filling(x))


def _weights(scale: Tensor, shift: Tensor, pixels: int, size: int, fill: Fill) -> Tensor:
    """(n, size, pixels): what each input pixel along a side counts in each output pixel."""
    middle = (scale[:, None] * centers(size, scale.device) + shift[:, None] + 1) * (pixels / 2) - 0.5
    if fill == "reflect":
        middle = reflected(middle, pixels)
    if fill in ("reflect", "edge"):
        middle = middle.clamp(0, pixels - 1)
    reach = (scale.abs() * (pixels / size)).clamp(min=1)[:, None, None]
    distance = (torch.arange(pixels, device=scale.device) - middle[:, :, None]).abs()
    weights = (1 - distance / reach).clamp_(min=0)
    weights = weights / weights.sum(2, keepdim=True).clamp(min=1e-9)
    inside = (middle >= -0.5) & (middle <= pixels - 0.5)
    return weights * inside[:, :, None]


def reflected(place: Tensor, pixels: int) -> Tensor:
    """Places along a side, in pixels from the middle of the first, mirrored at its outer edges into it."""
    place = (place + 0.5).remainder(2 * pixels)
    return torch.minimum(place, 2 * pixels - place) - 0.5


def box(element: Box, x: Tensor) -> Tensor:
    left, top, right, bottom, level = numbers(element.data.T, x).view(5, -1, 1, 1, 1)
    xs, ys = centers(x.shape[3], x.device), centers(x.shape[2], x.device)[:, None]
    inside = (xs >= left) & (xs < right) & (ys >= top) & (ys < bottom)
    return torch.where(inside, level, x)


def grid(element: Grid, x: Tensor) -> Tensor:
    period_x, period_y, share, shift_x, shift_y, level = numbers(element.data.T, x).view(6, -1, 1, 1, 1)
    xs, ys = centers(x.shape[3], x.device), centers(x.shape[2], x.device)[:, None]
    inside_x = (xs + 1 + shift_x).remainder(period_x) < share * period_x
    inside_y = (ys + 1 + shift_y).remainder(period_y) < share * period_y
    return torch.where(inside_x & inside_y, level, x)
