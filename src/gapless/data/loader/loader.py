"""Batches of augmented pictures, made ahead by threads in memory that is used again."""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakSet

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from gapless import draws
from gapless.augment.image import Policy
from gapless.augment.image.cpu.interpreter import Normal
from gapless.augment.image.schedule import EpochSchedule
from gapless.data.loader.epoch import Buffer, Data, Epoch
from gapless.data.loader.sources import Files, Stack, source_of
from gapless.data.loader.threads import Ahead
from gapless.data.loader.variation import Variation
from gapless.data.task import Array
from gapless.errors import DataError, UsageError
from gapless.schedule import Constant

_NOTHING = Policy(())


class Loader:
    """Augmented, normalised batches (images, labels), again and again: every pass over it is the next epoch.

        loader = Loader(x, y, policy, batch_size=128, normal=Normal(mean, deviation))
        for epoch in range(90):
            for images, labels in loader:
                ...

    A picture's augmentation depends on (seed, epoch, row) alone, never on the batch size, the order or the threads.
    A batch is valid until the next one is asked for, since its memory is used again: `clone()` what is to be kept.
    uint8 pictures go through the compiled interpreter, float32 ones through the one in torch.

    Args:
        pictures: an array (N, H, W, C) of uint8, or of float32 with levels in [0, 1], in memory or mapped from a file
            (`np.load(path, mmap_mode="r")`); or `Files`, which need a policy with a size. Never changed.
        labels: (N, ...) numbers: whole ones become int64, others float32. None: the pictures' row numbers.
        policy: what is drawn from; the empty one brings pictures to its size, if it has one, and changes nothing else.
        batch_size: pictures in a batch; the last one of an epoch may be smaller.
        seed: of the augmentation and of the order.
        normal: what is subtracted and divided by; None leaves levels in [0, 1].
        strength: the share of every strength in an epoch, such as `gapless.augment.image.RampUp`.
        shuffle: whether every epoch has an order of its own, by (seed, epoch).
        drop_last: whether to leave out a last batch that is smaller.
        rows: the rows of the pictures to use; None: all. Draws and labels go by the row of the pictures.
        threads: how many decode and augment; results do not depend on it.
        ahead: batches that are made before they are asked for; memory is for one more. Threads share every batch.
        pin: buffers in pinned memory, from which a GPU copies while it computes; needs CUDA.

    Shape: images (B, C, H, W) float32, labels (B, ...).

    Raises:
        UsageError: an argument out of range.
        DataError: pictures or labels that cannot be used; while iterating, a file that cannot be read or levels out of
            range, with the file's name or the row.
    """

    def __init__(
        self,
        pictures: Array | Files,
        labels: ArrayLike | None = None,
        policy: Policy = _NOTHING,
        batch_size: int = 64,
        seed: int = 0,
        normal: Normal | None = None,
        strength: EpochSchedule | None = None,
        shuffle: bool = True,
        drop_last: bool = False,
        rows: ArrayLike | None = None,
        threads: int = 1,
        ahead: int = 1,
        pin: bool = False,
    ):
        for name, value in (("batch_size", batch_size), ("threads", threads), ("ahead", ahead)):
            if value < 1:
                raise UsageError(f"{name} must be at least 1, got {value!r}")
        if pin and not torch.cuda.is_available():
            raise UsageError("pin=True needs CUDA, which torch does not find on this machine; leave it out")
        source = source_of(pictures)
        if isinstance(source, Files) and policy.size is None:
            raise UsageError(
                "files need a policy with a size, such as Policy(steps, size=(224, 224)): theirs may differ"
            )
        self._variation = Variation(policy, seed, normal, strength or Constant())
        self._variation.check_channels(source.channels)
        self._data = Data(source, _labels(labels, len(source)))
        self._rows = None if rows is None else _rows(rows, len(source))
        self._count = len(source) if self._rows is None else len(self._rows)
        self._batch_size, self._shuffle, self._drop_last = batch_size, shuffle, drop_last
        self._threads, self._ahead, self._pin = threads, ahead, pin
        if not len(self):
            raise UsageError(f"drop_last leaves nothing of {self._count} rows in batches of {batch_size}")
        self._epoch = 0
        self._spare: list[Buffer] = []
        self._passes: WeakSet[Ahead[Buffer]] = WeakSet()

    def __len__(self) -> int:
        """Batches in an epoch."""
        whole, rest = divmod(self._count, self._batch_size)
        return whole + bool(rest and not self._drop_last)

    @property
    def epoch(self) -> int:
        """The number of the next pass, from 0."""
        return self._epoch

    def set_epoch(self, epoch: int) -> None:
        """Which epoch the next pass is, where a training goes on; later passes count from there."""
        if epoch < 0:
            raise UsageError(f"epoch must be at least 0, got {epoch!r}")
        self._epoch = epoch

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        number = self._epoch
        self._epoch += 1
        return self._batches(
            Epoch(self._data, self._variation, number, self._ordered(number), self._batch_size, self._threads)
        )

    def _ordered(self, epoch: int) -> draws.Rows:
        """The rows in the epoch's order."""
        if not self._shuffle:
            return np.arange(self._count, dtype=draws.row_type(self._count)) if self._rows is None else self._rows
        order = draws.order(self._variation.seed, epoch, self._count)
        return order if self._rows is None else self._rows[order]

    def _batches(self, epoch: Epoch) -> Iterator[tuple[Tensor, Tensor]]:
        buffers = [self._spare.pop() if self._spare else self._new_buffer() for _ in range(self._ahead + 1)]
        ahead = Ahead(len(self), epoch.parts, epoch.fill, buffers, epoch.fillers)
        self._passes.add(ahead)
        try:
            for buffer in ahead:
                try:
                    yield buffer.images[: buffer.count], buffer.labels[: buffer.count]
                finally:
                    buffer.given_back()
        finally:
            ahead.stop()
            self._spare.extend(buffers)

    def _new_buffer(self) -> Buffer:
        source, labels = self._data.source, self._data.labels
        size = self._variation.policy.size or (source.x.shape[1:3] if isinstance(source, Stack) else ())
        images = torch.empty((self._batch_size, source.channels, *size), pin_memory=self._pin)
        kind = torch.from_numpy(np.empty(0, labels.dtype)).dtype
        return Buffer(images, torch.empty((self._batch_size, *labels.shape[1:]), dtype=kind, pin_memory=self._pin))

    def close(self) -> None:
        """Ends the threads of passes that are under way, and gives the buffers back. A new pass may follow."""
        for ahead in list(self._passes):
            ahead.stop()
        self._spare.clear()

    def __enter__(self) -> Loader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _labels(labels: ArrayLike | None, pictures: int) -> Array:
    """The labels of all pictures, contiguous, as int64, float32 or bool."""
    if labels is None:
        return np.arange(pictures)
    found = np.asarray(labels)
    if found.dtype.kind not in "iufb":
        raise DataError(f"labels must be numbers, got {found.dtype} of shape {found.shape}; number the classes from 0")
    if found.ndim == 0 or len(found) != pictures:
        raise DataError(f"labels must have one row for each of {pictures} pictures, got shape {found.shape}")
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        row = int(np.flatnonzero(~np.isfinite(found).reshape(pictures, -1).all(axis=1))[0])
        raise DataError(f"labels must be finite, got {found[row]} at row {row}")
    kind = {"f": np.float32, "b": np.bool_}.get(found.dtype.kind, np.int64)
    return np.ascontiguousarray(found, dtype=kind)


def _rows(rows: ArrayLike, pictures: int) -> draws.Rows:
    found = np.asarray(rows)
    if not found.size:
        raise DataError("rows must name at least one picture, got none")
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise UsageError(f"rows must be a list of row numbers, got {found.dtype} of shape {found.shape}")
    if found.min() < 0 or found.max() >= pictures:
        raise UsageError(f"rows must be from 0 to {pictures - 1}, got {found.min()} to {found.max()}")
    return found.astype(draws.row_type(pictures))
