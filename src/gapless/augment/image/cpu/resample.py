"""Compiled code for smooth warps: a triangle filter along y, then along x.

Four output rows at a time go through both passes, so that what the first one writes is still in the first cache when
the second one reads it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gapless.augment.image.cpu.resample_simd import COLUMNS, LINES, across, down_four, down_three, down_three_last
from gapless.native.intrinsics import Words, compiled, prefetch, wide_vectors

Starts = NDArray[np.int64]
Filters = tuple[Starts, Words, int]
"""Where each filter along a side starts, its weights, and how many taps each has."""

_PART = 64
"""Columns after which more is asked for."""

_MOST = 96
"""Sums in 16 bits have room for this much twice, and for the half of a fine word, above the whitest pixel."""


@compiled
def taps(
    scale: float,
    shift: float,
    pixels: int,
    size: int,
    repeat: bool,
    reflect: bool,
    full: int,
    starts: Starts,
    weights: Words,
) -> int:
    """Fills the filters along one side; returns how many taps each has, all of them inside the picture.

    scale, shift: from output to input places in half sides. full: the sum of a filter's weights. starts: (size,) the
    first pixel of each filter. weights: (size, taps) flat, each number twice in a word. Both have at least LINES
    filters. A filter whose middle is outside the picture has only zeros, unless `repeat`.
    """
    reach = max(abs(scale) * pixels / size, 1.0)
    count = min(int(np.ceil(2 * reach)), pixels)
    slope, step, first = 1 / reach, scale * pixels / size, (scale * (1 / size - 1) + shift + 1) * pixels / 2 - 0.5
    for i in range(max(size, LINES)):
        middle = step * min(i, size - 1) + first
        if reflect:
            middle = (middle + 0.5) % (2 * pixels)
            middle = min(middle, 2 * pixels - middle) - 0.5
        if repeat:
            middle = min(max(middle, 0.0), pixels - 1.0)
        start = min(max(np.floor(middle - reach) + 1, 0.0), float(pixels - count))
        starts[i] = int(start)
        total, off = 0.0, start - middle
        for k in range(count):
            total += max(0.0, 1 - abs(off + k) * slope)
        factor = full / total if -0.5 <= middle <= pixels - 0.5 else 0.0
        # The sum is what is rounded, so that the weights have the right one.
        so_far, before = 0.5, 0
        for k in range(count):
            so_far += max(0.0, 1 - abs(off + k) * slope) * factor
            weights[i * count + k] = (int(so_far) - before) * 65537
            before = int(so_far)
    return count


@compiled
def span(starts: Starts, count: int, size: int) -> tuple[int, int]:
    """The first input pixel that filters read, and the one after the last."""
    first, last = starts[0], starts[0]
    for i in range(size):
        first, last = min(first, starts[i]), max(last, starts[i])
    return first, last + count


@compiled
def _down(
    address: int,
    pitch: int,
    used: int,
    columns: int,
    top: int,
    down: Filters,
    y: int,
    coming: tuple[int, int],
    row: Words,
) -> None:
    """The first pass for the LINES output rows from y on: what they have in each of the columns.

    coming: input rows that are asked for meanwhile, a few at a time: more would have to wait for each other.
    """
    wide_vectors()
    starts, weights, count = down
    a, b = address + (starts[y] - top) * pitch, address + (starts[y + 1] - top) * pitch
    c, d = address + (starts[y + 2] - top) * pitch, address + (starts[y + 3] - top) * pitch
    index, half, last = y * count, min(count // 2, _MOST), max(columns - COLUMNS, 0)
    # Reading 32 bytes for eight pixels must not reach past the row, which may be the picture's last.
    quick = columns if used == 4 else max(columns - 3, 0) // COLUMNS * COLUMNS
    for part in range(0, columns, _PART):
        stop = min(part + _PART, columns)
        for line in range(coming[0], coming[1]):
            for at in range(part * used, stop * used, 64):
                prefetch(address + (line - top) * pitch + at)
        if used == 4:
            for x in range(part, stop, COLUMNS):
                x, at = min(x, last), 4 * min(x, last)
                down_four(a + at, b + at, c + at, d + at, pitch, weights, index, count, half, row, 2 * LINES * x)
        else:
            for x in range(part, min(stop, quick), COLUMNS):
                at = 3 * x
                down_three(a + at, b + at, c + at, d + at, pitch, weights, index, count, half, row, 2 * LINES * x)
    for x in range(quick, columns, COLUMNS):
        x, at = min(x, last), 3 * min(x, last)
        down_three_last(a + at, b + at, c + at, d + at, pitch, weights, index, count, half, row, 2 * LINES * x)


@compiled
def _coming(starts: Starts, count: int, y: int, height: int) -> tuple[int, int]:
    """From which input row to before which the LINES output rows after those from y on are the first to read."""
    if y + 2 * LINES > height:
        return 0, 0
    low, high = span(starts[y + LINES : y + 2 * LINES], count, LINES)
    had_low, had_high = span(starts[y : y + LINES], count, LINES)
    return (max(low, had_high), high) if high > had_high else (low, min(high, had_low))


@compiled
def resample(
    address: int,
    pitch: int,
    used: int,
    left: int,
    top: int,
    columns: int,
    filters: tuple[Filters, Filters],
    size: tuple[int, int],
    fill: np.uint32,
    row: Words,
    words: Words,
) -> None:
    """Writes fine words, with room for at least LINES rows of LINES columns.

    address, pitch, used: where (left, top) of the picture is, from which on there are `columns` that filters read, and
    how many bytes there are from row to row and for a pixel, 3 or 4; at least COLUMNS pixels a row can be read.
    filters: across and down, from `taps`. fill: the fine word where a filter is not inside. row: 8 words for each
    column, for the taking.
    """
    wide_vectors()
    (starts, weights, count), down = filters
    height, width = size
    half = min(count // 2, _MOST) + 32
    for y in range(0, height, LINES):
        y = min(y, max(height - LINES, 0))
        _down(address, pitch, used, columns, top, down, y, _coming(down[0], down[2], y, height), row)
        for x in range(0, width, LINES):
            # Where a row is shorter than LINES, what is too much is written over by the next.
            across(row, starts, left, weights, min(x, max(width - LINES, 0)), count, half, words, y * width, width)
    if fill > 0:
        for y in range(height):
            outside = _nothing(down[1], y, down[2])
            for x in range(width):
                if outside or _nothing(weights, x, count):
                    words[y * width + x] = fill


@compiled
def _nothing(weights: Words, place: int, count: int) -> bool:
    """Whether a filter has only zeros."""
    total = 0
    for k in range(count):
        total += weights[place * count + k]
    return total == 0
