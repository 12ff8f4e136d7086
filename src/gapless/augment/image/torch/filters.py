"""Torch code for the kinds that look at neighbours. x is (n, C, H, W) with levels in [0, 1], without alpha."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from gapless.augment.image.algebra import Blur, Jpeg, Kernel
from gapless.augment.image.jpeg import DCT, TIE, TO_RGB, TO_YCC, steps
from gapless.augment.image.torch.warp import numbers


def kernel(element: Kernel, x: Tensor) -> Tensor:
    height, width = x.shape[2:]
    out = x.clone()
    if height < 3 or width < 3:
        return out
    weight = numbers(element.data, x)[:, :, :, None, None, None]
    inner = torch.zeros_like(x[:, :, 2:, 2:])
    for i in range(3):
        for j in range(3):
            inner.addcmul_(weight[:, i, j], x[:, :, i : height - 2 + i, j : width - 2 + j])
    out[:, :, 1:-1, 1:-1] = inner.clamp_(0, 1)
    return out


def blur(element: Blur, x: Tensor) -> Tensor:
    reach = int((element.data != 0).any(axis=0).nonzero()[0].max())
    weight = numbers(element.data, x)[:, :, None, None, None]
    for axis in (2, 3):
        x = _along(x, weight, reach, axis)
    return x


def _along(x: Tensor, weight: Tensor, reach: int, axis: int) -> Tensor:
    length = x.shape[axis]
    last = torch.arange(-reach, length + reach, device=x.device).clamp(0, length - 1)
    padded = x.index_select(axis, last)
    out = padded.narrow(axis, reach, length) * weight[:, 0]
    for step in range(1, reach + 1):
        pair = padded.narrow(axis, reach - step, length) + padded.narrow(axis, reach + step, length)
        out.addcmul_(weight[:, step], pair)
    return out


def jpeg(element: Jpeg, x: Tensor) -> Tensor:
    luma, chroma = (numbers(table, x)[:, None, None, None] for table in steps(element.data[:, 0]))
    x = x.mul(255).round_()
    if x.shape[1] != 3:
        return _quantized(x, luma, 8).div_(255)
    height, width = x.shape[2:]
    to_ycc, to_rgb = numbers(TO_YCC, x), numbers(TO_RGB, x)
    ycc = torch.einsum("ij,njhw->nihw", to_ycc, x).add_(TIE).round_()
    light = _quantized(ycc[:, :1], luma, 8)
    small = F.avg_pool2d(_padded(ycc[:, 1:], 16), 2)[:, :, : math.ceil(height / 2), : math.ceil(width / 2)]
    colour = _doubled(_quantized(small + 128, chroma, 8))[:, :, :height, :width] - 128
    return torch.einsum("ij,njhw->nihw", to_rgb, torch.cat((light, colour), dim=1)).round_().clamp_(0, 255).div_(255)


def _padded(x: Tensor, multiple: int) -> Tensor:
    height, width = x.shape[2:]
    return F.pad(x, (0, -width % multiple, 0, -height % multiple), mode="replicate")


def _quantized(x: Tensor, step: Tensor, side: int) -> Tensor:
    """Levels 0 to 255, whole, after the cosine coefficients of each block were rounded to multiples of their steps."""
    n, channels, height, width = x.shape
    padded = _padded(x, side).add(TIE).round_().sub_(128)
    rows, columns = padded.shape[2] // side, padded.shape[3] // side
    blocks = padded.view(n, channels, rows, side, columns, side).permute(0, 1, 2, 4, 3, 5)
    dct = numbers(DCT, x)
    coefficients = (dct @ blocks @ dct.T).div_(step)
    coefficients = coefficients.add_(coefficients.sign(), alpha=TIE).round_().mul_(step)
    blocks = (dct.T @ coefficients @ dct).add_(128).round_().clamp_(0, 255)
    return blocks.permute(0, 1, 2, 4, 3, 5).reshape(padded.shape)[:, :, :height, :width]


def _doubled(x: Tensor) -> Tensor:
    """Twice the size: each new pixel is 3/4 the nearest and 1/4 the next nearest, along each side."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
