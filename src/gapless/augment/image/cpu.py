"""Runs a program on uint8 pictures in memory, on the CPU, compiled: one pass from the source bytes to the batch.

A warp, the colour matrix after it, normalising, uint8 to float32 and HWC to CHW are one loop over the pixels. Nothing
is allocated for a picture, and the global interpreter lock is not held, so threads share the work.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import local
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gapless.augment.image import cpu_jobs as jobs
from gapless.augment.image import cpu_tables as tables
from gapless.augment.image.algebra import Blur, Element, Floats, Histogram, Hue, Index, Jpeg, Kernel
from gapless.augment.image.chains import RESAMPLE, UNREAD, Chains
from gapless.augment.image.cpu_crew import Crew, crew
from gapless.augment.image.cpu_scratch import Memory, Room, enough
from gapless.augment.image.cpu_work import work
from gapless.augment.image.jpeg import steps as jpeg_steps
from gapless.augment.image.program import Fill, Program, Reading
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
    steps = _steps(program.chains)
    scaling = None if normal is None else (tuple(normal.mean), tuple(normal.deviation))
    finish = _finish(program.fill, program.reading, scaling, channels)
    job = jobs.describe(steps, finish, channels, program.size)
    return Plan(program, channels, _room(program, channels), job, (steps, finish))


@dataclass(frozen=True)
class Plan:
    """A program that is ready to be run, on all of its pictures or on one batch of them after the other."""

    program: Program
    channels: int
    room: Room
    job: jobs.Job
    tables: object
    """Keeps the memory alive that the job speaks of."""

    def run(
        self,
        pictures: Bytes | Sequence[Bytes],
        start: int = 0,
        out: Tensor | None = None,
        threads: int = 1,
        rows: Index | None = None,
    ) -> Tensor:
        """Runs the program's chains from number `start` on, one for each of the pictures; the rest as in `run`.

        Args:
            rows: (B,) which pictures of an array, read where they lie; None: all of them, in order.
        """
        return self.begin(pictures, start, out, threads, rows).finish()

    def begin(
        self,
        pictures: Bytes | Sequence[Bytes],
        start: int = 0,
        out: Tensor | None = None,
        threads: int = 1,
        rows: Index | None = None,
    ) -> Run:
        """The same, but only the other threads begin now; this one is free, to draw the next program for example."""
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
        if not 1 <= threads <= jobs.SEATS + 1:
            raise UsageError(f"threads must be from 1 to {jobs.SEATS + 1}, got {threads}")
        # Small portions, so that threads finish together however long a picture takes and whenever they wake up.
        portion = max(1, count // (8 * threads)) if threads > 1 else max(1, count)
        job = self.job.copy()
        jobs.set_batch(job, start, portion, sources, out.data_ptr())
        return Run(self, job, min(threads, -(-count // portion)), out, (sources, owners))


class Run:
    """A batch that is under way; `finish` returns it. Nothing that it reads or writes may be changed before."""

    def __init__(self, plan: Plan, job: jobs.Job, threads: int, out: Tensor, owners: object) -> None:
        self._out, self._room = out, plan.room
        self._owners = plan, owners  # the memory behind the addresses must stay
        self._job: jobs.Job | None = job
        self._process = os.getpid()
        self._crew: Crew | None = None
        self._number: int | None = None
        if threads > 1:
            self._crew = crew(threads - 1)
            memories = self._crew.memories(self._room)
            self._owners = self._owners, memories
            jobs.set_memories(job, [memory.addresses for memory in memories])
            self._number = self._crew.take(job)
            if self._number is not None:  # known before others write: an interrupt must not part them from the memory
                self._crew.call(self._number)

    def finish(self) -> Tensor:
        """Does what is left, together with the other threads. The result; asked again, the same."""
        job, self._job = self._job, None
        if job is None:
            return self._out
        if self._process != os.getpid():  # the threads that are at it are not in a forked process
            raise UsageError("a batch must be finished in the process that began it; begin it again")
        own = _own_memory(self._room).addresses
        if self._crew is None or self._number is None:
            work(job[None], 0, own, job)
        else:
            self._crew.finish(self._number, own)
        return self._out

    def __del__(self) -> None:
        if self._process == os.getpid():
            self.finish()


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


def _steps(chains: Chains) -> tables.Steps:
    """The chains, with the tables in the types that the pixel loops take."""
    given = chains.tables
    return tables.Steps(
        code=chains.code,
        row=chains.row,
        warp=given.warp,
        color=given.color,
        hue=_single(Hue, given.hue),
        lut=given.lut,
        histogram=_single(Histogram, given.histogram),
        kernel=_single(Kernel, given.kernel),
        blur=_single(Blur, given.blur),
        jpeg=_UNREAD_JPEG if given.jpeg is UNREAD[Jpeg] else _jpeg(given.jpeg),
        noise=given.noise,
        box=given.box,
        grid=given.grid,
    )


def _single(kind: type[Element], table: Floats) -> NDArray[np.float32]:
    return _UNREAD[kind] if table is UNREAD[kind] else table.astype(np.float32)


def _jpeg(quality: Floats) -> NDArray[np.float32]:
    """The steps for luma and chroma in a row, for a quality in each row."""
    return np.concatenate([t.reshape(-1, 64) for t in jpeg_steps(quality[:, 0])], axis=1).astype(np.float32)


_UNREAD: Mapping[type[Element], NDArray[np.float32]] = {
    kind: UNREAD[kind].astype(np.float32) for kind in (Hue, Histogram, Kernel, Blur)
}
_UNREAD_JPEG = _jpeg(UNREAD[Jpeg])


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


class _Kept(local):
    """The memory that a thread used last: pictures mostly come in the same sizes."""

    memory: Memory | None = None


_KEPT = _Kept()


def _own_memory(room: Room) -> Memory:
    _KEPT.memory = enough(_KEPT.memory, room)
    return _KEPT.memory


def _shrinking(chains: Chains) -> tuple[float, float]:
    """The largest shares of width and height that smooth warps bring to the whole."""
    smooth = chains.code == RESAMPLE
    if not smooth.any():
        return 0.0, 0.0
    warps = np.abs(chains.tables.warp[chains.row[smooth]])
    return float(warps[:, 0].max(initial=0)), float(warps[:, 4].max(initial=0))


def _taps(shrink: float) -> int:
    return math.ceil(2 * max(shrink, 1)) + 1  # one more: compiled code may round in another order
