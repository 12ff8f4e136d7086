"""Compiled code for smooth warps: a triangle filter along y, then along x, on a packed picture.

Between the two passes the three channels of a pixel are kept in one word, ten bits each, two of them below the whole
level, so that the second pass reads each pixel once.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from gapless.augment.image.cpu_gather import OPTIONS
from gapless.augment.image.cpu_memory import (
    bits,
    entry,
    join,
    level,
    put_entry,
    put_level,
    put_word,
    whole,
    wide_vectors,
    word,
    word_at,
)

_F = np.float32
TAPS = 4
"""Pixels that one sweep adds up; wider filters take more sweeps."""


@njit(**OPTIONS)
def taps(scale, shift, pixels, size, repeat, reflect, starts, weights):
    """Fills the filters along one side; returns how many taps each has, a multiple of TAPS.

    scale, shift: from output to input places in half sides. starts: (size,) the first pixel of each filter. weights:
    (taps, size) flat, tap by tap. A filter whose middle is outside the picture has only zeros, unless `repeat`.
    """
    reach = max(abs(scale) * pixels / size, 1.0)
    count = (int(np.ceil(2 * reach)) + TAPS - 1) // TAPS * TAPS
    for i in range(size):
        middle = (scale * ((2 * i + 1) / size - 1) + shift + 1) * pixels / 2 - 0.5
        if reflect:
            middle = (middle + 0.5) % (2 * pixels)
            middle = min(middle, 2 * pixels - middle) - 0.5
        if repeat:
            middle = min(max(middle, 0.0), pixels - 1.0)
        start = min(max(int(np.floor(middle - reach)) + 1, 0), pixels - 1)
        inside = -0.5 <= middle <= pixels - 0.5
        starts[i] = _F(start)
        total = 0.0
        for k in range(count):
            weight = max(0.0, 1 - abs(start + k - middle) / reach) if start + k < pixels and inside else 0.0
            weights[k * size + i] = _F(weight)
            total += weight
        for k in range(count):
            weights[k * size + i] = _F(weights[k * size + i] / max(total, 1e-9))
    return count


@njit(**OPTIONS)
def _down(packed, stride, height, first, last, start, weights, offset, size, count, acc, row):
    """One output row of the first pass: columns first to last of `count` rows, added up and put into ten bits each."""
    wide_vectors()
    n = last - first
    for sweep in range(0, count, TAPS):
        wa, wb = weights[sweep * size + offset], weights[(sweep + 1) * size + offset]
        wc, wd = weights[(sweep + 2) * size + offset], weights[(sweep + 3) * size + offset]
        a = (min(start + sweep, height - 1) + 1) * stride + 1 + first
        b = (min(start + sweep + 1, height - 1) + 1) * stride + 1 + first
        c = (min(start + sweep + 2, height - 1) + 1) * stride + 1 + first
        d = (min(start + sweep + 3, height - 1) + 1) * stride + 1 + first
        for x in range(n):
            pa, pb, pc, pd = word(packed, a + x), word(packed, b + x), word(packed, c + x), word(packed, d + x)
            red = bits(pa, 0, 255) * wa + bits(pb, 0, 255) * wb + bits(pc, 0, 255) * wc + bits(pd, 0, 255) * wd
            green = bits(pa, 8, 255) * wa + bits(pb, 8, 255) * wb + bits(pc, 8, 255) * wc + bits(pd, 8, 255) * wd
            blue = bits(pa, 16, 255) * wa + bits(pb, 16, 255) * wb + bits(pc, 16, 255) * wc + bits(pd, 16, 255) * wd
            put_entry(acc, x, red + (entry(acc, x) if sweep else _F(0)))
            put_entry(acc, n + x, green + (entry(acc, n + x) if sweep else _F(0)))
            put_entry(acc, 2 * n + x, blue + (entry(acc, 2 * n + x) if sweep else _F(0)))
    quarter = _F(4)
    for x in range(n):
        red, green, blue = entry(acc, x) * quarter, entry(acc, n + x) * quarter, entry(acc, 2 * n + x) * quarter
        put_word(row, x, join(join(whole(red), whole(green), 10), whole(blue), 20))


@njit(**OPTIONS)
def _across(row, first, starts, weights, size, count, out, red, green, blue):
    """The second pass for one output row."""
    wide_vectors()
    quarter, shift = _F(0.25), _F(first)
    for sweep in range(0, count, TAPS):
        base = sweep * size
        for x in range(size):
            at = entry(starts, x) - shift
            r, g, b = _F(0), _F(0), _F(0)
            for k in range(TAPS):
                weight = entry(weights, base + k * size + x) * quarter
                value = word_at(row, at, sweep + k)
                r += bits(value, 0, 1023) * weight
                g += bits(value, 10, 1023) * weight
                b += bits(value, 20, 1023) * weight
            put_level(red, out + x, r + (level(red, out + x) if sweep else _F(0)))
            put_level(green, out + x, g + (level(green, out + x) if sweep else _F(0)))
            put_level(blue, out + x, b + (level(blue, out + x) if sweep else _F(0)))


@njit(**OPTIONS)
def resample(packed, height, width, across, down, out_height, out_width, fill, acc, row, red, green, blue):
    """across, down: (starts, weights, count) from `taps`. fill: the level where a filter is not inside.

    acc: 3 width floats, row: width + count words, for the taking.
    """
    starts, weights, count = across
    rows, heights, depth = down
    first, last = width, 0
    for x in range(out_width):
        first = min(first, int(starts[x]))
        last = max(last, min(int(starts[x]) + count, width))
    for x in range(last - first, last - first + count):
        row[x] = 0
    for y in range(out_height):
        out = y * out_width
        _down(packed, width + 2, height, first, last, int(rows[y]), heights, y, out_height, depth, acc, row)
        _across(row, first, starts, weights, out_width, count, out, red, green, blue)
        if fill > 0:
            outside = _nothing(heights, y, out_height, depth)
            for x in range(out_width):
                if outside or _nothing(weights, x, out_width, count):
                    red[out + x] = green[out + x] = blue[out + x] = fill


@njit(**OPTIONS)
def _nothing(weights, place, size, count):
    """Whether a filter has only zeros."""
    total = _F(0)
    for k in range(count):
        total += weights[k * size + place]
    return total == 0
