"""The chain of steps of one picture, compiled: from the source bytes to the planes of the batch."""

from __future__ import annotations

import numpy as np

from gapless.augment.image.algebra import Floats
from gapless.augment.image.chains import (
    BLUR,
    BOX,
    COLOR,
    GRID,
    HISTOGRAM,
    HUE,
    JPEG,
    KERNEL,
    LUT,
    NOISE,
    RESAMPLE,
    WARP,
    Chains,
)
from gapless.augment.image.cpu import filters as neighbours
from gapless.augment.image.cpu import pointwise as levels
from gapless.augment.image.cpu import warp as gather
from gapless.augment.image.cpu.matrices import needs_mean, set_color, set_line, set_matrix
from gapless.augment.image.cpu.resample import resample, span, taps
from gapless.augment.image.cpu.resample_simd import COLUMNS, FULL_ACROSS, FULL_DOWN, address_of
from gapless.augment.image.cpu.tables import MOVE, Finish, Pictures, Scratch
from gapless.native.intrinsics import (
    Floats32,
    Words,
    compiled,
    wide_vectors,
)

_F = np.float32
_HERE = np.eye(3).reshape(9)


@compiled
def _pack(
    pictures: Pictures,
    b: int,
    channels: int,
    channel: int,
    height: int,
    width: int,
    planes: Floats32,
    loaded: bool,
    finish: Finish,
    packed: Words,
) -> None:
    """The colours (channel -1) or one channel of the picture as it is now, packed, with its border."""
    wide_vectors()
    border = np.uint32(0)
    fill = np.uint32(finish.fill)
    if channel < 0:
        border = fill | fill << np.uint32(8) | fill << np.uint32(16)
        if loaded:
            gather.repack_colour(height, width, planes[0], planes[1], planes[2], packed)
        else:
            gather.pack_colour(pictures.address[b], pictures.pitch[b], channels, height, width, packed)
    else:
        border = np.uint32(0) if channels == 4 else fill
        if loaded:
            gather.repack_channel(height, width, planes[channel], packed)
        else:
            gather.pack_channel(pictures.address[b] + channel, pictures.pitch[b], channels, height, width, packed)
    gather.frame(height, width, packed, finish.repeat, border)


@compiled
def _move_colour(
    kind: int,
    height: int,
    width: int,
    chains: Chains,
    colored: int,
    finish: Finish,
    last: bool,
    scratch: Scratch,
    planes: Floats32,
) -> None:
    """A warp or a move of what is packed into planes of the same size, and a colour row unless it is -1."""
    wide_vectors()
    red, green, blue, color, words = planes[0], planes[1], planes[2], scratch.color, scratch.squares
    toned = colored >= 0 and needs_mean(chains.tables.color[colored])
    if not toned:
        set_color(scratch, chains, colored, finish, last)
    sums, packed, xs, ys = scratch.means, scratch.packed, scratch.xs, scratch.ys
    sums[0] = sums[1] = sums[2] = 0
    for start in range(0, height, gather.strip_rows(width)):
        pixels, out = gather.locate(kind, scratch.matrix, height, width, start, finish, scratch), start * width
        if kind == MOVE and not toned:
            gather.nearest_colour(packed, width, xs, ys, pixels, color, out, red, green, blue)
            continue
        part = gather.between_colour(packed, height, width, xs, ys, pixels, words, out)
        if toned:
            sums[0], sums[1], sums[2] = sums[0] + part[0], sums[1] + part[1], sums[2] + part[2]
        else:
            gather.spread(words, out, pixels, color, red, green, blue)
    if toned:
        _spread(height * width, chains, colored, finish, last, scratch, planes)


@compiled
def _spread(
    pixels: int, chains: Chains, colored: int, finish: Finish, last: bool, scratch: Scratch, planes: Floats32
) -> None:
    """The fine words of a whole picture into planes, with a colour row unless it is -1.

    `means`: the sums, if the row needs them.
    """
    wide_vectors()
    for c in range(3):
        scratch.means[c] /= pixels
    set_color(scratch, chains, colored, finish, last)
    gather.spread(scratch.squares, 0, pixels, scratch.color, planes[0], planes[1], planes[2])


@compiled
def _move_channel(kind: int, height: int, width: int, finish: Finish, scratch: Scratch, plane: Floats32) -> None:
    """The same for one channel, with `scratch.line`."""
    wide_vectors()
    if kind != MOVE:
        gather.pack_squares(height, width, scratch.packed, scratch.squares)
    xs, ys, line = scratch.xs, scratch.ys, scratch.line
    for start in range(0, height, gather.strip_rows(width)):
        pixels, out = gather.locate(kind, scratch.matrix, height, width, start, finish, scratch), start * width
        if kind == MOVE:
            gather.nearest_channel(scratch.packed, width, xs, ys, pixels, line, out, plane)
        else:
            gather.between_channel(scratch.squares, height, width, xs, ys, pixels, line, out, plane)


