"""Compiled code for filters and JPEG on one plane, a flat float32 array with levels from 0 to 255."""

from __future__ import annotations

import numpy as np

from gapless.augment.image.algebra import Floats
from gapless.augment.image.jpeg import DCT, TIE
from gapless.native.intrinsics import Floats32, compiled, entry, level, put_entry, put_level, wide_vectors

_F = np.float32
_TIE = np.float32(TIE)
_DCT = DCT.astype(np.float32)


@compiled
def filter3(plane: Floats32, height: int, width: int, weights: Floats, work: Floats32) -> None:
    """A 3 x 3 filter, weights (9,), on whole levels; the border keeps its levels. work: as large as the plane."""
    wide_vectors()
    for i in range(height * width):
        put_entry(work, i, np.rint(level(plane, i)))
    w0, w1, w2 = _F(weights[0]), _F(weights[1]), _F(weights[2])
    w3, w4, w5 = _F(weights[3]), _F(weights[4]), _F(weights[5])
    w6, w7, w8 = _F(weights[6]), _F(weights[7]), _F(weights[8])
    for y in range(1, height - 1):
        up, here, down = (y - 1) * width, y * width, (y + 1) * width
        for x in range(1, width - 1):
            total = w0 * entry(work, up + x - 1) + w1 * entry(work, up + x) + w2 * entry(work, up + x + 1)
            total += w3 * entry(work, here + x - 1) + w4 * entry(work, here + x) + w5 * entry(work, here + x + 1)
            total += w6 * entry(work, down + x - 1) + w7 * entry(work, down + x) + w8 * entry(work, down + x + 1)
            put_level(plane, here + x, min(max(total, _F(0)), _F(255)))


@compiled
def blur(plane: Floats32, height: int, width: int, weights: Floats, work: Floats32) -> None:
    """A symmetric filter along y and along x, weights from the middle outwards, on whole levels.

    work: as large as the plane and a row that is wider by twice the filter's reach.
    """
    wide_vectors()
    reach, middle = len(weights) - 1, _F(weights[0])
    while reach > 0 and weights[reach] == 0:
        reach -= 1
    pixels = height * width
    for i in range(pixels):
        put_level(plane, i, np.rint(level(plane, i)))
    for y in range(height):
        for x in range(width):
            put_entry(work, y * width + x, middle * level(plane, y * width + x))
        for step in range(1, reach + 1):
            up, down, weight = max(y - step, 0) * width, min(y + step, height - 1) * width, _F(weights[step])
            for x in range(width):
                both = level(plane, up + x) + level(plane, down + x)
                put_entry(work, y * width + x, entry(work, y * width + x) + weight * both)
    for y in range(height):
        row = y * width
        for x in range(reach):
            put_entry(work, pixels + x, entry(work, row))
            put_entry(work, pixels + reach + width + x, entry(work, row + width - 1))
        for x in range(width):
            put_entry(work, pixels + reach + x, entry(work, row + x))
        for x in range(width):
            put_level(plane, row + x, middle * entry(work, pixels + reach + x))
        for step in range(1, reach + 1):
            left, right, weight = pixels + reach - step, pixels + reach + step, _F(weights[step])
            for x in range(width):
                both = entry(work, left + x) + entry(work, right + x)
                put_level(plane, row + x, level(plane, row + x) + weight * both)


@compiled
def quantize(plane: Floats32, height: int, width: int, steps: Floats, blocks: Floats32) -> None:
    """JPEG on one plane: cosine coefficients of 8 x 8 blocks rounded to multiples of their steps (64,).

    blocks: (2, 8, 8), for the taking.
    """
    block, half = blocks[0], blocks[1]
    for top in range(0, height, 8):
        for left in range(0, width, 8):
            for i in range(8):
                row = min(top + i, height - 1) * width
                for j in range(8):
                    block[i, j] = np.rint(plane[row + min(left + j, width - 1)] + _TIE) - _F(128)
            _product(_DCT, block, half, False, False)
            _product(half, _DCT, block, False, True)
            for i in range(8):
                for j in range(8):
                    step = _F(steps[8 * i + j])
                    share = block[i, j] / step
                    block[i, j] = np.rint(share + np.copysign(_TIE, share)) * step
            _product(_DCT, block, half, True, False)
            _product(half, _DCT, block, False, False)
            for i in range(min(8, height - top)):
                for j in range(min(8, width - left)):
                    value = min(max(np.rint(block[i, j] + _F(128)), _F(0)), _F(255))
                    plane[(top + i) * width + left + j] = value


