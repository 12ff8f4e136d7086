"""The mechanics of a run: its journal, its clock, its workers; what is to be done is told from outside."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from gapless.data import Task
from gapless.errors import DataError
from gapless.run.clock import Clock
from gapless.run.engines.engine import Engine
from gapless.run.job import Job, Outcome
from gapless.run.journal import Event, Journal
from gapless.train.loop import Plan

TRIES = 3
"""How often a job is begun whose worker dies or hangs, before that is held against the job."""
CHECK = 0.5
"""Seconds between looks at the clock and at the user's wish to stop, while workers are busy."""


class Listener(Protocol):
    """Hears how a run goes on."""

    def phase(self, name: str) -> None: ...

    def progress(self, share: float, left: float | None, note: str) -> None:
        """share: of the whole run, 0 to 1. left: seconds, None when unknown. note: trials and the best so far."""
        ...


class Taker(Protocol):
    """Keeps what it needs of a run's events; events of other kinds it leaves alone."""

    def take(self, event: Event) -> None: ...


class Interrupted(Exception):
    """The run was stopped by the user; all that ended is in the journal, and what ran is saved."""


Work = tuple[Job, Callable[[Outcome], None]]
"""A job, and who is told what came of it; one that was paused is told too, and comes again."""


class Run:
    """A run directory at work.

    Args:
        journal: of the run; it lies in the run's directory.
        takers: are told of every event that is written; those of earlier sittings they know already.
        engine: makes the engine that runs jobs, when the first is there.
        minutes: the budget, None for none. begun: time.monotonic() when this sitting began. seed: of the run.
        stop: asked now and then; True has what runs saved and ends the drive.
    """

    def __init__(
        self,
        task: Task,
        journal: Journal,
        takers: Sequence[Taker],
        engine: Callable[[], Engine],
        listener: Listener,
        stop: Callable[[], bool],
        minutes: float | None,
        begun: float | None,
        seed: int,
    ):
        self.task, self.listener, self.seed = task, listener, seed
        self._journal, self._takers, self._stop = journal, takers, stop
        spent = max((e["at"] for e in journal.events), default=0.0)
        now = time.monotonic() if begun is None else begun
        self.clock = Clock(time.monotonic, now - spent, None if minutes is None else 60 * minutes)
        self._open, self._engine = engine, None
        self._running: dict[int, Work] = {}
        self._lost: dict[int, int] = {}
        self._jobs = 0

    def event(self, name: str) -> Event | None:
        """The first event of a kind."""
        return next((e for e in self._journal.events if e["event"] == name), None)

    def events(self, name: str) -> list[Event]:
        """All events of a kind, in the order in which they came."""
        return [e for e in self._journal.events if e["event"] == name]

    def write(self, event: Event) -> None:
        """Journals an event and tells the takers."""
        event = {**event, "at": round(self.clock.spent, 3)}
        self._journal.write(event)
        self._journal.events.append(event)
        for taker in self._takers:
            taker.take(event)

    def checkpoint(self, name: str) -> Path:
        return self._journal.path.parent / "checkpoints" / f"{name}.safetensors"

    def drive(self, next_work: Callable[[int], Work | None], plan: Plan, report: Callable[[], None]) -> None:
        """Keeps the workers busy with what `next_work` gives, until it gives nothing and nothing runs.

        Args:
            next_work: the next work, given a number for its job; None when there is none, or none until more has
                ended.
            report: called now and then, for the progress bar.

        Raises:
            Interrupted: the user wants to stop; running jobs are saved first.
            DataError: the disk is full.
        """
        engine = self._engine = self._engine or self._open()
        while True:
            while engine.room() and not self._stop():
                work = next_work(self._jobs)
                if work is None:
                    break
                self._jobs += 1
                self._begin(engine, work, plan)
            if self._stop():
                engine.stop()
            if not self._running:
                if self._stop():
                    raise Interrupted
                return
            for outcome in engine.wait(CHECK):
                work = self._running.pop(outcome.number)
                if outcome.status == "lost":
                    self._again(engine, work, plan, outcome)
                elif outcome.status == "unsaved":
                    raise DataError(outcome.reason)
                else:
                    work[1](outcome)
            report()

    def _begin(self, engine: Engine, work: Work, plan: Plan) -> None:
        self._running[work[0].number] = work
        engine.submit(work[0], plan)

    def _again(self, engine: Engine, work: Work, plan: Plan, outcome: Outcome) -> None:
        """Begins a job anew whose worker was lost, as on a machine short of memory; from its checkpoint, if any."""
        job, ended = work
        lost = self._lost[job.number] = self._lost.get(job.number, 0) + 1
        if self._stop():
            ended(replace(outcome, status="paused"))
        elif lost < TRIES:
            self._begin(engine, work, plan)
        else:
            job.checkpoint.unlink(missing_ok=True)
            ended(replace(outcome, status="failed", reason=f"{outcome.reason}, {lost} times"))

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()
