"""The same augmentation inside torch's own DataLoader: what to wrap the data set in, its order, and the collate_fn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, Sampler, default_collate

from gapless import draws
from gapless.augment.image import Policy
from gapless.augment.image.cpu.interpreter import Normal
from gapless.augment.image.schedule import EpochSchedule
from gapless.data.loader.sources import Pictures
from gapless.data.loader.variation import Variation, sides
from gapless.data.task import Array
from gapless.errors import DataError, UsageError
from gapless.schedule import Constant

T = TypeVar("T", covariant=True)
Key = tuple[int, int]
"""Epoch and row."""


class Sized(Protocol[T]):
    """A data set with rows from 0 to len - 1."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> T: ...


class Indexed(Dataset[tuple[int, int, T]], Generic[T]):
    """A data set whose rows say who they are: (epoch, row, what the data set holds there).

    With `Order` as its sampler the epochs count by themselves. With `shuffle=True` or any other sampler, say which one
    it is before every pass, `indexed.set_epoch(epoch)`; workers that are kept from pass to pass hear of it, too.
    """

    def __init__(self, dataset: Sized[T]):
        self._dataset = dataset
        self._epoch = torch.tensor(-1).share_memory_()  # one memory for all worker processes

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int | Key) -> tuple[int, int, T]:
        if isinstance(index, tuple):
            epoch, row = index
        else:
            epoch, row = int(self._epoch), int(index)
        if epoch < 0:
            raise UsageError(
                "Indexed does not know the epoch: give the DataLoader sampler=Order(len(dataset)), or call "
                "set_epoch(epoch) before every pass"
            )
        return epoch, row, self._dataset[row]

    def set_epoch(self, epoch: int) -> None:
        """Which epoch the next pass is, for samplers other than `Order`."""
        _check_epoch(epoch)
        self._epoch.fill_(epoch)


class Order(Sampler[Key]):
    """The keys (epoch, row) of every row, or of a rank's share of them, in an order by (seed, epoch).

    Every pass is the next epoch. It is the order of a `Loader` with the same seed.

    Args:
        rows: how many rows the data set has.
        seed: of the order.
        shuffle: False goes through the rows as they stand.
        rank: which of the processes that train together this one is, from 0.
        ranks: how many these are. Each goes through every ranks-th row of the one order, all through as many: an
            epoch leaves out the up to ranks - 1 rows at the end of its order that would be left over.
    """

    def __init__(self, rows: int, seed: int = 0, shuffle: bool = True, rank: int = 0, ranks: int = 1):
        if rows < 1:
            raise UsageError(f"rows must be at least 1, got {rows!r}")
        if not 1 <= ranks <= rows:
            raise UsageError(f"ranks must be from 1 to the number of rows, {rows}, got {ranks!r}")
        if not 0 <= rank < ranks:
            raise UsageError(f"rank must be from 0 to ranks - 1 = {ranks - 1}, got {rank!r}")
        self._rows, self._seed, self._shuffle = rows, seed, shuffle
        self._rank, self._ranks = rank, ranks
        self._epoch = 0

    def __len__(self) -> int:
        return self._rows // self._ranks

    def __iter__(self) -> Iterator[Key]:
        epoch = self._epoch
        self._epoch += 1
        rows = draws.order(self._seed, epoch, self._rows) if self._shuffle else np.arange(self._rows)
        mine = rows[self._rank :: self._ranks][: len(self)]
        return iter([(epoch, row) for row in mine.tolist()])

    def set_epoch(self, epoch: int) -> None:
        """Which epoch the next pass is, where a training goes on; later passes count from there."""
        _check_epoch(epoch)
        self._epoch = epoch


