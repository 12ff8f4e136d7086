"""Children: short trainings of the model under a policy, from weights that all of them share.

A warm start is the plain model trained to the end of a quarter of the usual length: it knows its rows by heart, so a
child that goes on from it for a few epochs under a policy shows what the policy takes back. (12 policies on 150
digits, mean Spearman correlation with full trainings over 3 splits, which is a noisy figure: children from the first
quarter of a full training, whose learning rate is still high, -0.08; from scratch -0.08; from such a warm start 0.38;
from one of half the length 0.28, with longer children 0.64.) A child is scored by the calibrated loss of the select
rows, which is finer than accuracy. Children of one split have the same rows, seed and start, so they are compared row
by row.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gapless import draws
from gapless.data import Task
from gapless.errors import BudgetError, DataError
from gapless.recipe import Recipe
from gapless.run.driver import Run, Work
from gapless.run.job import Job, Outcome
from gapless.run.journal import Event
from gapless.train.loop import Plan

Losses = NDArray[np.float32]

WARM = 0.25
"""Length of a warm start, in full trainings."""


@dataclass(frozen=True)
class Child:
    """One training on one split. warm: it begins with the weights of the warm start."""

    recipe: Recipe
    lr: float
    epochs: int
    split: int
    warm: bool = True

    @property
    def key(self) -> str:
        return json.dumps(self.facts(), sort_keys=True)

    def facts(self) -> dict[str, Any]:
        return {
            "recipe": self.recipe.to_dict(),
            "lr": self.lr,
            "epochs": self.epochs,
            "split": self.split,
            "warm": self.warm,
        }


@dataclass
class Ended:
    """What came of the children, as the journal tells: the loss of each select row by key, why others failed, seconds
    and epochs."""

    losses: dict[str, Losses] = field(default_factory=dict[str, "Losses"])
    failures: dict[str, str] = field(default_factory=dict[str, str])
    seconds: float = 0.0
    epochs: int = 0

    def take(self, event: Event) -> None:
        """Takes in a child or a warm start that ended; events of other kinds are not its own."""
        if event["event"] not in ("child", "warm"):
            return
        self.seconds += event["seconds"]
        self.epochs += event["ran"]
        if event["event"] == "warm":
            return
        key = json.dumps(event["child"], sort_keys=True)
        if event["reason"]:
            self.failures[key] = event["reason"]
        else:
            self.losses[key] = np.frombuffer(base64.b64decode(event["losses"]), "<f4").astype(np.float32)


class Nursery:
    """Trains children. stage: of the run, for its account. full: epochs of a full training. report: called now and
    then, for the progress bar."""

    def __init__(
        self, run: Run, ended: Ended, plan: Plan, stage: str, lr: float, full: int, report: Callable[[], None]
    ):
        self.run, self.ended, self.plan, self.lr, self.full = run, ended, plan, lr, full
        self._stage = stage
        self._report = report

    @property
    def task(self) -> Task:
        return self.run.task

    def child(self, recipe: Recipe, epochs: int, split: int = 0, warm: bool = True, lr: float | None = None) -> Child:
        return Child(recipe, self.lr if lr is None else lr, epochs, split, warm)

    def losses(self, children: Sequence[Child]) -> list[Losses | None]:
        """The losses of each on its select rows, None where it failed; those that ended before are not trained again.

        Raises:
            BudgetError: all of them failed.
        """
        for split in sorted({c.split for c in children if c.warm and not self._known(c)}):
            self._warm(split)
        left = list({c.key: c for c in children if not self._known(c)}.values())

        def next_work(number: int) -> Work | None:
            return self._work(number, left.pop(0)) if left else None

        if left:
            self.run.drive(next_work, self.plan, self._report)
        if children and all(c.key in self.ended.failures for c in children):
            raise BudgetError(f"every training of the search failed: {self.ended.failures[children[0].key]}")
        return [self.ended.losses.get(c.key) for c in children]

    def _known(self, child: Child) -> bool:
        return child.key in self.ended.losses or child.key in self.ended.failures

    def _work(self, number: int, child: Child) -> Work:
        path = self.run.checkpoint(f"child-{draws.key(0, child.key):016x}")
        start = self.run.checkpoint(f"warm-{child.split}") if child.warm else None
        job = Job(
            number, child.recipe, child.lr, self._seed(child.split), child.split, child.epochs, child.epochs, path,
            losses=True, start=start,
        )  # fmt: skip

        def ended(outcome: Outcome) -> None:
            if outcome.status != "paused":
                each = b"" if outcome.losses is None else outcome.losses.astype("<f4").tobytes()
                facts = {"child": child.facts(), "score": outcome.score, "reason": outcome.reason}
                facts["losses"] = base64.b64encode(each).decode()
                facts["stage"] = self._stage
                self.run.write({"event": "child", **facts, "seconds": outcome.seconds, "ran": outcome.epoch})

        return job, ended

    def _warm(self, split: int) -> None:
        """The plain model up to where children take over; left on the disk for all of them.

        It is stopped one epoch before its end, when its learning rate is all but zero: what is stopped is kept.
        """
        path = self.run.checkpoint(f"warm-{split}")
        if path.exists() and any(e["split"] == split for e in self.run.events("warm")):
            return
        length = max(2, round(WARM * self.full))
        waiting = [split]

        def next_work(number: int) -> Work | None:
            if not waiting:
                return None
            seed = self._seed(waiting.pop())
            return Job(number, Recipe(), self.lr, seed, split, length, length - 1, path), ended

        def ended(outcome: Outcome) -> None:
            if outcome.status == "failed":
                raise DataError(f"model {self.task.model_name}: cannot be trained: {outcome.reason}")
            if outcome.status != "paused":
                facts = {"split": split, "stage": self._stage, "seconds": outcome.seconds, "ran": outcome.epoch}
                self.run.write({"event": "warm", **facts})

        self.run.drive(next_work, self.plan, self._report)

    def _seed(self, split: int) -> int:
        return draws.key(self.run.seed, "policy", split) >> 1
