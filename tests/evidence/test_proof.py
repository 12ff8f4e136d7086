"""What the confirmation trains, in which order, and what it leaves when time ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from gapless.evidence import parts
from gapless.evidence.paired import BEST, PLAIN, Confirmation
from gapless.evidence.proof import SEEDS, Proof
from gapless.recipe import Augment, BatchNorm, Decay, Dropout, Recipe
from gapless.run.driver import Run, Work
from gapless.run.job import Job, Outcome
from gapless.run.journal import Event
from gapless.train.loop import Plan

FULL = Recipe(
    dropout=Dropout(hidden=0.1), batchnorm=BatchNorm(insert=True), decay=Decay(strength=0.1), augment=Augment(mixup=0.2)
)


class Workers:
    """A run whose trainings end at once; a recipe in `broken` cannot be trained."""

    def __init__(self, seen: Confirmation, broken: tuple[Recipe, ...] = ()):
        self.seen, self.broken, self.jobs = seen, broken, list[Job]()

    def drive(self, next_work: Callable[[int], Work | None], plan: Plan, report: Callable[[], None]) -> None:
        while (work := next_work(len(self.jobs))) is not None:
            job, ended = work
            self.jobs.append(job)
            each = np.full(4, 0.5, np.float32)
            fine = Outcome(job.number, "done", train_each=each, confirm_each=each)
            ended(Outcome(job.number, "failed", reason="loss nan") if job.recipe in self.broken else fine)

    def write(self, event: Event) -> None:
        self.seen.take({**event, "at": 0.0})

    def event(self, name: str) -> Event | None:
        return None

    def checkpoint(self, name: str) -> Path:
        return Path(name)


def proved(room: int, recipe: Recipe = FULL, broken: tuple[Recipe, ...] = ()) -> tuple[Confirmation, Workers, Proof]:
    """Trained with room for so many models beside the two sides."""
    seen = Confirmation()
    workers = Workers(seen, broken)
    sides = 2 * SEEDS

    def left(seeds: int, models: int) -> int:
        return room - (len(workers.jobs) - sides) // SEEDS if len(workers.jobs) >= sides else 20

    proof = Proof(cast(Run, workers), seen, Plan(1, 8, "adamw"), 0, left, False, lambda: None)
    proof.train((Recipe(), 0.01, 9), (recipe, 0.02, 9))
    return seen, workers, proof


def models(seen: Confirmation) -> list[str]:
    return [m for m in dict.fromkeys(e.model for e in seen.entries) if m not in (PLAIN, BEST)]


def test_with_time_all_subsets_are_trained_on_the_seeds_of_the_verdict() -> None:
    seen, workers, _ = proved(20)
    assert len(models(seen)) == 14
    seeds: dict[str, list[int]] = {}
    for job in workers.jobs:
        seeds.setdefault(job.recipe.to_toml(), []).append(job.seed)
    assert len(seeds) == 16
    assert {tuple(sorted(found)) for found in seeds.values()} == {tuple(sorted(next(iter(seeds.values()))))}
    assert all(len(set(found)) == len(found) == SEEDS for found in seeds.values())
    assert all(j.lr == 0.02 for j in workers.jobs if j.recipe.active)
    assert len(parts.synergies(seen, FULL)) == 6


@pytest.mark.parametrize(("room", "trained"), [(0, 0), (1, 1), (4, 4), (6, 6), (8, 8), (13, 8), (14, 14)])
def test_without_each_then_alone_then_all_the_rest_or_nothing_of_it(room: int, trained: int) -> None:
    seen, _, _ = proved(room)
    found = models(seen)
    assert len(found) == trained
    assert [m.startswith("without ") for m in found] == [n < 4 for n in range(trained)]
    assert found[:1] in ([], ["without augment"])  # what usually gives most comes first
    assert all("+" not in m for m in found[4:8])


def test_with_more_time_later_it_goes_on_where_it_ended() -> None:
    seen, _, _ = proved(5)
    before = list(seen.entries)
    workers = Workers(seen)
    proof = Proof(cast(Run, workers), seen, Plan(1, 8, "adamw"), 0, lambda seeds, sides: 20, False, lambda: None)
    proof.parts((FULL, 0.02, 9))
    assert seen.entries[: len(before)] == before
    assert len(models(seen)) == 14
    assert len(workers.jobs) == 9 * SEEDS
    proof.parts((FULL, 0.02, 9))
    assert len(workers.jobs) == 9 * SEEDS  # all is there


def test_what_cannot_be_trained_is_not_tried_again_and_does_not_stop_the_others() -> None:
    broken = FULL.without("batchnorm")
    seen, workers, proof = proved(20, broken=(broken,))
    assert len(models(seen)) == 13
    assert seen.failed("without batchnorm").keys() == set(range(SEEDS))
    tried = len(workers.jobs)
    proof.parts((FULL, 0.02, 9))
    assert len(workers.jobs) == tried
    found: dict[str, Any] = {p.name: p for p in parts.pillars(seen, FULL)}
    assert (found["batchnorm"].without, found["batchnorm"].failed) == (None, "loss nan")
    assert found["batchnorm"].alone is not None
    assert parts.untrainable(seen, FULL) == (("dropout", "decay", "augment"),)


@pytest.mark.parametrize(("count", "needed"), [(1, 0), (2, 2), (3, 6)])
def test_of_fewer_pillars_there_are_fewer_subsets(count: int, needed: int) -> None:
    recipe = parts.only(FULL, FULL.pillars()[:count])
    seen, _, _ = proved(20, recipe)
    assert len(models(seen)) == needed
    assert all(p.shapley for p in parts.pillars(seen, recipe))
