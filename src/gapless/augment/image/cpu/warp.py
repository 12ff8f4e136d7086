"""Compiled code that moves pixels: packing a picture into words, and reading words from other places.

A packed picture has one 32-bit word for each pixel and a border of one pixel all around, which holds the fill, or the
nearest pixel where the fill is edge or reflect. Reading between the four nearest words is then all that a warp does;
places farther outside are moved onto the border. Levels run from 0 to 255.
"""

from __future__ import annotations

import numpy as np

from gapless.augment.image.cpu.tables import HOMOGRAPHY, Finish, Scratch
from gapless.native.intrinsics import (
    Floats32,
    Words,
    bits,
    byte,
    compiled,
    entry,
    fine,
    join,
    join_fine,
    level,
    pixel,
    prefetch,
    put_entry,
    put_fine,
    put_four,
    put_level,
    put_word,
    whole,
    wide_vectors,
    word,
    word_at,
)

_F = np.float32

STRIP = 2048
"""Pixels whose places are worked out at a time, at least one row."""

_WIDE = 64
"""From this width on, rows fill the vectors well enough to be done one by one; narrower pictures are done in one go."""


_AHEAD = 4
"""Rows of the source that are asked for in advance: gathers from memory that is not in a cache wait long."""


@compiled
def _ask_for(address: int, count: int) -> None:
    for offset in range(0, count + 64, 64):
        prefetch(address + offset)


@compiled
def pack_colour(address: int, pitch: int, channels: int, height: int, width: int, packed: Words) -> None:
    """Red, green and blue of 3 or 4 bytes a pixel into words; `pitch` is the number of bytes from row to row."""
    wide_vectors()
    for y in range(height):
        row, out = address + y * pitch, (y + 1) * (width + 2) + 1
        _ask_for(row + _AHEAD * pitch, width * channels)
        if channels == 4:
            for x in range(width):
                put_word(packed, out + x, pixel(row, x * 4))
            continue
        # Reading 16 bytes for four pixels must not reach past the row, which may be the picture's last.
        fours = max(width - 2, 0) // 4
        for four in range(fours):
            put_four(packed, out + 4 * four, row + 12 * four)
        for x in range(4 * fours, width):
            put_word(packed, out + x, join(join(byte(row, 3 * x), byte(row, 3 * x + 1), 8), byte(row, 3 * x + 2), 16))


@compiled
def pack_channel(address: int, pitch: int, channels: int, height: int, width: int, packed: Words) -> None:
    """One channel, whose first byte is at the address, into words."""
    wide_vectors()
    for y in range(height):
        row, out = address + y * pitch, (y + 1) * (width + 2) + 1
        _ask_for(row + _AHEAD * pitch, width * channels)
        if channels == 1:
            for x in range(width):
                put_word(packed, out + x, byte(row, x))
        else:
            for x in range(width):
                put_word(packed, out + x, byte(row, x * channels))


@compiled
def repack_colour(height: int, width: int, red: Floats32, green: Floats32, blue: Floats32, packed: Words) -> None:
    """Planes of levels into words, rounded."""
    wide_vectors()
    for y in range(height):
        row, out = y * width, (y + 1) * (width + 2) + 1
        for x in range(width):
            r, g, b = whole(level(red, row + x)), whole(level(green, row + x)), whole(level(blue, row + x))
            put_word(packed, out + x, join(join(r, g, 8), b, 16))


@compiled
def repack_channel(height: int, width: int, plane: Floats32, packed: Words) -> None:
    wide_vectors()
    for y in range(height):
        row, out = y * width, (y + 1) * (width + 2) + 1
        for x in range(width):
            put_word(packed, out + x, whole(level(plane, row + x)))


@compiled
def frame(height: int, width: int, packed: Words, repeat: bool, border: np.uint32) -> None:
    """Writes the border: the nearest pixel where `repeat`, else this word."""
    stride = width + 2
    for y in range(1, height + 1):
        packed[y * stride] = packed[y * stride + 1] if repeat else border
        packed[y * stride + width + 1] = packed[y * stride + width] if repeat else border
    for x in range(stride):
        packed[x] = packed[stride + x] if repeat else border
        packed[(height + 1) * stride + x] = packed[height * stride + x] if repeat else border


