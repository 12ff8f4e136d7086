"""Which rows of its pictures a program reads: a decoder can stop after the last of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gapless.augment.image.algebra import Floats
from gapless.augment.image.chains import RESAMPLE
from gapless.augment.image.program import Fill, Program

Rows = NDArray[np.int64]


def rows_read(program: Program) -> Rows:
    """How many rows from the top of each picture matter, (B,), at least one: levels below change nothing.

    All of them, unless the first thing that happens to a picture is a smooth warp.
    """
    chains, heights = program.chains, np.full(program.batch, program.height, np.int64)
    first = np.flatnonzero(chains.code[:, 0] == RESAMPLE)
    matrices = chains.tables.warp[chains.row[first, 0]]
    heights[first] = reached(matrices[:, 4], matrices[:, 5], heights[first], program.size[0], program.fill)
    return heights


def reached(scale: Floats, shift: Floats, heights: Rows, size: int, fill: Fill) -> Rows:
    """How many rows from the top the filters of smooth warps reach, (B,), with one to spare for rounding.

    Of n = size filters, number i has its middle at (scale ((2 i + 1) / n - 1) + shift + 1) H / 2 - 1/2 and reaches
    max(|scale| H / n, 1) rows to both sides. scale, shift: from output to input places in half sides.
    """
    half = np.abs(scale) * (1 - 1 / size)
    upper, lower = ((shift + sign * half + 1) * heights / 2 - 0.5 for sign in (-1, 1))
    reach = np.maximum(np.abs(scale) * heights / size, 1)
    rows = np.ceil(np.clip(lower, 0, heights) + reach).astype(np.int64) + 1
    if fill == "reflect":  # what lies outside mirrors rows from anywhere
        rows = np.where((upper < 0) | (lower > heights - 1), heights, rows)
    return np.minimum(rows, heights)
