"""Trials of a run: trained rung by rung, and journaled when they end."""

from __future__ import annotations

from gapless.augment import draws
from gapless.search.book import FINALS, Candidate, Trial, event_of
from gapless.search.jobs import Job, Outcome
from gapless.search.race import keeps_on
from gapless.search.run import Run, Work
from gapless.train.loop import Plan

RUNGS = (1 / 3, 2 / 3)
"""Shares of a full training after which it may be stopped; strong regularization looks worse early, so none comes
before a quarter."""


class Trials:
    """Makes the work of trials and takes in what comes of it. `busy`: (candidate, split) of those that run."""

    def __init__(self, run: Run, plan: Plan):
        self._run, self._plan, self._book = run, plan, run.book
        self._busy: dict[int, tuple[int, int]] = {}

    @property
    def busy(self) -> set[tuple[int, int]]:
        return set(self._busy.values())

    def work(self, number: int, candidate: Candidate, split: int, final: bool = False) -> Work:
        """The work of a trial up to its next rung; in the finals there are no rungs.

        Trials on the same split have the same seed, so that recipes are compared in pairs.
        """
        key = (candidate.number, split)
        passed = max((epoch for epoch, _, _ in self._book.begun.get(key, ())), default=0)
        epochs = self._plan.epochs
        ends = [] if final else [round(share * epochs) for share in RUNGS]
        job = Job(
            number,
            candidate.recipe,
            candidate.lr,
            seed=draws.key(self._run.options.seed, "trial", split) >> 1,
            split=split,
            until=next((e for e in ends if passed < e < epochs), epochs),
            checkpoint=self._run.checkpoint(f"{'final' if final else 'search'}-{candidate.number}-{split}"),
            curve=final,
        )
        self._busy[number] = key
        return job, lambda outcome: self._ended(outcome, job, candidate, FINALS if final else candidate.phase)

    def _ended(self, outcome: Outcome, job: Job, candidate: Candidate, phase: str) -> None:
        """Journals what came of a job: a rung passed, or a trial finished, stopped or failed."""
        self._busy.pop(job.number)
        assert job.split is not None
        key = (candidate.number, job.split)
        passed = list(self._book.begun.get(key, ()))
        if outcome.score is not None:
            passed.append((outcome.epoch, outcome.score, outcome.seconds))
        goes_on = candidate.phase == "opening" or keeps_on(self._book, job.split, outcome.epoch, outcome.score or 0.0)
        if outcome.status == "rung" and goes_on:
            where = {"candidate": candidate.number, "split": job.split, "epoch": outcome.epoch}
            self._run.write({"event": "rung", **where, "score": outcome.score, "seconds": outcome.seconds})
            return
        job.checkpoint.unlink(missing_ok=True)
        stopped = outcome.status == "rung"
        trial = Trial(
            number=len(self._book.trials),
            candidate=candidate.number,
            phase=phase,
            split=job.split,
            seed=job.seed,
            epochs=outcome.epoch,
            status="stopped" if stopped else "finished" if outcome.status == "done" else "failed",
            score=outcome.score,
            loss=outcome.loss,
            train_score=outcome.train_score,
            seconds=sum(s for _, _, s in passed) + (outcome.seconds if outcome.score is None else 0.0),
            reason="in the lowest third at a rung" if stopped else outcome.reason,
            rungs=tuple((e, s) for e, s, _ in passed),
            curve=outcome.curve,
        )
        self._run.write(event_of(trial))