@compiled
def _resize(
    pictures: Pictures,
    b: int,
    entries: Floats,
    channels: int,
    channel: int,
    height: int,
    width: int,
    planes: Floats32,
    loaded: bool,
    size: tuple[int, int],
    finish: Finish,
    scratch: Scratch,
) -> None:
    """A smooth warp of the picture as it is now into fine words, the channel being -1 for all colours."""
    wide_vectors()
    out_height, out_width = size
    across, down = (scratch.starts_x, scratch.weights_x), (scratch.starts_y, scratch.weights_y)
    repeat, reflect = finish.repeat, finish.reflect
    wide = taps(entries[0], entries[2], width, out_width, repeat, reflect, FULL_ACROSS, across[0], across[1])
    deep = taps(entries[4], entries[5], height, out_height, repeat, reflect, FULL_DOWN, down[0], down[1])
    left, right = span(across[0], wide, out_width)
    top, bottom = span(down[0], deep, out_height)
    pitch, used = pictures.pitch[b], channels
    address, columns = pictures.address[b] + top * pitch + left * channels, right - left
    if loaded or channel >= 0 or columns < COLUMNS:
        packed, pitch, used = scratch.packed, 4 * (columns + 2), 4
        if loaded:
            _pack(pictures, b, channels, channel, height, width, planes, loaded, finish, packed)
            left, top, columns, pitch = 0, 0, width, 4 * (width + 2)
        elif channel < 0:
            gather.pack_colour(address, pictures.pitch[b], channels, bottom - top, columns, packed)
        else:
            gather.pack_channel(address + channel, pictures.pitch[b], channels, bottom - top, columns, packed)
        address = address_of(packed, pitch // 4 + 1)
    level = np.uint32(0) if channels == 4 and channel == 3 else np.uint32(4 * finish.fill)
    fill = level | level << np.uint32(10) | level << np.uint32(20)
    filters = (across[0], across[1], wide), (down[0], down[1], deep)
    resample(address, pitch, used, left, top, columns, filters, size, fill, scratch.row, scratch.squares)


@compiled
def _levels(
    code: int,
    row: int,
    chains: Chains,
    pixels: int,
    planes: Floats32,
    finish: Finish,
    last: bool,
    colour: bool,
    scratch: Scratch,
) -> bool:
    """A step on the levels of one pixel, or on all of them; returns whether the scale is done with it."""
    wide_vectors()
    count, table = 3 if colour else len(planes), scratch.table
    if code == COLOR:
        mean = 0.0
        if needs_mean(chains.tables.color[row]):
            for c in range(count):
                scratch.means[c] = levels.mean(planes[c], pixels)
                mean += scratch.means[c] / count
        if colour:
            set_color(scratch, chains, row, finish, last)
            levels.recolour(planes[0], planes[1], planes[2], pixels, scratch.color)
        else:
            for c in range(count):
                set_line(scratch, chains, row, mean, finish, last, c)
                levels.relevel(planes[c], pixels, scratch.line)
        return last
    if code == HUE:
        if colour:
            levels.turn_hue(planes[0], planes[1], planes[2], pixels, _F(chains.tables.hue[row, 0]))
        return False
    for c in range(count):
        if code == LUT:
            for i in range(256):
                table[i] = chains.tables.lut[row, i]
            levels.look_up(planes[c], pixels, table)
        elif code == HISTOGRAM and chains.tables.histogram[row, 0] == 1:
            levels.stretch(planes[c], pixels)
        elif code == HISTOGRAM:
            levels.equalize(planes[c], pixels, table, scratch.counts)
        elif code == NOISE:
            deviation, share, key = chains.tables.noise[row]
            if deviation > 0:
                levels.add_normal(planes[c], pixels, _F(255 * deviation), np.uint64(key), c * pixels)
            if share > 0:
                levels.add_specks(planes[c], pixels, _F(share), np.uint64(key))
    return False


@compiled
def _planes(
    code: int, row: int, chains: Chains, height: int, width: int, planes: Floats32, colour: bool, scratch: Scratch
) -> None:
    """A step on neighbours or regions of every colour plane."""
    wide_vectors()
    if code == JPEG and colour:
        luma, chroma = chains.tables.jpeg[row, :64], chains.tables.jpeg[row, 64:]
        neighbours.jpeg_colour(
            planes[0], planes[1], planes[2], height, width, luma, chroma, scratch.work, scratch.blocks
        )
        return
    for c in range(3 if colour else len(planes)):
        if code == KERNEL:
            neighbours.filter3(planes[c], height, width, chains.tables.kernel[row], scratch.work)
        elif code == BLUR:
            neighbours.blur(planes[c], height, width, chains.tables.blur[row], scratch.work)
        elif code == JPEG:
            neighbours.quantize(planes[c], height, width, chains.tables.jpeg[row, :64], scratch.blocks)
        elif code == BOX:
            levels.paint_box(planes[c], height, width, chains.tables.box[row])
        elif code == GRID:
            levels.paint_grid(planes[c], height, width, chains.tables.grid[row])


@compiled
def _place(
    b: int,
    t: int,
    pictures: Pictures,
    chains: Chains,
    finish: Finish,
    scratch: Scratch,
    planes: Floats32,
    loaded: bool,
    height: int,
    width: int,
    out_height: int,
    out_width: int,
    result: Floats32,
) -> tuple[int, bool]:
    """The step at t, which places pixels, and the colour matrix after it if there is one; returns the next t and
    whether the scale is done. A step that does not place pixels has them read where they are."""
    wide_vectors()
    code, row = chains.code[b, t], chains.row[b, t]
    kind, following, colored, channels = MOVE, t, -1, len(result)
    if WARP <= code <= RESAMPLE:
        following += 1
        if code == WARP:
            kind = set_matrix(scratch.matrix, chains.tables.warp[row], height, width)
    else:
        set_matrix(scratch.matrix, _HERE, height, width)
    colour = channels in (3, 4)
    if chains.code[b, following] == COLOR:
        candidate = chains.row[b, following]
        if colour or not needs_mean(chains.tables.color[candidate]):
            colored = candidate
            following += 1
    last = chains.code[b, following] == 0
    for channel in range(-1 if colour else 0, channels):
        if colour and 0 <= channel < 3:
            continue
        if channel >= 0:
            alpha = channels == 4
            set_line(scratch, chains, -1 if alpha else colored, 0.0, finish, last, channel)
        if code == RESAMPLE:
            size, entries, pixels = (out_height, out_width), chains.tables.warp[row], out_height * out_width
            _resize(pictures, b, entries, channels, channel, height, width, planes, loaded, size, finish, scratch)
            if channel < 0:
                if colored >= 0 and needs_mean(chains.tables.color[colored]):
                    scratch.means[0], scratch.means[1], scratch.means[2] = gather.sums(scratch.squares, pixels)
                _spread(pixels, chains, colored, finish, last, scratch, result)
            else:
                gather.spread_channel(scratch.squares, pixels, scratch.line, result[channel])
            continue
        _pack(pictures, b, channels, channel, height, width, planes, loaded, finish, scratch.packed)
        if channel < 0:
            _move_colour(kind, height, width, chains, colored, finish, last, scratch, result)
        else:
            _move_channel(kind, height, width, finish, scratch, result[channel])
    return following, last


@compiled
def run_chain(
    b: int,
    pictures: Pictures,
    chains: Chains,
    finish: Finish,
    scratch: Scratch,
    out: Floats32,
    out_height: int,
    out_width: int,
) -> None:
    """The whole chain of one picture; out: its planes (C, out_height * out_width)."""
    wide_vectors()
    height, width = pictures.height[b], pictures.width[b]
    colour = len(out) in (3, 4)
    same = height == out_height and width == out_width
    planes = out if same else scratch.planes
    t, loaded, scaled = 0, False, False
    while not loaded or chains.code[b, t] != 0:
        code = int(chains.code[b, t])
        if not loaded or WARP <= code <= RESAMPLE:
            result = out if code == RESAMPLE else planes
            t, scaled = _place(
                b, t, pictures, chains, finish, scratch, planes, loaded, height, width, out_height, out_width, result
            )
            loaded = True
            if code == RESAMPLE:
                height, width, planes = out_height, out_width, out
            continue
        row = chains.row[b, t]
        if code <= NOISE:
            last = chains.code[b, t + 1] == 0 and len(out) != 4
            scaled = _levels(code, row, chains, height * width, planes, finish, last, colour, scratch)
        else:
            _planes(code, row, chains, height, width, planes, colour, scratch)
        t += 1
    if not scaled:
        for channel in range(len(out)):
            set_line(scratch, chains, -1, 0.0, finish, True, channel)
            levels.relevel(planes[channel], height * width, scratch.line)
