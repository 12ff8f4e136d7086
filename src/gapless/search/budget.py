"""How long things take, and what is kept back so that the promise of --minutes holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from gapless.errors import BudgetError
from gapless.search.book import Book, Candidate

SEEDS = 5
"""Seeds of the finals and of the confirmation."""
MOST_SEEDS = 12
"""Seeds of both sides of the verdict when time is left: how many is decided by the clock alone, never by a score."""
LATEST = 8
"""Trainings from which a cost is estimated."""
FINALISTS = 2
CLOSING = 4.0
"""Seconds for what follows the last training: statistics, pictures, report."""
TRAININGS = 75
"""Full trainings that a run should have room for: 15 of the finals, 30 of the confirmation, and a search. Longer
trainings are worth more than more of them: on Fashion-MNIST with 1,000 pictures the strong preset gained 1.9 points
over the plain model in 40 epochs and 3.5 in 120."""
FEWEST = 2 * SEEDS + 8
"""Trainings without which there is no result: both sides of the verdict, and a handful to choose from."""
REFIT = 1.25
"""Rows of a training for the verdict over rows of a training in the search."""
STEPS = 1500
"""Steps of a full training when nothing else decides."""
LONGEST = 300
"""Epochs of a full training, at most."""


@dataclass(frozen=True)
class Clock:
    """Time since the run began, earlier sittings included, against the budget in seconds (None: by trials)."""

    now: Callable[[], float]
    begun: float
    budget: float | None

    @property
    def spent(self) -> float:
        return self.now() - self.begun

    @property
    def left(self) -> float:
        return float("inf") if self.budget is None else self.budget - self.spent


def default_epochs(rows: int, batch_size: int) -> int:
    """Full length of a training on `rows` rows: about 1,500 steps, from 8 to 300 epochs."""
    return min(LONGEST, max(8, round(STEPS / max(1, round(rows / batch_size)))))


def affordable_epochs(wanted: int, epoch_seconds: float, clock: Clock, workers: int, fixed: bool = False) -> int:
    """The epochs that leave room for `TRAININGS` trainings in the time left, at most `wanted`.

    Args:
        fixed: the user chose the epochs: they stay, if only there is room for `FEWEST` trainings.

    Raises:
        BudgetError: the shortest training that makes sense (an eighth of the wanted epochs, or the fixed ones) does not
            fit `FEWEST` times; says the smallest budget that would do.
    """
    if clock.budget is None:
        return wanted
    room = max(0.0, clock.left - CLOSING) * workers
    epochs = wanted if fixed else min(wanted, int(room / (TRAININGS * epoch_seconds)))
    shortest = wanted if fixed else max(2, wanted // 8)
    if epochs <= shortest and FEWEST * shortest * epoch_seconds > room:
        smallest = (clock.spent + CLOSING + 1.1 * FEWEST * shortest * epoch_seconds / workers) / 60
        raise BudgetError(
            f"--minutes {clock.budget / 60:.3g} is too short for this model and data; "
            f"the smallest that would do is about {_rounded_up(smallest)}"
        )
    return max(epochs, shortest)


def _rounded_up(minutes: float) -> str:
    return f"{int(minutes * 10 + 1) / 10:.1f}" if minutes < 10 else f"{int(minutes + 1)}"


@dataclass(frozen=True)
class Costs:
    """Seconds that trainings take, from those that ended; `guess` before any has."""

    book: Book
    guess: float
    workers: int

    def training(self, candidate: Candidate | None = None) -> float:
        """One full training in the search, of one candidate or of the average one; the latest count, for a machine
        may be busier at one time than at another."""
        finished = [t for t in self.book.trials if t.status == "finished"]
        of_its_own = [t for t in finished if candidate is not None and t.candidate == candidate.number]
        seconds = [t.seconds for t in (of_its_own or finished)[-LATEST:]]
        return fmean(seconds) if seconds else self.guess

    def finals(self, finalists: Sequence[Candidate]) -> float:
        """Wall seconds of the finals: the finalists and the plain model on every seed."""
        each = [self.training(c) for c in finalists] or [self.training()]
        return self._wall(SEEDS * (sum(each) + max(each)))

    def confirmation(self, best: Candidate | None, ablations: int) -> float:
        """Wall seconds of the confirmation: both sides of the verdict and the ablations, on every seed."""
        return self.refits(best, SEEDS * (2 + ablations))

    def refits(self, best: Candidate | None, trainings: int) -> float:
        """Wall seconds of so many trainings on all development rows."""
        return self._wall(trainings * REFIT * self.training(best))

    def kept(self, finalists: Sequence[Candidate], whole: float) -> float:
        """Wall seconds kept back from the search: all that the verdict itself takes, and for the finals and the
        ablations what they take, up to two fifths of the whole budget."""
        best = finalists[0] if finalists else None
        ablations = len(best.recipe.pillars()) if best else 4
        verdict = self.confirmation(best, 0)
        others = self.finals(finalists) + self.confirmation(best, ablations) - verdict
        return CLOSING + verdict + min(others, 0.4 * whole)

    def _wall(self, seconds: float) -> float:
        """With a tenth for luck, and one training during which not all workers are busy."""
        return 1.1 * seconds / self.workers + (self.training() if self.workers > 1 else 0.0)
