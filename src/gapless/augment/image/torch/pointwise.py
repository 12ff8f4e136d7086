"""Torch code for the kinds that change levels. x is (n, C, H, W) with levels in [0, 1], without an alpha channel."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gapless.augment.image.algebra import Color, Histogram, Hue, Lut, Noise
from gapless.augment.image.torch.warp import numbers

_WORD = 0xFFFFFFFF


def color(element: Color, x: Tensor) -> Tensor:
    n, channels = x.shape[:2]
    if channels == 3:
        matrix = numbers(element.data, x)
        shift = matrix[:, :, 6:]
        if element.needs_mean:
            shift = torch.baddbmm(shift, matrix[:, :, 3:6], x.mean((2, 3))[:, :, None])
        return torch.baddbmm(shift, matrix[:, :, :3], x.reshape(n, 3, -1)).view(x.shape).clamp_(0, 1)
    own, mean, shift = numbers(element.gray().T, x).view(3, n, 1, 1, 1)
    if element.needs_mean:
        shift = torch.addcmul(shift, mean, x.mean((1, 2, 3), keepdim=True))
    return torch.addcmul(shift, own, x).clamp_(0, 1)


def hue(element: Hue, x: Tensor) -> Tensor:
    if x.shape[1] != 3:
        return x.clone()
    red, green, blue = x.unbind(1)
    value, low = x.amax(1), x.amin(1)
    chroma = value - low
    unit = chroma.clamp(min=1e-12)
    sixth = torch.where(
        value == red,
        (green - blue) / unit,
        torch.where(value == green, (blue - red) / unit + 2, (red - green) / unit + 4),
    )
    sixth = sixth + 6 * numbers(element.data, x)[:, :, None]
    turned: list[Tensor] = []
    for start in (5, 3, 1):
        k = (sixth + start).remainder(6)
        turned.append(value - chroma * torch.minimum(k, 4 - k).clamp(0, 1))
    return torch.stack(turned, dim=1)


def lut(element: Lut, x: Tensor) -> Tensor:
    n, channels = x.shape[:2]
    return _look_up(numbers(element.data, x).div_(255)[:, None].expand(n, channels, 256), x)


def _look_up(table: Tensor, x: Tensor) -> Tensor:
    """table: (n, C, 256) with levels in [0, 1]."""
    return table.gather(2, _whole(x).flatten(2)).view(x.shape)


def _whole(x: Tensor) -> Tensor:
    return x.mul(255).round_().long().clamp_(0, 255)


def histogram(element: Histogram, x: Tensor) -> Tensor:
    stretch = numbers(element.data == 1, x).bool()[:, :, None, None]
    out = torch.where(stretch, _stretched(x), x)
    if (element.data == 2).any():
        equalize = numbers(element.data == 2, x).bool()[:, :, None, None]
        out = torch.where(equalize, _look_up(_equalizing(x), x), out)
    return out


def _stretched(x: Tensor) -> Tensor:
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    return torch.where(high > low, (x - low) / (high - low).clamp(min=1e-12), x)


def _equalizing(x: Tensor) -> Tensor:
    """(n, C, 256): Pillow's table: step = (pixels - those of the brightest level) // 255, level i goes to the number of
    darker pixels plus step // 2, divided by step; a step of 0 leaves the channel as it is.
    """
    levels = _whole(x).flatten(2)
    counts = torch.zeros(*x.shape[:2], 256, dtype=torch.int64, device=x.device)
    counts.scatter_add_(2, levels, torch.ones_like(levels))
    step = (levels.shape[2] - counts.gather(2, levels.amax(2, keepdim=True))) // 255
    darker = counts.cumsum(2) - counts
    table = ((darker + step // 2) // step.clamp(min=1)).clamp_(max=255)
    own = torch.arange(256, device=x.device).expand_as(table)
    return torch.where(step > 0, table, own).to(torch.float32).div_(255)


def noise(element: Noise, x: Tensor) -> Tensor:
    n, channels, height, width = x.shape
    deviation, share = numbers(element.data[:, :2].T, x).view(2, n, 1, 1, 1)
    key = torch.from_numpy(element.data[:, 2].astype(np.int64)).to(x.device, non_blocking=True).view(n, 1, 1, 1)
    place = torch.arange(channels * height * width, device=x.device).view(1, channels, height, width)
    first, second = _hash(place * 2 + key), _hash(place * 2 + 1 + key)
    # 64 coin flips and one uniform number have a nearly normal sum: variance 64 / 4 + 1 / 12, excess kurtosis -0.03.
    flips = (_ones(first) + _ones(second) - 32).to(torch.float32)
    uniform = (_hash(first ^ 0x5BD1E995) >> 8).to(torch.float32) * 2.0**-24
    x = torch.addcmul(x, deviation, (flips + uniform - 0.5) / (16 + 1 / 12) ** 0.5).clamp_(0, 1)
    chance = (_hash(place[:, :1] + (key ^ 0x2545F491)) >> 8).to(torch.float32) * 2.0**-24
    x = torch.where(chance < share / 2, 0.0, x)
    return torch.where(chance >= 1 - share / 2, 1.0, x)


def _hash(word: Tensor) -> Tensor:
    """A hash of 32-bit words held in int64, by multiplying and shifting (Wang and Mueller's finaliser)."""
    word = word & _WORD
    word = ((word ^ (word >> 16)) * 0x7FEB352D) & _WORD
    word = ((word ^ (word >> 15)) * 0x846CA68B) & _WORD
    return word ^ (word >> 16)


def _ones(word: Tensor) -> Tensor:
    """How many bits of each 32-bit word are 1."""
    word = word - ((word >> 1) & 0x55555555)
    word = (word & 0x33333333) + ((word >> 2) & 0x33333333)
    return ((((word + (word >> 4)) & 0x0F0F0F0F) * 0x01010101) & _WORD) >> 24
