"""Compiled code for smooth warps: a triangle filter along y, then along x, on a packed picture.

Between the two passes the three channels of a pixel are kept in one fine word, so that the second pass reads each pixel
once.
"""

from __future__ import annotations

import numpy as np

from gapless.augment.image.cpu_memory import (
    Floats32,
    Words,
    bits,
    compiled,
    entry,
    join_fine,
    level,
    put_entry,
    put_level,
    put_word,
    wide_vectors,
    word,
    word_at,
)

_F = np.float32
Filters = tuple[Floats32, Floats32, int]
"""Where each filter along a side starts, its weights, and how many taps each has."""

TAPS = 4
"""Pixels that one sweep adds up; wider filters take more sweeps."""


@compiled
def taps(
    scale: float, shift: float, pixels: int, size: int, repeat: bool, reflect: bool, starts: Floats32, weights: Floats32
) -> int:
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


@compiled
def _four(
    a: int,
    b: int,
    c: int,
    d: int,
    wa: np.float32,
    wb: np.float32,
    wc: np.float32,
    wd: np.float32,
    shift: int,
    mask: int,
) -> np.float32:
    """The weighted sum of one channel of four words."""
    return bits(a, shift, mask) * wa + bits(b, shift, mask) * wb + bits(c, shift, mask) * wc + bits(d, shift, mask) * wd


@compiled
def _down(
    packed: Words,
    stride: int,
    height: int,
    columns: int,
    at: int,
    start: int,
    weights: Floats32,
    place: int,
    size: int,
    count: int,
    acc: Floats32,
    row: Words,
) -> None:
    """One output row of the first pass: `columns` words from place `at` of the packed rows on, into `row`."""
    wide_vectors()
    for sweep in range(0, count, TAPS):
        wa, wb = weights[sweep * size + place], weights[(sweep + 1) * size + place]
        wc, wd = weights[(sweep + 2) * size + place], weights[(sweep + 3) * size + place]
        a = at + min(start + sweep, height - 1) * stride
        b = at + min(start + sweep + 1, height - 1) * stride
        c = at + min(start + sweep + 2, height - 1) * stride
        d = at + min(start + sweep + 3, height - 1) * stride
        if count == TAPS:
            for x in range(columns):
                pa, pb, pc, pd = word(packed, a + x), word(packed, b + x), word(packed, c + x), word(packed, d + x)
                red = _four(pa, pb, pc, pd, wa, wb, wc, wd, 0, 255)
                green = _four(pa, pb, pc, pd, wa, wb, wc, wd, 8, 255)
                blue = _four(pa, pb, pc, pd, wa, wb, wc, wd, 16, 255)
                put_word(row, x, join_fine(red, green, blue))
            return
        if sweep == 0:
            for x in range(3 * columns):
                put_entry(acc, x, _F(0))
        for x in range(columns):
            pa, pb, pc, pd = word(packed, a + x), word(packed, b + x), word(packed, c + x), word(packed, d + x)
            red = _four(pa, pb, pc, pd, wa, wb, wc, wd, 0, 255)
            green = _four(pa, pb, pc, pd, wa, wb, wc, wd, 8, 255)
            blue = _four(pa, pb, pc, pd, wa, wb, wc, wd, 16, 255)
            put_entry(acc, x, entry(acc, x) + red)
            put_entry(acc, columns + x, entry(acc, columns + x) + green)
            put_entry(acc, 2 * columns + x, entry(acc, 2 * columns + x) + blue)
    for x in range(columns):
        put_word(row, x, join_fine(entry(acc, x), entry(acc, columns + x), entry(acc, 2 * columns + x)))


@compiled
def _across(
    row: Words,
    first: int,
    starts: Floats32,
    weights: Floats32,
    size: int,
    count: int,
    out: int,
    red: Floats32,
    green: Floats32,
    blue: Floats32,
) -> None:
    """The second pass for one output row: sets the levels with the first four taps, adds those with the others."""
    wide_vectors()
    quarter, shift = _F(0.25), _F(first)
    for x in range(size):
        at = entry(starts, x) - shift
        a, b, c, d = word_at(row, at, 0), word_at(row, at, 1), word_at(row, at, 2), word_at(row, at, 3)
        wa, wb = entry(weights, x) * quarter, entry(weights, size + x) * quarter
        wc, wd = entry(weights, 2 * size + x) * quarter, entry(weights, 3 * size + x) * quarter
        put_level(red, out + x, _four(a, b, c, d, wa, wb, wc, wd, 0, 1023))
        put_level(green, out + x, _four(a, b, c, d, wa, wb, wc, wd, 10, 1023))
        put_level(blue, out + x, _four(a, b, c, d, wa, wb, wc, wd, 20, 1023))
    for tap in range(TAPS, count):
        base = tap * size
        for x in range(size):
            value = word_at(row, entry(starts, x) - shift, tap)
            weight = entry(weights, base + x) * quarter
            put_level(red, out + x, level(red, out + x) + weight * bits(value, 0, 1023))
            put_level(green, out + x, level(green, out + x) + weight * bits(value, 10, 1023))
            put_level(blue, out + x, level(blue, out + x) + weight * bits(value, 20, 1023))


@compiled
def resample(
    packed: Words,
    height: int,
    width: int,
    across: Filters,
    down: Filters,
    out_height: int,
    out_width: int,
    fill: np.float32,
    acc: Floats32,
    row: Words,
    red: Floats32,
    green: Floats32,
    blue: Floats32,
) -> None:
    """across, down: (starts, weights, count) from `taps`. fill: the level where a filter is not inside.

    acc: 3 width floats, row: width + count words, for the taking.
    """
    wide_vectors()
    starts, weights, count = across
    rows, heights, depth = down
    first, last = width, 0
    for x in range(out_width):
        first = min(first, int(starts[x]))
        last = max(last, min(int(starts[x]) + count, width))
    for x in range(last - first, last - first + count):
        row[x] = 0
    stride = width + 2
    at = stride + 1 + first
    for y in range(out_height):
        out = y * out_width
        _down(packed, stride, height, last - first, at, int(rows[y]), heights, y, out_height, depth, acc, row)
        _across(row, first, starts, weights, out_width, count, out, red, green, blue)
        if fill > 0:
            outside = _nothing(heights, y, out_height, depth)
            for x in range(out_width):
                if outside or _nothing(weights, x, out_width, count):
                    red[out + x] = green[out + x] = blue[out + x] = fill


@compiled
def _nothing(weights: Floats32, place: int, size: int, count: int) -> bool:
    """Whether a filter has only zeros."""
    total = _F(0)
    for k in range(count):
        total += weights[k * size + place]
    return total == 0
