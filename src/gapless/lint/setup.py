"""What trains, handed in: model, optimizer, loader, loss; and one batch of it, looked at without leaving a trace."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from gapless.batchnorm.layers import AnyBatchNorm
from gapless.errors import DataError
from gapless.surgery import modes_kept


@dataclass(frozen=True, eq=False)
class Setup:
    """Everything a training is made of; only the model is needed, and each further part lets more rules look.

    model: as it will be trained. optimizer: torch's, with its groups. loader: the training batches, each
    (inputs, targets) or a mapping of keyword arguments with `labels`. loss: of (outputs, targets); None where the model
    returns its own. validation: the loader or dataset it is judged by. epochs: how long it will be trained.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer | None = None
    loader: Iterable[Any] | None = None
    loss: Callable[[Any, Any], Tensor] | None = None
    validation: Iterable[Any] | None = None
    epochs: int | None = None


class Batch:
    """A setup, the first batch of its loader, and what the model makes of it. Measured once, when a rule asks."""

    def __init__(self, setup: Setup):
        self.setup = setup
        self.model = setup.model

    @cached_property
    def first(self) -> Any:
        """The first batch, moved to the model's device; None without a loader."""
        if self.setup.loader is None:
            return None
        with undisturbed(self.setup.loader):
            batch = next(iter(self.setup.loader), None)
        if batch is None:
            raise DataError("the loader hands out no batch; give one that has rows (drop_last with too few rows?)")
        device = next((p.device for p in self.model.parameters()), torch.device("cpu"))
        return _moved(batch, device)

    @cached_property
    def targets(self) -> Any:
        """What the outputs are judged by; None where the batch has none."""
        batch = self.first
        if isinstance(batch, Mapping):
            return cast(Mapping[str, Any], batch).get("labels")
        return batch[1] if isinstance(batch, list | tuple) and len(cast(Sequence[Any], batch)) > 1 else None

    @property
    def rows(self) -> int:
        """How many rows the first batch has; 0 without a loader."""
        return next((len(each) for each in tensors_of(self.first) if each.ndim), 0)

    def run(self) -> Any:
        """The model's output on the first batch, in the mode it is in."""
        batch = self.first
        if isinstance(batch, Mapping):
            return self.model(**cast(Mapping[str, Any], batch))
        return self.model(batch[0] if isinstance(batch, list | tuple) else batch)

    def feed(self, model: nn.Module, batch: Any) -> object:
        """Calls the model on a batch of the loader, for the measurements of gapless.batchnorm."""
        device = next((p.device for p in model.parameters()), torch.device("cpu"))
        batch = _moved(batch, device)
        if isinstance(batch, Mapping):
            return model(**cast(Mapping[str, Any], batch))
        return model(batch[0] if isinstance(batch, list | tuple) else batch)

    @cached_property
    def batch_norms(self) -> list[tuple[str, AnyBatchNorm]]:
        """The batch norms of the model by path."""
        return [(path, each) for path, each in self.model.named_modules() if isinstance(each, AnyBatchNorm)]

    @property
    def has_statistics(self) -> bool:
        """Whether there are batch norms, all with running statistics."""
        return bool(self.batch_norms) and all(norm.running_mean is not None for _, norm in self.batch_norms)

    @property
    def steps_per_epoch(self) -> int | None:
        """Batches of the loader; None where it does not tell."""
        return len(self.setup.loader) if isinstance(self.setup.loader, Sized) else None

    @property
    def steps(self) -> int | None:
        """Steps of the whole training; None where loader or epochs do not tell."""
        return self.steps_per_epoch * self.setup.epochs if self.steps_per_epoch and self.setup.epochs else None

    def rows_of(self, loader: DataLoader[Any]) -> int | None:
        """How many rows a loader goes through in an epoch; None where it does not tell."""
        return len(loader.sampler) if isinstance(loader.sampler, Sized) else None

    @cached_property
    def gradients(self) -> dict[int, Tensor]:
        """The gradient of the loss of the first batch, by the parameter's id, in evaluation mode: without dropout."""
        if self.first is None:
            return {}
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        with self.mode(training=False), torch.enable_grad():
            output = self.run()
            loss = self.loss_of(output)
            if loss is None:
                return {}
            found = torch.autograd.grad(loss, parameters, allow_unused=True)
        return {
            id(p): g.detach()
            for p, g in zip(parameters, cast("list[Tensor | None]", found), strict=True)
            if g is not None
        }

    def loss_of(self, output: Any) -> Tensor | None:
        """The loss of an output: the model's own, or the one handed in; None where there is neither."""
        own = getattr(output, "loss", None)
        if self.setup.loss is None or self.targets is None:
            return own if isinstance(own, Tensor) else None
        return self.setup.loss(output, self.targets)

    @contextmanager
    def silence(self) -> Generator[None]:
        """Without the warnings of torch, where what they warn of is what is measured."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield

    @contextmanager
    def mode(self, training: bool) -> Generator[None]:
        """The whole model in one mode; modes, buffers, gradients and random states are as before at the end."""
        buffers = [(buffer, buffer.detach().clone()) for buffer in self.model.buffers()]
        with undisturbed(None), modes_kept(self.model):
            try:
                self.model.train(training)
                yield
            finally:
                with torch.no_grad():
                    for buffer, value in buffers:
                        buffer.copy_(value)

    @cached_property
    def outputs(self) -> Tensor | None:
        """The logits or predictions of the first batch in evaluation; None where none are known."""
        if self.first is None:
            return None
        with self.mode(training=False), torch.no_grad():
            return tensor_of(self.run())


def tensor_of(output: Any) -> Tensor | None:
    """The tensor of predictions in what a model returns: itself, `.logits`, or the first of a tuple."""
    if isinstance(output, Tensor):
        return output
    if isinstance(logits := getattr(output, "logits", None), Tensor):
        return logits
    if isinstance(output, list | tuple) and output:
        first = cast(Sequence[Any], output)[0]
        return first if isinstance(first, Tensor) else None
    return None


def _moved(batch: Any, device: torch.device) -> Any:
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, Mapping):
        return {key: _moved(value, device) for key, value in cast(Mapping[str, Any], batch).items()}
    if isinstance(batch, list | tuple):
        return [_moved(each, device) for each in cast(Sequence[Any], batch)]
    return batch


def tensors_of(batch: Any) -> Generator[Tensor]:
    """Every tensor in a batch or a row."""
    if isinstance(batch, Tensor):
        yield batch
    elif isinstance(batch, Mapping):
        for value in cast(Mapping[str, Any], batch).values():
            yield from tensors_of(value)
    elif isinstance(batch, list | tuple):
        for value in cast(Sequence[Any], batch):
            yield from tensors_of(value)


@contextmanager
def undisturbed(loader: object) -> Generator[None]:
    """Random states of torch, numpy and Python, and the generators of a loader, are as before at the end."""
    sampler = getattr(loader, "sampler", None)
    generators = [getattr(owner, "generator", None) for owner in (loader, sampler)]
    states = [(each, each.get_state()) for each in generators if isinstance(each, torch.Generator)]
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002  # the user's code may draw from it
    try:
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002
        for generator, state in states:
            generator.set_state(state)
