"""A search of a policy from its first look at labels to its verdict; goes on where its journal ends."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gapless.augment.policies.space import Policy, Range, Space
from gapless.data import Task
from gapless.data.duplicates import fingerprint
from gapless.errors import UsageError
from gapless.evidence import ledger
from gapless.evidence.paired import BEST, PLAIN, Confirmation
from gapless.evidence.proof import FEWEST_SEEDS, Proof
from gapless.policies import controls
from gapless.policies.budget import LUCK, SIDES, full_length
from gapless.policies.children import Ended, Nursery
from gapless.policies.guard import Guarded, fill_of, guard, usual_ops, widest
from gapless.policies.options import PolicyOptions
from gapless.policies.searchers import SEARCHES, Searched, Tried, recipe_of
from gapless.recipe import Recipe
from gapless.run.driver import Listener, Run
from gapless.run.journal import Journal, replay, same_run
from gapless.search.budget import CLOSING, REFIT, SHORTEST, Speed
from gapless.search.plan import measured_speed
from gapless.search.space import RATES
from gapless.search.supported import check, check_device
from gapless.train.loop import Plan

GUARDING = 0.15
"""Share of the budget that the guard may take."""

Side = tuple[str, str, Callable[[int], Recipe]]
"""A model of the verdict: its name, what it is, and its recipe on each seed."""


@dataclass(frozen=True)
class Learned:
    """A run that came to its end. space: None where the guard left nothing. recipe: of what the search ended with, the
    empty one for none. sides: of the verdict, none first; empty where nothing was compared."""

    task: Task
    options: PolicyOptions
    guarded: tuple[Guarded, ...]
    space: Space | None
    recipe: Recipe
    words: str
    chosen_gain: float | None
    tried: tuple[Tried, ...]
    sides: tuple[Side, ...]
    confirmation: Confirmation
    epochs: int
    lr: float
    trained: dict[str, float]
    data: str
    seconds: float


def learn(task: Task, options: PolicyOptions, listener: Listener, stop: Callable[[], bool]) -> Learned:
    """Learns and proves; goes on where the journal in `options.out` ends.

    Args:
        task: with its confirm rows and its model.
        stop: asked now and then; True has what runs saved and raises `Interrupted`.

    Raises:
        UsageError: data without pictures, texts or classes, unknown operations, or a folder of another run.
        BudgetError: the budget is too small; says the smallest that would do.
        DataError: the model cannot be trained, or the disk is full.
        Interrupted: `stop` said so.
    """
    _check(task, options)
    if options.place.engine == "local":  # on a cluster the nodes have it
        check_device(options.device)
    check(task)
    with Journal(options.out / "journal.jsonl") as journal:
        data = fingerprint(task)
        _same_run(journal, task, options, data)
        ended, metric = Ended(), task.judged_by
        replay(journal.events, ended.take)
        assert task.confirm is not None
        step = metric.step(task.confirm.y.astype("int64")) if metric.step else 0.0
        seen = Confirmation.replay(journal.events, metric.unit, task.confirm.group, {}, step)
        run = Run(
            task,
            journal,
            (ended, seen),
            lambda: options.place.open(task, options.seed, options.workers, stop, options.minutes),
            listener,
            stop,
            options.minutes,
            options.begun,
            options.seed,
        )
        try:
            return _Stages(run, options, ended, seen, data).go()
        finally:
            run.close()


def _check(task: Task, options: PolicyOptions) -> None:
    if task.kind == "table":
        raise UsageError(
            f"{task.name}: a table has no operations to draw from; policies are for pictures and texts. For tables, "
            "`gapless tune` searches noise and mixup"
        )
    if not task.classes:
        raise UsageError(
            f"{task.name}: a policy is learned for classes, whose labels can be judged; this is a regression"
        )
    if len(task.classes) == 1:
        raise UsageError(f"{task.name}: has one class, {', '.join(task.classes)}; there is nothing to tell apart")
    if task.kind == "text" and options.method != "strength":
        raise UsageError(
            f"--method {options.method}: draws sub-policies, which are for pictures; for texts use strength"
        )


def _same_run(journal: Journal, task: Task, options: PolicyOptions, data: str) -> None:
    """Journals what this run is of, or checks that it is of the same."""
    facts: dict[str, Any] = {
        "task": task.name,
        "method": options.method,
        "seed": options.seed,
        "model": task.model_name,
        "batch size": options.batch_size,
        "optimizer": options.optimizer,
        "epochs": options.epochs,
        "learning rate": options.lr,
        "operations": list(options.ops),
        "guard": options.guard,
        "data": data,
    }
    same_run(journal, options.out, "policy", "a search with another", facts)


class _Stages:
    """The stages, one after the other; each knows from the journal what is left to do."""

    def __init__(self, run: Run, options: PolicyOptions, ended: Ended, seen: Confirmation, data: str):
        self.run, self.options, self.ended, self.seen, self.data = run, options, ended, seen, data
        self.task = run.task
        self.plan = Plan(1, options.batch_size, options.optimizer, device=options.device)

    def go(self) -> Learned:
        fill = fill_of(self.task)
        guarded = self._guarded()
        ranges = tuple(Range(g.op, g.high) for g in guarded if g.high > 0)
        if not ranges:
            nothing = Recipe(), "no augmentation: the guard leaves no operation", None, (), ()
            self._finish()
            facts = self.seen, 0, 0.0, dict[str, float](), self.data
            return Learned(self.task, self.options, guarded, None, *nothing, *facts, self._seconds())
        space = Space(ranges, fill)
        speed = self._speed(space)
        epochs = self._length(speed)
        lr = self._rate(epochs)
        nursery = self._nursery("search", lr, epochs)
        searched = self._searched(nursery, space)
        self.run.listener.phase("choosing the controls")
        others = controls.chosen(self._nursery("controls", lr, epochs), space)
        recipe = recipe_of(searched.policy)
        sides = self._sides(space, recipe, searched.words, others)
        if self.run.event("finished") is None:
            self._prove(sides, lr, epochs)
        self._finish()
        told = recipe, searched.words, searched.gain, searched.tried, sides
        facts = self.seen, epochs, lr, self._costs(epochs), self.data
        return Learned(self.task, self.options, guarded, space, *told, *facts, self._seconds())

    # ── before the search ──

    def _guarded(self) -> tuple[Guarded, ...]:
        event = self.run.event("guard")
        if event is None:
            self.run.listener.phase("looking at what keeps labels")
            fill = fill_of(self.task)
            found = widest(self.task, self.options.ops or usual_ops(self.task), fill)
            if self.options.guard:
                seconds = GUARDING * 60 * self.options.minutes
                found = guard(self.task, found, fill, self.options.seed, seconds, lambda share: self._report())
            self.run.write({"event": "guard", "ranges": [g.to_json() for g in found]})
            event = self.run.event("guard")
            assert event is not None
        return tuple(Guarded.of(g) for g in event["ranges"])

    def _speed(self, space: Space) -> Speed:
        event = self.run.event("speed")
        if event is None:
            self.run.listener.phase("measuring speed")
            openings = {"random": recipe_of(space.drawn(self.options.seed, 0)), "all": recipe_of(_all(space))}
            speed = measured_speed(self.run, self.plan, openings, self.options.workers)
            self.run.write({"event": "speed", "plain": speed.plain, "recipe": speed.recipe})
            return speed
        return Speed(event["plain"], event["recipe"])

    def _length(self, speed: Speed) -> int:
        event = self.run.event("plan")
        if event is None:
            epochs = full_length(len(self.task.develop), self.options, speed, self.run.clock)
            self.run.write({"event": "plan", "epochs": epochs})
            return epochs
        return int(event["epochs"])

    def _rate(self, epochs: int) -> float:
        """The user's learning rate, or that of two at which the plain model does better in half the length."""
        if self.options.lr is not None:
            return self.options.lr
        self.run.listener.phase("settling the learning rate")
        rates = RATES[self.options.optimizer].first
        half = max(1, epochs // 2)
        nursery = self._nursery("settling", rates[0], epochs)
        losses = nursery.losses([nursery.child(Recipe(), half, warm=False, lr=rate) for rate in rates])
        return rates[int(np.argmin([np.inf if each is None else each.mean() for each in losses]))]

    # ── the search ──

    def _nursery(self, stage: str, lr: float, epochs: int) -> Nursery:
        return Nursery(self.run, self.ended, self.plan, stage, lr, epochs, self._report)

    def _searched(self, nursery: Nursery, space: Space) -> Searched:
        self.run.listener.phase(f"searching: {self.options.method}")
        return SEARCHES[self.options.method](nursery, space, self._enough)

    def _enough(self) -> bool:
        """Whether there is time for more of the search before the verdict; once the search has ended, as it was."""
        if self.run.event("named") is not None or not self.ended.epochs:
            return True
        return self.run.clock.left - CLOSING > self._seconds_of(SIDES * FEWEST_SEEDS * REFIT)

    def _seconds_of(self, trainings: float) -> float:
        """Wall seconds of full trainings, as the speed was measured."""
        plan, speed = self.run.event("plan"), self.run.event("speed")
        assert plan is not None
        assert speed is not None
        return LUCK * 0.8 * speed["recipe"] * plan["epochs"] * trainings / self.options.workers

    # ── the verdict ──

    def _sides(
        self, space: Space, learned: Recipe, words: str, others: dict[str, tuple[str, Recipe]]
    ) -> tuple[Side, ...]:
        random = controls.random_policy(space, self.options.method, self.options.seed)
        sides: list[Side] = [(PLAIN, "no augmentation", lambda _: Recipe())]
        if learned.active:
            sides.append((BEST, words, lambda _: learned))
        sides.append((controls.RANDOM, "another one for each seed, from the table of the search", random))
        sides += [(name, what, _same(recipe)) for name, (what, recipe) in others.items()]
        return tuple(sides)

    def _prove(self, sides: tuple[Side, ...], lr: float, epochs: int) -> None:
        """The confirm rows are opened here, and only here."""
        run = self.run
        named = run.event("named")
        if named is None:
            recipes = {name: [of(s).to_dict() for s in range(2)] for name, _, of in sides}
            affordable = self._affordable(len(sides), epochs)
            run.write({"event": "named", "recipes": recipes, "lr": lr, "epochs": affordable})
            named = run.event("named")
        assert named is not None
        epochs = int(named["epochs"])
        if run.event("opened") is None:
            facts = [run.event("policy"), run.event("named")]
            plain = [{k: v for k, v in f.items() if k not in ("at", "task")} for f in facts if f]
            question = hashlib.blake2b(json.dumps(plain, sort_keys=True).encode(), digest_size=12).hexdigest()
            assert self.task.confirm is not None
            run.write({"event": "opened", **asdict(ledger.read(self.task.confirm, question))})
        run.listener.phase("confirming")
        proof = Proof(run, self.seen, self._full(epochs), self.options.seed, self._room, True, self._report)
        proof.compare([(name, _setup(of, lr, epochs)) for name, _, of in sides])

    def _affordable(self, sides: int, epochs: int) -> int:
        """Epochs of the verdict's trainings: those of a full one, or what is left for where the search took longer."""
        needed = self._seconds_of(sides * FEWEST_SEEDS * REFIT)
        left = max(0.0, self.run.clock.left - CLOSING)
        return (
            epochs if self.options.epochs is not None or needed <= left else max(SHORTEST, int(epochs * left / needed))
        )

    def _full(self, epochs: int) -> Plan:
        return Plan(epochs, self.options.batch_size, self.options.optimizer, device=self.options.device)

    def _room(self, seeds: int, sides: int) -> int:
        """How many times so many seeds of so many sides fit into what is left."""
        each = float(np.mean([e.seconds for e in self.seen.entries]))
        needed = LUCK * each * seeds * -(-sides // self.options.workers)
        return max(0, int((self.run.clock.left - CLOSING) / max(needed, 1e-9)))

    # ── its end ──

    def _costs(self, epochs: int) -> dict[str, float]:
        """In full trainings, of four fifths of the rows, by stage; from the journal, so that every sitting says the
        same."""
        named = self.run.event("named") or {"epochs": epochs}
        verdict = REFIT * len(self.seen.entries) * named["epochs"] / epochs
        spent = {"settling": 0.0, "search": 0.0, "controls": 0.0, "verdict": verdict}
        for event in [*self.run.events("child"), *self.run.events("warm")]:
            spent[event["stage"]] += event["ran"] / epochs
        spent["search"] += sum(e["ran"] for e in self.run.events("match")) / epochs
        return spent

    def _finish(self) -> None:
        if self.run.event("finished") is None:
            self.run.write({"event": "finished", "seconds": self.run.clock.spent})

    def _seconds(self) -> float:
        return float(self.run.events("finished")[-1]["seconds"])

    def _report(self) -> None:
        clock = self.run.clock
        assert clock.budget is not None
        self.run.listener.progress(min(1.0, clock.spent / clock.budget), max(0.0, clock.left), "")


def _all(space: Space) -> Policy:
    return space.spread([r.op for r in space.ranges], 1.0)


def _same(recipe: Recipe) -> Callable[[int], Recipe]:
    return lambda _: recipe


def _setup(of: Callable[[int], Recipe], lr: float, epochs: int) -> Callable[[int], tuple[Recipe, float, int]]:
    return lambda seed: (of(seed), lr, epochs)
