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
    put_fine,
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
    row: Words, shift: np.float32, starts: Floats32, weights: Floats32, size: int, words: Words, out: int
) -> None:
    """The second pass for one output row with filters of four taps, into fine words from number `out` on."""
    wide_vectors()
    quarter = _F(0.25)
    for x in range(size):
        at = entry(starts, x) - shift
        a, b, c, d = word_at(row, at, 0), word_at(row, at, 1), word_at(row, at, 2), word_at(row, at, 3)
        wa, wb = entry(weights, x) * quarter, entry(weights, size + x) * quarter
        wc, wd = entry(weights, 2 * size + x) * quarter, entry(weights, 3 * size + x) * quarter
        red = _four(a, b, c, d, wa, wb, wc, wd, 0, 1023)
        green = _four(a, b, c, d, wa, wb, wc, wd, 10, 1023)
        put_fine(words, out + x, join_fine(red, green, _four(a, b, c, d, wa, wb, wc, wd, 20, 1023)))


@compiled
def _across_many(
    row: Words,
    shift: np.float32,
    starts: Floats32,
    weights: Floats32,
    size: int,
    count: int,
    acc: Floats32,
    words: Words,
    out: int,
) -> None:
    """The same with filters of any number of taps; acc: 3 size floats."""
    wide_vectors()
    quarter = _F(0.25)
    for x in range(3 * size):
        put_level(acc, x, _F(0))
    for tap in range(count):
        base = tap * size
        for x in range(size):
            value = word_at(row, entry(starts, x) - shift, tap)
            weight = entry(weights, base + x) * quarter
            put_level(acc, x, level(acc, x) + weight * bits(value, 0, 1023))
            put_level(acc, size + x, level(acc, size + x) + weight * bits(value, 10, 1023))
            put_level(acc, 2 * size + x, level(acc, 2 * size + x) + weight * bits(value, 20, 1023))
    for x in range(size):
        put_fine(words, out + x, join_fine(level(acc, x), level(acc, size + x), level(acc, 2 * size + x)))


@compiled
def span(starts: Floats32, count: int, size: int, side: int) -> tuple[int, int]:
    """The first input pixel that filters read, and the one after the last."""
    first, last = side, 0
    for i in range(size):
        first = min(first, int(starts[i]))
        last = max(last, min(int(starts[i]) + count, side))
    return first, last


@compiled
def resample(
    packed: Words,
    left: int,
    top: int,
    columns: int,
    lines: int,
    across: Filters,
    down: Filters,
    out_height: int,
    out_width: int,
    fill: np.uint32,
    acc: Floats32,
    row: Words,
    words: Words,
) -> None:
    """Writes fine words. packed: the part of the picture that the filters read, from (left, top) on, with its border.

    across, down: (starts, weights, count) from `taps`. fill: the fine word where a filter is not inside. acc: three
    floats for each column, row: columns + count words, for the taking.
    """
    wide_vectors()
    starts, weights, count = across
    rows, heights, depth = down
    for x in range(columns, columns + count):
        row[x] = 0
    stride = columns + 2
    for y in range(out_height):
        out, start = y * out_width, int(rows[y]) - top
        _down(packed, stride, lines, columns, stride + 1, start, heights, y, out_height, depth, acc, row)
        if count == TAPS:
            _across(row, _F(left), starts, weights, out_width, words, out)
        else:
            _across_many(row, _F(left), starts, weights, out_width, count, acc, words, out)
        if fill > 0:
            outside = _nothing(heights, y, out_height, depth)
            for x in range(out_width):
                if outside or _nothing(weights, x, out_width, count):
                    words[out + x] = fill


@compiled
def _nothing(weights: Floats32, place: int, size: int, count: int) -> bool:
    """Whether a filter has only zeros."""
    total = _F(0)
    for k in range(count):
        total += weights[k * size + place]
    return total == 0
