"""How long trainings are: as journaled, as asked for, or as measured and as the budget allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from gapless.errors import DataError, UsageError
from gapless.recipe import Recipe
from gapless.run.driver import Run, Work
from gapless.run.job import Job, Outcome
from gapless.search import budget
from gapless.search.book import Book
from gapless.search.budget import Speed
from gapless.search.length import Length, measure, steps
from gapless.search.options import TuneOptions
from gapless.search.rungs import Trials
from gapless.search.space import RATES
from gapless.train.loop import Plan


@dataclass(frozen=True)
class Lengths:
    """full: epochs of a recipe's training. plain: epochs that the plain model needs, as far as it was followed.
    settled: whether twice as many gained no more than chance, or the user chose. enough: minutes that would do for
    twice the epochs of `plain`, where they did not fit into the budget. steps: what was tried: epochs, learning rate,
    loss."""

    full: int
    plain: int
    settled: bool
    speed: Speed
    enough: float | None = None
    steps: tuple[tuple[int, float, float], ...] = ()


def make_plan(
    run: Run,
    options: TuneOptions,
    openings: Mapping[str, Recipe],
    book: Book,
    trials: Trials,
    report: Callable[[], None],
) -> tuple[Plan, Lengths]:
    """The plan of all trainings, and how long they are.

    Raises:
        BudgetError: the budget is too small for any result; says the smallest that would do.
        UsageError: --epochs differs from what this run was begun with.
        DataError: the model cannot be trained.
    """
    plan = Plan(1, options.batch_size, options.optimizer, ema=options.ema, device=options.device)
    before = run.event("plan")
    if before is None:
        lengths = _lengths(run, options, openings, book, trials, plan, report)
        speed = [lengths.speed.plain, lengths.speed.recipe]
        facts = {"plain": lengths.plain, "settled": lengths.settled, "speed": speed, "enough": lengths.enough}
        run.write(
            {"event": "plan", "epochs": lengths.full, "chosen": options.epochs, **facts, "minutes": options.budget}
        )
    elif options.epochs not in (None, before["chosen"]):
        begun = f"{before['chosen']}" if before["chosen"] else "a length that was measured"
        raise UsageError(f"--epochs {options.epochs}: this run was begun with {begun}; choose another --out")
    else:
        facts = before["plain"], before["settled"], Speed(*before["speed"]), before["enough"]
        lengths = Lengths(before["epochs"], *facts)
    tried = steps(run.events("length"), RATES[options.optimizer].first)
    lengths = replace(lengths, steps=tuple((s.epochs, s.lr, float(s.losses.mean())) for s in tried))
    return replace(plan, epochs=lengths.full), lengths


def _lengths(
    run: Run,
    options: TuneOptions,
    openings: Mapping[str, Recipe],
    book: Book,
    trials: Trials,
    plan: Plan,
    report: Callable[[], None],
) -> Lengths:
    speed, clock, workers = Speed(), run.clock, options.workers
    if clock.budget is not None:
        speed = _known_speed(run)
        if speed is None:
            run.listener.phase("measuring speed")
            speed = measured_speed(run, plan, openings, workers)
            budget.admit(speed, clock, workers, options.epochs)
            run.write({"event": "speed", "plain": speed.plain, "recipe": speed.recipe})
    if options.epochs is not None:
        return Lengths(options.epochs, options.epochs, settled=True, speed=speed)
    run.listener.phase("measuring how long the plain model needs")
    usual = budget.default_epochs(round(0.8 * len(run.task.develop)), options.batch_size)
    rates = RATES[options.optimizer].first
    fits = partial(_fits, run, speed, workers, usual, len(rates))
    first = max(budget.SHORTEST, usual // 4)
    while first > budget.SHORTEST and not fits(2 * first):
        first //= 2
    length = measure(run, book, trials, plan, rates, first, fits, report)
    full = budget.full_length(length.epochs, speed, clock, workers)
    return Lengths(full, length.epochs, length.settled, speed, _enough(length, full, speed, run, workers))


def _fits(run: Run, speed: Speed, workers: int, usual: int, rates: int, epochs: int) -> bool:
    """Whether the plain model may be trained so long at every rate, to see whether it pays."""
    if epochs > budget.LONGEST:
        return False
    if run.clock.budget is None:
        return epochs <= 2 * usual
    return rates * epochs * speed.plain / min(rates, workers) <= budget.MEASURING * run.clock.budget


def _enough(length: Length, full: int, speed: Speed, run: Run, workers: int) -> float | None:
    """Minutes that would do, where trainings are shorter than the model needs or its need was not found."""
    if run.clock.budget is None or (length.settled and full >= length.epochs):
        return None
    return budget.minutes_for(2 * length.epochs, speed, run.clock, workers)


def _known_speed(run: Run) -> Speed | None:
    """As an earlier sitting measured it: a run that goes on tries the lengths that it began with."""
    event = run.event("speed")
    return None if event is None else Speed(event["plain"], event["recipe"])


def measured_speed(run: Run, plan: Plan, openings: Mapping[str, Recipe], workers: int) -> Speed:
    """Seconds of an epoch of the plain model and of the dearest of some recipes, all workers busy."""
    dearest = max(openings.values(), key=lambda r: (len(r.pillars()), len(r.augment.every_op)))
    seconds: dict[Recipe, float] = {}
    wanted = [dearest, Recipe(), *[dearest] * (workers - 2)]

    def next_work(number: int) -> Work | None:
        if number >= len(wanted):
            return None
        recipe = wanted[number]

        def measured(outcome: Outcome) -> None:
            if outcome.status == "failed":
                raise DataError(f"model {run.task.model_name}: cannot be trained: {outcome.reason}")
            seconds[recipe] = max(outcome.seconds, seconds.get(recipe, 0.0))

        longest = 10**6
        return Job(number, recipe, 1e-3, 0, 0, longest, 1, run.checkpoint("speed"), speed=True), measured

    run.drive(next_work, plan, lambda: None)
    return Speed(seconds[Recipe()], max(seconds[dearest], seconds[Recipe()]))
