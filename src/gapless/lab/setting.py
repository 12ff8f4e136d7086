"""What an experiment is given to work with: sizes, data, and trainings by the one training loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gapless import draws
from gapless.data import Rows, Task
from gapless.data.door import load
from gapless.data.splits import put_aside
from gapless.data.task import with_model
from gapless.models import ModelOptions
from gapless.recipe import Recipe
from gapless.recipe.parts import Augment, Op
from gapless.train.loop import Plan, Trainer, feed_of
from gapless.train.scores import score

Value = TypeVar("Value")
Each = NDArray[np.bool_]
PLAIN = Recipe()
_MOVES = (("rotate", 12.0), ("scale", 0.12), ("translate_x", 0.08), ("translate_y", 0.08))
GENTLE = Augment(ops=tuple(Op(op=op, strength=strength) for op, strength in _MOVES))
"""Turning, scaling and shifting as digits of 8 x 8 pixels bear it."""
NEW_ROWS = 2_000
"""Rows of a reader's own data that are scored, at most: an experiment has two minutes."""


@cache
def digit_pools() -> tuple[Rows, Rows]:
    """The digits to draw training rows from (1,000), and the new ones that every seed is scored on (797)."""
    task = load("digits")
    parts = [task.develop, *([task.confirm] if task.confirm is not None else [])]
    rows = Rows(np.concatenate([part.x for part in parts]), np.concatenate([part.y for part in parts]))
    order = draws.stream(0, "lab digits").permutation(len(rows))  # the file goes from writer to writer
    return rows.take(order[:1000]), rows.take(order[1000:])


@dataclass(frozen=True)
class Trained:
    """A training that came to its end."""

    trainer: Trainer
    task: Task

    @property
    def train(self) -> Each:
        """Right or wrong on the rows trained on, without augmentation."""
        return score(self.trainer.judged, self.trainer.feed).each > 0.5

    @property
    def new(self) -> Each:
        """Right or wrong on new rows."""
        assert self.task.confirm is not None
        return self.on(self.task.confirm)

    def on(self, rows: Rows) -> Each:
        """Right or wrong on any rows of this kind."""
        return score(self.trainer.judged, self._feed(rows)).each > 0.5

    def loss(self, rows: Rows) -> float:
        """Calibrated cross-entropy (see `gapless.train.scores`)."""
        return score(self.trainer.judged, self._feed(rows)).loss

    @torch.no_grad()
    def outputs(self, rows: Rows, mode: Literal["eval", "train"] = "eval") -> Tensor:
        """(N, classes), as the model is judged, or as it is while it trains."""
        model = self.trainer.judged.train(mode == "train")
        found = model(self.inputs(rows))
        model.eval()
        return found

    def inputs(self, rows: Rows) -> Any:
        """What the model takes for these rows."""
        return self._feed(rows).inputs(torch.arange(len(rows)))

    def _feed(self, rows: Rows) -> Any:
        return feed_of(rows, self.trainer.scale, self.trainer.classes, self.trainer.device)


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Lab:
    """What an experiment runs with.

    short: for the contract test, at sizes that show only that it runs. data, model: the reader's own.
    tick: called after every training, for the progress bar.
    """

    short: bool = False
    data: Task | None = None
    model: str | None = None
    tick: Callable[[], None] = _nothing

    def pick(self, full: Value, short: Value) -> Value:
        """One or the other, by the form that is run."""
        return short if self.short else full

    def rows(self, most: int) -> int:
        """Rows there are to train on, of the reader's data or of the digits, at most so many."""
        return min(most, 1000 if self.data is None else len(self.data.develop))

    def task(
        self, n: int, seed: int, model: str = "mlp", width: int = 64, depth: int | None = None, short: int | None = None
    ) -> Task:
        """n rows to train on, drawn by the seed, and new rows, the same for every seed: digits, or the reader's.

        A reader's own data has its own default model. n is cut to the rows there are; `short` is n of the short form.
        """
        n = self.pick(n, short or min(n, 60))
        if self.data is None:
            pool, new = digit_pools()
            new = new.take(np.arange(self.pick(len(new), 100)))
            task = Task("digits", pool, new, classes=tuple("0123456789"))
            named, size = self.model or model, None if self.model else ModelOptions(width, depth)
        else:
            task, named, size = self.data, self.model, None
            assert task.confirm is not None
            pool = task.develop
            task = replace(task, confirm=task.confirm.take(np.arange(min(NEW_ROWS, len(task.confirm)))))
        left = 2 * max(1, len(task.classes))  # what a stratified draw must leave behind
        rows = put_aside(pool.y, n, seed)[1] if n < len(pool) - left else np.arange(len(pool))
        return with_model(replace(task, develop=pool.take(rows)), named, size)

    def train(
        self,
        task: Task,
        recipe: Recipe = PLAIN,
        *,
        steps: int,
        seed: int,
        lr: float = 0.003,
        batch: int = 32,
        optimizer: Literal["adamw", "sgd"] = "adamw",
        after_epoch: Callable[[Trainer], None] | None = None,
    ) -> Trained:
        """A training of about `steps` steps by `gapless.train.Trainer`.

        Raises:
            Diverged: the loss is no longer a number.
        """
        rows = np.arange(len(task.develop))
        steps = self.pick(steps, min(steps, 12))
        epochs = max(1, round(steps / max(1, round(len(rows) / batch))))
        plan = Plan(epochs, batch, optimizer)
        trainer = Trainer(task, rows, recipe, lr, seed, plan, task.develop)
        trainer.run_to(epochs, None if after_epoch is None else lambda epoch: after_epoch(trainer))
        self.tick()
        return Trained(trainer, task)
