"""A trainer's batch as a recipe shows it to the model; draws are keyed by place, so a resumed run goes on as it was."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from gapless import draws
from gapless.errors import UsageError
from gapless.recipe.batch import pair, vary
from gapless.recipe.mixing import mixing

if TYPE_CHECKING:
    from gapless.recipe import Recipe

Key = str | int
Batch = Any

_WIDEST = 2**20
"""Rows that a batch of all processes has at the most; each batch has numbers of its own for so many."""
_INPUTS = ("pixel_values", "input_ids", "inputs", "image", "images", "x")
_LABELS = ("labels", "label", "targets", "target", "y")


@dataclass(frozen=True)
class Place:
    """Where in a training a batch stands: it decides the draws, and nothing else does but the seed.

    epoch, batch: from 0. rank, ranks: this process and how many there are. dealt: rows are dealt out to the processes
    one by one (torch's DistributedSampler), so that row i of this batch is row i * ranks + rank of the batch of all;
    else each process has batches of its own.
    """

    epoch: int
    batch: int
    rank: int = 0
    ranks: int = 1
    dealt: bool = True

    def rows(self, count: int) -> draws.Rows:
        """Numbers of this batch's rows, other ones for each row of the epoch."""
        if self.dealt:
            return self.batch * _WIDEST + np.arange(count, dtype=np.int64) * self.ranks + self.rank
        return (self.batch * self.ranks + self.rank) * _WIDEST + np.arange(count, dtype=np.int64)


@dataclass(frozen=True)
class Fields:
    """Where inputs and labels stand in a batch: a number in a tuple or list, a key in a dict; None finds out."""

    inputs: Key | None = None
    labels: Key | None = None

    def of(self, batch: Batch) -> tuple[Key, Key]:
        """Both places.

        Raises:
            UsageError: the batch has no such places.
        """
        if isinstance(batch, Mapping):
            return self._named(batch)
        if isinstance(batch, Sequence) and not isinstance(batch, str) and len(batch) >= 2:
            return (0 if self.inputs is None else self.inputs), (1 if self.labels is None else self.labels)
        raise UsageError(
            f"a batch must be a tuple of inputs and labels or a dict that has both, got {type(batch).__name__}; let "
            "the loader give such batches"
        )

    def _named(self, batch: Mapping[Any, Any]) -> tuple[Key, Key]:
        found: list[Key] = []
        for name, given, known in (("inputs", self.inputs, _INPUTS), ("labels", self.labels, _LABELS)):
            key = given if given is not None else next((key for key in known if key in batch), None)
            if key is None or key not in batch:
                raise UsageError(f"the batch has {', '.join(map(str, batch))}: say which of them is {name}, {name}=...")
            found.append(key)
        return found[0], found[1]

    def get(self, batch: Batch) -> tuple[Any, Any]:
        """Inputs and labels of a batch."""
        inputs, labels = self.of(batch)
        return batch[inputs], batch[labels]

    def put(self, batch: Batch, inputs: Any, labels: Any) -> Batch:
        """The same batch with other inputs and labels; the one given is left as it is."""
        places = self.of(batch)
        if isinstance(batch, Mapping):
            copied: Any = dict(batch)
        else:
            copied = list(batch)
        copied[places[0]], copied[places[1]] = inputs, labels
        if isinstance(batch, tuple):
            return type(batch)(*copied) if hasattr(batch, "_fields") else tuple(copied)
        return copied


@dataclass(frozen=True)
class Shown:
    """How batches are shown to a model that trains with a recipe.

    Args:
        recipe: its augmentation.
        seed: of the draws.
        classes: how many classes there are; needed where the recipe mixes or smooths class labels.
        mean, std: what the loader normalised pictures by, per channel; they are brought back to [0, 1] and then again
            normalised. Empty: the pictures come in [0, 1].
        categorical: tables: the numbers of the columns that hold categories.
    """

    recipe: Recipe
    seed: int = 0
    classes: int | None = None
    fields: Fields = Fields()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    categorical: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std):
            raise UsageError(f"mean and std must be as many as there are channels, got {self.mean!r} and {self.std!r}")

    @property
    def soft(self) -> bool:
        """Whether class labels become shares of classes."""
        part = self.recipe.augment
        return bool(part.mixup or part.cutmix or part.label_smoothing)

    @contextmanager
    def shown(self, model: nn.Module, batch: Batch, place: Place) -> Generator[Batch]:
        """Within, this batch is what to train on, and a model for texts mixes its words.

        Raises:
            UsageError: the recipe is not for such data, or class labels are to be mixed and `classes` is missing.
        """
        if not self.recipe.augment.active:
            yield batch
            return
        inputs, labels = self.fields.get(batch)
        classes = self._classes(labels)
        stream = draws.stream(self.seed, "mix", place.epoch, place.batch, place.rank)
        if not _words(inputs):
            with _exact(labels):
                changed = self._varied(inputs, labels, place, stream, classes)
            yield self.fields.put(batch, *changed)
            return
        self._refuse_texts()
        with mixing(self.recipe.augment, model, labels, stream, classes) as targets:
            yield self.fields.put(batch, inputs, targets)

    def _classes(self, labels: Any) -> int:
        if not isinstance(labels, Tensor):
            raise UsageError(f"labels must be a tensor, got {type(labels).__name__}")
        if labels.is_floating_point():
            return 0
        if labels.ndim != 1:
            raise UsageError(
                f"labels must be (B,) class numbers or floating-point targets, got {tuple(labels.shape)} "
                f"{labels.dtype}: labels that have places of their own do not move with the picture here; see "
                "gapless.augment.image"
            )
        if self.soft and self.classes is None:
            raise UsageError("this recipe mixes or smooths labels: say how many classes there are, classes=10")
        return self.classes or 0

    def _varied(
        self, inputs: Any, labels: Tensor, place: Place, stream: np.random.Generator, classes: int
    ) -> tuple[Tensor, Tensor]:
        if not isinstance(inputs, Tensor) or inputs.ndim not in (2, 4):
            raise UsageError(
                "inputs must be a tensor of pictures (B, C, H, W) or rows (B, F), got "
                f"{tuple(inputs.shape) if isinstance(inputs, Tensor) else type(inputs).__name__}; say which part of "
                "the batch they are, inputs=..., or leave the augmentation out of the recipe"
            )
        part, dtype = self.recipe.augment, inputs.dtype
        part.require("image" if inputs.ndim == 4 else "table")
        x = self._levels(inputs)
        if part.every_op and x.ndim == 4:
            chances = draws.uniforms(self.seed, "augment", place.epoch, place.rows(len(x)), part.policy().columns)
            x = vary(part, x, chances)
        x, targets = pair(part, x, labels, stream, classes, self.categorical)
        if targets is not labels and dtype.is_floating_point:
            targets = targets.to(dtype)  # what the model says has this type, and a loss wants one type
        return self._normal(x, dtype), targets

    def _levels(self, inputs: Tensor) -> Tensor:
        """float32 or uint8; pictures brought back to levels in [0, 1]."""
        x = inputs.float() if inputs.is_floating_point() else inputs
        if not self.mean or x.ndim != 4 or inputs.dtype == torch.uint8:
            return x
        mean, std = self._shift(x)
        x = x * std + mean
        return x if inputs.dtype in (torch.float32, torch.float64) else x.clamp(0, 1)  # rounded more than a level

    def _normal(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        if self.mean and x.ndim == 4 and dtype != torch.uint8:
            mean, std = self._shift(x)
            x = (x - mean) / std
        return x.to(dtype)

    def _shift(self, x: Tensor) -> tuple[Tensor, Tensor]:
        shape = (1, -1, 1, 1)
        return x.new_tensor(self.mean).view(shape), x.new_tensor(self.std).view(shape)

    def _refuse_texts(self) -> None:
        if self.recipe.augment.every_op:
            self.recipe.augment.require("text")
            raise UsageError(
                "this recipe changes words, and the batch holds numbers of words: vary the texts before they become "
                "numbers, with recipe.vary or gapless.integrations.transformers.Texts, and give this recipe "
                "without its ops"
            )


def _exact(labels: Tensor) -> AbstractContextManager[Any]:
    """Within, nothing is rounded to the short numbers of a trainer's mixed precision."""
    device = labels.device.type
    return torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()


def _words(inputs: Any) -> bool:
    """Whether these are numbers of words: whole numbers, and no pictures."""
    return isinstance(inputs, Tensor) and inputs.dtype in (torch.int64, torch.int32) and inputs.ndim <= 3
