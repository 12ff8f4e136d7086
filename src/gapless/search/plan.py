"""How long a training is: as journaled, as asked for, or by the data and the budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gapless.errors import DataError, UsageError
from gapless.recipe import Recipe
from gapless.search import budget
from gapless.search.jobs import Job, Outcome
from gapless.search.run import Run, Work
from gapless.train.loop import Plan


def make_plan(run: Run, openings: Mapping[str, Recipe]) -> tuple[Plan, float]:
    """The plan of all trainings, and the seconds that one is guessed to take (0 where only trials count).

    Raises:
        BudgetError: the budget is too small for any result; says the smallest that would do.
        UsageError: --epochs differs from what this run was begun with.
        DataError: the model cannot be trained.
    """
    options = run.options
    plan, before = (
        Plan(1, options.batch_size, options.optimizer, ema=options.ema, device=options.device),
        run.event("plan"),
    )
    if before is not None:
        if options.epochs not in (None, before["epochs"]):
            raise UsageError(
                f"--epochs {options.epochs}: this run was begun with {before['epochs']}; choose another --out"
            )
        return replace(plan, epochs=before["epochs"]), before["seconds"]
    epochs = options.epochs or budget.default_epochs(round(0.8 * len(run.task.develop)), plan.batch_size)
    epoch_seconds = 0.0
    if run.clock.budget is not None:
        run.listener.phase("measuring speed")
        epoch_seconds = _speed(run, plan, openings)
        epochs = budget.affordable_epochs(
            epochs, epoch_seconds, run.clock, options.workers, fixed=options.epochs is not None
        )
    run.write({"event": "plan", "epochs": epochs, "seconds": epochs * epoch_seconds})
    return replace(plan, epochs=epochs), epochs * epoch_seconds


def _speed(run: Run, plan: Plan, openings: Mapping[str, Recipe]) -> float:
    """Seconds of an epoch of the dearest opening recipe, all workers busy."""
    dearest = max(openings.values(), key=lambda r: (len(r.pillars()), len(r.augment_part.ops)))
    seconds: list[float] = []

    def heard(outcome: Outcome) -> None:
        if outcome.status == "failed":
            raise DataError(f"model {run.task.model_name}: cannot be trained: {outcome.reason}")
        seconds.append(outcome.seconds)

    def following(number: int) -> Work | None:
        if number >= run.options.workers:
            return None
        return Job(number, dearest, 1e-3, 0, 0, 1, run.checkpoint("speed"), speed=True), heard

    run.drive(following, replace(plan, epochs=10**6), lambda: None)
    return max(seconds)