@compiled
def pack_squares(height: int, width: int, packed: Words, squares: Words) -> None:
    """For one channel: each word holds a pixel, its right neighbour, and the two below, so that one read gets all."""
    wide_vectors()
    stride = width + 2
    for i in range((height + 1) * stride - 1):
        upper = join(word(packed, i), word(packed, i + 1), 8)
        lower = join(word(packed, i + stride), word(packed, i + stride + 1), 8)
        put_word(squares, i, join(upper, lower, 16))


@compiled
def strip_rows(out_width: int) -> int:
    """Rows that are done at a time: few enough for their places to stay in the first cache."""
    return max(1, STRIP // out_width)


@compiled
def _places(
    height: int,
    width: int,
    repeat: bool,
    matrix: Floats32,
    start: int,
    pixels: int,
    out_width: int,
    xs: Floats32,
    ys: Floats32,
) -> None:
    """Where an affine warp reads for the pixels from row `start` on, on the packed picture; `matrix` (9,) in pixels."""
    wide_vectors()
    one, inverse, columns = _F(1), _F(1) / _F(out_width), _F(out_width)
    low, high_x, high_y = (one, _F(width), _F(height)) if repeat else (_F(0), _F(width + 1), _F(height + 1))
    ax, bx, cx = matrix[0], matrix[1], matrix[2] + matrix[1] * _F(start) + one
    ay, by, cy = matrix[3], matrix[4], matrix[5] + matrix[4] * _F(start) + one
    if out_width >= _WIDE:
        for row in range(pixels // out_width):
            at, from_x, from_y = row * out_width, bx * _F(row) + cx, by * _F(row) + cy
            for i in range(out_width):
                x = _F(np.int32(i))
                put_entry(xs, at + i, min(max(ax * x + from_x, low), high_x))
                put_entry(ys, at + i, min(max(ay * x + from_y, low), high_y))
        return
    for i in range(pixels):
        number = _F(np.int32(i))
        y = np.floor((number + _F(0.5)) * inverse)
        x = number - y * columns
        put_entry(xs, i, min(max(ax * x + bx * y + cx, low), high_x))
        put_entry(ys, i, min(max(ay * x + by * y + cy, low), high_y))


@compiled
def _reflected(place: np.float32, side: np.float32) -> np.float32:
    """A place in pixels from the middle of the first, mirrored at the picture's outer edges into the picture."""
    period = _F(2) * side
    place = place + _F(0.5)
    place = place - period * np.floor(place / period)
    return min(place, period - place) - _F(0.5)


@compiled
def _places_any(
    height: int,
    width: int,
    repeat: bool,
    reflect: bool,
    matrix: Floats32,
    start: int,
    pixels: int,
    out_width: int,
    xs: Floats32,
    ys: Floats32,
) -> None:
    """The same for a homography, and for reflected places."""
    wide_vectors()
    one, inverse, columns = _F(1), _F(1) / _F(out_width), _F(out_width)
    low, high_x, high_y = (one, _F(width), _F(height)) if repeat else (_F(0), _F(width + 1), _F(height + 1))
    for i in range(pixels):
        number = _F(np.int32(i))
        y = np.floor((number + _F(0.5)) * inverse)
        x = number - y * columns
        y += _F(start)
        scale = one / (matrix[6] * x + matrix[7] * y + matrix[8])
        px = (matrix[0] * x + matrix[1] * y + matrix[2]) * scale
        py = (matrix[3] * x + matrix[4] * y + matrix[5]) * scale
        px = _reflected(px, _F(width)) if reflect else px
        py = _reflected(py, _F(height)) if reflect else py
        put_entry(xs, i, min(max(px + one, low), high_x))
        put_entry(ys, i, min(max(py + one, low), high_y))


@compiled
def _round_places(pixels: int, xs: Floats32, ys: Floats32) -> None:
    """Moves places to the middle of the pixel they are in, so that interpolation reads that one only."""
    wide_vectors()
    for i in range(pixels):
        put_entry(xs, i, np.rint(entry(xs, i)))
        put_entry(ys, i, np.rint(entry(ys, i)))


@compiled
def locate(kind: int, matrix: Floats32, height: int, width: int, start: int, finish: Finish, scratch: Scratch) -> int:
    """Writes where the pixels of some rows from `start` on come from; returns how many pixels these are."""
    wide_vectors()
    pixels, xs, ys = min(strip_rows(width), height - start) * width, scratch.xs, scratch.ys
    if kind == HOMOGRAPHY or finish.reflect:
        _places_any(height, width, finish.repeat, finish.reflect, matrix, start, pixels, width, xs, ys)
    else:
        _places(height, width, finish.repeat, matrix, start, pixels, width, xs, ys)
    if finish.nearest:
        _round_places(pixels, xs, ys)
    return pixels


@compiled
def between_colour(
    packed: Words, height: int, width: int, xs: Floats32, ys: Floats32, pixels: int, words: Words, out: int
) -> tuple[np.float32, np.float32, np.float32]:
    """Interpolates, into fine words from number `out` on; returns the sums of red, green and blue.

    The four reads take most of the time; the sums cost nothing beside them.
    """
    wide_vectors()
    stride = width + 2
    last_x, last_y, row, one = _F(width), _F(height), _F(stride), _F(1)
    sum_r, sum_g, sum_b, high = _F(0), _F(0), _F(0), 0xFF0000
    for i in range(pixels):
        x, y = entry(xs, i), entry(ys, i)
        x0, y0 = min(np.floor(x), last_x), min(np.floor(y), last_y)
        wx, wy = x - x0, y - y0
        at = y0 * row + x0
        a, b = word_at(packed, at, 0), word_at(packed, at, 1)
        c, d = word_at(packed, at, stride), word_at(packed, at, stride + 1)
        wd = wx * wy
        wb, wc = wx - wd, wy - wd
        wa = one - wx - wc
        red = bits(a, 0, 255) * wa + bits(b, 0, 255) * wb + bits(c, 0, 255) * wc + bits(d, 0, 255) * wd
        # Without a shift: 256 and 65536 times the level.
        green = bits(a, 0, 65280) * wa + bits(b, 0, 65280) * wb + bits(c, 0, 65280) * wc + bits(d, 0, 65280) * wd
        blue = bits(a, 0, high) * wa + bits(b, 0, high) * wb + bits(c, 0, high) * wc + bits(d, 0, high) * wd
        green, blue = green * _F(1 / 256), blue * _F(1 / 65536)
        sum_r, sum_g, sum_b = sum_r + red, sum_g + green, sum_b + blue
        put_fine(words, out + i, join_fine(red, green, blue))
    return sum_r, sum_g, sum_b


@compiled
def spread(
    words: Words, start: int, pixels: int, color: Floats32, red: Floats32, green: Floats32, blue: Floats32
) -> None:
    """Fine words into planes by a colour matrix, cut to the levels and scaled.

    color: (3, 6) rows [matrix | shift | scale | offset], for levels from 0 to 255; scales are above 0. Scale and offset
    become part of the matrix and of the limits.
    """
    wide_vectors()
    fine_r, fine_g, fine_b = color[0, 4] * _F(0.25), color[1, 4] * _F(0.25), color[2, 4] * _F(0.25)
    rr, rg, rb = color[0, 0] * fine_r, color[0, 1] * fine_r, color[0, 2] * fine_r
    gr, gg, gb = color[1, 0] * fine_g, color[1, 1] * fine_g, color[1, 2] * fine_g
    br, bg, bb = color[2, 0] * fine_b, color[2, 1] * fine_b, color[2, 2] * fine_b
    low_r, low_g, low_b = color[0, 5], color[1, 5], color[2, 5]
    rt, gt, bt = color[0, 3] * color[0, 4] + low_r, color[1, 3] * color[1, 4] + low_g, color[2, 3] * color[2, 4] + low_b
    high_r, high_g = _F(255) * color[0, 4] + low_r, _F(255) * color[1, 4] + low_g
    high_b = _F(255) * color[2, 4] + low_b
    for i in range(start, start + pixels):
        value = fine(words, i)
        r, g, b = bits(value, 0, 1023), bits(value, 10, 1023), bits(value, 20, 1023)
        put_level(red, i, min(max(rr * r + rg * g + rb * b + rt, low_r), high_r))
        put_level(green, i, min(max(gr * r + gg * g + gb * b + gt, low_g), high_g))
        put_level(blue, i, min(max(br * r + bg * g + bb * b + bt, low_b), high_b))


@compiled
def spread_channel(words: Words, pixels: int, color: Floats32, plane: Floats32) -> None:
    """The lowest channel of fine words into a plane; color: (4,) factor, shift, scale, offset."""
    wide_vectors()
    top, zero, quarter = _F(255), _F(0), _F(0.25)
    factor, shift, scale, offset = color[0], color[1], color[2], color[3]
    for i in range(pixels):
        value = bits(fine(words, i), 0, 1023) * quarter
        put_level(plane, i, min(max(factor * value + shift, zero), top) * scale + offset)


@compiled
def sums(words: Words, pixels: int) -> tuple[np.float32, np.float32, np.float32]:
    """The sums of red, green and blue over fine words."""
    wide_vectors()
    red, green, blue, quarter = _F(0), _F(0), _F(0), _F(0.25)
    for i in range(pixels):
        value = fine(words, i)
        red += bits(value, 0, 1023) * quarter
        green += bits(value, 10, 1023) * quarter
        blue += bits(value, 20, 1023) * quarter
    return red, green, blue


@compiled
def between_channel(
    squares: Words,
    height: int,
    width: int,
    xs: Floats32,
    ys: Floats32,
    pixels: int,
    color: Floats32,
    out: int,
    plane: Floats32,
) -> None:
    """Interpolates one channel, cuts to the levels and scales; color: (4,) factor, shift, scale, offset."""
    wide_vectors()
    last_x, last_y, row, top, one, zero = _F(width), _F(height), _F(width + 2), _F(255), _F(1), _F(0)
    factor, shift, scale, offset = color[0], color[1], color[2], color[3]
    for i in range(pixels):
        x, y = entry(xs, i), entry(ys, i)
        x0, y0 = min(np.floor(x), last_x), min(np.floor(y), last_y)
        wx, wy = x - x0, y - y0
        four = word_at(squares, y0 * row + x0, 0)
        wd = wx * wy
        wb, wc = wx - wd, wy - wd
        wa = one - wx - wc
        value = bits(four, 0, 255) * wa + bits(four, 8, 255) * wb + bits(four, 16, 255) * wc + bits(four, 24, 255) * wd
        put_level(plane, out + i, min(max(factor * value + shift, zero), top) * scale + offset)


@compiled
def nearest_colour(
    packed: Words,
    width: int,
    xs: Floats32,
    ys: Floats32,
    pixels: int,
    color: Floats32,
    out: int,
    red: Floats32,
    green: Floats32,
    blue: Floats32,
) -> None:
    """Takes the nearest pixel, for moves by whole pixels; color as for `spread`."""
    wide_vectors()
    row, half, top, zero = _F(width + 2), _F(0.5), _F(255), _F(0)
    rr, rg, rb, rt, rs, ro = color[0, 0], color[0, 1], color[0, 2], color[0, 3], color[0, 4], color[0, 5]
    gr, gg, gb, gt, gs, go = color[1, 0], color[1, 1], color[1, 2], color[1, 3], color[1, 4], color[1, 5]
    br, bg, bb, bt, bs, bo = color[2, 0], color[2, 1], color[2, 2], color[2, 3], color[2, 4], color[2, 5]
    for i in range(pixels):
        x, y = np.floor(entry(xs, i) + half), np.floor(entry(ys, i) + half)
        value = word_at(packed, y * row + x, 0)
        r, g, h = bits(value, 0, 255), bits(value, 8, 255), bits(value, 16, 255)
        put_level(red, out + i, min(max(rr * r + rg * g + rb * h + rt, zero), top) * rs + ro)
        put_level(green, out + i, min(max(gr * r + gg * g + gb * h + gt, zero), top) * gs + go)
        put_level(blue, out + i, min(max(br * r + bg * g + bb * h + bt, zero), top) * bs + bo)


@compiled
def nearest_channel(
    packed: Words, width: int, xs: Floats32, ys: Floats32, pixels: int, color: Floats32, out: int, plane: Floats32
) -> None:
    wide_vectors()
    row, half, top, zero = _F(width + 2), _F(0.5), _F(255), _F(0)
    factor, shift, scale, offset = color[0], color[1], color[2], color[3]
    for i in range(pixels):
        x, y = np.floor(entry(xs, i) + half), np.floor(entry(ys, i) + half)
        value = bits(word_at(packed, y * row + x, 0), 0, 255)
        put_level(plane, out + i, min(max(factor * value + shift, zero), top) * scale + offset)