@compiled
def _product(a: Floats32, b: Floats32, out: Floats32, flip_a: bool, flip_b: bool) -> None:
    for i in range(8):
        for j in range(8):
            total = _F(0)
            for k in range(8):
                total += (a[k, i] if flip_a else a[i, k]) * (b[j, k] if flip_b else b[k, j])
            out[i, j] = total


@compiled
def jpeg_colour(
    red: Floats32,
    green: Floats32,
    blue: Floats32,
    height: int,
    width: int,
    luma: Floats,
    chroma: Floats,
    work: Floats32,
    blocks: Floats32,
) -> None:
    """JPEG with colours at half the resolution. work: half as large as the planes, rounded up, twice."""
    for i in range(height * width):
        r, g, b = np.rint(red[i]), np.rint(green[i]), np.rint(blue[i])
        red[i] = np.rint(_F(0.299) * r + _F(0.587) * g + _F(0.114) * b + _TIE)
        green[i] = np.rint(_F(-0.168735892) * r - _F(0.331264108) * g + _F(0.5) * b + _TIE)
        blue[i] = np.rint(_F(0.5) * r - _F(0.418687589) * g - _F(0.081312411) * b + _TIE)
    quantize(red, height, width, luma, blocks)
    rows, columns = (height + 1) // 2, (width + 1) // 2
    small_blue, small_red = work[: rows * columns], work[rows * columns : 2 * rows * columns]
    _halve(green, height, width, small_blue, rows, columns)
    _halve(blue, height, width, small_red, rows, columns)
    quantize(small_blue, rows, columns, chroma, blocks)
    quantize(small_red, rows, columns, chroma, blocks)
    for y in range(height):
        for x in range(width):
            i = y * width + x
            light = red[i]
            towards_blue = _doubled(small_blue, rows, columns, y, x) - _F(128)
            towards_red = _doubled(small_red, rows, columns, y, x) - _F(128)
            red[i] = _cut(light + _F(1.402) * towards_red)
            green[i] = _cut(light - _F(0.344136286) * towards_blue - _F(0.714136286) * towards_red)
            blue[i] = _cut(light + _F(1.772) * towards_blue)


@compiled
def _cut(value: np.float32) -> np.float32:
    return min(max(np.rint(value), _F(0)), _F(255))


@compiled
def _halve(plane: Floats32, height: int, width: int, small: Floats32, rows: int, columns: int) -> None:
    for y in range(rows):
        up, down = 2 * y * width, min(2 * y + 1, height - 1) * width
        for x in range(columns):
            left, right = 2 * x, min(2 * x + 1, width - 1)
            total = plane[up + left] + plane[up + right] + plane[down + left] + plane[down + right]
            small[y * columns + x] = total / _F(4) + _F(128)


@compiled
def _doubled(small: Floats32, rows: int, columns: int, y: int, x: int) -> np.float32:
    """3/4 of the nearest and 1/4 of the next nearest along each side."""
    far_y = min(max(y // 2 + (1 if y % 2 else -1), 0), rows - 1) * columns
    far_x = min(max(x // 2 + (1 if x % 2 else -1), 0), columns - 1)
    near_y, near_x = y // 2 * columns, x // 2
    near = _F(0.75) * small[near_y + near_x] + _F(0.25) * small[near_y + far_x]
    far = _F(0.75) * small[far_y + near_x] + _F(0.25) * small[far_y + far_x]
    return _F(0.75) * near + _F(0.25) * far
