"""What stands beside the verdict: what quick models get on its rows, and what a training of each side costs.

Measured once, after the verdict, and journaled: a finished run that is looked at again says the same, at once.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from statistics import median

from gapless.data import Task
from gapless.errors import GaplessError
from gapless.evidence.paired import BEST, PLAIN, Confirmation
from gapless.evidence.proof import Setup
from gapless.evidence.result import Cost, Costs, QuickModel
from gapless.evidence.rivals import rivals
from gapless.run.driver import Run
from gapless.train.cost import StepMemory, step_memory
from gapless.train.loop import Diverged, Plan

LONGEST, LEAST = 20.0, 3.0
"""Seconds for the quick models, at most and at least."""


@dataclass(frozen=True)
class Beside:
    """The quick models, the commonest class (or the mean) first; and the costs of both sides."""

    quick: tuple[QuickModel, ...] = ()
    costs: Costs | None = None


def beside(run: Run, task: Task, sides: tuple[Setup, Setup], plan: Plan, confirmation: Confirmation) -> Beside:
    """What stands beside the verdict of a run, from its journal, or measured now and journaled.

    Args:
        sides: the plain model and the best recipe; twice the same where no recipe ranked above it.
    """
    if run.event("quick") is None:
        run.listener.phase("quick models to compare with")
        found = rivals(task, _seconds(run), task.confirm, run.seed)
        models = [asdict(QuickModel(r.name, _finite(r.score), r.skipped)) for r in found]
        run.write({"event": "quick", "models": models})
    if run.event("memory") is None:
        run.listener.phase("counting the memory of a step")
        run.write({"event": "memory", **{name: _memory(run, task, s, plan) for name, s in _named(sides)}})
    quick, memory = run.event("quick"), run.event("memory")
    assert quick is not None
    assert memory is not None
    models = tuple(QuickModel(m["name"], m["score"], m["skipped"]) for m in quick["models"])
    batches = max(1, min(round(len(task.develop) / plan.batch_size), len(task.develop) // 2))
    costs = {n: _cost(confirmation, n, s[2], batches, memory[n]) for n, s in _named(sides)}
    return Beside(models, Costs(costs[PLAIN], costs.get(BEST, costs[PLAIN])))


def _named(sides: tuple[Setup, Setup]) -> list[tuple[str, Setup]]:
    plain, best = sides
    return [(PLAIN, plain)] if plain == best else [(PLAIN, plain), (BEST, best)]


def _seconds(run: Run) -> float:
    """For the quick models: what is left of the budget, within bounds."""
    return LONGEST if run.clock.budget is None else min(LONGEST, max(LEAST, run.clock.left - 1))


def _finite(score: float | None) -> float | None:
    return score if score is not None and math.isfinite(score) else None


def _memory(run: Run, task: Task, setup: Setup, plan: Plan) -> list[int] | None:
    """Weights, optimizer and what is kept, in bytes; None where the model takes no step on the CPU."""
    recipe, lr, _ = setup
    try:
        found = step_memory(task, recipe, lr, plan, run.seed)
    except (RuntimeError, MemoryError, GaplessError, Diverged):  # as of a model that lives on a GPU alone
        return None
    return [found.weights, found.optimizer, found.kept]


def _cost(confirmation: Confirmation, model: str, epochs: int, batches: int, memory: list[int] | None) -> Cost:
    """Of the trainings of the verdict, building and scoring included; the median, as one that was interrupted and went
    on has only its last part."""
    seconds = median(e.seconds for e in confirmation.entries if e.model == model)
    each = seconds / epochs
    return Cost(seconds, each, 1000 * each / batches, None if memory is None else StepMemory(*memory).total)
