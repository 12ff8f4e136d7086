"""All that a run knows: its candidates and their trials, as the journal tells them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from statistics import fmean
from typing import Any

from gapless.recipe import Recipe
from gapless.search.journal import Event, replay
from gapless.search.result import Status


@dataclass(frozen=True)
class Candidate:
    """A recipe and a learning rate. phase: opening, moves or joint. origin: for people."""

    number: int
    recipe: Recipe
    lr: float
    phase: str
    origin: str


@dataclass(frozen=True)
class Trial:
    """One candidate trained once on one split. rungs: (epoch, score on select) of each rung it passed."""

    number: int
    candidate: int
    phase: str
    split: int
    seed: int
    epochs: int
    status: Status
    score: float | None = None
    loss: float | None = None
    train_score: float | None = None
    seconds: float = 0.0
    reason: str = ""
    rungs: tuple[tuple[int, float], ...] = ()
    curve: tuple[tuple[int, float, float], ...] = ()


@dataclass(frozen=True)
class Rank:
    """How good a candidate is, compared with others on the same splits; larger is better, score before loss."""

    score: float
    loss: float

    def __lt__(self, other: Rank) -> bool:
        return (self.score, -self.loss) < (other.score, -other.loss)


@dataclass
class Book:
    """Candidates and ended trials; grows by events, never forgets."""

    candidates: list[Candidate] = field(default_factory=list[Candidate])
    trials: list[Trial] = field(default_factory=list[Trial])
    begun: dict[tuple[int, int], list[tuple[int, float, float]]] = field(default_factory=dict[Any, Any])
    """Trials under way by candidate and split: epoch, score and seconds of each rung passed."""

    @classmethod
    def replay(cls, events: Iterable[Event]) -> Book:
        book = cls()
        replay(events, book.take)
        return book

    def take(self, event: Event) -> None:
        """Takes in what an event says; events of other kinds are not the book's."""
        if event["event"] == "candidate":
            values = {k: event[k] for k in ("number", "lr", "phase", "origin")}
            self.candidates.append(Candidate(recipe=Recipe.from_dict(event["recipe"]), **values))
        elif event["event"] == "trial":
            values = {k: v for k, v in event.items() if k not in ("event", "at")}
            for name in ("rungs", "curve"):
                values[name] = tuple(tuple(row) for row in values[name])
            self.trials.append(Trial(**values))
            self.begun.pop((self.trials[-1].candidate, self.trials[-1].split), None)
        elif event["event"] == "rung":
            rung = (event["epoch"], event["score"], event["seconds"])
            self.begun.setdefault((event["candidate"], event["split"]), []).append(rung)

    def known(self, recipe: Recipe, lr: float) -> bool:
        """Whether this recipe has been tried at this learning rate."""
        return any(c.recipe == recipe and c.lr == lr for c in self.candidates)

    def ended(self, candidate: int, phase: str | None = None) -> dict[int, Trial]:
        """The ended trials of a candidate by split; those of the finals only if they are asked for."""
        return {
            t.split: t
            for t in self.trials
            if t.candidate == candidate and (t.phase == phase if phase else t.phase != "finals")
        }

    def finished(self, candidate: int, phase: str | None = None) -> dict[int, Trial]:
        """Those of `ended` that went through to the last epoch."""
        return {s: t for s, t in self.ended(candidate, phase).items() if t.status == "finished"}

    def rank(self, candidate: int, splits: Iterable[int], phase: str | None = None) -> Rank:
        """The candidate's mean score and loss over splits, all of which it must have finished."""
        done = self.finished(candidate, phase)
        rows = [done[s] for s in splits]
        return Rank(fmean(_given(t.score) for t in rows), fmean(_given(t.loss) for t in rows))

    def relative(self, candidate: int) -> float | None:
        """The candidate's mean score above the mean of all trials of the same split and rung; None without any score.

        A stopped trial counts with its last rung.
        """
        gains: list[float] = []
        for trial in self.ended(candidate).values():
            for epoch, score in trial.rungs[-1:]:
                gains.append(score - fmean(self.at_rung(trial.split, epoch)))
        return fmean(gains) if gains else None

    def at_rung(self, split: int, epoch: int) -> list[float]:
        """The scores of all trials of a split at one epoch."""
        return [s for t in self.trials if t.split == split and t.phase != "finals" for e, s in t.rungs if e == epoch]


def _given(value: float | None) -> float:
    assert value is not None, "a finished trial has a score"
    return value


def event_of(thing: Candidate | Trial) -> Event:
    """A candidate or trial as a line of the journal."""
    if isinstance(thing, Candidate):
        plain: dict[str, Any] = {
            "number": thing.number,
            "phase": thing.phase,
            "origin": thing.origin,
            "lr": thing.lr,
            "recipe": thing.recipe.to_dict(),
        }
        return {"event": "candidate", **plain}
    return {"event": "trial", **asdict(thing)}
