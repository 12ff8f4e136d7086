"""Fixed rows of a loader, scored in eval mode; training goes on as if nobody had looked."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.utils.data import (
    DataLoader,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
)

from gapless import draws
from gapless.errors import UsageError
from gapless.integrations.gap import Rows
from gapless.surgery import modes_kept

Batch = Any
Scored = tuple[Tensor, Tensor | None]
Score = Callable[[Batch], Scored]
"""What a batch adds: (B,) losses and (B,) right or wrong, or None in place of the latter."""

_WHOLE: tuple[type[Sampler[Any]], ...] = (SequentialSampler, RandomSampler, DistributedSampler)


@dataclass(frozen=True)
class Sample:
    """The same rows of a loader again and again.

    batches: makes them anew, in one order, for this process's share. of: how many rows there are to draw from, over all
    processes; None where nobody knows. varies: whether the data set gives a row differently each time it is asked: it
    augments by itself, so that these are no clean rows.
    """

    batches: Callable[[], Iterable[Batch]]
    of: int | None
    varies: bool = False


def sample(loader: Any, rows: int) -> Sample:
    """Up to `rows` rows of a loader, drawn once and for all.

    From a DataLoader over numbered rows they are drawn evenly and read from the data set, without its sampler and its
    workers. Of anything else they are the first ones that come.
    """
    index = _numbers_of(loader)
    if index is None:
        return Sample(lambda: _first(loader, rows), None)
    number = len(index)
    if number > rows:
        index = np.sort(draws.stream(0, "measured rows").choice(index, rows, replace=False))
    size = int(_sampled(loader).batch_size or 64)
    parts = np.array_split(index, max(1, math.ceil(len(index) / size / ranks())) * ranks())
    mine = parts[rank() :: ranks()]

    def read() -> Iterator[Batch]:
        for part in mine:
            if len(part):
                yield loader.collate_fn([loader.dataset[int(i)] for i in part])

    with left_alone():
        varies = bool(len(index)) and not _same(loader.dataset[int(index[0])], loader.dataset[int(index[0])])
    return Sample(read, number, varies)


def _numbers_of(loader: Any) -> np.ndarray[Any, np.dtype[np.int64]] | None:
    """The rows that a loader goes through in an epoch, by number; None where they have none."""
    if not isinstance(loader, DataLoader) or isinstance(loader.dataset, IterableDataset):
        return None
    batches = _sampled(loader)
    sampler = getattr(batches, "sampler", loader.sampler)
    if isinstance(sampler, SubsetRandomSampler):
        return np.sort(np.asarray(sampler.indices, dtype=np.int64))
    data: Any = loader.dataset
    if getattr(batches, "batch_size", None) is None or not isinstance(sampler, _WHOLE) or not hasattr(data, "__len__"):
        return None
    return np.arange(len(data), dtype=np.int64)


def _sampled(loader: Any) -> Any:
    """What makes the numbers of batches; accelerate's shards hold the one that they share out."""
    found = loader.batch_sampler
    return getattr(found, "batch_sampler", found)


def _first(loader: Iterable[Batch], rows: int) -> Iterator[Batch]:
    seen = 0
    for batch in islice(loader, rows):
        yield batch
        seen += next((len(v) for v in _leaves(batch) if isinstance(v, Tensor) and v.ndim), 1)
        if seen >= rows:
            return


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            yield from _leaves(part)
    else:
        yield value


def _same(a: Any, b: Any) -> bool:
    """Whether two readings of one row are equal, as far as they can be compared."""
    for one, other in zip(_leaves(a), _leaves(b), strict=False):
        if isinstance(one, Tensor) and isinstance(other, Tensor):
            if one.shape != other.shape or not torch.equal(one, other):
                return False
        elif isinstance(one, np.ndarray) and isinstance(other, np.ndarray) and not np.array_equal(one, other):
            return False
    return True


def measure(model: nn.Module, data: Sample, score: Score) -> Rows:
    """Scores of the rows, in eval mode and without gradients, those of all processes together.

    Modes, torch's, numpy's and Python's random states are afterwards as they were.

    Raises:
        UsageError: there are no rows.
    """
    losses: list[Tensor] = []
    right: list[Tensor] = []
    with modes_kept(model), torch.no_grad(), left_alone():
        model.eval()
        for batch in data.batches():
            found, correct = score(batch)
            losses.append(found.double().cpu())
            right += [] if correct is None else [correct.double().cpu()]
    if not losses:
        raise UsageError("there are no rows to measure the gap on")
    both = _gathered((torch.cat(losses).numpy(), torch.cat(right).numpy() if right else None))
    all_right = [r for _, r in both if r is not None]
    return Rows(np.concatenate([each for each, _ in both]), np.concatenate(all_right) if all_right else None, data.of)


def rank() -> int:
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def ranks() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def _gathered(mine: Any) -> list[Any]:
    """What each process has, in the order of ranks."""
    if ranks() == 1:
        return [mine]
    everyones: list[Any] = [None] * ranks()
    dist.all_gather_object(everyones, mine)
    return everyones


@contextmanager
def left_alone() -> Generator[None]:
    """At the end the random states that are everybody's are as they were: data sets draw from them."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002  # not to draw, but to give it back
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002
