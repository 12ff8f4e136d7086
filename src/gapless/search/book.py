"""All that a run knows: its candidates and their trials, as the journal tells them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from gapless.evidence.result import Status
from gapless.evidence.shrinkage import Point, fitted
from gapless.metrics import Metric
from gapless.recipe import Recipe
from gapless.run.journal import Event, replay

FINALS = "finals"
"""The phase of the trials that name the winner; they are kept apart from those of the search."""

PLAIN = "plain"
"""What the plain model is called among the recipes that open a search."""


@dataclass(frozen=True)
class Candidate:
    """A recipe, a learning rate and a length of training, in epochs. phase: opening, moves or joint. origin: for
    people."""

    number: int
    recipe: Recipe
    lr: float
    epochs: int
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
    """How good a candidate is, compared with others on the same splits; larger is better, score before loss.

    score: less what is chance in it, as far as the losses tell (see `gapless.evidence.shrinkage`).
    """

    score: float
    loss: float

    def __lt__(self, other: Rank) -> bool:
        return (self.score, -self.loss) < (other.score, -other.loss)


class Book:
    """Candidates and ended trials; grows by events, never forgets.

    candidates, trials: in the order in which they came. begun: trials under way by candidate and split: epoch, score
    and seconds of each rung passed.
    """

    def __init__(self, events: Iterable[Event] = ()):
        self.candidates: list[Candidate] = []
        self.trials: list[Trial] = []
        self.begun: dict[tuple[int, int], list[tuple[int, float, float]]] = {}
        self._known: set[tuple[Recipe, float]] = set()
        self._ended: dict[tuple[int, bool], dict[int, Trial]] = defaultdict(dict)
        self._rungs: dict[tuple[int, int], list[float]] = defaultdict(list)
        self._totals: dict[tuple[int, int], float] = defaultdict(float)
        self._corrected: dict[bool, dict[tuple[int, int], float]] = {}
        replay(events, self.take)

    def take(self, event: Event) -> None:
        """Takes in what an event says; events of other kinds are not the book's."""
        if event["event"] == "candidate":
            values = {k: event[k] for k in ("number", "lr", "epochs", "phase", "origin")}
            self.candidates.append(Candidate(recipe=Recipe.from_dict(event["recipe"]), **values))
            self._known.add((self.candidates[-1].recipe, self.candidates[-1].lr))
        elif event["event"] == "trial":
            values = {k: v for k, v in event.items() if k not in ("event", "at")}
            for name in ("rungs", "curve"):
                values[name] = tuple(tuple(row) for row in values[name])
            self._enter(Trial(**values))
        elif event["event"] == "rung":
            rung = (event["epoch"], event["score"], event["seconds"])
            self.begun.setdefault((event["candidate"], event["split"]), []).append(rung)

    def _enter(self, trial: Trial) -> None:
        self.trials.append(trial)
        self._corrected.clear()
        self.begun.pop((trial.candidate, trial.split), None)
        final = trial.phase == FINALS
        self._ended[trial.candidate, final][trial.split] = trial
        if not final:
            for epoch, score in trial.rungs:
                rung = trial.split, self.third(trial.candidate, epoch)
                self._rungs[rung].append(score)
                self._totals[rung] += score

    def known(self, recipe: Recipe, lr: float) -> bool:
        """Whether this recipe has been tried at this learning rate."""
        return (recipe, lr) in self._known

    def ended(self, candidate: int, final: bool = False) -> dict[int, Trial]:
        """The ended trials of a candidate by split: those of the search, or those of the finals."""
        return self._ended.get((candidate, final), {})

    def finished(self, candidate: int, final: bool = False) -> dict[int, Trial]:
        """Those of `ended` that went through to the last epoch."""
        return {s: t for s, t in self.ended(candidate, final).items() if t.status == "finished"}

    def rank(self, candidate: int, splits: Iterable[int], final: bool = False) -> Rank:
        """The candidate's mean score and loss over splits, all of which it must have finished."""
        done, score = self.finished(candidate, final), self._scores(final)
        wanted = list(splits)
        return Rank(fmean(score[candidate, s] for s in wanted), fmean(_given(done[s].loss) for s in wanted))

    def _scores(self, final: bool) -> dict[tuple[int, int], float]:
        """The score of every finished trial by candidate and split, less what is chance in it."""
        if not self._corrected:
            search, finals = self._points(final=False), self._points(final=True)
            line = fitted(search)
            self._corrected = {False: line.corrected(search), True: line.corrected(finals)}
        return self._corrected[final]

    def _points(self, final: bool) -> list[Point]:
        return [
            Point(candidate, split, _given(trial.score), _given(trial.loss))
            for (candidate, of_finals), trials in self._ended.items()
            for split, trial in trials.items()
            if of_finals == final and trial.status == "finished"
        ]

    def relative(self, candidate: int) -> float | None:
        """The candidate's mean score above the mean of all trials of the same split and rung; None without any score.

        A stopped trial counts with its last rung, a finished one without what is chance in its score.
        """
        finished = self._scores(final=False)
        gains = [
            finished.get((candidate, trial.split), score) - self._totals[rung] / len(self._rungs[rung])
            for trial in self.ended(candidate).values()
            for epoch, score in trial.rungs[-1:]
            for rung in [(trial.split, self.third(candidate, epoch))]
        ]
        return fmean(gains) if gains else None

    def third(self, candidate: int, epoch: int) -> int:
        """How many thirds of its training a candidate has behind it: at these, those of other lengths are met."""
        return round(3 * epoch / self.candidates[candidate].epochs)

    def at_rung(self, split: int, third: int) -> list[float]:
        """The scores of all trials of the search on a split after so many thirds of their training."""
        return self._rungs.get((split, third), [])


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
            "epochs": thing.epochs,
            "recipe": thing.recipe.to_dict(),
        }
        return {"event": "candidate", **plain}
    return {"event": "trial", **asdict(thing)}


def told(book: Book, champion: Candidate | None, metric: Metric) -> str:
    """How a search stands, in a line: trials, the best recipe so far with its gap, the plain model beside it.

    Scores are means over the splits that a candidate has finished; those of the rows that rank, not of the verdict.
    """
    found = f"{len(book.trials):,} trial{'' if len(book.trials) == 1 else 's'}"
    scored = {c.number: t for c in book.candidates if (t := [*book.finished(c.number).values()])}

    def mean(number: int) -> float:
        return fmean(_given(t.score) for t in scored[number])

    if not scored:
        return found
    best = champion if champion is not None else book.candidates[max(scored, key=mean)]
    trains = [t.train_score for t in scored[best.number] if t.train_score is not None]
    gap = f", gap {_written(fmean(trains) - mean(best.number), metric, ' points')}" if trains else ""
    line = f"{found}; best so far {_written(mean(best.number), metric, ' %')} ({best.origin}{gap})"
    plains = [n for n in scored if not book.candidates[n].recipe.active]
    if best.recipe.active and plains:
        line += f"; plain {_written(max(map(mean, plains)), metric, ' %')}"
    return line


def _written(value: float, metric: Metric, unit: str) -> str:
    """A share in per cent; of an error what people know, above zero."""
    if metric.share:
        return f"{100 * value:.1f}{unit}"
    return f"{-value if metric.error and unit == ' %' else value:.3g}"
