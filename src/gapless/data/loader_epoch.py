"""One epoch of a loader: which rows stand in which batch, and how a part of a batch is filled."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

import numpy as np
import torch
from torch import Tensor

from gapless.augment.image.cpu import Plan
from gapless.augment.image.program import Sides
from gapless.data.loader_sources import Files, Pictures, Stack
from gapless.data.loader_variation import Variation, sides
from gapless.data.splits import Index
from gapless.data.task import Array

_DRAWN = 1024
"""Pictures whose programs are drawn together, about: drawing for few takes longer a picture."""
_DECODED = 16
"""Files that a thread decodes before it augments them: bounds what waits in memory. Arrays go by whole batches."""


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

    def __init__(self, data: Data, variation: Variation, number: int, rows: Index, batch_size: int):
        self._data, self._variation, self._number, self._rows = data, variation, number, rows
        self._policy = variation.in_epoch(number)
        self._batch_size = batch_size
        self._part = min(_DECODED, batch_size) if isinstance(data.source, Files) else batch_size
        self.parts = -(-batch_size // self._part)
        """In how many parts a batch is filled."""
        self._drawn: dict[int, Plan] = {}
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
            rows = self._rows[low:high]
            pictures = self._data.source.take(rows)
            plan, first = self._plan(low, rows, pictures)
            self._variation.fill_from(plan, first, pictures, rows, buffer.images[low - start : high - start])

    def _plan(self, low: int, rows: Index, pictures: Pictures) -> tuple[Plan, int]:
        """What happens to the pictures at places from low on of this epoch, and where in the plan they begin."""
        if isinstance(self._data.source, Files):  # their sizes are known only now
            return self._drawn_for(rows, *sides(pictures)), 0
        together = self._batch_size * max(1, _DRAWN // self._batch_size)
        number, first = low // together, low // together * together
        with self._drawing:
            if number not in self._drawn:
                some = self._rows[first : first + together]
                height, width = self._data.source.x.shape[1:3]
                drawn = self._drawn_for(some, height, width)
                self._drawn = {n: p for n, p in self._drawn.items() if n == number - 1} | {number: drawn}
            return self._drawn[number], low - first

    def _drawn_for(self, rows: Index, height: Sides, width: Sides) -> Plan:
        program = self._variation.program(self._policy, self._number, rows, height, width)
        return self._variation.prepared(program, self._data.source.channels)
