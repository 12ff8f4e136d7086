"""From a program to the flat tables that the compiled loop reads."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gapless.augment.image import cpu_tables as codes
from gapless.augment.image.algebra import (
    BLUR_RADIUS,
    Blur,
    Box,
    Color,
    Element,
    Floats,
    Grid,
    Histogram,
    Hue,
    Jpeg,
    Kernel,
    Lut,
    Noise,
    Warp,
)
from gapless.augment.image.jpeg import steps as jpeg_steps
from gapless.augment.image.program import Program

Codes = int | NDArray[Any]
Tables = dict[str, NDArray[Any]]


def encode(program: Program) -> codes.Steps:
    """The steps of every picture, in order, with their tables."""
    code = np.zeros((program.batch, len(program.groups) + 1), np.int8)
    row = np.zeros((program.batch, len(program.groups) + 1), np.int32)
    depth = np.zeros(program.batch, np.intp)
    every = np.arange(program.batch)
    tables: dict[str, list[NDArray[Any]]] = {}
    sizes: dict[str, int] = {}
    height, width = (np.broadcast_to(side, program.batch) for side in (program.height, program.width))
    for group in program.groups:
        rows = every if group.rows is None else group.rows
        code_of, parts = _encoded(group.element, height[rows], width[rows])
        name = next(iter(parts))
        code[rows, depth[rows]] = code_of
        row[rows, depth[rows]] = sizes.get(name, 0) + every[: len(rows)]
        depth[rows] += 1
        sizes[name] = sizes.get(name, 0) + len(rows)
        for table, data in parts.items():
            tables.setdefault(table, []).append(data)
        if isinstance(group.element, Warp) and group.element.smooth:
            height, width = (np.broadcast_to(side, program.batch) for side in program.size)
    return codes.Steps(code, row, **{name: _joined(tables.get(name), *_TABLES[name]) for name in _TABLES})


_TABLES: dict[str, tuple[int, type[np.generic]]] = {
    "warp": (9, np.float32),
    "smooth": (4, np.float64),
    "color": (21, np.float32),
    "gray": (3, np.float32),
    "hue": (1, np.float32),
    "lut": (768, np.uint8),
    "kernel": (9, np.float32),
    "blur": (BLUR_RADIUS + 1, np.float32),
    "jpeg": (128, np.float32),
    "noise": (3, np.float64),
    "box": (5, np.float64),
    "grid": (6, np.float64),
}
"""How wide the tables are and of what type; the names are the fields of `Steps`."""


def _joined(parts: list[NDArray[Any]] | None, columns: int, dtype: type[np.generic]) -> NDArray[Any]:
    if parts is None:
        return np.zeros((1, columns), dtype)
    return np.concatenate([part.reshape(len(part), columns) for part in parts]).astype(dtype, copy=False)


def _encoded(element: Element, height: NDArray[Any], width: NDArray[Any]) -> tuple[Codes, Tables]:
    """The codes of an element's rows, and what goes into the tables."""
    match element:
        case Warp(data, smooth=True):
            return codes.RESAMPLE, {"smooth": data[:, [0, 0, 1, 1], [0, 2, 1, 2]]}
        case Warp(data):
            return _placed(data, height, width)
        case Color(data):
            toned = data[:, :, 3:6].any(axis=(1, 2))
            return np.where(toned, codes.TONED, codes.COLOR), {"color": data, "gray": element.gray()}
        case Hue(data):
            return codes.HUE, {"hue": data}
        case Lut(data):
            return codes.LUT, {"lut": data}
        case Histogram(data):
            # No table: the row is not read.
            return np.where(data[:, 0] == 1, codes.STRETCH, codes.EQUALIZE), {"hue": data}
        case Noise(data):
            return codes.NOISE, {"noise": data}
        case Kernel(data):
            return codes.KERNEL, {"kernel": data}
        case Blur(data):
            return codes.BLUR, {"blur": data}
        case Jpeg(data):
            return codes.JPEG, {"jpeg": np.concatenate([t.reshape(-1, 64) for t in jpeg_steps(data[:, 0])], axis=1)}
        case Box(data):
            return codes.BOX, {"box": data}
        case Grid(data):
            return codes.GRID, {"grid": data}
        case _:
            raise TypeError(f"no compiled code for {type(element).__name__}")


def _placed(sides: Floats, height: NDArray[Any], width: NDArray[Any]) -> tuple[Codes, Tables]:
    """A warp in pixels: from the number of an output pixel to a place between input pixels."""
    from_pixels, to_pixels = np.zeros((2, len(sides), 3, 3))
    for axis, side in enumerate((width, height)):
        from_pixels[:, axis, axis], from_pixels[:, axis, 2] = 2 / side, 1 / side - 1
        to_pixels[:, axis, axis], to_pixels[:, axis, 2] = side / 2, side / 2 - 0.5
    from_pixels[:, 2, 2] = to_pixels[:, 2, 2] = 1
    matrix = to_pixels @ sides @ from_pixels
    affine = (sides[:, 2] == Warp.identity[2]).all(axis=1)
    nearest = np.rint(matrix)
    whole = affine & (np.abs(matrix - nearest) < 1e-6).all(axis=(1, 2))
    matrix[whole] = nearest[whole]
    code = np.where(whole, codes.MOVE, np.where(affine, codes.WARP, codes.HOMOGRAPHY))
    return code, {"warp": matrix}
