"""Compiled code that changes levels in place. A plane is a flat float32 array with levels from 0 to 255."""

from __future__ import annotations

import numpy as np

from gapless.augment.image.algebra import Floats
from gapless.native.intrinsics import (
    Floats32,
    Words,
    compiled,
    entry_at,
    level,
    put_entry,
    put_level,
    wide_vectors,
)

_F = np.float32
_U = np.uint64
_WORD = np.uint64(0xFFFFFFFF)


@compiled
def mean(plane: Floats32, pixels: int) -> np.float32:
    wide_vectors()
    total = _F(0)
    for i in range(pixels):
        total += level(plane, i)
    return total / _F(pixels)


@compiled
def recolour(red: Floats32, green: Floats32, blue: Floats32, pixels: int, color: Floats32) -> None:
    """The colour matrix, cut to the levels, then scaled; color: (3, 6) rows [matrix | shift | scale | offset]."""
    wide_vectors()
    top, zero = _F(255), _F(0)
    rr, rg, rb, rt, rs, ro = color[0, 0], color[0, 1], color[0, 2], color[0, 3], color[0, 4], color[0, 5]
    gr, gg, gb, gt, gs, go = color[1, 0], color[1, 1], color[1, 2], color[1, 3], color[1, 4], color[1, 5]
    br, bg, bb, bt, bs, bo = color[2, 0], color[2, 1], color[2, 2], color[2, 3], color[2, 4], color[2, 5]
    for i in range(pixels):
        r, g, b = level(red, i), level(green, i), level(blue, i)
        put_level(red, i, min(max(rr * r + rg * g + rb * b + rt, zero), top) * rs + ro)
        put_level(green, i, min(max(gr * r + gg * g + gb * b + gt, zero), top) * gs + go)
        put_level(blue, i, min(max(br * r + bg * g + bb * b + bt, zero), top) * bs + bo)


@compiled
def relevel(plane: Floats32, pixels: int, color: Floats32) -> None:
    """The same for one channel; color: (4,) factor, shift, scale, offset."""
    wide_vectors()
    top, zero = _F(255), _F(0)
    factor, shift, scale, offset = color[0], color[1], color[2], color[3]
    for i in range(pixels):
        put_level(plane, i, min(max(factor * level(plane, i) + shift, zero), top) * scale + offset)


@compiled
def turn_hue(red: Floats32, green: Floats32, blue: Floats32, pixels: int, turn: np.float32) -> None:
    """Turns the hue of HSV by a share of the circle."""
    wide_vectors()
    six, one, zero, four = _F(6), _F(1), _F(0), _F(4)
    for i in range(pixels):
        r, g, b = level(red, i), level(green, i), level(blue, i)
        value, low = max(r, max(g, b)), min(r, min(g, b))
        chroma = value - low
        unit = one / max(chroma, _F(1e-9))
        sixth = (r - g) * unit + four
        sixth = (b - r) * unit + _F(2) if value == g else sixth
        sixth = (g - b) * unit if value == r else sixth
        sixth = sixth + six * turn
        k = sixth + _F(5)
        k = k - six * np.floor(k / six)
        put_level(red, i, value - chroma * min(max(min(k, four - k), zero), one))
        k = sixth + _F(3)
        k = k - six * np.floor(k / six)
        put_level(green, i, value - chroma * min(max(min(k, four - k), zero), one))
        k = sixth + one
        k = k - six * np.floor(k / six)
        put_level(blue, i, value - chroma * min(max(min(k, four - k), zero), one))


@compiled
def look_up(plane: Floats32, pixels: int, table: Floats32) -> None:
    """Levels by a table (256,), rounded before."""
    wide_vectors()
    for i in range(pixels):
        put_level(plane, i, entry_at(table, np.rint(level(plane, i))))


@compiled
def round_levels(plane: Floats32, pixels: int) -> None:
    wide_vectors()
    for i in range(pixels):
        put_level(plane, i, np.rint(level(plane, i)))


@compiled
def stretch(plane: Floats32, pixels: int) -> None:
    """The darkest level becomes 0, the brightest 255."""
    wide_vectors()
    low, high = _F(255), _F(0)
    for i in range(pixels):
        low = min(low, np.rint(level(plane, i)))
        high = max(high, np.rint(level(plane, i)))
    if high > low:
        scale = _F(255) / (high - low)
        for i in range(pixels):
            put_level(plane, i, (np.rint(level(plane, i)) - low) * scale)