class Collate:
    """The `collate_fn` that augments: (epoch, row, (picture, label)) of a batch become (images, labels).

        rows = Indexed(dataset)
        collate = Collate(policy, Normal(mean, deviation), seed=0)
        loader = DataLoader(rows, 128, sampler=Order(len(rows), seed=0), collate_fn=collate, num_workers=4)
        for _ in range(90):
            for images, labels in loader:
                ...

    The picture of a row in an epoch is that of a `Loader` with the same policy and seed, in whatever worker it is made.
    The data set gives pictures as they are: a PIL picture, a uint8 array (H, W, C), or a tensor (C, H, W) of uint8 or
    of float32 in [0, 1]; labels are collated as torch does.

    Args:
        policy: needs a size where the pictures have several.
        normal: None leaves levels in [0, 1].
        seed: of the augmentation.
        strength: the share of every strength in an epoch.

    Raises:
        UsageError: the data set is not `Indexed`, or does not give pairs.
        DataError: pictures of a wrong kind, or levels out of range; the message names the row.
    """

    def __init__(
        self, policy: Policy, normal: Normal | None = None, seed: int = 0, strength: EpochSchedule | None = None
    ):
        self._variation = Variation(policy, seed, normal, strength or Constant())
        self._latest = (-1, policy)

    def __call__(self, items: Sequence[tuple[int, int, tuple[Any, Any]]]) -> tuple[Tensor, Any]:
        epoch, rows, samples = _sorted_out(items)
        found = [_picture(picture, row) for row, (picture, _) in zip(rows.tolist(), samples, strict=True)]
        pictures = _together(found, rows.tolist())
        self._variation.check_channels(found[0].shape[2])
        if self._latest[0] != epoch:
            self._latest = epoch, self._variation.in_epoch(epoch)
        program = self._variation.program(self._latest[1], epoch, rows, *sides(pictures))
        out = torch.empty((len(rows), found[0].shape[2], *program.size))
        self._variation.fill(program, pictures, rows, out)
        return out, default_collate([label for _, label in samples])


def _check_epoch(epoch: int) -> None:
    if epoch < 0:
        raise UsageError(f"epoch must be at least 0, got {epoch!r}")


def _sorted_out(
    items: Sequence[tuple[int, int, tuple[Any, Any]]],
) -> tuple[int, np.ndarray[tuple[int], np.dtype[np.int64]], list[tuple[Any, Any]]]:
    """The epoch, the rows, and the pairs of picture and label."""
    if not items:
        raise DataError("a batch must have at least one row, got none")
    for item in items:
        if not isinstance(item, tuple) or len(item) != 3:  # pyright: ignore[reportUnnecessaryIsInstance]  # user's data
            raise UsageError("Collate needs rows that say who they are: DataLoader(Indexed(dataset), ...)")
        if not isinstance(item[2], tuple | list) or len(item[2]) != 2:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise UsageError(f"row {item[1]}: the data set must give (picture, label), got {type(item[2]).__name__}")
    epochs = {epoch for epoch, _, _ in items}
    if len(epochs) > 1:
        raise UsageError(f"the rows of a batch must be of one epoch, got epochs {sorted(epochs)}")
    return epochs.pop(), np.array([row for _, row, _ in items], np.int64), [sample for _, _, sample in items]


def _picture(given: Any, row: int) -> Array:
    """(H, W, C), uint8 or float32."""
    if isinstance(given, Image.Image):
        if given.mode not in ("L", "RGB", "RGBA"):
            raise DataError(
                f"row {row}: a PIL picture must be of mode L, RGB or RGBA, got {given.mode}; convert('RGB') it"
            )
        return np.asarray(given).reshape(given.height, given.width, -1)
    kind = f"{getattr(given, 'dtype', type(given).__name__)} {tuple(getattr(given, 'shape', ()))}"
    if isinstance(given, Tensor):
        found, right = given.movedim(0, -1).numpy() if given.ndim else given.numpy(), "a tensor (C, H, W)"
    else:
        found, right = np.asarray(given), "an array (H, W, C)"
    usual = found.dtype == np.uint8 or found.dtype == np.float32
    if not usual or found.ndim != 3 or 0 in found.shape or _turned(found):
        raise DataError(f"row {row}: a picture must be {right} of uint8, or of float32 in [0, 1], got {kind}")
    return found


def _turned(found: Array) -> bool:
    """Whether the channels seem to stand elsewhere than last."""
    return found.shape[2] > 4 and min(found.shape[:2]) <= 4


def _together(found: list[Array], rows: list[int]) -> Pictures:
    """The pictures of a batch; float ones as one array."""
    first = found[0]
    for picture, row in zip(found, rows, strict=True):
        if picture.dtype != first.dtype or picture.shape[2] != first.shape[2]:
            raise DataError(
                f"row {row}: all pictures of a batch must be alike, got {picture.dtype} with {picture.shape[2]} "
                f"channels beside {first.dtype} with {first.shape[2]} in row {rows[0]}"
            )
        if first.dtype == np.float32 and picture.shape != first.shape:
            raise DataError(
                f"row {row}: float32 pictures of a batch must have one size, got {picture.shape} beside {first.shape} "
                f"in row {rows[0]}; uint8 ones may differ"
            )
    if first.dtype == np.float32 or len({picture.shape for picture in found}) == 1:
        return np.stack(found)
    return cast("Pictures", found)
