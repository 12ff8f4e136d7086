"""A run from its first training to its verdict: plan, search, finals, confirmation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass

from gapless.data import Task
from gapless.errors import BudgetError, UsageError
from gapless.recipe import Recipe
from gapless.recipe.shipped import presets
from gapless.search import budget
from gapless.search.book import FINALS, Book, Candidate, event_of
from gapless.search.confirm import Confirmation
from gapless.search.journal import Journal
from gapless.search.plan import make_plan
from gapless.search.proof import Proof
from gapless.search.race import Race
from gapless.search.run import Listener, Run, TuneOptions, Work
from gapless.search.space import PARAPHRASED, RATES, Knob, fit
from gapless.search.supported import check, check_device, only, supported
from gapless.search.trials import Trials
from gapless.train.loop import Plan


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
    check_device(options.device)
    parameters = check(task)
    with Journal(options.out / "journal.jsonl") as journal:
        _same_run(journal, task, options, parameters)
        run = Run(task, options, journal, listener, stop)
        try:
            return _Stages(run, supported(task)).go(parameters)
        finally:
            run.close()


def _same_run(journal: Journal, task: Task, options: TuneOptions, parameters: int) -> None:
    """Journals what this run is of, or checks that it is of the same."""
    facts = {  # what says most comes first: another seed or model also brings other rows or parameters
        "task": task.name,
        "seed": options.seed,
        "model": task.model_name,
        "number of parameters": parameters,
        "batch size": options.batch_size,
        "optimizer": options.optimizer,
        "averaging of weights": options.ema,
        "data": _fingerprint(task),
        "translator": options.translator,
        "set of paraphrases": _paraphrases(task),
    }
    if not journal.events:
        event = {"event": "run", "schema": 1, **facts, "at": 0.0}
        journal.write(event)
        journal.events.append(event)
        return
    before = journal.events[0]
    for name, value in facts.items():
        if before.get(name) != value:
            paraphrased = name in ("translator", "set of paraphrases")
            same = (
                "give the same --translator, --masked-model and release of them as before, or " if paraphrased else ""
            )
            raise UsageError(
                f"--out {options.out}: holds a run of another {name}: {_said(before.get(name))}, this one's is "
                f"{_said(value)}; {same}choose another folder"
            )


def _said(fact: object) -> str:
    return "none" if fact is None else repr(fact)


def _paraphrases(task: Task) -> str | None:
    """Names what the operations on texts pick from, by its content: another translator or release, another name."""
    if not task.paraphrases:
        return None
    rows = task.develop.x.tolist()
    facts = {op: [list(found[text]) for text in rows] for op, found in sorted(task.paraphrases.items())}
    return f"{', '.join(facts)} {hashlib.blake2b(json.dumps(facts).encode(), digest_size=6).hexdigest()}"


def _fingerprint(task: Task) -> str:
    """Changes whenever a row, a label or their part does."""
    digest = hashlib.blake2b(digest_size=12)
    for rows in (task.develop, task.confirm, *(rows for _, rows in task.also)):
        if rows is None:
            continue
        digest.update(repr(rows.x.shape).encode())
        digest.update(rows.y.tobytes())
        for start in range(0, len(rows), 4096):
            some = rows.x[start : start + 4096]
            plain = json.dumps(some.tolist()).encode() if rows.x.ndim == 1 else some.tobytes()
            digest.update(plain)
    return digest.hexdigest()


class _Stages:
    """The stages of a run, one after the other; each knows from the book what is left to do."""

    def __init__(self, run: Run, knobs: tuple[Knob, ...]):
        self.run, self.knobs, self.task, self.options = run, knobs, run.task, run.options
        self.book = run.book
        self.openings = self._openings()
        self.plan, guess = make_plan(run, self.openings)
        self.costs = budget.Costs(run.book, guess, run.options.workers)
        self.trials = Trials(run, self.plan)
        select = 0.2 * len(self.task.develop)
        self.race = Race(
            self.openings,
            knobs,
            RATES[self.options.optimizer],
            splits=5 if select < 1000 else 3 if select < 5000 else 2,
            opening_splits=2 if select < 100 else 1,
            rows=round(select) if self.task.classes else 0,
            seed=self.options.seed,
        )

    def go(self, parameters: int) -> Finished:
        listener = self.run.listener
        if self.run.event("named") is None:
            listener.phase("searching")
            self.run.drive(self._searching, self.plan, self._report)
            listener.phase("finals")
            self._finals()
        plain, best = self._named()
        if self.run.event("finished") is None:  # the confirm rows are opened once
            listener.phase("confirming")
            Proof(self.run, self.plan, self.costs, self._report).train(plain, best)
            self.run.write({"event": "finished", "seconds": self.run.clock.spent})
        finished = self.run.event("finished")
        assert finished is not None
        sides = plain, best, parameters, self.race.splits
        return Finished(self.book, self.run.confirmation, self.knobs, self.plan, *sides, finished["seconds"])

    def _openings(self) -> dict[str, Recipe]:
        """The plain model and the presets, each without what the model cannot take; the light one with paraphrases."""
        kind, classes = self.task.kind, len(self.task.classes)
        found = {"plain": Recipe()}
        for name, recipe in presets(kind).items():
            fitted = only(fit(recipe, kind, classes), self.knobs, kind, classes)
            if fitted not in found.values():
                found[f"preset {name}"] = fitted
        light = found.get("preset light", Recipe())
        for knob in self.knobs:
            if knob.name in PARAPHRASED:  # the user has had them made: they get a chance of their own
                found[f"preset light, {knob.name} on"] = knob.write(light, knob.usual)
        return found

    def _searching(self, number: int) -> Work | None:
        if self._searched():
            return None
        start = self.race.next(self.book, self.trials.busy)
        if start is None:
            return None
        candidate = start.candidate
        if isinstance(candidate, Candidate):
            self.run.write(event_of(candidate))
            candidate = candidate.number
        return self.trials.work(number, self.book.candidates[candidate], start.split)

    def _searched(self) -> bool:
        """Whether the search has used its trials, or the time that is not kept back for the verdict."""
        if self.options.trials is not None:
            ended = sum(t.phase != FINALS for t in self.book.trials)
            return ended + len(self.trials.busy) >= self.options.trials
        clock, finalists = self.run.clock, self.race.finalists(self.book, budget.FINALISTS)
        assert clock.budget is not None
        return clock.left < self.costs.kept(finalists, clock.budget)

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

    @property
    def _final_splits(self) -> range:
        return range(self.race.splits, self.race.splits + budget.SEEDS)

    def _finals(self) -> None:
        """The best few and the plain model again from scratch, on splits and seeds none of them has seen."""
        finalists = self._finalists()

        def following(number: int) -> Work | None:
            for split in self._final_splits:
                for candidate in finalists:
                    busy = (candidate.number, split) in self.trials.busy
                    if not busy and split not in self.book.ended(candidate.number, final=True):
                        return self.trials.work(number, candidate, split, final=True)
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
        costs = self.costs
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
            splits = self._final_splits
            ranked = {
                c.number: self.book.rank(c.number, splits, final=True)
                for c in self.book.candidates
                if all(s in self.book.finished(c.number, final=True) for s in splits)
            }
            plain = self.race.tuned(self.book, "plain")
            others = [n for n in ranked if self.book.candidates[n].recipe.active]
            if plain is None or plain.number not in ranked or not others:
                failed = [t for t in self.book.trials if t.phase == FINALS and t.status == "failed"]
                raise BudgetError(f"the finals failed: {failed[-1].reason if failed else 'no recipe finished them'}")
            best = max(others, key=lambda n: ranked[n])
            named = {"event": "named", "plain": plain.number, "best": best}
            self.run.write(named)
        return self.book.candidates[int(named["plain"])], self.book.candidates[int(named["best"])]
