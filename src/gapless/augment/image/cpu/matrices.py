"""Compiled code that turns a step's numbers into the small matrices that the pixel loops take."""

from __future__ import annotations

import numpy as np

from gapless.augment.image.algebra import LUMA, Floats
from gapless.augment.image.chains import Chains
from gapless.augment.image.cpu.tables import AFFINE, HOMOGRAPHY, MOVE, Finish, Scratch
from gapless.native.intrinsics import Floats32, compiled

_F = np.float32
_LUMA = tuple(LUMA.tolist())


@compiled
def set_matrix(matrix: Floats32, entries: Floats, height: int, width: int) -> int:
    """From places in half sides to numbers of pixels: writes the (9,) matrix, returns what kind of warp it is."""
    kind = MOVE
    if entries[6] != 0 or entries[7] != 0 or entries[8] != 1:
        kind = HOMOGRAPHY
    for i in range(3):
        side = width if i == 0 else height
        for j in range(3):
            value = _in_output_pixels(entries, i, j, height, width)
            if i < 2:
                value = value * side / 2 + _in_output_pixels(entries, 2, j, height, width) * (side / 2 - 0.5)
            if kind == MOVE and abs(value - np.rint(value)) > 1e-6:
                kind = AFFINE
            matrix[3 * i + j] = _F(value)
    if kind == MOVE:
        for i in range(9):
            matrix[i] = np.rint(matrix[i])
    return kind


@compiled
def _in_output_pixels(entries: Floats, i: int, j: int, height: int, width: int) -> float:
    """Row i of the matrix for places given as pixel numbers: its factors of x (0) and of y (1), and its shift (2)."""
    if j == 0:
        return entries[3 * i] * 2 / width
    if j == 1:
        return entries[3 * i + 1] * 2 / height
    return entries[3 * i] * (1 / width - 1) + entries[3 * i + 1] * (1 / height - 1) + entries[3 * i + 2]


@compiled
def needs_mean(entries: Floats) -> bool:
    for c in range(3):
        for other in range(3, 6):
            if entries[7 * c + other] != 0:
                return True
    return False


@compiled
def set_color(scratch: Scratch, chains: Chains, row: int, finish: Finish, last: bool) -> None:
    """Writes to `scratch.color` what `between_colour` takes: a row of the colour table with the means in
    `scratch.means`, or the identity if the row is -1, and the scale if the result is written with it."""
    out, entries, means = scratch.color, chains.tables.color[max(row, 0)], scratch.means
    for c in range(3):
        for other in range(3):
            out[c, other] = entries[7 * c + other] if row >= 0 else other == c
        shift = entries[7 * c + 6] * 255
        for other in range(3):
            factor = entries[7 * c + 3 + other]
            shift += factor * means[other] if factor != 0 else 0
        out[c, 3] = shift if row >= 0 else 0
        out[c, 4] = finish.scale[c] if last else 1
        out[c, 5] = finish.offset[c] if last else 0


@compiled
def set_line(scratch: Scratch, chains: Chains, row: int, mean: float, finish: Finish, last: bool, channel: int) -> None:
    """The same for one channel, which stands for red = green = blue, to `scratch.line`; the mean is that of all."""
    factor, shift = 1.0, 0.0
    if row >= 0:
        factor, entries = 0.0, chains.tables.color[row]
        for c in range(3):
            part = entries[7 * c : 7 * c + 7]
            factor += _LUMA[c] * (part[0] + part[1] + part[2])
            shift += _LUMA[c] * ((part[3] + part[4] + part[5]) * mean + part[6] * 255)
    scratch.line[0], scratch.line[1] = factor, shift
    scratch.line[2] = finish.scale[channel] if last else 1
    scratch.line[3] = finish.offset[channel] if last else 0