@compiled
def equalize(plane: Floats32, pixels: int, table: Floats32, counts: Words) -> None:
    """Pillow's equalisation; `table` and `counts` (256,) are for the taking."""
    for i in range(256):
        counts[i] = 0
    brightest = 0
    for i in range(pixels):
        here = int(np.rint(plane[i]))
        counts[here] += 1
        brightest = max(brightest, here)
    step = (pixels - int(counts[brightest])) // 255
    if step == 0:
        return
    darker = 0
    for i in range(256):
        put_entry(table, i, _F(min((darker + step // 2) // step, 255)))
        darker += int(counts[i])
    look_up(plane, pixels, table)


@compiled
def _hash(word: np.uint64) -> np.uint64:
    word &= _WORD
    word = ((word ^ (word >> _U(16))) * _U(0x7FEB352D)) & _WORD
    word = ((word ^ (word >> _U(15))) * _U(0x846CA68B)) & _WORD
    return word ^ (word >> _U(16))


@compiled
def _ones(word: np.uint64) -> np.uint64:
    word = word - ((word >> _U(1)) & _U(0x55555555))
    word = (word & _U(0x33333333)) + ((word >> _U(2)) & _U(0x33333333))
    return ((((word + (word >> _U(4))) & _U(0x0F0F0F0F)) * _U(0x01010101)) & _WORD) >> _U(24)


@compiled
def add_normal(plane: Floats32, pixels: int, deviation: np.float32, key: np.uint64, place: int) -> None:
    """Adds nearly normal numbers: 64 coin flips and one uniform number, as the other interpreter has them."""
    wide_vectors()
    factor = deviation / _F((16 + 1 / 12) ** 0.5)
    for i in range(pixels):
        number = _U(2) * _U(place + i) + key
        one, two = _hash(number), _hash(number + _U(1))
        flips = _F(np.int32(_ones(one) + _ones(two))) - _F(32)
        uniform = _F(np.int32(_hash(one ^ _U(0x5BD1E995)) >> _U(8))) * _F(2.0**-24)
        put_level(plane, i, min(max(level(plane, i) + factor * (flips + uniform - _F(0.5)), _F(0)), _F(255)))


@compiled
def add_specks(plane: Floats32, pixels: int, share: np.float32, key: np.uint64) -> None:
    """Turns a share of the pixels black or white, half each."""
    wide_vectors()
    low, high = share / _F(2), _F(1) - share / _F(2)
    for i in range(pixels):
        chance = _F(np.int32(_hash(_U(i) + (key ^ _U(0x2545F491))) >> _U(8))) * _F(2.0**-24)
        value = _F(0) if chance < low else level(plane, i)
        put_level(plane, i, _F(255) if chance >= high else value)


@compiled
def paint_box(plane: Floats32, height: int, width: int, box: Floats) -> None:
    """box: (5,) float64 left, top, right, bottom in half sides, and the level from 0 to 1."""
    left, right = _first_centre(box[0], width), _first_centre(box[2], width)
    top, bottom = _first_centre(box[1], height), _first_centre(box[3], height)
    for y in range(top, bottom):
        plane[y * width + left : y * width + right] = _F(box[4] * 255)


@compiled
def _first_centre(edge: float, side: int) -> int:
    """The first pixel whose centre is not before an edge in half sides."""
    return min(max(int(np.ceil(((edge + 1) * side - 1) / 2)), 0), side)


@compiled
def paint_grid(plane: Floats32, height: int, width: int, grid: Floats) -> None:
    """grid: (6,) float64 periods, painted share, shifts, and the level from 0 to 1."""
    for y in range(height):
        v = (2 * y + 1) / height + grid[4]
        if v - grid[1] * np.floor(v / grid[1]) < grid[2] * grid[1]:
            for x in range(width):
                u = (2 * x + 1) / width + grid[3]
                if u - grid[0] * np.floor(u / grid[0]) < grid[2] * grid[0]:
                    plane[y * width + x] = _F(grid[5] * 255)
