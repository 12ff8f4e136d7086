"""Trials of a run: trained rung by rung, and journaled when they end."""

from __future__ import annotations

from gapless import draws
from gapless.run.driver import Run, Work
from gapless.run.job import Job, Outcome
from gapless.search.book import FINALS, Book, Candidate, Trial, event_of
from gapless.search.race import keeps_on

RUNGS = (1 / 3, 2 / 3)
"""Shares of a full training after which it may be stopped; strong regularization looks worse early, so none comes
before a quarter."""


class Trials:
    """Makes the work of trials and takes in what comes of it. `busy`: (candidate, split) of those that run."""

    def __init__(self, run: Run, book: Book, seed: int):
        self._run, self._book, self._seed = run, book, seed
        self._busy: dict[int, tuple[int, int]] = {}

    @property
    def busy(self) -> set[tuple[int, int]]:
        return set(self._busy.values())

    def work(self, number: int, candidate: Candidate, split: int, final: bool = False, losses: bool = False) -> Work:
        """The work of a trial: all of it for one that opens the search or is of the finals, else up to its next rung.

        Trials on the same split have the same seed, so that recipes are compared in pairs.
        """
        key, epochs = (candidate.number, split), candidate.epochs
        passed = max((epoch for epoch, _, _ in self._book.begun.get(key, ())), default=0)
        rungs = () if final else tuple(e for share in RUNGS if passed < (e := round(share * epochs)) < epochs)
        whole = final or candidate.phase == "opening"  # whatever a rung says of it, it goes on
        job = Job(
            number,
            candidate.recipe,
            candidate.lr,
            seed=draws.key(self._seed, "trial", split) >> 1,
            split=split,
            epochs=epochs,
            until=epochs if whole or not rungs else rungs[0],
            checkpoint=self._run.checkpoint(f"{'final' if final else 'search'}-{candidate.number}-{split}"),
            rungs=rungs if whole else (),
            curve=final,
            losses=losses,
        )
        self._busy[number] = key
        return job, lambda outcome: self._ended(outcome, job, candidate, FINALS if final else candidate.phase)

    def _ended(self, outcome: Outcome, job: Job, candidate: Candidate, phase: str) -> None:
        """Journals what came of a job: rungs passed, or a trial finished, stopped or failed."""
        self._busy.pop(job.number)
        assert job.split is not None
        if outcome.status == "paused":
            for epoch, score in outcome.rungs:
                self._write_rung(candidate, job.split, epoch, score, outcome.seconds / len(outcome.rungs))
            return
        passed = list(self._book.begun.get((candidate.number, job.split), ()))
        passed += [(epoch, score, 0.0) for epoch, score in outcome.rungs]
        if outcome.score is not None:
            passed.append((outcome.epoch, outcome.score, outcome.seconds))
        stopped = False
        if outcome.status == "rung":
            assert outcome.score is not None
            others = self._book.at_rung(job.split, self._book.third(candidate.number, outcome.epoch))
            stopped = not keeps_on(others, outcome.score)
            if not stopped:
                self._write_rung(candidate, job.split, outcome.epoch, outcome.score, outcome.seconds)
                return
        job.checkpoint.unlink(missing_ok=True)
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

    def _write_rung(self, candidate: Candidate, split: int, epoch: int, score: float, seconds: float) -> None:
        where = {"candidate": candidate.number, "split": split, "epoch": epoch}
        self._run.write({"event": "rung", **where, "score": score, "seconds": seconds})
