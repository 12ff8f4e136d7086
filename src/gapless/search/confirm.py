"""The verdict: plain and best, trained from scratch on the same seeds, compared on rows opened once."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gapless.recipe import Recipe
from gapless.search.journal import Event, replay
from gapless.search.result import Away, Elsewhere, Interval, Pillar, Side, VerdictWord
from gapless.search.statistics import difference_interval, mean_interval, spread

Each = NDArray[np.float32]
PLAIN, BEST = "plain", "best"


def without(pillar: str) -> str:
    """What the best recipe with one pillar switched off is called in the journal."""
    return f"without {pillar}"


@dataclass(frozen=True)
class Entry:
    """One model of the confirmation: which, its seed, and its scores row by row (see `train.scores.Scores`).

    also: those on further test data, by its name; the models of the verdict have them.
    """

    model: str
    seed: int
    train: Each
    confirm: Each
    seconds: float
    also: dict[str, Each] = field(default_factory=dict[str, Each])

    def event(self) -> Event:
        also = {"also": {name: _text(each) for name, each in self.also.items()}} if self.also else {}
        return {
            "event": "confirm",
            "model": self.model,
            "seed": self.seed,
            "train": _text(self.train),
            "confirm": _text(self.confirm),
            "seconds": self.seconds,
            **also,
        }

    @classmethod
    def of(cls, event: Event) -> Entry:
        arrays = _array(event["train"]), _array(event["confirm"])
        also = {name: _array(text) for name, text in event.get("also", {}).items()}
        return cls(event["model"], event["seed"], *arrays, event["seconds"], also)


def _text(each: Each) -> str:
    return base64.b64encode(each.astype("<f4").tobytes()).decode()


def _array(text: str) -> Each:
    return np.frombuffer(base64.b64decode(text), "<f4").astype(np.float32)


@dataclass
class Confirmation:
    """The entries so far, and what they say."""

    entries: list[Entry] = field(default_factory=list[Entry])

    @classmethod
    def replay(cls, events: Iterable[Event]) -> Confirmation:
        confirmation = cls()
        replay(events, confirmation.take)
        return confirmation

    def take(self, event: Event) -> None:
        """Takes in an entry; events of other kinds are not the confirmation's."""
        if event["event"] == "confirm":
            self.entries.append(Entry.of(event))

    def seeds(self, model: str) -> set[int]:
        return {e.seed for e in self.entries if e.model == model}

    def _table(self, model: str, seeds: list[int], part: str) -> NDArray[np.float32]:
        by_seed = {e.seed: e for e in self.entries if e.model == model}
        return np.stack([getattr(by_seed[s], part) for s in seeds])

    def side(self, model: str, lr: float, recipe: Recipe) -> Side:
        """One side of the verdict. Its seeds are those that both sides have."""
        seeds = self._paired(PLAIN, BEST)
        train, confirm = (self._table(model, seeds, part) for part in ("train", "confirm"))
        gap = difference_interval(train, confirm)
        return Side(lr, spread(train), spread(confirm), gap, recipe.to_dict())

    def difference(self, model: str, other: str) -> Interval | None:
        """Score of `model` minus score of `other` on confirm, paired by seed and row; None below two common seeds."""
        seeds = self._paired(model, other)
        if len(seeds) < 2:
            return None
        return mean_interval(self._table(model, seeds, "confirm") - self._table(other, seeds, "confirm"))

    def elsewhere(self) -> tuple[Elsewhere, ...]:
        """What both models of the verdict score on each set of further test data, and how far that is from confirm."""
        seeds = self._paired(PLAIN, BEST)
        names = next((list(e.also) for e in self.entries if e.also), [])
        return tuple(self._elsewhere(name, seeds) for name in names)

    def _elsewhere(self, name: str, seeds: list[int]) -> Elsewhere:
        sides: dict[str, Away] = {}
        tables: dict[str, NDArray[np.float32]] = {}
        for model in (PLAIN, BEST):
            by_seed = {e.seed: e for e in self.entries if e.model == model}
            there = tables[model] = np.stack([by_seed[s].also[name] for s in seeds])
            sides[model] = Away(spread(there), difference_interval(self._table(model, seeds, "confirm"), there))
        gain = mean_interval(tables[BEST] - tables[PLAIN])
        return Elsewhere(name, tables[PLAIN].shape[1], sides[PLAIN], sides[BEST], gain)

    def gain(self) -> Interval:
        gain = self.difference(BEST, PLAIN)
        assert gain is not None, "a verdict is asked for when both sides have their seeds"
        return gain

    def pillars(self, recipe: Recipe) -> tuple[Pillar, ...]:
        return tuple(Pillar(name, self.difference(without(name), BEST)) for name in recipe.pillars())

    def _paired(self, model: str, other: str) -> list[int]:
        return sorted(self.seeds(model) & self.seeds(other))


def verdict(gain: Interval) -> VerdictWord:
    """What the interval of the gain says: zero outside it or not."""
    if gain.low > 0:
        return "improved"
    return "worse" if gain.high < 0 else "no detectable gain"
