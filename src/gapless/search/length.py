"""How long the plain model needs: its length is doubled until twice the length gains no more than chance.

Each length is trained from the start, with a learning rate that falls to zero at its end, at both rates that open the
search. What counts is the loss of each select row at the temperature that suits them best: accuracy is too coarse to
see a curve flatten, the plain loss punishes sureness (see `gapless.train.scores`). A model that is no better than
knowing how frequent each class is has not begun to learn, and goes on whatever it gains.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gapless.data.splits import select_of
from gapless.recipe import Recipe
from gapless.run.driver import Run, Work
from gapless.run.job import Outcome
from gapless.run.journal import Event
from gapless.search.book import PLAIN, Book, Candidate, event_of
from gapless.search.rungs import Trials
from gapless.train.loop import Plan

Losses = NDArray[np.float32]


@dataclass(frozen=True)
class Step:
    """One length that was tried: the learning rate that came off better, and the loss of every select row."""

    epochs: int
    lr: float
    losses: Losses


@dataclass(frozen=True)
class Length:
    """epochs: what the plain model needs. settled: whether twice as many were tried and gained no more than chance."""

    epochs: int
    settled: bool


def steps(events: Iterable[Event], rates: tuple[float, ...]) -> tuple[Step, ...]:
    """What was tried, from short to long, as the journal tells."""
    lengths = [e for e in events if e["event"] == "length"]
    found = (_better(lengths, rates, epochs) for epochs in sorted({e["epochs"] for e in lengths}))
    return tuple(step for step in found if step is not None)


def _better(lengths: Iterable[Event], rates: tuple[float, ...], epochs: int) -> Step | None:
    """The better of the rates at a length; None where all failed."""
    known = {e["lr"]: e for e in lengths if e["epochs"] == epochs}
    tried = [
        Step(epochs, rate, np.frombuffer(base64.b64decode(event["losses"]), "<f4"))
        for rate in rates
        if (event := known.get(rate)) is not None
    ]
    return min(tried, key=lambda step: float(step.losses.mean()), default=None)


def measure(
    run: Run,
    book: Book,
    trials: Trials,
    plan: Plan,
    rates: tuple[float, ...],
    first: int,
    fits: Callable[[int], bool],
    report: Callable[[], None],
) -> Length:
    """Trains the plain model at `first` epochs, then at twice as many, and so on; goes on where the journal ends.

    Args:
        rates: the learning rates that each length is tried at.
        fits: whether there is time for a length, at all of these rates.
        report: called now and then, for the progress bar.
    """
    ladder = _Ladder(run, book, trials, rates)
    epochs, before = first, None
    while True:
        run.drive(ladder.work(epochs), plan, report)
        step = ladder.best(epochs)
        if step is not None and before is not None and ladder.learned(step) and not _gains(before, step):
            return Length(before.epochs, settled=True)
        if not fits(2 * epochs):
            return Length(epochs, settled=False)
        epochs, before = 2 * epochs, step


def _gains(before: Step, step: Step) -> bool:
    """Whether the longer training's loss is lower by more than one standard error of the paired difference."""
    return _surely_above_zero(before.losses - step.losses)


def _surely_above_zero(each: Losses) -> bool:
    return float(each.mean()) > float(each.std(ddof=1)) / len(each) ** 0.5


def _ignorant(train: NDArray[Any], select: NDArray[Any], classes: int) -> Losses:
    """The loss of each select row for one who knows how frequent the classes are, or mean and spread of the target."""
    if classes:
        share = (np.bincount(train, minlength=classes) + 1) / (len(train) + classes)
        return -np.log(share)[select.astype(np.int64)].astype(np.float32)
    return (((select - train.mean()) / max(float(train.std()), 1e-12)) ** 2).astype(np.float32)


class _Ladder:
    def __init__(self, run: Run, book: Book, trials: Trials, rates: tuple[float, ...]):
        self._run, self._book, self._trials, self._rates = run, book, trials, rates
        develop, classes = run.task.develop, len(run.task.classes)
        train, select = (develop.y[rows] for rows in select_of(develop, 0, run.seed))
        self._ignorant = _ignorant(train, select, classes)

    def learned(self, step: Step) -> bool:
        """Whether it is better than one who has seen the labels of the training rows and nothing else."""
        return _surely_above_zero(self._ignorant - step.losses)

    def best(self, epochs: int) -> Step | None:
        return _better(self._run.events("length"), self._rates, epochs)

    def work(self, epochs: int) -> Callable[[int], Work | None]:
        """Gives the trainings of a length that are still to come, one after the other."""
        waiting = [c for rate in self._rates if not self._book.ended((c := self._candidate(rate, epochs)).number)]

        def next_work(number: int) -> Work | None:
            return self._work(number, waiting.pop(0)) if waiting else None

        return next_work

    def _candidate(self, rate: float, epochs: int) -> Candidate:
        found = next((c for c in self._book.candidates if (c.lr, c.epochs) == (rate, epochs)), None)
        if found is None:
            found = Candidate(len(self._book.candidates), Recipe(), rate, epochs, "opening", PLAIN)
            self._run.write(event_of(found))
        return found

    def _work(self, number: int, candidate: Candidate) -> Work:
        job, ended = self._trials.work(number, candidate, 0, losses=True)

        def noted(outcome: Outcome) -> None:
            if outcome.losses is not None:
                losses = base64.b64encode(outcome.losses.astype("<f4").tobytes()).decode()
                what = {"epochs": candidate.epochs, "lr": candidate.lr}
                self._run.write({"event": "length", **what, "losses": losses})
            ended(outcome)

        return job, noted
