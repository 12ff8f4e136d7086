"""What to train next: the presets with their learning rates, then challengers that race the best one so far.

A challenger is trained on one split after the other, and is out as soon as its mean over the splits it has finished
falls behind the champion's on the same splits by more than chance explains (aggressive racing: Hutter et al., ParamILS,
JAIR 2009, section 4, and SMAC, LION 2011). A challenger that stays ahead on all splits is the new champion. Since
everything is derived from the book, a run that was killed goes on as if it had not been.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gapless import draws
from gapless.recipe import Recipe
from gapless.search.book import PLAIN, Book, Candidate, Rank
from gapless.search.joint import propose
from gapless.search.space import Knob, Rates, moves

REMEMBERED = 300
"""The latest candidates that a joint proposal is made from; more would cost more than small trainings do."""


@dataclass(frozen=True)
class Start:
    """A trial to begin: an existing candidate's number, or a new candidate, and the split."""

    candidate: int | Candidate
    split: int


@dataclass(frozen=True)
class Race:
    """The rules of one search.

    openings: recipes that open it, by name, the plain model among them. knobs, rates: what moves and proposals turn.
    splits: how many train/select splits a candidate is judged on. opening_splits: on how many of these the learning
    rates are compared. rows: of one select part, for the accuracy's noise; 0 where scores are not such shares. seed: of
    the run. epochs: of a recipe's training. plain_epochs: of the plain model's.
    """

    openings: Mapping[str, Recipe]
    knobs: tuple[Knob, ...]
    rates: Rates
    splits: int
    opening_splits: int
    rows: int
    seed: int
    epochs: int
    plain_epochs: int

    def next(self, book: Book, running: set[tuple[int, int]]) -> Start | None:
        """The next trial, given what is known and what runs now; None when it depends on what runs."""
        start = self._opening(book, running) or self._control(book, running) or self._racing(book, running)
        if start is not None or not self.opened(book):
            return start
        return self._proposal(book)

    # ── opening ──

    def opened(self, book: Book) -> bool:
        """Whether every opening recipe has found its learning rate, with nothing of the opening still running."""
        return self._opening(book, set()) is None

    def _opening(self, book: Book, running: set[tuple[int, int]]) -> Start | None:
        for rate in self.rates.first:
            for name in self.openings:
                if (start := self._rate(book, running, name, rate)) is not None:
                    return start
        for name in self.openings:
            rate = self._next_rate(book, name)
            if rate is not None and (start := self._rate(book, running, name, rate)) is not None:
                return start
        return None

    def _length(self, name: str) -> int:
        return self.plain_epochs if name == PLAIN else self.epochs

    def _rate(
        self, book: Book, running: set[tuple[int, int]], name: str, rate: float, epochs: int | None = None
    ) -> Start | None:
        """The next split on which an opening recipe has yet to be tried at this learning rate, and at its length."""
        epochs = epochs or self._length(name)
        found = self._opened_at(book, name, epochs).get(rate)
        if found is None:
            return Start(Candidate(len(book.candidates), self.openings[name], rate, epochs, "opening", name), 0)
        ended = book.ended(found.number)
        if any(t.status != "finished" for t in ended.values()):
            return None
        for split in range(self.opening_splits):
            if split not in ended and (found.number, split) not in running:
                return Start(found.number, split)
        return None

    def _opened_at(self, book: Book, name: str, epochs: int | None = None) -> dict[float, Candidate]:
        epochs = epochs or self._length(name)
        opened = (c for c in book.candidates if (c.phase, c.origin, c.epochs) == ("opening", name, epochs))
        return {c.lr: c for c in opened}

    def _rate_ranks(self, book: Book, name: str) -> dict[float, Rank | None]:
        """The rank of each learning rate tried in the opening; None for one that failed; those unfinished left out."""
        ranks: dict[float, Rank | None] = {}
        for rate, candidate in self._opened_at(book, name).items():
            ended = book.ended(candidate.number)
            if any(t.status != "finished" for t in ended.values()):
                ranks[rate] = None
            elif all(s in ended for s in range(self.opening_splits)):
                ranks[rate] = book.rank(candidate.number, range(self.opening_splits))
        return ranks

    def _next_rate(self, book: Book, name: str) -> float | None:
        """The neighbour of the best learning rate that is not tried yet; None when it has both, or for a failure."""
        ranks = self._rate_ranks(book, name)
        if any(rate not in ranks for rate in self.rates.first):
            return None
        notches = self.rates.notches
        good = {rate: rank for rate, rank in ranks.items() if rank is not None and rate in notches}
        if not good:
            lower = [rate for rate in notches if rate < min(ranks)]
            return lower[-1] if lower else None
        at = notches.index(max(good, key=lambda rate: good[rate]))
        for neighbour in (at - 1, at + 1):
            if 0 <= neighbour < len(notches) and notches[neighbour] not in ranks:
                return notches[neighbour]
        return None

    def tuned(self, book: Book, name: str) -> Candidate | None:
        """An opening recipe at the best learning rate tried so far; None while it has not finished anywhere."""
        at = self._opened_at(book, name)
        good = {rate: rank for rate, rank in self._rate_ranks(book, name).items() if rank is not None}
        return at[max(good, key=lambda rate: good[rate])] if good else None

    def _settled(self, book: Book, name: str) -> Candidate | None:
        """An opening recipe whose learning rate is found; None while one of its trials is still to come."""
        rates = (*self.rates.first, self._next_rate(book, name))
        if any(rate is not None and self._rate(book, set(), name, rate) is not None for rate in rates):
            return None
        return self.tuned(book, name)

    def _control(self, book: Book, running: set[tuple[int, int]]) -> Start | None:
        """The plain model at the champion's learning rate and length: what these give no pillar gives."""
        champion = self.champion(book)
        if champion is None or not champion.recipe.active:
            return None
        start = self._rate(book, running, PLAIN, champion.lr)
        return start or self._rate(book, running, PLAIN, champion.lr, champion.epochs)

    def plains(self, book: Book, most: int) -> list[Candidate]:
        """The plain model at the best of the learning rates and lengths that it was tried at, the best first."""
        tried = [
            (value, -book.rank(c.number, [0]).loss, c)
            for c in book.candidates
            if not c.recipe.active and 0 in book.finished(c.number) and (value := book.relative(c.number)) is not None
        ]
        tried.sort(key=lambda row: row[:2], reverse=True)
        return [candidate for _, _, candidate in tried[:most]]

    # ── race ──

    def champion(self, book: Book) -> Candidate | None:
        """The best of the candidates that are finished on every split."""
        settled = [c for c in book.candidates if len(book.finished(c.number)) >= self.splits]
        return max(settled, key=lambda c: book.rank(c.number, range(self.splits)), default=None)

    def behind(self, book: Book, candidate: Candidate, champion: Candidate | None) -> bool:
        """Whether a candidate is out: a trial of it failed or was stopped, or its mean is below the champion's."""
        ended = book.ended(candidate.number)
        if any(t.status != "finished" for t in ended.values()):
            return True
        if champion is None or candidate == champion or not ended:
            return False
        own, best = book.rank(candidate.number, ended), book.rank(champion.number, ended)
        return own < Rank(best.score - self._patience(best.score, len(ended)), best.loss)

    def _patience(self, score: float, splits: int) -> float:
        """How far a challenger may be behind and still race on: half a standard deviation of the difference that
        chance makes in the rows of its splits, less as there are fewer splits to come, nothing after the last."""
        if not self.rows:
            return 0.0
        share = min(max(score, 0.02), 0.98)
        deviation = (2 * share * (1 - share) / (self.rows * splits)) ** 0.5
        return 0.5 * deviation * (1 - splits / self.splits)

    def _racing(self, book: Book, running: set[tuple[int, int]]) -> Start | None:
        champion = self.champion(book)
        tuned = [c for name in self.openings if (c := self._settled(book, name)) is not None]
        tuned.sort(key=lambda c: book.rank(c.number, range(self.opening_splits)), reverse=True)
        later = [c for c in book.candidates if c.phase != "opening"]
        for candidate in [*tuned, *later]:
            if self.behind(book, candidate, champion):
                continue
            ended = book.ended(candidate.number)
            if any(number == candidate.number for number, _ in running) and candidate.phase != "opening":
                continue  # its next split depends on the one that runs
            for split in range(self.splits):
                if split not in ended and (candidate.number, split) not in running:
                    return Start(candidate.number, split)
        return None

    # ── proposals ──

    def _proposal(self, book: Book) -> Start | None:
        champion = self.champion(book)
        number = len(book.candidates)
        if champion is not None and number % 3:
            for name, recipe, lr in self._moves(book, champion):
                if recipe.active and not book.known(recipe, lr):
                    origin = f"{self._origin(book, champion)}, {name}"
                    return Start(Candidate(number, recipe, lr, self.epochs, "moves", origin), 0)
        tried = [
            (c.recipe, c.lr, value)
            for c in book.candidates[-REMEMBERED:]
            if (value := book.relative(c.number)) is not None
        ]
        recipe, lr = propose(tried, self.knobs, self.rates, draws.key(self.seed, "joint", number) % 2**32)
        return Start(Candidate(number, recipe, lr, self.epochs, "joint", "joint proposal"), 0)

    def _moves(self, book: Book, champion: Candidate) -> Iterator[tuple[str, Recipe, float]]:
        """The champion's moves in an order of their own for every champion."""
        found = list(moves(champion.recipe, champion.lr, self.knobs, self.rates))
        for i in draws.stream(self.seed, "moves", champion.number).permutation(len(found)):
            yield found[i].name, found[i].recipe, found[i].lr

    def _origin(self, book: Book, champion: Candidate) -> str:
        return champion.origin if champion.phase == "opening" else f"#{champion.number}"

    def finalists(self, book: Book, most: int) -> list[Candidate]:
        """The best candidates but the plain model: settled ones first, then by their relative score.

        One of those that switch on the same knobs: what differs in strengths alone shares its luck in the search, and a
        second one like the first would add nothing to the finals.
        """
        scored = [
            (len(book.finished(c.number)) >= self.splits, value, c)
            for c in book.candidates
            if c.recipe.active and book.finished(c.number) and (value := book.relative(c.number)) is not None
        ]
        scored.sort(key=lambda row: row[:2], reverse=True)
        chosen: dict[frozenset[str], Candidate] = {}
        for _, _, candidate in scored:
            if len(chosen) == most:
                break
            chosen.setdefault(self._switched_on(candidate.recipe), candidate)
        return list(chosen.values())

    def _switched_on(self, recipe: Recipe) -> frozenset[str]:
        return frozenset(knob.name for knob in self.knobs if knob.read(recipe) > 0)


def keeps_on(others: Sequence[float], score: float) -> bool:
    """Whether a trial goes on after a rung: not if it is in the lowest third of at least four trials of that split.

    A lenient form of the median stopping rule (Golovin et al., Vizier, KDD 2017): strong regularization looks worse
    early than it will be.
    """
    return len(others) < 4 or score >= float(np.quantile(others, 1 / 3))
