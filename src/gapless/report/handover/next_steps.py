"""What to do after a run: each step with why, and with the line to type."""

from __future__ import annotations

from dataclasses import dataclass

from gapless.report import facts
from gapless.report.content import Content
from gapless.report.figures import Figures, count, duration, number


@dataclass(frozen=True)
class Step:
    """what: a sentence. command: what to type for it; empty where the sentence is all."""

    what: str
    command: str = ""


def steps(content: Content, f: Figures) -> list[Step]:
    """What is worth doing after this run, the first thing first."""
    found = _home(content) if content.program else _without_a_gain(content, f)
    commands = content.commands
    if commands is not None and commands.longer and _unmeasured(content):
        found.append(
            Step(
                "What each pillar gave was not all measured, for want of time. With more the run goes on:",
                commands.longer,
            )
        )
    return found


def _home(content: Content) -> list[Step]:
    commands = content.commands
    if commands is None:
        return []
    program = "Train the recipe in a loop of your own; train.py is plain PyTorch, with schedule and normalisation:"
    last = (
        Step(program, commands.train)
        if commands.train
        else Step("train.py has the loop in plain PyTorch: train(x, y, model).")
    )
    return [
        Step("Train the model to take home, on all rows, those of the verdict included:", commands.fit),
        Step("Ask it about new data:", commands.predict),
        last,
    ]


def _without_a_gain(content: Content, f: Figures) -> list[Step]:
    result, commands = content.result, content.commands
    lines: list[Step] = []
    if result.plain.gap.low <= 0:
        lines.append(
            Step(
                f"The plain model has no gap that can be told from chance ({f.size(result.plain.gap.mean)}, "
                f"{f.span(result.plain.gap)}): there is little for regularization to close. A larger model, another "
                "--model or longer training may learn more."
            )
        )
    able = f"{facts.power(result.power, result.task.confirm, result.metric.name)} " if result.power else ""
    lines.append(Step(f"{able}New rows for the verdict (--test) tell most."))
    price = "may find a recipe" if content.plain_won else "opens the same rows again, and its interval is wider for it"
    lines.append(
        Step(f"A longer search in a new run {price}{':' if commands else '.'}", commands.again if commands else "")
    )
    if commands is not None:
        if commands.diagnose:
            lines.append(Step("Find out by experiment why the model does not generalize:", commands.diagnose))
        lines.append(Step("Train the plain model to take home, on all rows:", commands.fit))
    return lines


def _unmeasured(content: Content) -> bool:
    """Whether a pillar, or the sum of them, was left without a number for want of time."""
    return (
        not content.plain_won
        and any(not p.failed and (p.without is None or p.shapley is None) for p in content.result.pillars)
        and not content.result.untrainable
    )


def costs(content: Content) -> list[str]:
    """What the recipe costs beside the plain model, in sentences; empty where it was not measured."""
    found = content.result.costs
    if found is None:
        return []
    plain, best = found.plain, found.best
    if content.plain_won:
        return [
            f"A training of the plain model took {_time(plain.seconds)}: {_time(plain.epoch)} an epoch, "
            f"{_time(plain.step / 1000)} a step{_held(plain.memory)}."
        ]
    times = number(float(f"{best.epoch / plain.epoch:.2g}"))
    lines = [
        f"A training of the best recipe took {_time(best.seconds)} ({count(content.result.best.epochs, 'epochs')}), of "
        f"the plain model {_time(plain.seconds)} ({count(content.result.plain.epochs, 'epochs')}): "
        f"{_time(best.epoch)} an epoch against {_time(plain.epoch)}, {_time(best.step / 1000)} a step against "
        f"{_time(plain.step / 1000)}, {times} times as much. Building and scoring are "
        "included, with all workers busy."
    ]
    if plain.memory is not None and best.memory is not None:
        lines.append(
            f"A step holds {_size(best.memory)} against {_size(plain.memory)}: weights, gradients, the optimizer's "
            "state, and what the forward pass of a batch leaves for the backward pass."
        )
    return lines


def _held(memory: int | None) -> str:
    return "" if memory is None else f"; a step holds {_size(memory)}"


def _time(seconds: float) -> str:
    if seconds >= 1:
        return duration(seconds)
    return f"{1000 * seconds:.3g} ms"


def _size(memory: int) -> str:
    """`1.9 MB`, `3.2 GB`."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if memory >= size:
            return f"{memory / size:.3g} {unit}"
    return f"{memory / 1000:.3g} kB"
