"""The confirmation of a run: plain and best from scratch on the same seeds, then the best with some of its pillars."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gapless import draws
from gapless.errors import BudgetError
from gapless.evidence import parts
from gapless.evidence.paired import BEST, PLAIN, Confirmation, Entry
from gapless.recipe import Recipe
from gapless.run.driver import Run, Work
from gapless.run.job import Job, Outcome
from gapless.train.loop import Plan

SEEDS = 5
"""Seeds of the finals and of the confirmation."""
FEWEST_SEEDS = 3
"""Seeds of both sides of the verdict where time is short; the interval is as wide as they make it."""
MOST_SEEDS = 12
"""Seeds of both sides of the verdict when time is left: how many is decided by the clock alone, never by a score."""
ABLATED = ("augment", "batchnorm", "dropout", "decay")
"""The order in which the pillars of the winner are looked at: what usually gives most first."""

Setup = tuple[Recipe, float, int]
"""A recipe, its learning rate, and the epochs of its training."""
Model = tuple[str, Setup, int]
"""A model of the confirmation: its name, its recipe and learning rate, and its seed."""


class Proof:
    """Trains what the verdict needs, on all development rows, and journals the scores of every row.

    Args:
        seen: the entries that are there already.
        seed: of the run.
        room: how many times so many seeds of so many sides fit into the time that is left: of 1, the best recipe; of
            2, both.
        more_seeds: whether time that is left goes into further seeds.
        report: called now and then, for the progress bar.
    """

    def __init__(
        self,
        run: Run,
        seen: Confirmation,
        plan: Plan,
        seed: int,
        room: Callable[[int, int], int],
        more_seeds: bool,
        report: Callable[[], None],
    ):
        self._run, self._seen, self._plan, self._seed = run, seen, plan, seed
        self._room, self._more_seeds, self._report = room, more_seeds, report

    def train(self, plain: Setup, best: Setup | None) -> None:
        """Both sides on three seeds, on five while there is time; the pillars; further seeds of both sides.

        Args:
            best: None where no recipe ranked above the plain model: then only that one's gap is measured.

        Raises:
            BudgetError: one of the models of the verdict could not be trained.
        """
        sides = ((PLAIN, plain),) if best is None else ((PLAIN, plain), (BEST, best))
        self._train_seeds(sides, 0, FEWEST_SEEDS)
        room = self._room(1, len(sides))
        self._train_seeds(sides, FEWEST_SEEDS, min(SEEDS, FEWEST_SEEDS + room))
        if best:
            self.parts(best)
        if self._more_seeds:
            self._train_seeds(sides, SEEDS, min(SEEDS + self._room(1, len(sides)), MOST_SEEDS))
        if len(set.intersection(*(self._seen.seeds(name) for name, _ in sides))) < FEWEST_SEEDS:
            raise BudgetError(
                f"the confirmation failed: {self._failure()}; its trainings see a quarter more rows than those of the "
                "search. Begin a new run with another --out and another --seed, or with fewer --epochs"
            )

    def compare(self, sides: Sequence[tuple[str, Callable[[int], Setup]]]) -> None:
        """Several models on the same seeds: on three, and while there is time for all of them on more, up to twelve.

        Args:
            sides: names, and what each is trained with on a seed; the plain model is one of them.

        Raises:
            BudgetError: one of the models could not be trained.
        """
        self._train_all([(name, of(s), s) for s in range(FEWEST_SEEDS) for name, of in sides])
        seeds = FEWEST_SEEDS
        while seeds < MOST_SEEDS and self._room(1, len(sides)):
            self._train_all([(name, of(seeds), seeds) for name, of in sides])
            seeds += 1
        if len(set.intersection(*(self._seen.seeds(name) for name, _ in sides))) < FEWEST_SEEDS:
            raise BudgetError(
                f"the confirmation failed: {self._failure()}. Begin a new run with another --out and another --seed, "
                "or with a smaller --lr"
            )

    def parts(self, best: Setup) -> None:
        """The best recipe with some of its pillars, to tell what each gave, while there is time.

        First without each, then each alone, then all other subsets, of which only all are of use. A subset that could
        not be trained is not tried again.
        """
        recipe, lr, epochs = best
        pillars = recipe.pillars()
        order = sorted(pillars, key=ABLATED.index)
        for number, wave in enumerate(parts.waves(order)):
            models = [(parts.called(s, pillars), (parts.only(recipe, s), lr, epochs)) for s in wave]
            left = [m for m in models if not self._ended_all(m[0])]
            while left and (room := self._room(SEEDS, 1)) >= (1 if number < 2 else len(left)):
                self._train_all([(*model, s) for model in left[:room] for s in range(SEEDS)])
                left = left[room:]
            if left:
                return

    def _ended_all(self, model: str) -> bool:
        return len(self._seen.seeds(model) | self._seen.failed(model).keys()) >= SEEDS

    def _train_seeds(self, sides: Sequence[tuple[str, Setup]], first: int, end: int) -> None:
        self._train_all([(*side, s) for s in range(first, end) for side in sides])

    def _train_all(self, wanted: list[Model]) -> None:
        """Trains those models that are still to be trained."""
        left = [(model, setup, s) for model, setup, s in wanted if s not in self._seen.seeds(model)]

        def next_work(number: int) -> Work | None:
            return self._work(number, *left.pop(0)) if left else None

        self._run.drive(next_work, self._plan, self._report)

    def _work(self, number: int, model: str, setup: Setup, seed: int) -> Work:
        key = draws.key(self._seed, "confirm", seed) >> 1
        path = self._run.checkpoint(f"confirm-{model}-{seed}".replace(" ", "-"))
        recipe, lr, epochs = setup
        job = Job(number, recipe, lr, key, None, epochs, epochs, path, also=model in (PLAIN, BEST))
        return job, lambda outcome: self._ended(outcome, model, seed)

    def _ended(self, outcome: Outcome, model: str, seed: int) -> None:
        if outcome.status == "paused":
            return
        if outcome.train_each is None or outcome.confirm_each is None:
            self._run.write({"event": "failure", "model": model, "seed": seed, "reason": outcome.reason})
            return
        each = outcome.train_each, outcome.confirm_each
        entry = Entry(model, seed, *each, outcome.seconds, outcome.also_each, outcome.answers)
        self._run.write(entry.event())

    def _failure(self) -> str:
        failed = self._run.event("failure")
        return f"{failed['model']} with seed {failed['seed']}: {failed['reason']}" if failed else "no reason known"
