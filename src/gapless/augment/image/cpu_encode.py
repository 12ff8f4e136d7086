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

_TABLES: dict[str, tuple[int, type[np.generic]]] = {
    "warp": (9, np.float64),
    "color": (21, np.float64),
    "hue": (1, np.float32),
    "lut": (768, np.uint8),
    "histogram": (1, np.float32),
    "kernel": (9, np.float32),
    "blur": (BLUR_RADIUS + 1, np.float32),
    "jpeg": (128, np.float32),
    "noise": (3, np.float64),
    "box": (5, np.float64),
    "grid": (6, np.float64),
}
"""How wide the tables are and of what type; the names are the fields of `Steps`."""

_EMPTY: dict[str, NDArray[Any]] = {name: np.zeros((1, columns), dtype) for name, (columns, dtype) in _TABLES.items()}


def encode(program: Program) -> codes.Steps:
    """The steps of every picture, in order, with their tables."""
    places = len(program.groups) + 1
    code = np.zeros((program.batch, places), np.int8)
    row = np.zeros((program.batch, places), np.int32)
    every = np.arange(program.batch)
    depth = np.zeros(program.batch, np.intp)
    parts: dict[str, list[NDArray[Any]]] = {}
    sizes = dict.fromkeys(_TABLES, 0)
    for group in program.groups:
        number, name, data = _encoded(group.element)
        rows = every if group.rows is None else group.rows
        code[rows, depth[rows]] = number
        row[rows, depth[rows]] = sizes[name] + every[: len(rows)]
        depth[rows] += 1
        sizes[name] += len(rows)
        parts.setdefault(name, []).append(data)
    tables = {name: _joined(name, parts[name]) if name in parts else _EMPTY[name] for name in _TABLES}
    return codes.Steps(code, row, **tables)


def _joined(name: str, parts: list[NDArray[Any]]) -> NDArray[Any]:
    columns, dtype = _TABLES[name]
    flat = [part.reshape(len(part), columns) for part in parts]
    joined = flat[0] if len(flat) == 1 else np.concatenate(flat)
    return np.ascontiguousarray(joined, dtype)


def _encoded(element: Element) -> tuple[int, str, NDArray[Any]]:
    """The code of an element, its table, and what goes into it."""
    data = element.data
    match element:
        case Warp(smooth=smooth):
            return (codes.RESAMPLE if smooth else codes.WARP), "warp", data
        case Color():
            return codes.COLOR, "color", data
        case Hue():
            return codes.HUE, "hue", data
        case Lut():
            return codes.LUT, "lut", data
        case Histogram():
            return codes.HISTOGRAM, "histogram", data
        case Noise():
            return codes.NOISE, "noise", data
        case Kernel():
            return codes.KERNEL, "kernel", data
        case Blur():
            return codes.BLUR, "blur", data
        case Jpeg():
            return codes.JPEG, "jpeg", np.concatenate([t.reshape(-1, 64) for t in jpeg_steps(data[:, 0])], axis=1)
        case Box():
            return codes.BOX, "box", data
        case Grid():
            return codes.GRID, "grid", data
        case _:
            raise TypeError(f"no compiled code for {type(element).__name__}")
