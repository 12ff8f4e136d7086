"""One piece of work for a worker: train a recipe up to an epoch and score it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from gapless.data.splits import select_of
from gapless.errors import DataError, GaplessError
from gapless.recipe import Recipe
from gapless.train.loop import Diverged, Plan, Trainer, feed_of
from gapless.train.scores import Scores, score

if TYPE_CHECKING:
    from gapless.data import Rows, Task

CURVE_POINTS = 12
SPEED_BATCHES = 20


Found = dict[str, NDArray[np.floating]]


class Study(Protocol):
    """A training on other rows or labels than those of a split, and what is kept of it. A value that can be sent."""

    def material(self, task: Task, seed: int) -> tuple[Rows, NDArray[np.int64]]:
        """Rows with the labels to learn, and which of them are trained on; seed: of the run."""
        ...

    def watch(self, trainer: Trainer, seen: Found) -> None:
        """Called after each epoch; may put into `seen` what is only there along the way."""
        ...

    def found(self, task: Task, seed: int, trainer: Trainer, seen: Found) -> Found:
        """What is kept of the trained model."""
        ...


@dataclass(frozen=True)
class Job:
    """Train one recipe with one seed.

    split: which repeat of the train/select split to train and score on; None trains on all development rows and scores
        them and the confirm rows, row by row.
    epochs: the full length of the training. until: the epoch to stop at. checkpoint: where to go on from and to leave
    the state at, if `until` is not the last.
    rungs: epochs after which select is scored along the way. curve: whether train is scored too, at 12 points.
    losses: whether the loss of every select row is wanted.
    speed: only measure how long an epoch takes. also: without a split, whether to score the further test data as well.
    study: decides the rows and what is kept, in the place of `split`.
    start: a checkpoint of the same model, whose weights this training begins with in the place of drawn ones.
    """

    number: int
    recipe: Recipe
    lr: float
    seed: int
    split: int | None
    epochs: int
    until: int
    checkpoint: Path
    rungs: tuple[int, ...] = ()
    curve: bool = False
    losses: bool = False
    speed: bool = False
    also: bool = False
    study: Study | None = None
    start: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    status: `done` (the last epoch is reached), `rung` (stopped at `until` and saved), `paused` (asked to stop and
    saved), `failed` (the model or its numbers), `lost` (its worker died or hung, which says nothing of the model yet),
    or `unsaved` (the disk is full).
    score, loss: on select (the confirm rows where there is no split); train_score: on the rows trained on.
    seconds: of this job; of one epoch when the speed was asked for.
    rungs: epoch and score on select, of those that were passed. losses: of the select rows, where they were wanted.
    train_each, confirm_each: per row, only without a split. answers: to the confirm rows, as in `Scores`.
    also_each: per row of the further test data, by its name. found: what a study kept.
    """

    number: int
    status: Literal["done", "rung", "paused", "failed", "lost", "unsaved"]
    epoch: int = 0
    score: float | None = None
    loss: float | None = None
    train_score: float | None = None
    seconds: float = 0.0
    reason: str = ""
    rungs: tuple[tuple[int, float], ...] = ()
    curve: tuple[tuple[int, float, float], ...] = ()
    losses: NDArray[np.float32] | None = field(default=None, compare=False)
    train_each: NDArray[np.float32] | None = field(default=None, compare=False)
    confirm_each: NDArray[np.float32] | None = field(default=None, compare=False)
    answers: NDArray[np.float32] | None = field(default=None, compare=False)
    also_each: dict[str, NDArray[np.float32]] = field(default_factory=dict[str, NDArray[np.float32]], compare=False)
    found: Found = field(default_factory=Found, compare=False)


