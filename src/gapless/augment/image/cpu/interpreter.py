"""Runs a program on uint8 pictures in memory, on the CPU, compiled: one pass from the source bytes to the batch.

A warp, the colour matrix after it, normalising, uint8 to float32 and HWC to CHW are one loop over the pixels. Nothing
is allocated for a picture, and the global interpreter lock is not held, so threads share the work.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gapless.augment.image.algebra import Floats, Index, Jpeg
from gapless.augment.image.chains import RESAMPLE, UNREAD, Chains
from gapless.augment.image.cpu import batch, tables
from gapless.augment.image.cpu.scratch import Room
from gapless.augment.image.jpeg import steps as jpeg_steps
from gapless.augment.image.program import Fill, Program, Reading
from gapless.errors import DataError, UsageError

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Normal:
    """out = (level - mean) / deviation for each channel, levels from 0 to 1."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]


def _nothing() -> None:
    pass


def run(
    program: Program,
    pictures: Bytes | Sequence[Bytes],
    normal: Normal | None = None,
    out: Tensor | None = None,
    threads: int = 1,
) -> Tensor:
    """The augmented batch, (B, C, H', W') float32 with levels in [0, 1], or normalised.

    Args:
        program: for as many pictures of these sizes.
        pictures: uint8 (B, H, W, C), or B arrays (H, W, C) of any sizes; C = 1 is gray, 3 RGB, 4 RGBA, any other number
            is treated channel by channel as gray. Never changed.
        normal: what to subtract and divide by; None leaves levels in [0, 1].
        out: where to write, contiguous float32 of the result's shape; None makes a new tensor. Reusing one saves the
            time that a fresh block of memory costs.
        threads: over how many threads to share the pictures.
    """
    if len(pictures) != program.batch:
        raise DataError(f"the program is for {program.batch} pictures, got {len(pictures)}")
    first = pictures if isinstance(pictures, np.ndarray) or not len(pictures) else pictures[0]
    channels = first.shape[-1] if isinstance(first, np.ndarray) and first.ndim else 3
    return prepare(program, channels, normal).run(pictures, 0, out, threads)


def prepare(program: Program, channels: int, normal: Normal | None = None) -> Plan:
    """What of a program can be worked out before its pictures come: once for all batches that it was drawn for."""
    chains = program.chains
    if chains.tables.jpeg is not UNREAD[Jpeg]:
        chains = chains._replace(tables=chains.tables._replace(jpeg=_jpeg(chains.tables.jpeg)))
    scaling = None if normal is None else (tuple(normal.mean), tuple(normal.deviation))
    finish = _finish(program.fill, program.reading, scaling, channels)
    return Plan(program, channels, _room(program, channels), chains, finish)


@dataclass(frozen=True)
class Plan:
    """A program that is ready to be run, on all of its pictures or on one batch of them after the other."""

    program: Program
    channels: int
    room: Room
    chains: Chains
    finish: tables.Finish

    def run(
        self,
        pictures: Bytes | Sequence[Bytes],
        start: int = 0,
        out: Tensor | None = None,
        threads: int = 1,
        rows: Index | None = None,
        meanwhile: Callable[[], object] = _nothing,
    ) -> Tensor:
        """Runs the program's chains from number `start` on, one for each of the pictures; the rest as in `run`.

        Args:
            rows: (B,) which pictures of an array, read where they lie; None: all of them, in order.
            meanwhile: what this thread does first, beside the others, such as drawing the next program.
        """
        program, count = self.program, len(pictures) if rows is None else len(rows)
        stop = start + count
        if not 0 <= start <= stop <= program.batch:
            raise DataError(f"the program is for {program.batch} pictures, got number {start} to {stop}")
        sources, owners = _sources(pictures, self.channels, rows)
        _check_sizes(program, sources, pictures, start, stop)
        shape = (count, self.channels, *program.size)
        if out is None:
            out = torch.empty(shape)
        elif out.shape != shape or out.dtype != torch.float32 or not out.is_contiguous():
            raise UsageError(f"out must be contiguous float32 of shape {shape}, got {out.dtype} {tuple(out.shape)}")
        if threads < 1:
            raise UsageError(f"threads must be at least 1, got {threads}")
        planes = out.detach().numpy().reshape(count, self.channels, math.prod(program.size))
        work = batch.Work(sources, self.chains.part(start, stop), self.finish, self.room, program.size, planes, owners)
        batch.run(work, threads, meanwhile)
        return out


