"""How long things take, and what is kept back so that the promise of --minutes holds.

What admits a budget is what reserves it: a run begins where the shortest one that ends in a verdict fits, and whatever
is planned later leaves room for that one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import heapreplace
from statistics import fmean

from gapless.errors import BudgetError
from gapless.evidence.parts import waves
from gapless.evidence.proof import FEWEST_SEEDS, SEEDS
from gapless.run.clock import Clock
from gapless.search.book import Book, Candidate

FINALISTS = 2
"""Recipes in the finals, at most."""
PARTS = 6
"""Subsets of a recipe's pillars that tell what each gave, in a run by trials where the recipe is not known yet."""
LATEST = 8
"""Trainings from which a cost is estimated."""
CLOSING = 4.0
"""Seconds for what follows the last training: statistics, pictures, report."""
TRAININGS = 24
"""Full trainings of a recipe that a run of some length should have room for: about 6 of the openings, 4 of the race, 6
of the finals, 8 of the verdict."""
FEW_TRAININGS = 13
"""With so few there is an opening and a verdict, which is better than trainings that are too short."""
REFIT = 1.25
"""Rows of a training for the verdict over rows of a training in the search."""
STRETCH = 4
"""How many times as long as the plain model needs a recipe is trained where time allows: on five columns of numbers the
plain model was at its best after 25 epochs, the strong preset after 100."""
STEPS = 1500
"""Steps of a full training when nothing else is known."""
LONGEST = 1200
"""Epochs of a training, at most."""
SHORTEST = 2
"""Epochs of a training, at least, where the user did not choose them."""
MEASURING = 0.1
"""Share of the budget that one more length of the plain model may take while its length is measured."""


@dataclass(frozen=True)
class Speed:
    """Seconds of one epoch over all development rows with all workers busy: the plain model's, and the dearest opening
    recipe's; zeros where only trials count."""

    plain: float = 0.0
    recipe: float = 0.0


def default_epochs(rows: int, batch_size: int) -> int:
    """Length of a training on `rows` rows when nothing else is known: about 1,500 steps, from 8 to 300 epochs."""
    return min(300, max(8, round(STEPS / max(1, round(rows / batch_size)))))


def admit(speed: Speed, clock: Clock, workers: int, epochs: int | None = None) -> None:
    """Lets a run begin that has room for a verdict.

    Args:
        epochs: of every training, where the user chose them.

    Raises:
        BudgetError: there is none; says the smallest budget that would do.
    """
    if clock.budget is None:
        return
    needed = _wall(_shortest_run(speed), workers) * (epochs or SHORTEST) + CLOSING
    if needed > clock.left:
        raise BudgetError(
            f"--minutes {clock.budget / 60:.3g} is too short for this model and data; "
            f"the smallest that would do is about {_rounded_up((clock.spent + needed) / 60)}"
        )


def full_length(plain: int, speed: Speed, clock: Clock, workers: int) -> int:
    """Epochs of a recipe's training: `STRETCH` times what the plain model needs, or what leaves time for enough others.

    Up to twice what the plain model needs, longer trainings are worth more than more of them.
    """
    if clock.budget is None:
        return STRETCH * plain
    room = max(0.0, clock.left - CLOSING) * workers
    many, few = (int(room / (n * speed.recipe)) for n in (TRAININGS, FEW_TRAININGS))
    fits = int(room / workers / _wall(_shortest_run(speed), workers))
    return max(SHORTEST, min(STRETCH * plain, max(many, min(2 * plain, few)), fits, LONGEST))


def minutes_for(epochs: int, speed: Speed, clock: Clock, workers: int) -> float:
    """The budget in minutes that has room for trainings of a length; measuring it included."""
    measuring = 4 * epochs * speed.plain / workers
    trainings = epochs * max(FEW_TRAININGS * speed.recipe / workers, _wall(_shortest_run(speed), workers))
    return (clock.spent + CLOSING + measuring + 1.01 * trainings) / 60


def _shortest_run(speed: Speed) -> list[float]:
    """Seconds of each training of the shortest run that ends in a verdict, per epoch of these: plain at two learning
    rates, a recipe at one, and both sides of the verdict."""
    return [speed.plain] * 2 + [speed.recipe] + [REFIT * speed.plain, REFIT * speed.recipe] * FEWEST_SEEDS


def _wall(trainings: Iterable[float], workers: int) -> float:
    """Wall seconds of trainings, each begun by the first worker that is free; with a tenth for luck."""
    busy_until = [0.0] * workers
    for seconds in trainings:
        heapreplace(busy_until, busy_until[0] + seconds)
    return 1.1 * max(busy_until)


def _rounded_up(minutes: float) -> str:
    return f"{int(minutes * 10 + 1) / 10:.1f}" if minutes < 10 else f"{int(minutes + 1)}"


@dataclass(frozen=True)
class Costs:
    """Seconds that trainings take, from those that ended; as their speed was measured before any has."""

    book: Book
    speed: Speed
    workers: int

    def training(self, candidate: Candidate) -> float:
        """One training of a candidate in the search; the latest count, for a machine may be busier at one time than at
        another."""
        finished = [t for t in self.book.trials if t.status == "finished"]
        own = [t.seconds for t in finished if t.candidate == candidate.number][-LATEST:]
        if own:
            return fmean(own)
        active = candidate.recipe.active
        alike = [t for t in finished if self.book.candidates[t.candidate].recipe.active == active][-LATEST:]
        speed = self.speed.recipe if active else self.speed.plain
        epoch = fmean([t.seconds / t.epochs for t in alike]) if alike else speed
        return epoch * candidate.epochs

    def finals(self, entrants: Sequence[Candidate], splits: int) -> float:
        """Wall seconds of the finals: every entrant on every split."""
        return _wall([self.training(c) for c in entrants] * splits, self.workers)

    def refits(self, models: Sequence[Candidate], seeds: int) -> float:
        """Wall seconds of these models on all development rows, on so many seeds."""
        return _wall([REFIT * self.training(c) for c in models] * seeds, self.workers)

    def room(self, models: Sequence[Candidate], clock: Clock) -> int:
        """On how many seeds these models can be trained in the time that is left, at most 20."""
        if clock.budget is None:
            return 20
        return next((n for n in range(20) if self.refits(models, n + 1) > clock.left - CLOSING), 20)

    def kept(self, plain: Candidate, finalists: Sequence[Candidate], whole: float) -> float:
        """Wall seconds kept back from the search: all that the shortest verdict takes, and for the finals, further
        seeds and what each part gave what they take, up to two fifths of the rest of `whole`, the search's share
        included."""
        best = finalists[0]
        least = self.refits([plain, best], FEWEST_SEEDS)
        others = self.finals([*finalists, plain], SEEDS) + self.refits([plain, best], SEEDS) - least
        others += self.refits([best] * sum(map(len, waves(best.recipe.pillars()))), SEEDS)
        return CLOSING + least + min(others, 0.4 * max(0.0, whole - CLOSING - least))
