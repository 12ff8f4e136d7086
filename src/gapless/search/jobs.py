"""One piece of work for a worker: train a recipe up to an epoch and score it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from gapless.data.splits import select_split
from gapless.errors import DataError, GaplessError
from gapless.recipe import Recipe
from gapless.train.loop import Diverged, Plan, Trainer, feed_of
from gapless.train.scores import Scores, score

if TYPE_CHECKING:
    from gapless.data import Rows, Task

CURVE_POINTS = 12
SPEED_BATCHES = 20


@dataclass(frozen=True)
class Job:
    """Train one recipe with one seed.

    split: which repeat of the train/select split to train and score on; None trains on all development rows and scores
        them and the confirm rows, row by row.
    until: the epoch to stop at. checkpoint: where to go on from and to leave the state at, if `until` is not the last.
    curve: whether to score train and select along the way. speed: only measure how long an epoch takes. also: without
    a split, whether to score the further test data as well.
    """

    number: int
    recipe: Recipe
    lr: float
    seed: int
    split: int | None
    until: int
    checkpoint: Path
    curve: bool = False
    speed: bool = False
    also: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    status: `done` (the last epoch is reached), `rung` (stopped at `until` and saved), `paused` (asked to stop and
    saved), `failed` (the model or its numbers), or `unsaved` (the disk is full).
    score, loss: on select (the confirm rows where there is no split); train_score: on the rows trained on.
    seconds: of this job; of one epoch when the speed was asked for.
    train_each, confirm_each: per row, only without a split. also_each: per row of the further test data, by its name.
    """

    number: int
    status: Literal["done", "rung", "paused", "failed", "unsaved"]
    epoch: int = 0
    score: float | None = None
    loss: float | None = None
    train_score: float | None = None
    seconds: float = 0.0
    reason: str = ""
    curve: tuple[tuple[int, float, float], ...] = ()
    train_each: NDArray[np.float32] | None = field(default=None, compare=False)
    confirm_each: NDArray[np.float32] | None = field(default=None, compare=False)
    also_each: dict[str, NDArray[np.float32]] = field(default_factory=dict[str, NDArray[np.float32]], compare=False)


def run(job: Job, task: Task, seed: int, plan: Plan, stop: Callable[[], bool]) -> Outcome:
    """Does the job. What the model or the data raise ends the job as failed, with the reason; the run goes on.

    Args:
        seed: of the run: it decides the splits.
        stop: asked after every epoch; True saves and pauses.
    """
    begun = time.perf_counter()
    try:
        if job.speed:
            return _speed(job, task, plan)
        return _run(job, task, seed, plan, stop, begun)
    except Diverged as error:
        reason = str(error)
    except MemoryError:
        reason = "out of memory"
    except GaplessError as error:
        reason = str(error)
    except (Exception, SystemExit) as error:  # the user's model may raise anything, and end the process on a whim
        reason = f"{type(error).__name__}: {error}"
    return Outcome(job.number, "failed", seconds=time.perf_counter() - begun, reason=reason[:500])


def _speed(job: Job, task: Task, plan: Plan) -> Outcome:
    """Seconds of one epoch over all development rows, from about a second of training on some of them."""
    rows = np.arange(min(len(task.develop), SPEED_BATCHES * plan.batch_size))
    trainer = Trainer(task, rows, job.recipe, job.lr, job.seed, plan, task.develop)
    trainer.run_to(1)  # the first epoch pays for what is compiled and allocated
    begun = time.perf_counter()
    while time.perf_counter() - begun < 1.0:
        trainer.run_to(trainer.epoch + 1)
    each = (time.perf_counter() - begun) / (trainer.epoch - 1)
    return Outcome(job.number, "done", trainer.epoch, seconds=each * len(task.develop) / len(rows))


class _Stop(Exception):
    pass


def _run(job: Job, task: Task, seed: int, plan: Plan, stop: Callable[[], bool], begun: float) -> Outcome:
    develop = task.develop
    if job.split is None:
        rows, held = np.arange(len(develop)), None
    else:
        rows, held = select_split(develop.y, job.split, seed)
    trainer = _trainer(job, task, rows, plan)
    points = set(np.linspace(0, plan.epochs, CURVE_POINTS + 1)[1:].round().astype(int).tolist()) if job.curve else set()
    curve: list[tuple[int, float, float]] = []

    def after_epoch(epoch: int) -> None:
        if epoch in points:
            train = score(trainer.judged, trainer.feed, rows).mean
            curve.append((epoch, train, score(trainer.judged, trainer.feed, held).mean))
        if epoch < job.until and stop():
            raise _Stop

    def outcome(status: Literal["done", "rung", "paused"]) -> Outcome:
        if status == "done":
            job.checkpoint.unlink(missing_ok=True)
        else:
            try:
                trainer.save(job.checkpoint)
            except DataError as error:
                return Outcome(job.number, "unsaved", reason=str(error))
        seconds = time.perf_counter() - begun
        if status == "paused":
            return Outcome(job.number, status, trainer.epoch, seconds=seconds)
        if held is not None:
            judged = score(trainer.judged, trainer.feed, held)
            train = score(trainer.judged, trainer.feed, rows).mean if status == "done" else None
            seconds = time.perf_counter() - begun
            return Outcome(
                job.number, status, trainer.epoch, judged.mean, judged.loss, train, seconds, curve=tuple(curve)
            )
        return _confirm(job, task, trainer, begun)

    try:
        trainer.run_to(job.until, after_epoch)
    except _Stop:
        return outcome("paused")
    return outcome("done" if job.until >= plan.epochs else "rung")


def _trainer(job: Job, task: Task, rows: NDArray[np.int64], plan: Plan) -> Trainer:
    """A new training, or the one that the job's checkpoint holds."""
    trainer = Trainer(task, rows, job.recipe, job.lr, job.seed, plan, task.develop)
    if not job.checkpoint.exists():
        return trainer
    try:
        trainer.load(job.checkpoint)
    except DataError:  # damaged: from the start, it comes to the same weights
        job.checkpoint.unlink()
        return Trainer(task, rows, job.recipe, job.lr, job.seed, plan, task.develop)
    return trainer


def _confirm(job: Job, task: Task, trainer: Trainer, begun: float) -> Outcome:
    assert task.confirm is not None
    train = score(trainer.judged, trainer.feed)

    def opened(rows: Rows) -> Scores:
        return score(trainer.judged, feed_of(rows, trainer.scale, len(task.classes), trainer.device))

    confirm = opened(task.confirm)
    also = {name: opened(rows).each for name, rows in task.also} if job.also else {}
    return Outcome(
        job.number,
        "done",
        trainer.epoch,
        confirm.mean,
        confirm.loss,
        train.mean,
        time.perf_counter() - begun,
        train_each=train.each,
        confirm_each=confirm.each,
        also_each=also,
    )
