"""Runs a program on uint8 pictures in memory, on the CPU, compiled: one pass from the source bytes to the batch.

A warp, the colour matrix after it, normalising, uint8 to float32 and HWC to CHW are one loop over the pixels. Nothing
is allocated for a picture, and the global interpreter lock is not held, so threads share the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from threading import local
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gapless.augment.image import cpu_chain as chain
from gapless.augment.image import cpu_tables as tables
from gapless.augment.image.algebra import BLUR_RADIUS
from gapless.augment.image.chains import RESAMPLE, Chains
from gapless.augment.image.cpu_gather import STRIP
from gapless.augment.image.cpu_resample import TAPS
from gapless.augment.image.jpeg import steps as jpeg_steps
from gapless.augment.image.program import Program
from gapless.errors import DataError, UsageError

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Normal:
    """out = (level - mean) / deviation for each channel, levels from 0 to 1."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]


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
    return Plan(program, channels, _steps(program.chains), _finish(program, normal, channels), _room(program, channels))


@dataclass(frozen=True)
class Plan:
    """A program that is ready to be run, on all of its pictures or on one batch of them after the other."""

    program: Program
    channels: int
    steps: tables.Steps
    finish: tables.Finish
    room: _Room

    def run(
        self, pictures: Bytes | Sequence[Bytes], start: int = 0, out: Tensor | None = None, threads: int = 1
    ) -> Tensor:
        """Runs the program's rows from `start` on, one for each of the pictures; the rest as in `run`."""
        program, stop = self.program, start + len(pictures)
        if not 0 <= start <= stop <= program.batch:
            raise DataError(f"the program is for {program.batch} pictures, got number {start} to {stop}")
        sources, owners = _sources(pictures, self.channels)
        _check_sizes(program, sources, pictures, start, stop)
        shape = (len(pictures), self.channels, *program.size)
        if out is None:
            out = torch.empty(shape)
        elif out.shape != shape or out.dtype != torch.float32 or not out.is_contiguous():
            raise UsageError(f"out must be contiguous float32 of shape {shape}, got {out.dtype} {tuple(out.shape)}")
        if threads < 1:
            raise UsageError(f"threads must be at least 1, got {threads}")
        if not len(pictures):
            return out
        steps = self.steps._replace(code=self.steps.code[start:stop], row=self.steps.row[start:stop])
        levels, turn = out.view(*shape[:2], -1).numpy(), np.zeros(1, np.int64)
        # Small portions, so that threads finish together however long a picture takes and whenever they wake up.
        portion = max(1, len(pictures) // (8 * threads)) if threads > 1 else len(pictures)

        def work() -> None:
            chain.run_chains(turn, portion, sources, steps, self.finish, _scratch(self.room), levels, *program.size)

        helpers = [_pool(threads - 1).submit(work) for _ in range(threads - 1)]
        work()
        for helper in helpers:
            if not helper.cancel():
                helper.result()
        del owners  # the memory behind the addresses was needed until here
        return out


@lru_cache(maxsize=4)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "gapless-pictures")


def _sources(pictures: Bytes | Sequence[Bytes], channels: int) -> tuple[tables.Pictures, object]:
    """Where the pictures are, and what keeps the memory there alive."""
    if isinstance(pictures, np.ndarray):
        _check_picture(pictures, 4, channels)
        pictures = _compact(pictures)
        batch, height, width, _ = pictures.shape
        offsets, *layout = _even(batch, pictures.strides[0], pictures.strides[1], height, width)
        return tables.Pictures(pictures.ctypes.data + offsets, *layout), pictures
    for picture in pictures:
        _check_picture(picture, 3, channels)
    pictures = [_compact(picture) for picture in pictures]
    entries = [(p.ctypes.data, p.strides[0], p.shape[0], p.shape[1]) for p in pictures]
    return tables.Pictures(*np.array(entries, np.int64).reshape(-1, 4).T.copy()), pictures


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


def _compact(picture: Bytes) -> Bytes:
    """The picture with the bytes of a row side by side; a copy only where they are not."""
    channels = picture.shape[-1]
    if picture.strides[-1] == 1 and picture.strides[-2] == channels:
        return picture
    return np.ascontiguousarray(picture)


