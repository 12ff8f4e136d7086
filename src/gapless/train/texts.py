"""Texts on their way into a model: rows of texts, and a model that encodes them itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

from gapless.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gapless.data import Rows
    from gapless.train.batches import Scale


@runtime_checkable
class Encodes(Protocol):
    """A model that takes texts: `encode` makes of them what `forward` takes, a tensor or tensors by name."""

    def encode(self, texts: Sequence[str]) -> Tensor | Mapping[str, Tensor]: ...


@runtime_checkable
class Learns(Protocol):
    """A model that takes something from the texts it will be trained on, such as their words, before training."""

    def learn(self, texts: Sequence[str]) -> None: ...


@runtime_checkable
class Remembers(Protocol):
    """A model whose `learn` takes what is in no parameter and no buffer: as values that JSON has, and back."""

    def learned(self) -> Any: ...

    def remember(self, learned: Any) -> None: ...


class TextFeed:
    """Rows of a task of texts, with their labels on the device; encoding is the model's."""

    pictures = False

    def __init__(self, rows: Rows, scale: Scale, classes: int, device: torch.device):
        self.x: NDArray[np.object_] = rows.x.astype(object)
        y = torch.from_numpy(np.array(rows.y))
        self.labels: Tensor = (y if classes else (y - scale.target[0]) / scale.target[1]).to(device)
        self.classes, self.scale = classes, scale
        self.device = device

    def __len__(self) -> int:
        return len(self.labels)

    def inputs(self, index: Tensor) -> list[str]:
        """The texts at `index`."""
        return self.x[index.numpy()].tolist()

    def by_length(self, index: Tensor) -> Tensor:
        """The places of `index` from the shortest text to the longest: a batch is padded to its longest."""
        lengths = np.fromiter(map(len, self.inputs(index)), dtype=np.int64, count=len(index))
        return torch.from_numpy(np.argsort(lengths, kind="stable"))


def learn(model: nn.Module, rows: Rows, index: NDArray[np.int64]) -> None:
    """Lets a model for texts take its words from the rows it will be trained on."""
    if rows.x.ndim == 1 and isinstance(model, Learns):
        model.learn(rows.x[index].tolist())


def answer(model: nn.Module, texts: Sequence[str], device: torch.device) -> Tensor:
    """What the model says of texts.

    Raises:
        DataError: it has no `encode`, or `encode` gives something else than tensors.
    """
    if not isinstance(model, Encodes):
        raise DataError(
            f"{type(model).__name__} has no method encode(texts), which a model for texts needs: it returns a tensor, "
            "or tensors by the names of forward's arguments"
        )
    encoded = model.encode(texts)
    if isinstance(encoded, Mapping):
        return model(**{name: tensor.to(device) for name, tensor in encoded.items()})
    if not isinstance(encoded, torch.Tensor):  # pyright: ignore[reportUnnecessaryIsInstance]  # the user's may be anything
        got = type(cast(object, encoded)).__name__
        raise DataError(f"{type(model).__name__}.encode must return a tensor or a dict of tensors, got {got}")
    return model(encoded.to(device))
