"""A run of `gapless tune` as its journal tells it: what is being tried, the race, the trainings so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from gapless.metrics import METRICS
from gapless.run.journal import Event
from gapless.search.book import FINALS, Book, Candidate, Trial
from gapless.search.space import KNOBS, summary

ROWS = 12
"""Candidates of the race that are shown, at most."""
LINES = 40
"""Trainings whose course is shown, the latest."""
_ALL = tuple({knob.name: knob for knobs in KNOBS.values() for knob in knobs}.values())


class Search:
    """What the events of a search come to; `take` them in their order."""

    def __init__(self) -> None:
        self._book, self._at = Book(), list[float]()
        self._about: Event = {}
        self._marks: dict[str, Event] = {}
        self._proof = Counter[str]()

    def take(self, event: Event) -> None:
        kind = event["event"]
        self._book.take(event)
        if kind == "trial":
            self._at.append(event["at"])
        elif kind == "confirm":
            self._proof[event["model"]] += 1
        elif kind == "run":
            self._about = event
        elif kind in ("plan", "finals", "named", "finished"):
            self._marks[kind] = event

    def state(self) -> dict[str, Any]:
        """What the page shows."""
        minutes = self._marks.get("plan", {}).get("minutes")
        counts = Counter(t.status for t in self._book.trials)
        shown = METRICS.get(str(self._about.get("metric")))
        return {
            "kind": "tune",
            "about": {k: self._about.get(k) for k in ("task", "model", "metric")},
            "share": shown is None or shown.share,
            "phase": self._phase(),
            "ended": "finished" in self._marks,
            "planned": None if minutes is None else 60 * minutes,
            "counts": {status: counts[status] for status in ("finished", "stopped", "failed")},
            "proof": dict(self._proof),
            "trying": self._trying(),
            "race": self._race(),
            "points": [
                [at, t.score, self._plain(t.candidate)]
                for at, t in zip(self._at, self._book.trials, strict=True)
                if t.score is not None and t.status == "finished"
            ],
            "courses": [
                {"plain": self._plain(t.candidate), "rungs": [list(rung) for rung in t.rungs]}
                for t in self._book.trials[-LINES:]
                if len(t.rungs) > 1
            ],
        }

    def _phase(self) -> str:
        for mark, words in (
            ("finished", "finished"),
            ("named", "proving the winner on rows that were kept aside"),
            ("finals", "finals: the best few and the plain model, from scratch"),
            ("plan", "searching"),
        ):
            if mark in self._marks:
                return words
        return "finding out how long the plain model must train"

    def _plain(self, candidate: int) -> bool:
        return not self._book.candidates[candidate].recipe.active

    def _trying(self) -> list[dict[str, Any]]:
        """Candidates that have begun and not ended, with the last rung they passed."""
        if "finished" in self._marks or "named" in self._marks:
            return []
        begun = {number: rungs[-1] for (number, _), rungs in self._book.begun.items() if rungs}
        fresh = [c for c in self._book.candidates if not self._book.ended(c.number) and c.number not in begun]
        found = [self._book.candidates[number] for number in begun] + fresh
        return [self._row(c) | {"epoch": begun[c.number][0] if c.number in begun else 0} for c in found[-8:]]

    def _race(self) -> list[dict[str, Any]]:
        """The candidates that are ahead, by the mean of their scores: of the finals where there are some."""
        final = any(t.phase == FINALS for t in self._book.trials)
        rows: list[dict[str, Any]] = []
        for candidate in self._book.candidates:
            trials: Sequence[Trial] = list(self._book.finished(candidate.number, final).values())
            scores = [t.score for t in trials if t.score is not None]
            trained = [t.train_score for t in trials if t.train_score is not None]
            if scores:
                train = fmean(trained) if trained else None
                rows.append(self._row(candidate) | {"score": fmean(scores), "train": train, "times": len(scores)})
        # many trainings first where scores are equal: they are surer
        return sorted(rows, key=lambda row: (-row["score"], -row["times"]))[:ROWS]

    def _row(self, candidate: Candidate) -> dict[str, Any]:
        named = self._marks.get("named", {})
        return {
            "number": candidate.number,
            "origin": candidate.origin,
            "summary": summary(candidate.recipe, _ALL),
            "lr": f"{candidate.lr:.3g}",
            "epochs": candidate.epochs,
            "plain": not candidate.recipe.active,
            "best": candidate.number == named.get("best"),
        }
