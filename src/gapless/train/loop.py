"""The one training loop: every model of a run goes through here, plain or not."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from gapless import draws
from gapless.errors import DataError
from gapless.functions import folder_kept
from gapless.recipe.batch import pair, vary
from gapless.recipe.mixing import mixing
from gapless.train import checkpoint
from gapless.train.batches import Feed, Scale
from gapless.train.memory import picture_format
from gapless.train.texts import TextFeed, answer, learn

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gapless.data import Rows, Task
    from gapless.recipe import Recipe


VARIED_TOGETHER = 2**21
"""Numbers (pixels times channels) that are augmented in one go: 8 MB."""


@dataclass(frozen=True)
class Plan:
    """How every model of a run is trained, but for its recipe and learning rate.

    epochs: the full length. batch_size: rows a step, about: an epoch is cut into equal batches. warmup: share of all
    steps in which the learning rate rises to its full height, then falls along half a cosine to 0 (Loshchilov and
    Hutter, SGDR, ICLR 2017, without restarts). ema: decay of the averaged weights that are judged; 0 judges the
    weights themselves.
    """

    epochs: int
    batch_size: int = 64
    optimizer: Literal["adamw", "sgd"] = "adamw"
    warmup: float = 0.05
    ema: float = 0.0
    device: str = "cpu"


class Diverged(Exception):
    """The loss is no longer a finite number."""


class Trainer:
    """One model, its recipe attached, trained epoch by epoch.

    The same arguments give the same weights, bit for bit, on one machine and torch version, whether the training runs
    through or stops at an epoch, is saved, loaded into a new Trainer and goes on.
    """

    def __init__(
        self, task: Task, rows: NDArray[np.int64], recipe: Recipe, lr: float, seed: int, plan: Plan, rows_of: Rows
    ):
        self.recipe, self.lr, self.seed, self.plan = recipe, lr, seed, plan
        self.device = torch.device(plan.device)
        self.classes = len(task.classes)
        self.categorical = tuple(task.categorical)
        self.part = recipe.augment
        self.rows = rows
        self.scale = Scale.of(rows_of, self.classes, rows)
        self.part.require(task.kind)
        self.resources = task.resources
        self.model = build(task, draws.key(seed, "weights"))
        self.memory = picture_format(self.model)
        self.feed = feed_of(rows_of, self.scale, self.classes, self.device, self.memory)
        learn(self.model, rows_of, rows)
        recipe.attach(self.model)
        self.model.to(self.device)
        if self.feed.pictures:
            self.model.to(memory_format=self.memory)  # pyright: ignore[reportCallIssue]
        self.optimizer = recipe.optimizer(self.model, lr, plan.optimizer)
        self.average = self._average() if plan.ema else None
        self.batches = max(1, min(round(len(rows) / plan.batch_size), len(rows) // 2))  # batch norm needs two rows
        self.epoch = 0

    @property
    def judged(self) -> nn.Module:
        """The model to score: the averaged weights where there are any."""
        return self.average.module if self.average is not None else self.model

    def run_to(self, epoch: int, after_epoch: Callable[[int], None] | None = None) -> None:
        """Trains up to the end of `epoch`.

        Raises:
            Diverged: the loss became NaN or infinite; says when.
        """
        while self.epoch < epoch:
            devices = [self.device] if self.device.type == "cuda" else []
            with torch.random.fork_rng(devices):
                torch.manual_seed(draws.key(self.seed, "dropout", self.epoch))
                loss = self._one_epoch()
            self.epoch += 1
            if not math.isfinite(loss):
                raise Diverged(f"the loss became {loss} in epoch {self.epoch} at learning rate {self.lr:.3g}")
            if after_epoch is not None:
                after_epoch(self.epoch)

    def _one_epoch(self) -> float:
        self.model.train()
        order = self.rows[draws.order(self.seed, self.epoch, len(self.rows))]
        total = torch.zeros((), device=self.device)
        for number, (inputs, labels) in enumerate(self._varied(np.array_split(order, self.batches))):
            total += self._step(number, inputs, labels)
        return float(total) / self.batches

    def step(self) -> None:
        """One step on the epoch's first batch, which is not counted as training: to see what a step costs."""
        self.model.train()
        order = self.rows[draws.order(self.seed, self.epoch, len(self.rows))]
        with torch.random.fork_rng([]):
            torch.manual_seed(draws.key(self.seed, "dropout", self.epoch))
            for inputs, labels in self._varied(np.array_split(order, self.batches)[:1]):
                self._step(0, inputs, labels)

    def _step(self, number: int, inputs: Tensor | list[str], labels: Tensor) -> Tensor:
        """One step on a batch of this epoch; gives its loss."""
        self._set_lr(self.epoch * self.batches + number)
        stream = draws.stream(self.seed, "mix", self.epoch, number)
        loss = self._loss(*self._outputs(inputs, labels, stream))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        return loss.detach()

    def _outputs(
        self, inputs: Tensor | list[str], labels: Tensor, stream: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """What the model says of a batch, and what it should say."""
        if isinstance(inputs, list):
            with mixing(self.part, self.model, labels, stream, self.classes) as targets:
                return answer(self.model, inputs, self.device), targets
        inputs, targets = pair(self.part, inputs, labels, stream, self.classes, self.categorical)
        return self.model(inputs), targets

    def _varied(self, batches: list[NDArray[np.int64]]) -> Iterator[tuple[Tensor | list[str], Tensor]]:
        """The batches' inputs and labels; pictures are augmented several batches at a time, which costs less."""
        if isinstance(self.feed, TextFeed):
            yield from self._varied_texts(self.feed, batches)
            return
        policy = self.part.policy()
        together = max(1, VARIED_TOGETHER // max(1, len(batches[0]) * self.feed.x[0].numel()))
        for start in range(0, len(batches), together):
            some = batches[start : start + together]
            rows = np.concatenate(some)
            index = torch.from_numpy(rows).to(self.device)
            chances = draws.uniforms(self.seed, "augment", self.epoch, rows, policy.columns)
            if self.feed.compiled and policy.steps:
                inputs = self.feed.varied(policy.program(chances, *self.feed.x.shape[2:]), index)
            else:
                inputs = self.feed.normal(vary(self.part, self.feed.raw(index), chances))
            sizes = [len(b) for b in some]
            yield from zip(inputs.split(sizes), self.feed.labels[index].split(sizes), strict=True)

    def _varied_texts(self, feed: TextFeed, batches: list[NDArray[np.int64]]) -> Iterator[tuple[list[str], Tensor]]:
        """The batches' texts and labels; all texts of the epoch are varied in one go."""
        rows = np.concatenate(batches)
        texts = feed.inputs(torch.from_numpy(rows))
        texts = self.recipe.vary(texts, self.seed, self.epoch, rows.tolist(), self.resources)
        start = 0
        for batch in batches:
            yield texts[start : start + len(batch)], feed.labels[torch.from_numpy(batch).to(self.device)]
            start += len(batch)

    def _loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if self.classes:
            return functional.cross_entropy(outputs, targets)
        return functional.mse_loss(outputs[:, 0], targets)

    def _set_lr(self, step: int) -> None:
        steps = self.plan.epochs * self.batches
        warm = max(1.0, self.plan.warmup * steps)
        factor = min(1.0, (step + 1) / warm) * 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr * factor

    def _average(self) -> AveragedModel:
        return AveragedModel(self.model, multi_avg_fn=_averaging(self.plan.ema), use_buffers=True)

    # ── checkpoints ──

    def save(self, path: Path) -> None:
        """Everything needed to go on: weights, optimizer state, averaged weights, epoch."""
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        if self.average is not None:
            tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        for i, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{i}.{k}": torch.as_tensor(v) for k, v in state.items() if v is not None}
        checkpoint.write(path, tensors, {"epoch": self.epoch, "training": self._identity()})

    def _identity(self) -> str:
        """Another one for another recipe, learning rate, seed, plan or choice of rows; the device may change."""
        facts = [self.recipe.to_dict(), self.lr, self.seed, asdict(replace(self.plan, device=""))]
        return hashlib.blake2b(json.dumps(facts).encode() + self.rows.tobytes(), digest_size=12).hexdigest()

    def load(self, path: Path) -> None:
        """Goes on from what `save` wrote.

        Raises:
            DataError: the file is missing or damaged, or of another training.
        """
        tensors, facts = checkpoint.read(path)
        if facts.get("training") != self._identity():
            raise DataError(f"{path}: the checkpoint of another training; delete it")
        try:
            self._restore(tensors, int(facts["epoch"]))
        except (RuntimeError, KeyError, ValueError, TypeError) as error:  # torch's errors and those of wrong names
            raise DataError(f"{path}: not a checkpoint of this training: {error}; delete it") from error

    def begin_with(self, path: Path) -> None:
        """Takes the weights of another training of the same model; optimizer and epoch stay those of a new one.

        Raises:
            DataError: the file is missing or damaged, or of another model.
        """
        tensors, _ = checkpoint.read(path)
        try:
            self.model.load_state_dict(_under("model.", tensors))
        except RuntimeError as error:
            raise DataError(f"{path}: not the weights of this model: {error}") from error
        if self.average is not None:
            self.average = self._average()

    def _restore(self, tensors: dict[str, Tensor], epoch: int) -> None:
        self.model.load_state_dict(_under("model.", tensors))
        if self.average is not None:
            self.average.load_state_dict(_under("average.", tensors))
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in _under("optimizer.", tensors).items():
            number, _, entry = name.partition(".")
            state.setdefault(int(number), {})[entry] = value
        whole = self.optimizer.state_dict()
        self.optimizer.load_state_dict({"state": state, "param_groups": whole["param_groups"]})
        for parameter, entries in self.optimizer.state.items():
            for entry, value in entries.items():
                if value.shape == parameter.shape:  # fused steps go through memory: the same order as the weights
                    entries[entry] = torch.empty_like(parameter).copy_(value)
        self.epoch = epoch


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _averaging(decay: float) -> Callable[..., None]:
    """An exponential moving average of what is a number; counts and column numbers are copied (torch rounds them)."""
    average = get_ema_multi_avg_fn(decay)

    def update(averaged: list[Tensor], current: list[Tensor], count: Tensor | int) -> None:
        if averaged[0].is_floating_point() or averaged[0].is_complex():
            average(averaged, current, count)
        else:
            for mine, theirs in zip(averaged, current, strict=True):
                mine.copy_(theirs)

    return update


def feed_of(
    rows: Rows,
    scale: Scale,
    classes: int,
    device: torch.device,
    memory: torch.memory_format = torch.channels_last,
) -> Feed | TextFeed:
    """The feed for a kind of data; `memory` is how pictures lie."""
    if rows.x.ndim == 1:
        return TextFeed(rows, scale, classes, device)
    return Feed(rows, scale, classes, device, memory)


def build(task: Task, seed: int) -> nn.Module:
    """The task's model with weights drawn from `seed`; torch's global generator and the current folder are left as
    they were."""
    assert task.model is not None, "a task is given its model before it is trained"
    with torch.random.fork_rng([]), folder_kept():
        torch.manual_seed(seed)
        return task.model()
