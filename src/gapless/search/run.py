"""The mechanics of a run: its journal, its clock, its workers; what is to be done is told from outside."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from gapless.data import Task
from gapless.errors import DataError
from gapless.search.book import Book
from gapless.search.budget import Clock
from gapless.search.confirm import Confirmation
from gapless.search.executors import Executor, open_executor
from gapless.search.jobs import Job, Outcome
from gapless.search.journal import Event, Journal
from gapless.train.loop import Plan

CHECK = 0.5
"""Seconds between looks at the clock and at the user's wish to stop, while workers are busy."""


@dataclass(frozen=True)
class TuneOptions:
    """What the user chose.

    minutes: the promise, or None with trials: the number of trainings in the search. epochs: None lets the data and
    the budget decide. ema: decay of averaged weights, 0 for none. begun: time.monotonic() when the command began, so
    that loading counts. translator, masked_model: what made the task's paraphrases.
    """

    out: Path
    minutes: float | None = 10.0
    trials: int | None = None
    epochs: int | None = None
    batch_size: int = 64
    optimizer: Literal["adamw", "sgd"] = "adamw"
    ema: float = 0.0
    seed: int = 0
    workers: int = 2
    device: str = "cpu"
    begun: float | None = None
    translator: str | None = None
    masked_model: Path | None = None


class Listener(Protocol):
    """Hears how a run goes on."""

    def phase(self, name: str) -> None: ...

    def progress(self, share: float, left: float | None, note: str) -> None:
        """share: of the whole run, 0 to 1. left: seconds, None when unknown. note: the best so far."""
        ...


class Interrupted(Exception):
    """The run was stopped by the user; all that ended is in the journal, and what ran is saved."""


Work = tuple[Job, Callable[[Outcome], None]]
"""A job, and who hears what came of it."""


class Run:
    """A run directory at work. `book` and `confirmation` are what the journal says, kept up to date."""

    def __init__(
        self, task: Task, options: TuneOptions, journal: Journal, listener: Listener, stop: Callable[[], bool]
    ):
        self.task, self.options, self.listener = task, options, listener
        self.book = Book(journal.events)
        self.confirmation = Confirmation.replay(journal.events)
        self._journal, self._stop = journal, stop
        spent = max((e["at"] for e in journal.events), default=0.0)
        begun = (time.monotonic() if options.begun is None else options.begun) - spent
        self.clock = Clock(time.monotonic, begun, None if options.minutes is None else 60 * options.minutes)
        self._executor: Executor | None = None
        self._running: dict[int, Callable[[Outcome], None]] = {}
        self._jobs = 0

    @property
    def running(self) -> int:
        return len(self._running)

    def event(self, name: str) -> Event | None:
        """The first event of a kind."""
        return next((e for e in self._journal.events if e["event"] == name), None)

    def write(self, event: Event) -> None:
        """Journals an event and lets the book and the confirmation know."""
        event = {**event, "at": round(self.clock.spent, 3)}
        self._journal.write(event)
        self._journal.events.append(event)
        self.book.take(event)
        self.confirmation.take(event)

    def checkpoint(self, name: str) -> Path:
        return self.options.out / "checkpoints" / f"{name}.safetensors"

    def drive(self, following: Callable[[int], Work | None], plan: Plan, report: Callable[[], None]) -> None:
        """Keeps the workers busy with what `following` gives, until it gives nothing and nothing runs.

        Args:
            following: the next work, given a number for its job; None when there is none, or none until more has
                ended.
            report: called now and then, for the progress bar.

        Raises:
            Interrupted: the user wants to stop; running jobs are saved first.
            DataError: the disk is full.
        """
        if self._executor is None:
            self._executor = open_executor(self.task, self.options.seed, self.options.workers, self._stop)
        while True:
            while self._executor.room() and not self._stop():
                work = following(self._jobs)
                if work is None:
                    break
                job, heard = work
                self._jobs += 1
                self._running[job.number] = heard
                self._executor.submit(job, plan)
            if self._stop():
                self._executor.stop()
            if not self._running:
                if self._stop():
                    raise Interrupted
                return
            for outcome in self._executor.wait(CHECK):
                heard = self._running.pop(outcome.number)
                if outcome.status == "unsaved":
                    raise DataError(outcome.reason)
                if outcome.status != "paused":
                    heard(outcome)
            report()

    def close(self) -> None:
        if self._executor is not None:
            self._executor.close()