def _steps(chains: Chains) -> tables.Steps:
    """The chains, with the tables in the types that the pixel loops take."""
    given = chains.tables
    hue, histogram, kernel, blur = (
        table.astype(np.float32) for table in (given.hue, given.histogram, given.kernel, given.blur)
    )
    jpeg = np.concatenate([t.reshape(-1, 64) for t in jpeg_steps(given.jpeg[:, 0])], axis=1).astype(np.float32)
    return tables.Steps(
        code=chains.code,
        row=chains.row,
        warp=given.warp,
        color=given.color,
        hue=hue,
        lut=given.lut,
        histogram=histogram,
        kernel=kernel,
        blur=blur,
        jpeg=jpeg,
        noise=given.noise,
        box=given.box,
        grid=given.grid,
    )


def _finish(program: Program, normal: Normal | None, channels: int) -> tables.Finish:
    scale, offset = np.full(channels, 1 / 255), np.zeros(channels)
    if normal is not None:
        if len(normal.mean) != channels or len(normal.deviation) != channels:
            raise UsageError(f"normal must have {channels} means and deviations, one for each channel")
        scale, offset = scale / normal.deviation, -np.array(normal.mean) / normal.deviation
    fill = program.fill
    return tables.Finish(
        scale.astype(np.float32),
        offset.astype(np.float32),
        fill in ("edge", "reflect"),
        fill == "reflect",
        128.0 if fill == "gray" else 0.0,
        program.reading == "nearest",
    )


@dataclass(frozen=True)
class _Room:
    """How much memory a thread needs; largest: height and width of the largest picture, before or after."""

    largest: tuple[int, int]
    out: tuple[int, int]
    channels: int
    apart: int
    """Pixels of a picture that is worked on before it has the size of the result."""
    taps: tuple[int, int]

    def covers(self, other: _Room) -> bool:
        pairs = zip((*self.largest, *self.out, *self.taps), (*other.largest, *other.out, *other.taps), strict=True)
        enough = self.channels == other.channels and self.apart >= other.apart
        return enough and all(mine >= needed for mine, needed in pairs)


def _room(program: Program, channels: int) -> _Room:
    height, width = (int(np.max(side, initial=0)) for side in (program.height, program.width))
    out_height, out_width = program.size
    shrink_x, shrink_y = _shrinking(program.chains)
    taps = _taps(shrink_x * width / out_width), _taps(shrink_y * height / out_height)
    either = max(height, out_height), max(width, out_width)
    return _Room(either, program.size, channels, height * width if program.resizes else 0, taps)


class _Kept(local):
    """The memory that a thread used last: pictures mostly come in the same sizes."""

    pair: tuple[_Room, tables.Scratch] | None = None


_KEPT = _Kept()


def _scratch(room: _Room) -> tables.Scratch:
    pair = _KEPT.pair
    if pair is None or not (pair[0] is room or pair[0].covers(room)):
        pair = _KEPT.pair = room, _new_scratch(room)
    return pair[1]


def _new_scratch(room: _Room) -> tables.Scratch:
    height, width = room.largest
    words, places = (height + 2) * (width + 2), max(STRIP, width)
    return tables.Scratch(
        packed=np.empty(words, np.uint32),
        squares=np.empty(words, np.uint32),
        xs=np.empty(places, np.float32),
        ys=np.empty(places, np.float32),
        planes=np.empty((room.channels, room.apart), np.float32),
        work=np.empty(height * width + 3 * width + 2 * BLUR_RADIUS + 8, np.float32),
        table=np.empty(256, np.float32),
        starts=np.empty(sum(room.out), np.float32),
        weights_x=np.empty(room.out[1] * room.taps[0], np.float32),
        weights_y=np.empty(room.out[0] * room.taps[1], np.float32),
        color=_apart(18).reshape(3, 6),
        line=_apart(4),
        means=_apart(max(room.channels, 3)),
        matrix=_apart(9),
        blocks=np.empty((2, 8, 8), np.float32),
        counts=np.empty(256, np.uint32),
        row=np.empty(width + room.taps[0], np.uint32),
    )


def _apart(count: int) -> NDArray[np.float32]:
    """Floats that share no line of a cache with another thread's: such lines would go to and fro between cores."""
    return np.empty(count + 32, np.float32)[16 : 16 + count]


def _shrinking(chains: Chains) -> tuple[float, float]:
    """The largest shares of width and height that smooth warps bring to the whole."""
    warps = np.abs(chains.tables.warp[chains.row[chains.code == RESAMPLE]])
    return float(warps[:, 0].max(initial=0)), float(warps[:, 4].max(initial=0))


def _taps(shrink: float) -> int:
    return int(np.ceil(2 * max(shrink, 1))) + TAPS
