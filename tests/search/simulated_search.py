"""A search without training: a made-up world says how well a recipe does, the race decides what is tried."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gapless.recipe import Recipe, presets
from gapless.run.journal import Event
from gapless.search.book import Book, Candidate, Trial, event_of
from gapless.search.race import Race, Start
from gapless.search.space import KNOBS, RATES

World = Callable[[Recipe, float, int], float | None]
"""The score of a recipe at a learning rate on a split; None: its training fails."""
EPOCHS, PLAIN_EPOCHS = 12, 6
"""Of the trainings of recipes and of the plain model."""


def race(kind: str = "table", splits: int = 3, opening_splits: int = 1, rows: int = 0, seed: int = 0) -> Race:
    openings = {"plain": Recipe()} | {f"preset {name}": recipe for name, recipe in presets(kind).items()}
    return Race(openings, KNOBS[kind], RATES["adamw"], splits, opening_splits, rows, seed, EPOCHS, PLAIN_EPOCHS)


def bumpy(best: dict[str, float] | None = None, noise: float = 0.02, fails_above: float = math.inf) -> World:
    """A world in which each recipe has a best learning rate and every split its own noise, the same each time."""
    favourites = best or {}

    def world(recipe: Recipe, lr: float, split: int) -> float | None:
        if lr > fails_above:
            return None
        text = recipe.to_toml()
        rng = np.random.default_rng([*text.encode(), split])
        own = np.random.default_rng([*text.encode()])
        top = favourites.get(text, float(own.choice([1e-3, 3e-3, 1e-2, 3e-2])))
        height = 0.8 + 0.1 * float(own.random())
        return height - 0.05 * abs(math.log10(lr / top)) + noise * float(rng.standard_normal())

    return world


@dataclass
class Search:
    """A race under way: `events` is its journal, `starts` what it was told to try."""

    race: Race
    world: World
    events: list[Event] = field(default_factory=list[Event])
    starts: list[Start] = field(default_factory=list[Start])
    book: Book = field(default_factory=Book)
    running: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    def write(self, event: Event) -> None:
        event = {**event, "at": float(len(self.events))}
        self.events.append(event)
        self.book.take(event)

    def begin(self) -> tuple[int, int] | None:
        """The next trial begins, if there is one that can."""
        start = self.race.next(self.book, set(self.running))
        if start is None:
            return None
        candidate = start.candidate
        if isinstance(candidate, Candidate):
            assert candidate.number == len(self.book.candidates)
            self.write(event_of(candidate))
            candidate = candidate.number
        self.starts.append(start)
        self.running.append((candidate, start.split))
        return candidate, start.split

    def end(self, key: tuple[int, int]) -> None:
        """A trial that runs ends."""
        self.running.remove(key)
        candidate = self.book.candidates[key[0]]
        score = self.world(candidate.recipe, candidate.lr, key[1])
        facts: dict[str, Any] = {"status": "failed", "reason": "the loss became nan"}
        if score is not None:
            rungs = ((candidate.epochs // 3, score - 0.1), (candidate.epochs, score))
            facts = {"status": "finished", "score": score, "loss": 1 - score, "rungs": rungs}
        trial = Trial(
            len(self.book.trials), key[0], candidate.phase, key[1], seed=key[1], epochs=candidate.epochs, **facts
        )
        self.write(event_of(trial))

    def run(self, trials: int, workers: int = 1, order: np.random.Generator | None = None) -> Search:
        """So many trials, `workers` at a time; they end in the order in which they began, or in a drawn one."""
        while len(self.book.trials) < trials:
            while len(self.running) < workers and self.begin() is not None:
                pass
            assert self.running, "the race has nothing to do and nothing runs"
            self.end(self.running[0 if order is None else int(order.integers(len(self.running)))])
        return self

    def prefixes(self) -> Iterator[tuple[int, Book]]:
        """The book after each event."""
        for n in range(len(self.events) + 1):
            yield n, Book(self.events[:n])