def _sources(pictures: Bytes | Sequence[Bytes], channels: int, rows: Index | None) -> tuple[tables.Pictures, object]:
    """Where the pictures are, and what keeps the memory there alive."""
    if isinstance(pictures, np.ndarray):
        _check_picture(pictures, 4, channels)
        if rows is not None:
            _check_rows(rows, len(pictures))
        if not _compact(pictures):
            pictures, rows = np.ascontiguousarray(pictures if rows is None else pictures[rows]), None
        batch, height, width, _ = pictures.shape
        distance, pitch, *_ = pictures.strides
        offsets, *layout = _even(batch if rows is None else len(rows), distance, pitch, height, width)
        if rows is not None:
            offsets = rows.astype(np.int64) * distance
        return tables.Pictures(pictures.ctypes.data + offsets, *layout), pictures
    if rows is not None:
        raise UsageError(f"rows are of one array of pictures, got a {type(pictures).__name__}; leave them out")
    for picture in pictures:
        _check_picture(picture, 3, channels)
    pictures = [picture if _compact(picture) else np.ascontiguousarray(picture) for picture in pictures]
    entries = [(p.ctypes.data, p.strides[0], p.shape[0], p.shape[1]) for p in pictures]
    return tables.Pictures(*np.array(entries, np.int64).reshape(-1, 4).T.copy()), pictures


def _check_rows(rows: Index, pictures: int) -> None:
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise UsageError(f"rows must be whole numbers (B,), got {rows.dtype} {rows.shape}")
    if len(rows) and (rows.min() < 0 or rows.max() >= pictures):
        raise UsageError(f"rows must be from 0 to {pictures - 1}, got {rows.min()} to {rows.max()}")


@lru_cache(maxsize=64)
def _even(batch: int, distance: int, pitch: int, height: int, width: int) -> tuple[NDArray[np.int64], ...]:
    """Offsets, pitches, heights and widths of pictures in one block; the same for each batch, and never written to."""
    return (np.arange(batch) * distance, *(np.full(batch, number) for number in (pitch, height, width)))


def _check_sizes(
    program: Program, sources: tables.Pictures, pictures: Bytes | Sequence[Bytes], start: int, stop: int
) -> None:
    wanted = program.height, program.width
    if isinstance(pictures, np.ndarray) and all(isinstance(side, int) for side in wanted):
        right = pictures.shape[1:3] == wanted
    else:
        sides = (side if isinstance(side, int) else side[start:stop] for side in wanted)
        found = sources.height, sources.width
        right = all(bool((one == other).all()) for one, other in zip(found, sides, strict=True))
    if not right:
        raise DataError("the program was made for pictures of other sizes")


def _check_picture(picture: Any, dimensions: int, channels: int) -> None:
    wanted = "(B, H, W, C)" if dimensions == 4 else "(H, W, C)"
    if not isinstance(picture, np.ndarray) or picture.dtype != np.uint8 or picture.ndim != dimensions:
        got = f"{picture.dtype} {picture.shape}" if isinstance(picture, np.ndarray) else type(picture).__name__
        raise DataError(f"pictures must be uint8 arrays of shape {wanted}, got {got}")
    if 0 in picture.shape[1:] or (dimensions == 3 and 0 in picture.shape):
        raise DataError(f"a picture must have at least one pixel and one channel, got shape {picture.shape}")
    if picture.shape[-1] != channels:
        raise DataError(f"all pictures must have {channels} channels, got shape {picture.shape}")


def _compact(picture: Bytes) -> bool:
    """Whether the bytes of a row of pixels are side by side."""
    return picture.strides[-1] == 1 and picture.strides[-2] == picture.shape[-1]


def _jpeg(quality: Floats) -> Floats:
    """The steps for luma and chroma in a row, for a quality in each row."""
    return np.concatenate([table.reshape(-1, 64) for table in jpeg_steps(quality[:, 0])], axis=1)


@lru_cache(maxsize=64)
def _finish(
    fill: Fill, reading: Reading, normal: tuple[tuple[float, ...], tuple[float, ...]] | None, channels: int
) -> tables.Finish:
    """The same for each program of a policy, and never written to. normal: means and deviations."""
    scale, offset = np.full(channels, 1 / 255), np.zeros(channels)
    if normal is not None:
        mean, deviation = normal
        if len(mean) != channels or len(deviation) != channels:
            raise UsageError(f"normal must have {channels} means and deviations, one for each channel")
        scale, offset = scale / deviation, -np.array(mean) / deviation
    return tables.Finish(
        scale.astype(np.float32),
        offset.astype(np.float32),
        fill in ("edge", "reflect"),
        fill == "reflect",
        128.0 if fill == "gray" else 0.0,
        reading == "nearest",
    )


def _room(program: Program, channels: int) -> Room:
    height, width = (
        side if isinstance(side, int) else int(side.max(initial=0)) for side in (program.height, program.width)
    )
    out_height, out_width = program.size
    shrink_x, shrink_y = _shrinking(program.chains)
    taps = _taps(shrink_x * width / out_width), _taps(shrink_y * height / out_height)
    either = max(height, out_height), max(width, out_width)
    return Room(either, program.size, channels, height * width if program.resizes else 0, taps)


def _shrinking(chains: Chains) -> tuple[float, float]:
    """The largest shares of width and height that smooth warps bring to the whole."""
    smooth = chains.code == RESAMPLE
    if not smooth.any():
        return 0.0, 0.0
    warps = np.abs(chains.tables.warp[chains.row[smooth]])
    return float(warps[:, 0].max(initial=0)), float(warps[:, 4].max(initial=0))


def _taps(shrink: float) -> int:
    return math.ceil(2 * max(shrink, 1)) + 1  # one more: compiled code may round in another order
