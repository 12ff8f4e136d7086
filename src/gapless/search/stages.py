"""A run from its first training to its verdict: plan, search, finals, confirmation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from gapless.data import Task
from gapless.data.duplicates import fingerprint
from gapless.data.splits import grouped, require_groups
from gapless.errors import BudgetError, UsageError
from gapless.evidence import ledger
from gapless.evidence.paired import Confirmation
from gapless.evidence.proof import SEEDS, Proof, Setup
from gapless.metrics import usual
from gapless.recipe import Recipe
from gapless.recipe.shipped import presets
from gapless.run.driver import Listener, Run, Work
from gapless.run.journal import Journal
from gapless.search import budget
from gapless.search.book import FINALS, PLAIN, Book, Candidate, event_of
from gapless.search.options import TuneOptions
from gapless.search.plan import Lengths, make_plan
from gapless.search.race import Race
from gapless.search.rungs import Trials
from gapless.search.space import PARAPHRASED, RATES, Knob, fit
from gapless.search.supported import check, check_device, only, supported
from gapless.train.loop import Plan

SCHEMA = 1
"""The version of what the journal's events mean."""
PLAINS = 3
"""Learning rates and lengths at which the plain model is in the finals, so that no gain is a badly tuned plain one."""
FINALS_BY_TIME = ((SEEDS, budget.FINALISTS, PLAINS), (3, budget.FINALISTS, PLAINS), (3, budget.FINALISTS, 1))
"""Splits of the finals, recipes and plain models in them: the first that there is time for."""


@dataclass(frozen=True)
class Finished:
    """A run that came to its verdict, with everything a result is made of. best: the plain model again where no recipe
    ranked above it."""

    book: Book
    confirmation: Confirmation
    knobs: tuple[Knob, ...]
    plan: Plan
    lengths: Lengths
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
    if options.place.engine == "local":  # on a cluster the nodes have it
        check_device(options.device)
    require_groups(task)
    parameters = check(task)
    with Journal(options.out / "journal.jsonl") as journal:
        _same_run(journal, task, options, parameters)
        book, confirmation = Book(journal.events), _confirmation(journal, task)
        run = Run(
            task,
            journal,
            (book, confirmation),
            lambda: options.place.open(task, options.seed, options.workers, stop, options.budget),
            listener,
            stop,
            options.budget,
            options.begun,
            options.seed,
        )
        try:
            return _Stages(run, options, book, confirmation, supported(task)).go(parameters)
        finally:
            run.close()


def _confirmation(journal: Journal, task: Task) -> Confirmation:
    metric = task.judged_by
    assert task.confirm is not None
    step = metric.step(task.confirm.y.astype("int64")) if metric.step else 0.0
    also = {name: rows.group for name, rows in task.also}
    return Confirmation.replay(journal.events, metric.unit, task.confirm.group, also, step)


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
        "metric": task.metric,
        "data": fingerprint(task),
        "translator": options.translator,
        "set of paraphrases": _paraphrases(task),
    }
    if not journal.events:
        event = {"event": "run", "schema": SCHEMA, **facts, "at": 0.0}
        journal.write(event)
        journal.events.append(event)
        return
    before = {"metric": usual(len(task.classes)).name, **journal.events[0]}  # journals of before name none
    if before.get("schema") != SCHEMA:
        raise UsageError(
            f"--out {options.out}: holds a run of another version of gapless (schema {before.get('schema')}, this one "
            f"writes {SCHEMA}); choose another folder"
        )
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


