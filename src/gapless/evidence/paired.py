"""The verdict: plain and best, trained from scratch on the same seeds, compared on rows opened once."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gapless.evidence.intervals import Groups, difference_interval, gap_interval, mean_interval, p_value, spread
from gapless.evidence.result import Away, Elsewhere, Interval, Reading, Side, VerdictWord
from gapless.recipe import Recipe
from gapless.run.journal import Event, replay

Each = NDArray[np.float32]
PLAIN, BEST = "plain", "best"
NOTHING = Interval(0.0, 0.0, 0.0)


def without(pillar: str) -> str:
    """What the best recipe with one pillar switched off is called in the journal."""
    return f"without {pillar}"


@dataclass(frozen=True)
class Entry:
    """One model of the confirmation: which, its seed, and its scores row by row (see `train.scores.Scores`).

    also: those on further test data, by its name; the models of the verdict have them.
    answers: to the confirm rows; None in journals of before.
    """

    model: str
    seed: int
    train: Each
    confirm: Each
    seconds: float
    also: dict[str, Each] = field(default_factory=dict[str, Each])
    answers: Each | None = None

    def event(self) -> Event:
        also = {"also": {name: _text(each) for name, each in self.also.items()}} if self.also else {}
        answers = {} if self.answers is None else {"answers": _text(self.answers)}
        return {
            "event": "confirm",
            "model": self.model,
            "seed": self.seed,
            "train": _text(self.train),
            "confirm": _text(self.confirm),
            "seconds": self.seconds,
            **also,
            **answers,
        }

    @classmethod
    def of(cls, event: Event) -> Entry:
        arrays = _array(event["train"]), _array(event["confirm"])
        also = {name: _array(text) for name, text in event.get("also", {}).items()}
        answers = _array(event["answers"]) if "answers" in event else None
        return cls(event["model"], event["seed"], *arrays, event["seconds"], also, answers)


def _text(each: Each) -> str:
    return base64.b64encode(each.astype("<f4").tobytes()).decode()


def _array(text: str) -> Each:
    return np.frombuffer(base64.b64decode(text), "<f4").astype(np.float32)


@dataclass
class Confirmation:
    """The entries so far, and what they say.

    failures: (model, seed, reason) of trainings that failed.
    unit: how far a row's score can lie from its usual value: 1 where rows are right or wrong, None without bound.
    step: without a unit, how far it can lie at least (see `intervals.mean_interval`).
    groups: of the confirm rows, where these belong together: then a group is the unit of every interval. also_groups:
        likewise of further test data, by its name.
    reading: the how manieth verdict on these rows this is; its level is that of the gain.
    """

    entries: list[Entry] = field(default_factory=list[Entry])
    unit: float | None = None
    failures: list[tuple[str, int, str]] = field(default_factory=list[tuple[str, int, str]])
    groups: Groups | None = None
    also_groups: Mapping[str, Groups | None] = field(default_factory=dict[str, Groups | None])
    reading: Reading = field(default_factory=Reading)
    step: float = 0.0

    @classmethod
    def replay(
        cls,
        events: Iterable[Event],
        unit: float | None = None,
        groups: Groups | None = None,
        also_groups: Mapping[str, Groups | None] | None = None,
        step: float = 0.0,
    ) -> Confirmation:
        confirmation = cls(unit=unit, groups=groups, also_groups=also_groups or {}, step=step)
        replay(events, confirmation.take)
        return confirmation

    def take(self, event: Event) -> None:
        """Takes in an entry, a failure or the opening of the rows; events of other kinds are not the confirmation's."""
        if event["event"] == "confirm":
            self.entries.append(Entry.of(event))
        elif event["event"] == "failure":
            self.failures.append((event["model"], event["seed"], event["reason"]))
        elif event["event"] == "opened":
            self.reading = Reading(event["number"], event["level"], event["unkept"])

    def failed(self, model: str) -> dict[int, str]:
        """The seeds with which a model could not be trained, and why."""
        done = self.seeds(model)
        return {seed: reason for name, seed, reason in self.failures if name == model and seed not in done}

    def seeds(self, model: str) -> set[int]:
        return {e.seed for e in self.entries if e.model == model}

    def _table(self, model: str, seeds: list[int], part: str) -> NDArray[np.float32]:
        by_seed = {e.seed: e for e in self.entries if e.model == model}
        return np.stack([getattr(by_seed[s], part) for s in seeds])

    def side(self, model: str, lr: float, epochs: int, recipe: Recipe) -> Side:
        """One side of the verdict. Its seeds are those that both sides have, where there are two."""
        seeds = self._paired(PLAIN, self._best)
        train, confirm = (self._table(model, seeds, part) for part in ("train", "confirm"))
        gap = gap_interval(train, confirm, self.unit, self.groups, step=self.step)
        return Side(lr, epochs, spread(train), spread(confirm), gap, recipe.to_dict(), len(self.failed(model)))

    def difference(self, model: str, other: str, level: float = 0.95) -> Interval | None:
        """Score of `model` minus score of `other` on confirm, paired by seed and row; None below two common seeds."""
        seeds = self._paired(model, other)
        if len(seeds) < 2:
            return None
        each = self._table(model, seeds, "confirm") - self._table(other, seeds, "confirm")
        return mean_interval(each, self.unit, self.groups, level, self.step)

    def closed(self) -> Interval | None:
        """How much smaller the gap of the best recipe is than that of the plain model, paired by seed and row.

        None where the best is the plain model.
        """
        if self._best == PLAIN:
            return None
        seeds = self._paired(PLAIN, BEST)
        sides = [[self._table(model, seeds, part) for part in ("train", "confirm")] for model in (PLAIN, BEST)]
        (plain_train, plain), (best_train, best) = sides
        return gap_interval(plain_train - best_train, plain - best, self.unit, self.groups, step=self.step)

    def elsewhere(self) -> tuple[Elsewhere, ...]:
        """What both models of the verdict score on each set of further test data, and how far that is from confirm."""
        seeds = self._paired(PLAIN, self._best)
        names = next((list(e.also) for e in self.entries if e.also), [])
        return tuple(self._elsewhere(name, seeds) for name in names)

    def _elsewhere(self, name: str, seeds: list[int]) -> Elsewhere:
        sides: dict[str, Away] = {}
        tables: dict[str, NDArray[np.float32]] = {}
        for model in (PLAIN, self._best):
            by_seed = {e.seed: e for e in self.entries if e.model == model}
            there = tables[model] = np.stack([by_seed[s].also[name] for s in seeds])
            here, groups = self._table(model, seeds, "confirm"), (self.groups, self.also_groups.get(name))
            sides[model] = Away(spread(there), difference_interval(here, there, self.unit, groups, step=self.step))
        won = self._best != PLAIN
        each = tables[self._best] - tables[PLAIN]
        gain = mean_interval(each, self.unit, self.also_groups.get(name), step=self.step) if won else NOTHING
        return Elsewhere(name, tables[PLAIN].shape[1], sides[PLAIN], sides[self._best], gain)

    @property
    def _best(self) -> str:
        """The other side of the verdict: the plain model itself where no recipe ranked above it."""
        return BEST if self.seeds(BEST) else PLAIN

    def gain(self) -> Interval:
        """Best minus plain; zero, and no estimate, where the best is the plain model."""
        if self._best == PLAIN:
            return NOTHING
        gain = self.difference(BEST, PLAIN, self.reading.level)
        assert gain is not None, "a verdict is asked for when both sides have their seeds"
        return gain

    def table(self, model: str, seeds: list[int]) -> NDArray[np.float32]:
        """The scores of a model on confirm, (seeds, rows)."""
        return self._table(model, seeds, "confirm")

    def interval(self, each: NDArray[np.float32], reach: int = 1) -> Interval:
        """The mean of what each seed and row gives, (S, N), with the interval of the verdict.

        reach: how many times a score's own reach such a value may have.
        """
        return mean_interval(each, self.unit and reach * self.unit, self.groups, step=reach * self.step)

    def p_value(self, each: NDArray[np.float32], reach: int = 1) -> float:
        """Of the mean being zero; see `interval`."""
        return p_value(each, self.unit and reach * self.unit, self.groups, step=reach * self.step)

    def _paired(self, model: str, other: str) -> list[int]:
        return sorted(self.seeds(model) & self.seeds(other))


def verdict(gain: Interval) -> VerdictWord:
    """What the interval of the gain says: zero outside it or not."""
    if gain.low > 0:
        return "improved"
    return "worse" if gain.high < 0 else "no detectable gain"
