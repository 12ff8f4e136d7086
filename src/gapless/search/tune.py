"""A run from its first training to its verdict: plan, search, finals, confirmation."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from gapless.data import Task
from gapless.errors import BudgetError, DataError, UsageError
from gapless.recipe import Recipe
from gapless.recipe.shipped import presets
from gapless.search import budget
from gapless.search.book import Book, Candidate, Trial, event_of
from gapless.search.confirm import BEST, PLAIN, Confirmation, Entry, without
from gapless.search.jobs import Job, Outcome
from gapless.search.journal import Journal
from gapless.search.race import Race, keeps_on
from gapless.search.run import Listener, Run, TuneOptions, Work
from gapless.search.space import Knob, fit
from gapless.search.supported import check, only, supported
from gapless.train import draws
from gapless.train.loop import Plan

RUNGS = (1 / 3, 2 / 3)
"""Shares of a full training after which it may be stopped; strong regularization looks worse early, so none comes
before a quarter."""


ABLATED = ("augment", "batchnorm", "dropout", "decay")
"""The order in which the pillars of the winner are switched off: what usually gives most first."""


@dataclass(frozen=True)
class Finished:
    """A run that came to its verdict, with everything a result is made of."""

    book: Book
    confirmation: Confirmation
    knobs: tuple[Knob, ...]
    plan: Plan
    plain: Candidate
    best: Candidate
    parameters: int
    splits: int
    seconds: float


def tune(task: Task, options: TuneOptions, listener: Listener, stop: Callable[[], bool]) -> Finished:
    """Searches and proves; goes on where the journal in `options.out` ends.

    Args:
        task: with its confirm rows and its model.
        stop: asked now and then; True has what runs saved and raises `Interrupted`.

    Raises:
        BudgetError: the budget ends before there can be a result; the message says the smallest that would do.
        UsageError: the run directory belongs to another task or is in use.
        DataError: the model does not work on the data, or the disk is full.
        Interrupted: `stop` said so.
    """
    parameters = check(task)
    with Journal(options.out / "journal.jsonl") as journal:
        _same_run(journal, task, options)
        run = Run(task, options, journal, listener, stop)
        try:
            return _Stages(run, supported(task)).go(parameters)
        finally:
            run.close()


def _same_run(journal: Journal, task: Task, options: TuneOptions) -> None:
    """Journals what this run is of, or checks that it is of the same."""
    facts = {
        "task": task.name,
        "data": _fingerprint(task),
        "model": task.model_name,
        "seed": options.seed,
        "batch size": options.batch_size,
    }
    if not journal.events:
        event = {"event": "run", "schema": 1, **facts, "at": 0.0}
        journal.write(event)
        journal.events.append(event)
        return
    before = journal.events[0]
    for name, value in facts.items():
        if before.get(name) != value:
            raise UsageError(
                f"--out {options.out}: holds a run of another {name}: {before.get(name)!r}, this one's is {value!r}; "
                "choose another folder"
            )


def _fingerprint(task: Task) -> str:
    """Changes whenever a row, a label or their part does."""
    digest = hashlib.blake2b(digest_size=12)
    for rows in (task.develop, task.confirm):
        if rows is not None:
            digest.update(repr(rows.x.shape).encode())
            digest.update(rows.y.tobytes())
            for start in range(0, len(rows), 4096):
                digest.update(rows.x[start : start + 4096].tobytes())
    return digest.hexdigest()


class _Stages:
    """The stages of a run, one after the other; each knows from the book what is left to do."""

    def __init__(self, run: Run, knobs: tuple[Knob, ...]):
        self.run, self.knobs, self.task, self.options = run, knobs, run.task, run.options
        self.book = run.book
        self.openings = self._openings()
        select = 0.2 * len(self.task.develop)
        self.race = Race(
            self.openings,
            knobs,
            splits=5 if select < 1000 else 3 if select < 5000 else 2,
            opening_splits=2 if select < 100 else 1,
            rows=round(select) if self.task.classes else 0,
            seed=self.options.seed,
        )
        self.busy: dict[int, tuple[int, int]] = {}
        self.tried = 0
        self.plan = Plan(1, self.options.batch_size, device=self.options.device)
        self.guess = 0.0

    def go(self, parameters: int) -> Finished:
        self._make_plan()
        if self.run.event("named") is None:
            self.run.listener.phase("searching")
            self.run.drive(self._searching, self.plan, self._report)
            self._finals()
        plain, best = self._named()
        self._confirm(plain, best)
        seconds = self.run.clock.spent
        return Finished(
            self.book,
            self.run.confirmation,
            self.knobs,
            self.plan,
            plain,
            best,
            parameters,
            self.race.splits,
            seconds,
        )

    def _openings(self) -> dict[str, Recipe]:
        """The plain model and the presets, each without what the model cannot take."""
        kind, classes = self.task.kind, len(self.task.classes)
        found = {"plain": Recipe()}
        for name, recipe in presets(kind).items():
            fitted = only(fit(recipe, kind, classes), self.knobs, kind, classes)
            if fitted not in found.values():
                found[f"preset {name}"] = fitted
        return found

    # ── plan ──

    def _make_plan(self) -> None:
        """How long a training is: as journaled, as asked for, or by the data and the budget."""
        wanted, before = self.options.epochs, self.run.event("plan")
        if before is not None:
            if wanted not in (None, before["epochs"]):
                raise UsageError(f"--epochs {wanted}: this run was begun with {before['epochs']}; choose another --out")
            self.guess = before["seconds"]
            self.plan = replace(self.plan, epochs=before["epochs"])
            return
        epochs = wanted or budget.default_epochs(round(0.8 * len(self.task.develop)), self.plan.batch_size)
        epoch_seconds = 0.0
        if self.run.clock.budget is not None:
            self.run.listener.phase("measuring speed")
            epoch_seconds = self._speed()
            epochs = budget.affordable_epochs(
                epochs, epoch_seconds, self.run.clock, self.options.workers, fixed=wanted is not None
            )
        self.guess = epochs * epoch_seconds
        self.run.write({"event": "plan", "epochs": epochs, "seconds": self.guess})
        self.plan = replace(self.plan, epochs=epochs)

    def _speed(self) -> float:
        """Seconds of an epoch of the dearest opening recipe, all workers busy."""
        dearest = max(self.openings.values(), key=lambda r: (len(r.pillars()), len(r.augment_part.ops)))
        seconds: list[float] = []

        def heard(outcome: Outcome) -> None:
            if outcome.status == "failed":
                raise DataError(f"model {self.task.model_name}: cannot be trained: {outcome.reason}")
            seconds.append(outcome.seconds)

        def following(number: int) -> Work | None:
            if number >= self.options.workers:
                return None
            return Job(number, dearest, 1e-3, 0, 0, 1, self.run.checkpoint("speed"), speed=True), heard

        self.run.drive(following, replace(self.plan, epochs=10**6), lambda: None)
        return max(seconds)

    # ── search ──

    def _searching(self, number: int) -> Work | None:
        if self._searched():
            return None
        start = self.race.next(self.book, set(self.busy.values()))
        if start is None:
            return None
        candidate = start.candidate
        if isinstance(candidate, Candidate):
            self.run.write(event_of(candidate))
            candidate = candidate.number
        self.tried += 1
        return self._train(number, self.book.candidates[candidate], start.split, "")

    def _searched(self) -> bool:
        """Whether the search has used its trials, or the time that is not kept back for the verdict."""
        if self.options.trials is not None:
            ended = sum(t.phase != "finals" for t in self.book.trials)
            return ended + len(self.busy) >= self.options.trials
        clock, finalists = self.run.clock, self.race.finalists(self.book, budget.FINALISTS)
        assert clock.budget is not None
        return clock.left < self._costs().kept(finalists, clock.budget)

    def _costs(self) -> budget.Costs:
        return budget.Costs(self.book, self.guess, self.options.workers)

    def _train(self, number: int, candidate: Candidate, split: int, phase: str) -> Work:
        """The work of a trial up to its next rung; in the finals there are no rungs."""
        key = (candidate.number, split)
        passed = [epoch for epoch, _, _ in self.book.begun.get(key, ())]
        ends = [round(share * self.plan.epochs) for share in RUNGS] if not phase else []
        until = next((e for e in ends if 0 < e < self.plan.epochs and e > max(passed, default=0)), self.plan.epochs)
        name = f"{phase or 'search'}-{candidate.number}-{split}"
        job = Job(
            number,
            candidate.recipe,
            candidate.lr,
            seed=draws.key(self.options.seed, "trial", split) >> 1,
            split=split,
            until=until,
            checkpoint=self.run.checkpoint(name),
            curve=phase == "finals",
        )
        self.busy[number] = key
        return job, lambda outcome: self._ended(outcome, candidate, split, phase or candidate.phase, job.seed)

    def _ended(self, outcome: Outcome, candidate: Candidate, split: int, phase: str, seed: int) -> None:
        """Journals what came of a job: a rung passed, or a trial finished, stopped or failed."""
        self.busy.pop(outcome.number)
        key = (candidate.number, split)
        passed = list(self.book.begun.get(key, ()))
        if outcome.score is not None:
            passed.append((outcome.epoch, outcome.score, outcome.seconds))
        stopped = (
            outcome.status == "rung"
            and candidate.phase != "opening"
            and not keeps_on(self.book, split, outcome.epoch, passed[-1][1])
        )
        if outcome.status == "rung" and not stopped:
            event = {"candidate": candidate.number, "split": split, "epoch": outcome.epoch}
            self.run.write({"event": "rung", **event, "score": outcome.score, "seconds": outcome.seconds})
            return
        self.run.checkpoint(f"search-{candidate.number}-{split}").unlink(missing_ok=True)
        trial = Trial(
            number=len(self.book.trials),
            candidate=candidate.number,
            phase=phase,
            split=split,
            seed=seed,
            epochs=outcome.epoch,
            status="stopped" if stopped else "finished" if outcome.status == "done" else "failed",
            score=outcome.score,
            loss=outcome.loss,
            train_score=outcome.train_score,
            seconds=sum(s for _, _, s in passed) + (outcome.seconds if outcome.score is None else 0.0),
            reason="in the lowest third at a rung" if stopped else outcome.reason,
            rungs=tuple((e, s) for e, s, _ in passed),
            curve=outcome.curve,
        )
        self.run.write(event_of(trial))

    def _report(self) -> None:
        """Tells the listener how far the whole run is."""
        clock, listener = self.run.clock, self.run.listener
        champion = self.race.champion(self.book)
        note = "" if champion is None else champion.origin
        if clock.budget is not None:
            listener.progress(min(1.0, clock.spent / clock.budget), max(0.0, clock.left), note)
            return
        assert self.options.trials is not None
        whole = self.options.trials + budget.SEEDS * (budget.FINALISTS + 1 + 2 + 4)
        done = len(self.book.trials) + len(self.run.confirmation.entries)
        left = clock.spent / done * (whole - done) if done else None
        listener.progress(min(1.0, done / whole), left, note)

    # ── finals ──

    def _finals(self) -> None:
        """The best few and the plain model again from scratch, on splits and seeds none of them has seen."""
        self.run.listener.phase("finals")
        finalists = self._finalists()
        splits = range(self.race.splits, self.race.splits + budget.SEEDS)

        def following(number: int) -> Work | None:
            for split in splits:
                for candidate in finalists:
                    key = (candidate.number, split)
                    if split not in self.book.ended(candidate.number, "finals") and key not in self.busy.values():
                        return self._train(number, candidate, split, "finals")
            return None

        self.run.drive(following, self.plan, self._report)

    def _finalists(self) -> list[Candidate]:
        """The plain model at its best learning rate, and as many of the best others as there is time for.

        Raises:
            BudgetError: there is none of either.
        """
        plain = self.race.tuned(self.book, "plain")
        others = self.race.finalists(self.book, budget.FINALISTS)
        if plain is None or not others:
            reasons = [t.reason for t in self.book.trials if t.status == "failed"]
            said = f"; the last failure: {reasons[-1]}" if reasons else ""
            raise BudgetError(
                f"the search ended before the plain model and a recipe were trained{said}; give it more --minutes or "
                "--trials (at least 12), or look into the failures in journal.jsonl"
            )
        costs = self._costs()
        while len(others) > 1 and self.options.trials is None:
            needed = costs.finals(others) + costs.confirmation(others[0], 0) + budget.CLOSING
            if needed <= self.run.clock.left:
                break
            others.pop()
        return [plain, *others]

    def _named(self) -> tuple[Candidate, Candidate]:
        """The plain model and the winner of the finals; journaled before the confirm rows are opened."""
        named = self.run.event("named")
        if named is None:
            splits = range(self.race.splits, self.race.splits + budget.SEEDS)
            ranked = {
                c.number: self.book.rank(c.number, splits, "finals")
                for c in self.book.candidates
                if all(s in self.book.finished(c.number, "finals") for s in splits)
            }
            plain = self.race.tuned(self.book, "plain")
            others = [n for n in ranked if self.book.candidates[n].recipe.active]
            if plain is None or plain.number not in ranked or not others:
                failed = [t for t in self.book.trials if t.phase == "finals" and t.status == "failed"]
                raise BudgetError(f"the finals failed: {failed[-1].reason if failed else 'no recipe finished them'}")
            best = max(others, key=lambda n: ranked[n])
            named = {"event": "named", "plain": plain.number, "best": best}
            self.run.write(named)
        return self.book.candidates[int(named["plain"])], self.book.candidates[int(named["best"])]

    # ── confirmation ──

    def _confirm(self, plain: Candidate, best: Candidate) -> None:
        """Plain and best on all development rows and the same seeds, then the best without each of its pillars."""
        self.run.listener.phase("confirming")
        seeds = range(budget.SEEDS)
        sides = ((PLAIN, plain), (BEST, best))
        self._train_all([(model, c.recipe, c.lr, s) for s in seeds for model, c in sides])
        pillars = sorted(best.recipe.pillars(), key=ABLATED.index)
        while pillars and (room := self._room(best, budget.SEEDS)):
            ablated = [(without(p), best.recipe.without(p), best.lr) for p in pillars[:room]]
            self._train_all([(*model, s) for model in ablated for s in seeds])
            pillars = pillars[room:]
        more = 0 if pillars or self.options.trials is not None else self._room(best, len(sides))
        seeds = range(budget.SEEDS, min(budget.SEEDS + more, budget.MOST_SEEDS))
        self._train_all([(model, c.recipe, c.lr, s) for s in seeds for model, c in sides])
        both = self.run.confirmation.seeds(PLAIN) & self.run.confirmation.seeds(BEST)
        if len(both) < budget.SEEDS:
            raise BudgetError(
                "the confirmation failed: not every seed of both sides could be trained; see journal.jsonl"
            )

    def _train_all(self, wanted: list[tuple[str, Recipe, float, int]]) -> None:
        """Trains those models (name, recipe, learning rate, seed) of the confirmation that are still to be trained."""
        left = [w for w in wanted if w[3] not in self.run.confirmation.seeds(w[0])]

        def following(number: int) -> Work | None:
            if not left:
                return None
            model, recipe, lr, seed = left.pop(0)
            return self._confirming(number, model, seed, recipe, lr)

        self.run.drive(following, self.plan, self._report)

    def _confirming(self, number: int, model: str, seed: int, recipe: Recipe, lr: float) -> Work:
        key = draws.key(self.options.seed, "confirm", seed) >> 1
        path = self.run.checkpoint(f"confirm-{model}-{seed}".replace(" ", "-"))
        job = Job(number, recipe, lr, key, None, self.plan.epochs, path)
        return job, lambda outcome: self._confirmed(outcome, model, seed)

    def _room(self, best: Candidate, trainings: int) -> int:
        """How many times so many trainings on all development rows fit into the time that is left, at most 20."""
        if self.options.trials is not None:
            return 20
        left = self.run.clock.left - budget.CLOSING
        costs = self._costs()
        return next((n for n in range(20) if costs.refits(best, (n + 1) * trainings) > left), 20)

    def _confirmed(self, outcome: Outcome, model: str, seed: int) -> None:
        if outcome.train_each is None or outcome.confirm_each is None:
            self.run.write({"event": "failure", "model": model, "seed": seed, "reason": outcome.reason})
            return
        self.run.write(Entry(model, seed, outcome.train_each, outcome.confirm_each, outcome.seconds).event())
