"""A training as the page sees it: a document before it begins, one after every epoch that is shown, one at its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from gapless.data import Rows, Task
from gapless.live.playground.looks import SHOWN, Looks, pictures
from gapless.live.playground.settings import Settings
from gapless.live.playground.worlds import world
from gapless.train.batches import Feed
from gapless.train.loop import Diverged, Plan, Trainer

PACE = 25.0
"""Epochs a second, at most: slow enough to be watched, and the processor rests."""


@dataclass
class Stage:
    """Where one network trains at a time: who comes next takes the place of who is there.

    torch draws dropout from a generator of the whole process, so two trainings at once would not be repeatable.
    own: the reader's data. pace: epochs a second, 0 for as fast as it goes.
    """

    own: Task | None = None
    pace: float = PACE
    trainings: int = 0
    """How many run at this moment: never more than one."""
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _order: threading.Lock = field(default_factory=threading.Lock)
    _newest: int = 0

    def train(self, sent: dict[str, Any]) -> Generator[dict[str, Any]]:
        """Trains what the page asks for, from its first weights. It ends where the reader goes away or the next begins.

        Raises:
            UsageError: settings that cannot be.
        """
        settings = Settings.of(sent)
        with self._order:
            self._newest += 1
            mine = self._newest
        with self._turn:
            self.trainings += 1
            try:
                yield from self._told(settings, mine)
            finally:
                self.trainings -= 1

    def _told(self, settings: Settings, mine: int) -> Generator[dict[str, Any]]:
        task = world(settings, self.own)
        assert task.confirm is not None
        recipe = settings.recipe(task.kind == "image")
        plan = Plan(settings.epochs, settings.batch)
        rows = np.arange(len(task.develop))
        trainer = Trainer(task, rows, recipe, settings.lr, settings.seed, plan, task.develop)
        looks = Looks(trainer, task)
        yield {**begun(task, trainer, settings), **looks.frame()}
        due = time.monotonic()
        frame: dict[str, Any] = {}
        while trainer.epoch < settings.epochs:
            if mine != self._newest:
                yield {"end": "replaced"}
                return
            due = max(due, time.monotonic()) + (1 / self.pace if self.pace else 0.0)
            try:
                trainer.run_to(trainer.epoch + 1)
                frame = looks.frame()
            except Diverged as error:
                yield {"end": "diverged", "why": f"{error}. Take a smaller learning rate."}
                return
            yield frame
            time.sleep(max(0.0, due - time.monotonic()))
        yield {"end": "finished", "train": frame["train"], "new": frame["new"]}


def begun(task: Task, trainer: Trainer, settings: Settings) -> dict[str, Any]:
    """What is trained, on what, with which recipe."""
    assert task.confirm is not None
    recipe = trainer.recipe
    told: dict[str, Any] = {
        "kind": task.kind,
        "rows": len(task.develop),
        "new_rows": len(task.confirm),
        "classes": list(task.classes),
        "model": task.model_name,
        "parameters": sum(p.numel() for p in trainer.model.parameters()),
        "recipe": recipe.to_toml(
            f"Set in the playground: learning rate {settings.lr:g}, batches of {settings.batch}, "
            f"{settings.epochs} epochs, seed {settings.seed}."
        ),
    }
    if settings.data not in ("digits", "own"):
        told["points"] = _points(task.develop)
        told["new_points"] = _points(task.confirm.take(np.arange(200)))
    elif task.kind == "image":
        assert isinstance(trainer.feed, Feed)
        told["pictures"] = pictures(trainer.feed.raw(torch.arange(min(SHOWN, len(trainer.feed)))))
    return told


def _points(rows: Rows) -> dict[str, Any]:
    return {"x": rows.x.astype(np.float64).round(3).tolist(), "y": rows.y.tolist()}