class _Stages:
    """The stages of a run, one after the other; each knows from the book what is left to do."""

    def __init__(self, run: Run, options: TuneOptions, book: Book, confirmation: Confirmation, knobs: tuple[Knob, ...]):
        self.run, self.options, self.book, self.confirmation, self.knobs = run, options, book, confirmation, knobs
        self.task = run.task
        openings = self._openings()
        self.trials = Trials(run, book, options.seed)
        self.plan, self.lengths = make_plan(run, options, openings, book, self.trials, self._report_clock)
        self.costs = budget.Costs(book, self.lengths.speed, options.workers)
        select = 0.2 * len(self.task.develop)
        self.race = Race(
            openings,
            knobs,
            RATES[self.options.optimizer],
            splits=5 if select < 1000 else 3 if select < 5000 else 2,
            opening_splits=2 if select < 50 else 1,
            rows=round(0.2 * (grouped(self.task.develop.group) or len(self.task.develop)))
            if self.task.judged_by.unit
            else 0,
            seed=self.options.seed,
            epochs=self.lengths.full,
            plain_epochs=self.lengths.plain,
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
            self._open(plain, best)
            self._proof(plain, best).train(_setup(plain), None if best == plain else _setup(best))
            self.run.write({"event": "finished", "seconds": self.run.clock.spent})
        elif best != plain:
            self._complete(plain, best)
        how = self.plan, self.lengths, plain, best, parameters, self.race.splits
        return Finished(self.book, self.confirmation, self.knobs, *how, self.run.events("finished")[-1]["seconds"])

    def _complete(self, plain: Candidate, best: Candidate) -> None:
        """What each part gave, where an earlier sitting had no time for it; the verdict stands as it is."""
        before = len(self.confirmation.entries)
        self._proof(plain, best).parts(_setup(best))
        if len(self.confirmation.entries) > before:
            self.run.write({"event": "finished", "seconds": self.run.clock.spent})

    def _openings(self) -> dict[str, Recipe]:
        """The plain model and the presets, each without what the model cannot take; the light one with paraphrases."""
        kind, classes = self.task.kind, len(self.task.classes)
        found = {PLAIN: Recipe()}
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
        """Whether the search has used its trials, or the time that is not kept back for the verdict; never before there
        are two sides to compare."""
        if self.options.trials is not None:
            ended = sum(t.phase != FINALS for t in self.book.trials)
            return ended + len(self.trials.busy) >= self.options.trials
        plains, finalists = self.race.plains(self.book, 1), self.race.finalists(self.book, budget.FINALISTS)
        if not (plains and finalists):
            return self._hopeless()
        clock, planned = self.run.clock, self.run.event("plan")
        assert clock.budget is not None
        assert planned is not None
        return clock.left < self.costs.kept(plains[0], finalists, clock.budget - planned["at"])

    def _hopeless(self) -> bool:
        """Whether the time is up and trainings only fail."""
        return self.run.clock.left < 0 and any(t.status == "failed" for t in self.book.trials)

    def _report_clock(self, note: str = "") -> None:
        clock = self.run.clock
        share = 0.0 if clock.budget is None else min(1.0, clock.spent / clock.budget)
        self.run.listener.progress(share, None if clock.budget is None else max(0.0, clock.left), note)

    def _report(self) -> None:
        """Tells the listener how far the whole run is."""
        clock, listener = self.run.clock, self.run.listener
        champion = self.race.champion(self.book)
        note = "" if champion is None else champion.origin
        if clock.budget is not None:
            self._report_clock(note)
            return
        assert self.options.trials is not None
        whole = self.options.trials + SEEDS * (budget.FINALISTS + PLAINS + 2 + budget.PARTS)
        done = len(self.book.trials) + len(self.confirmation.entries)
        left = clock.spent / done * (whole - done) if done else None
        listener.progress(min(1.0, done / whole), left, note)

    # ── finals ──

    def _finals(self) -> None:
        """The best few and the plain model again from scratch, on splits and seeds none of them has seen."""
        entrants, splits = self._entrants()

        def next_work(number: int) -> Work | None:
            for split in splits:
                for candidate in entrants:
                    busy = (candidate.number, split) in self.trials.busy
                    if not busy and split not in self.book.ended(candidate.number, final=True):
                        return self.trials.work(number, candidate, split, final=True)
            return None

        self.run.drive(next_work, self.plan, self._report)

    def _entrants(self) -> tuple[list[Candidate], range]:
        """Who is in the finals, and on which splits; decided once. Without the time for three splits there are none.

        Raises:
            BudgetError: there is no plain model or no recipe that could be trained.
        """
        before = self.run.event("finals")
        if before is None:
            others, plains = self._best_of_the_search()
            verdict = self.costs.refits([plains[0], others[0]], SEEDS) + budget.CLOSING
            choices = ((n, [*others[:most], *plains[:least]]) for n, most, least in FINALS_BY_TIME)
            in_time = (c for c in choices if self.costs.finals(c[1], c[0]) + verdict <= self.run.clock.left)
            splits, entrants = next(in_time, (0, []))
            self.run.write({"event": "finals", "entrants": [c.number for c in entrants], "splits": splits})
        else:
            splits, entrants = before["splits"], [self.book.candidates[n] for n in before["entrants"]]
        return entrants, range(self.race.splits, self.race.splits + splits)

    def _best_of_the_search(self) -> tuple[list[Candidate], list[Candidate]]:
        others = self.race.finalists(self.book, budget.FINALISTS)
        plains = self.race.plains(self.book, PLAINS)
        if not (plains and others):
            reasons = [t.reason for t in self.book.trials if t.status == "failed"]
            said = f"; the last failure: {reasons[-1]}" if reasons else ""
            raise BudgetError(
                f"the search ended before the plain model and a recipe were trained{said}; give it more --minutes or "
                "--trials (at least 12), or look into the failures in journal.jsonl"
            )
        return others, plains

    def _proof(self, plain: Candidate, best: Candidate) -> Proof:
        """The confirmation: the rows kept aside are opened here, and only here."""
        return Proof(
            self.run,
            self.confirmation,
            self.plan,
            self.options.seed,
            lambda seeds, sides: self.costs.room([plain, best][-sides:] * seeds, self.run.clock),
            self.options.trials is None,
            self._report,
        )

    def _open(self, plain: Candidate, best: Candidate) -> None:
        """Counts this verdict among those on the same rows; once a run, and where two sides are compared."""
        if best == plain or self.run.event("opened") is not None:
            return
        run = {name: value for name, value in (self.run.event("run") or {}).items() if name not in ("at", "task")}
        sides = [(c.recipe.to_dict(), c.lr, c.epochs) for c in (plain, best)]
        question = hashlib.blake2b(json.dumps([run, sides], sort_keys=True).encode(), digest_size=12).hexdigest()
        assert self.task.confirm is not None
        self.run.write({"event": "opened", **asdict(ledger.read(self.task.confirm, question))})

    def _named(self) -> tuple[Candidate, Candidate]:
        """The plain model and the best recipe, or the plain model again where it ranks first; journaled before the
        confirm rows are opened."""
        named = self.run.event("named")
        if named is None:
            entrants, splits = self._entrants()
            if entrants:
                plain, best = self._winners(entrants, splits)
            else:
                others, plains = self._best_of_the_search()
                plain, best = plains[0], others[0]
            named = {"event": "named", "plain": plain.number, "best": best.number}
            self.run.write(named)
        return self.book.candidates[int(named["plain"])], self.book.candidates[int(named["best"])]

    def _winners(self, entrants: list[Candidate], splits: range) -> tuple[Candidate, Candidate]:
        ranked = {
            c.number: self.book.rank(c.number, splits, final=True)
            for c in entrants
            if all(s in self.book.finished(c.number, final=True) for s in splits)
        }
        first = sorted((c for c in entrants if c.number in ranked), key=lambda c: ranked[c.number], reverse=True)
        plain = next((c for c in first if not c.recipe.active), None)
        if plain is None or not any(c.recipe.active for c in first):
            failed = [t for t in self.book.trials if t.phase == FINALS and t.status == "failed"]
            raise BudgetError(f"the finals failed: {failed[-1].reason if failed else 'no recipe finished them'}")
        return plain, first[0]


def _setup(candidate: Candidate) -> Setup:
    return candidate.recipe, candidate.lr, candidate.epochs
