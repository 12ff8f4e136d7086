"""The confirmation of a run: plain and best from scratch on the same seeds, then the best without each pillar."""

from __future__ import annotations

from collections.abc import Callable

from gapless.augment import draws
from gapless.errors import BudgetError
from gapless.recipe import Recipe
from gapless.search import budget
from gapless.search.book import Candidate
from gapless.search.confirm import BEST, PLAIN, Entry, without
from gapless.search.jobs import Job, Outcome
from gapless.search.run import Run, Work
from gapless.train.loop import Plan

ABLATED = ("augment", "batchnorm", "dropout", "decay")
"""The order in which the pillars of the winner are switched off: what usually gives most first."""

Model = tuple[str, Recipe, float, int]
"""A model of the confirmation: its name, recipe, learning rate and seed."""


class Proof:
    """Trains what the verdict needs, on all development rows, and journals the scores of every row."""

    def __init__(self, run: Run, plan: Plan, costs: budget.Costs, report: Callable[[], None]):
        self._run, self._plan, self._costs, self._report = run, plan, costs, report

    def train(self, plain: Candidate, best: Candidate) -> None:
        """Both sides on five seeds; the pillars while there is time; further seeds of both sides if time is left.

        Raises:
            BudgetError: one of the models of the verdict could not be trained.
        """
        sides, seeds = ((PLAIN, plain), (BEST, best)), range(budget.SEEDS)
        self._train_all([(model, c.recipe, c.lr, s) for s in seeds for model, c in sides])
        pillars = sorted(best.recipe.pillars(), key=ABLATED.index)
        while pillars and (room := self._room(best, budget.SEEDS)):
            ablated = [(without(p), best.recipe.without(p), best.lr) for p in pillars[:room]]
            self._train_all([(*model, s) for model in ablated for s in seeds])
            pillars = pillars[room:]
        more = 0 if pillars or self._run.options.trials is not None else self._room(best, len(sides))
        seeds = range(budget.SEEDS, min(budget.SEEDS + more, budget.MOST_SEEDS))
        self._train_all([(model, c.recipe, c.lr, s) for s in seeds for model, c in sides])
        seen = self._run.confirmation
        if len(seen.seeds(PLAIN) & seen.seeds(BEST)) < budget.SEEDS:
            raise BudgetError(
                f"the confirmation failed: {self._failure()}; its trainings see a quarter more rows than those of the "
                "search. Begin a new run with another --out and another --seed, or with fewer --epochs"
            )

    def _train_all(self, wanted: list[Model]) -> None:
        """Trains those models that are still to be trained."""
        left = [w for w in wanted if w[3] not in self._run.confirmation.seeds(w[0])]

        def following(number: int) -> Work | None:
            return self._work(number, *left.pop(0)) if left else None

        self._run.drive(following, self._plan, self._report)

    def _work(self, number: int, model: str, recipe: Recipe, lr: float, seed: int) -> Work:
        key = draws.key(self._run.options.seed, "confirm", seed) >> 1
        path = self._run.checkpoint(f"confirm-{model}-{seed}".replace(" ", "-"))
        job = Job(number, recipe, lr, key, None, self._plan.epochs, path, also=model in (PLAIN, BEST))
        return job, lambda outcome: self._ended(outcome, model, seed)

    def _ended(self, outcome: Outcome, model: str, seed: int) -> None:
        if outcome.train_each is None or outcome.confirm_each is None:
            self._run.write({"event": "failure", "model": model, "seed": seed, "reason": outcome.reason})
            return
        each = outcome.train_each, outcome.confirm_each
        self._run.write(Entry(model, seed, *each, outcome.seconds, outcome.also_each).event())

    def _room(self, best: Candidate, trainings: int) -> int:
        """How many times so many trainings on all development rows fit into the time that is left, at most 20."""
        if self._run.options.trials is not None:
            return 20
        left = self._run.clock.left - budget.CLOSING
        return next((n for n in range(20) if self._costs.refits(best, (n + 1) * trainings) > left), 20)

    def _failure(self) -> str:
        failed = self._run.event("failure")
        return f"{failed['model']} with seed {failed['seed']}: {failed['reason']}" if failed else "no reason known"