def run(job: Job, task: Task, seed: int, plan: Plan, stop: Callable[[], bool]) -> Outcome:
    """Does the job. What the model or the data raise ends the job as failed, with the reason; the run goes on.

    Args:
        seed: of the run: it decides the splits.
        plan: of all trainings of the run, but for their length.
        stop: asked after every epoch; True saves and pauses.
    """
    begun, plan = time.perf_counter(), replace(plan, epochs=job.epochs)
    try:
        if job.speed:
            return _speed(job, task, plan)
        if job.study is not None:
            return _study(job, job.study, task, seed, plan, stop, begun)
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
        rows, held = select_of(develop, job.split, seed)
    trainer = _trainer(job, task, rows, plan, develop)
    metric = task.judged_by
    points = set(np.linspace(0, plan.epochs, CURVE_POINTS + 1)[1:].round().astype(int).tolist()) if job.curve else set()
    curve: list[tuple[int, float, float]] = []
    rungs: list[tuple[int, float]] = []

    def after_epoch(epoch: int) -> None:
        if epoch in job.rungs and epoch < job.until:
            rungs.append((epoch, score(trainer.judged, trainer.feed, held, metric=metric).mean))
        if epoch in points:
            train, select = (score(trainer.judged, trainer.feed, part, metric=metric).mean for part in (rows, held))
            curve.append((epoch, train, select))
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
            return Outcome(job.number, status, trainer.epoch, seconds=seconds, rungs=tuple(rungs))
        if held is not None:
            judged = score(trainer.judged, trainer.feed, held, metric=metric)
            train = score(trainer.judged, trainer.feed, rows, metric=metric).mean if status == "done" else None
            seconds = time.perf_counter() - begun
            losses = judged.losses if job.losses else None
            scores = judged.mean, judged.loss, train
            way = tuple(rungs), tuple(curve), losses
            return Outcome(job.number, status, trainer.epoch, *scores, seconds, "", *way)
        return _confirm(job, task, trainer, begun)

    try:
        trainer.run_to(job.until, after_epoch)
    except _Stop:
        return outcome("paused")
    return outcome("done" if job.until >= plan.epochs else "rung")


def _study(
    job: Job, study: Study, task: Task, seed: int, plan: Plan, stop: Callable[[], bool], begun: float
) -> Outcome:
    rows_of, rows = study.material(task, seed)
    trainer = _trainer(job, task, rows, plan, rows_of)
    seen: Found = {}

    def after_epoch(epoch: int) -> None:
        study.watch(trainer, seen)
        if epoch < job.until and stop():
            raise _Stop

    try:
        trainer.run_to(job.until, after_epoch)
    except _Stop:
        try:
            if not seen:  # what was watched is in no checkpoint: such a training begins anew
                trainer.save(job.checkpoint)
        except DataError as error:
            return Outcome(job.number, "unsaved", reason=str(error))
        return Outcome(job.number, "paused", trainer.epoch, seconds=time.perf_counter() - begun)
    job.checkpoint.unlink(missing_ok=True)
    found = study.found(task, seed, trainer, seen)
    return Outcome(job.number, "done", trainer.epoch, seconds=time.perf_counter() - begun, found=found)


def _trainer(job: Job, task: Task, rows: NDArray[np.int64], plan: Plan, rows_of: Rows) -> Trainer:
    """A new training, or the one that the job's checkpoint holds."""
    trainer = Trainer(task, rows, job.recipe, job.lr, job.seed, plan, rows_of)
    if job.checkpoint.exists():
        try:
            trainer.load(job.checkpoint)
            return trainer
        except DataError:  # damaged: from the start, it comes to the same weights
            job.checkpoint.unlink()
            trainer = Trainer(task, rows, job.recipe, job.lr, job.seed, plan, rows_of)
    if job.start is not None:
        trainer.begin_with(job.start)
    return trainer


def _confirm(job: Job, task: Task, trainer: Trainer, begun: float) -> Outcome:
    assert task.confirm is not None
    train = score(trainer.judged, trainer.feed, metric=task.judged_by)

    def opened(rows: Rows) -> Scores:
        feed = feed_of(rows, trainer.scale, len(task.classes), trainer.device, trainer.memory)
        return score(trainer.judged, feed, metric=task.judged_by)

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
        answers=confirm.answers,
        also_each=also,
    )
