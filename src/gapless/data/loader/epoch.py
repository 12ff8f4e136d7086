"""One epoch of a loader: which rows stand in which batch, and how a part of a batch is filled."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import cast

import numpy as np
import torch
from torch import Tensor

from gapless.augment.image.cpu.interpreter import Plan
from gapless.augment.image.cpu.rows_read import rows_read
from gapless.augment.image.program import Program, Sides
from gapless.data.decode import Pixels
from gapless.data.loader.sources import Files, Stack
from gapless.data.loader.variation import Variation
from gapless.data.splits import Index
from gapless.data.task import Array
from gapless.draws import Rows

_DRAWN = 512
"""Pictures whose programs are drawn together, about: drawing for few takes longer a picture."""
_DECODED = 16
"""Files that a thread decodes before it augments them: bounds what waits in memory."""
_COPIED = 2**17
"""Bytes of an array that a thread copies before it augments them: these stay in its cache."""
_FEW = 16
"""Pictures that are taken at a time at least, if they are small enough to be copied."""


@dataclass
class Buffer:
    """The memory of a batch; count: how many rows of it hold something."""

    images: Tensor
    labels: Tensor
    count: int = 0
    _copied: torch.cuda.Event | None = None

    def given_back(self) -> None:
        """Marks, for pinned memory, that a GPU may still be copying from it."""
        if self.images.is_pinned():
            self._copied = torch.cuda.Event()
            self._copied.record()

    def wait(self) -> None:
        """Returns when nothing copies from it any more."""
        if self._copied is not None:
            self._copied.synchronize()


@dataclass(frozen=True, eq=False)
class Data:
    """Pictures and the labels of all of them."""

    source: Stack | Files
    labels: Array


class Epoch:
    """rows: of the source, in their order. number: the epoch's."""

    def __init__(self, data: Data, variation: Variation, number: int, rows: Rows, batch_size: int, threads: int):
        self._data, self._variation, self._number = data, variation, number
        self._rows = rows
        self._policy = variation.in_epoch(number)
        self._batch_size = batch_size
        in_place = isinstance(data.source, Stack) and data.source.whole_levels
        self.fillers, self._helpers = (1, threads - 1) if in_place else (threads, 0)
        """How many threads fill parts; arrays of whole levels have one, which others help in compiled code."""
        self._part = batch_size if in_place else min(_part(data.source), batch_size)
        self.parts = -(-batch_size // self._part)
        """In how many parts a batch is filled."""
        self._together = batch_size * max(1, _DRAWN // batch_size)
        self._plan: tuple[int, Plan] | None = None
        self._drawn: dict[int, Program] = {}
        self._drawing = Lock()

    def fill(self, batch: int, part: int, buffer: Buffer) -> None:
        """Fills a part of a batch; parts may be filled at the same time."""
        buffer.wait()
        start = batch * self._batch_size
        stop = min(start + self._batch_size, len(self._rows))
        if part == 0:
            buffer.count = stop - start
            labels = buffer.labels.numpy()[: buffer.count]
            np.take(self._data.labels, self._rows[start:stop], axis=0, out=labels, mode="clip")
        low = start + part * self._part
        high = min(low + self._part, stop)
        if low < high:
            rows, out = self._rows[low:high].astype(np.int64), buffer.images[low - start : high - start]
            if isinstance(self._data.source, Files):
                self._from_files(self._data.source, rows, out)
            elif self._data.source.whole_levels:
                self._in_place(self._data.source, low, rows, out)
            else:
                self._from_floats(self._data.source, low, rows, out)

    def _from_files(self, source: Files, rows: Index, out: Tensor) -> None:
        """Files are opened, drawn for, since that takes their sizes, and decoded as far down as they are looked at."""
        files = source.opened(rows)
        heights, widths = (
            np.array(sides) for sides in zip(*((file.height, file.width) for file in files), strict=True)
        )
        program = self._draw(rows, heights, widths)
        read = rows_read(program).tolist()
        pictures = [file.pixels(count) for file, count in zip(files, read, strict=True)]
        self._variation.fill(program, pictures, rows, out)

    def _in_place(self, source: Stack, low: int, rows: Index, out: Tensor) -> None:
        """Whole levels, read where they lie, at places from low on of this epoch."""
        plan, after = self._planned(source, low), low + len(rows)

        def draw_next() -> None:
            if self._helpers and after < len(self._rows):
                self._planned(source, after)

        pictures = cast(Pixels, source.x)
        plan.run(pictures, low % self._together, out, 1 + self._helpers, rows, meanwhile=draw_next)

    def _planned(self, source: Stack, low: int) -> Plan:
        """What happens to the pictures at places from low on, and to others drawn with them; one plan at a time."""
        number = low // self._together
        if self._plan is None or self._plan[0] != number:
            self._plan = None  # its memory is free for the next
            self._plan = number, self._variation.prepared(self._together_with(source, number), source.channels)
        return self._plan[1]

    def _from_floats(self, source: Stack, low: int, rows: Index, out: Tensor) -> None:
        number, start = divmod(low, self._together)
        with self._drawing:
            if number not in self._drawn:
                before = {n: program for n, program in self._drawn.items() if n == number - 1}
                self._drawn = before | {number: self._together_with(source, number)}
            program = self._drawn[number]
        self._variation.fill_floats(program.part(start, start + len(rows)), source.take(rows), rows, out)

    def _together_with(self, source: Stack, number: int) -> Program:
        """What happens to the pictures that are drawn together under this number."""
        first = number * self._together
        return self._draw(self._rows[first : first + self._together].astype(np.int64), *source.x.shape[1:3])

    def _draw(self, rows: Index, height: Sides, width: Sides) -> Program:
        return self._variation.program(self._policy, self._number, rows, height, width)


def _part(source: Files | Stack) -> int:
    """How many pictures a thread takes at a time, of files and of levels that are copied."""
    return _DECODED if isinstance(source, Files) else max(_FEW, _COPIED // source.x[0].nbytes)
