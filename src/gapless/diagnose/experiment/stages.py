"""A diagnosis from its first training to its findings: settle the plain model, train what causes need, judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from gapless import draws
from gapless.data import Task
from gapless.data.duplicates import fingerprint
from gapless.diagnose.case import Case, Cause, NotAsked, every_fold, plain
from gapless.diagnose.causes import CAUSES
from gapless.diagnose.causes.training.length import TOLERATED
from gapless.diagnose.diagnosis import Diagnosis
from gapless.diagnose.experiment.folds import difference
from gapless.diagnose.experiment.measured import Floats, Measured, arrays, event_of, texts
from gapless.diagnose.experiment.options import RATES, DiagnoseOptions
from gapless.diagnose.experiment.quick import quick_models
from gapless.diagnose.experiment.training import FOLDS, Training
from gapless.diagnose.finding import Absent, Finding, Reference, ranked
from gapless.errors import BudgetError, DataError
from gapless.recipe import Recipe
from gapless.run.driver import Listener, Run, Work
from gapless.run.job import Job, Outcome
from gapless.run.journal import Journal, same_run
from gapless.train.loop import Plan

CLOSING = 2.0
"""Seconds for what follows the last training."""
LUCK = 1.15
"""By how much longer trainings may take than those before."""
QUICK = 0.15
"""Share of the budget for quick models."""
SHORTEST, LONGEST = 4, 1200
"""Epochs, at least and at most, where the user did not choose them."""
STEPS = 300
"""Steps of the first training, where the user did not choose its length."""


def measure(task: Task, options: DiagnoseOptions, listener: Listener, stop: Callable[[], bool]) -> Diagnosis:
    """Measures and judges; goes on where the journal in `options.out` ends.

    Args:
        task: with its confirm rows, whose labels are never read, and its model.
        stop: asked now and then; True has what runs saved and raises `Interrupted`.

    Raises:
        BudgetError: the time ends before the plain model is trained on every fold.
        UsageError: the folder belongs to another run or is in use.
        DataError: the model cannot be trained, or the disk is full.
        Interrupted: `stop` said so.
    """
    with Journal(options.out / "journal.jsonl") as journal:
        _same_run(journal, task, options)
        measured = Measured.replay(journal.events)
        run = Run(
            task,
            journal,
            (measured,),
            lambda: options.place.open(task, options.seed, options.workers, stop, options.minutes),
            listener,
            stop,
            options.minutes,
            options.begun,
            options.seed,
        )
        try:
            return _Stages(run, options, measured).go()
        finally:
            run.close()


def _same_run(journal: Journal, task: Task, options: DiagnoseOptions) -> None:
    """Journals what this run is of, or checks that it is of the same."""
    facts = {
        "task": task.name,
        "seed": options.seed,
        "model": task.model_name,
        "batch size": options.batch_size,
        "optimizer": options.optimizer,
        "epochs": options.epochs,
        "learning rate": options.lr,
        "data": fingerprint(task),
    }
    same_run(journal, options.out, "diagnosis", "a diagnosis of another", facts)


class _Stages:
    """The stages, one after the other; each knows from what was measured what is left to do."""

    def __init__(self, run: Run, options: DiagnoseOptions, measured: Measured):
        self.run, self.options, self.measured, self.task = run, options, measured, run.task
        self.plan = Plan(1, options.batch_size, options.optimizer, device=options.device)

    def go(self) -> Diagnosis:
        reference = self._reference()
        quick = self._quick()
        chosen = self.options.epochs is not None
        case = Case(self.task, reference, chosen, self.measured, self.options.seed, quick)
        for cause in CAUSES:
            self._train_for(cause, case)
        self.run.listener.phase("judging")
        return self._judged(case)

    def _train_for(self, cause: Cause, case: Case) -> None:
        """What a cause needs, as far as there is time."""
        needed = cause.needs(case)
        if cause.together and not self._fits(needed):
            return
        for training in needed:
            if not self._fits((training,)):
                return
            self.run.listener.phase(f"training for: {cause.name}")
            self._train((training,))

    def _judged(self, case: Case) -> Diagnosis:
        findings: list[Finding] = []
        absent: list[Absent] = []
        for cause in CAUSES:
            try:
                findings.append(cause.judge(case))
            except NotAsked as reason:
                absent.append(Absent(cause.name, str(reason)))
        standing, others = ranked(findings)
        ended = len(self.measured.seconds)
        about = Reference(case.reference.epochs, case.reference.lr, case.known, case.new.interval, case.chosen)
        facts = self.task.name, self.task.metric, len(self.task.develop), about
        return Diagnosis(*facts, standing, others, tuple(absent), ended, self.run.clock.spent, self.options.seed)

    # ── the plain model ──

    def _reference(self) -> Training:
        """The plain model's training: the user's, or one that is long enough and at a good rate, decided once."""
        event = self.run.event("reference")
        if event is None:
            training = self._settled()
            self.run.write({"event": "reference", "epochs": training.epochs, "lr": training.lr})
            return training
        return plain(event["epochs"], event["lr"], bool(self.task.also))

    def _settled(self) -> Training:
        """Doubles the length while that is worth more than is tolerated; the rate likewise, up or down once."""
        options = self.options
        training = plain(options.epochs or self._first(), options.lr or RATES[options.optimizer], bool(self.task.also))
        needed = self._seconds((training,))
        if needed > self.run.clock.left - CLOSING:
            minutes = (self.run.clock.spent + needed + CLOSING) / 60
            raise BudgetError(
                f"--minutes {options.minutes:.3g} is too short to train this model {training.epochs} epochs on each of "
                f"{FOLDS} folds; about {minutes + 0.1:.1f} would do"
            )
        self.run.listener.phase("training the plain model")
        self._train((training,))
        if self.measured.failed(training) or len(self.measured.folds(training, "held")) < FOLDS:
            raise DataError(f"model {self.task.model_name}: cannot be trained: {self.measured.failed(training)}")
        if options.epochs is None:
            while 2 * training.epochs <= LONGEST:
                longer = replace(training, epochs=2 * training.epochs)
                if not self._better(longer, training, 0.25):
                    break
                training = longer
        if options.lr is None:
            for factor in (3.0, 1 / 3):
                other = replace(training, lr=training.lr * factor)
                if self._better(other, training, 0.4):
                    return other
        return training

    def _first(self) -> int:
        """Epochs to begin with: some steps for each model, or what takes a fifth of the time."""
        fifth = self.run.clock.left / 5 / max(1e-9, self._seconds((plain(1, 1.0),)))
        batches = max(1, round((1 - 1 / FOLDS) * len(self.task.develop) / self.options.batch_size))
        return min(LONGEST // 2, max(SHORTEST, min(round(STEPS / batches), int(fifth))))

    def _better(self, other: Training, training: Training, share: float) -> bool:
        """Whether there is time to try another training, a share of what is left at most, and it is worth its while."""
        if self._seconds((other,)) > share * self.run.clock.left:
            return False
        self._train((other,))
        found = difference(self.measured.folds(other, "held"), self.measured.folds(training, "held"))
        return found is not None and found.mean > max(TOLERATED, found.error)

    # ── trainings ──

    def _seconds(self, trainings: Sequence[Training]) -> float:
        """Wall seconds that all folds of some trainings take, as far as they are still to come."""
        measured = self.measured
        rates = sorted(measured.seconds[key] / measured.work[key] for key in measured.found)
        rate = rates[len(rates) // 2] if rates else self._speed()
        left = [t for t in every_fold(tuple(trainings)) if not measured.ended(t)]
        return LUCK * rate * sum(t.epochs * t.share for t in left) / min(self.options.workers, max(1, len(left)))

    def _speed(self) -> float:
        """Seconds of an epoch of the plain model, measured once."""
        event = self.run.event("speed")
        if event is None:
            self.run.listener.phase("measuring speed")
            jobs = [Job(0, Recipe(), 1e-3, 0, 0, 10**6, 1, self.run.checkpoint("speed"), speed=True)]
            self.run.drive(lambda number: (jobs.pop(), self._sped) if jobs else None, self.plan, lambda: None)
            event = self.run.event("speed")
            assert event is not None
        return event["seconds"]

    def _sped(self, outcome: Outcome) -> None:
        if outcome.status == "failed":
            raise DataError(f"model {self.task.model_name}: cannot be trained: {outcome.reason}")
        self.run.write({"event": "speed", "seconds": outcome.seconds})

    def _fits(self, trainings: tuple[Training, ...]) -> bool:
        return self._seconds(trainings) < self.run.clock.left - CLOSING

    def _train(self, trainings: tuple[Training, ...]) -> None:
        left = [t for t in every_fold(trainings) if not self.measured.ended(t)]
        whole = len(left)

        def next_work(number: int) -> Work | None:
            return self._work(number, left.pop(0)) if left else None

        def report() -> None:
            clock = self.run.clock
            assert clock.budget is not None
            self.run.listener.progress(min(1.0, clock.spent / clock.budget), max(0.0, clock.left), "")

        if whole:
            self.run.drive(next_work, self.plan, report)

    def _work(self, number: int, training: Training) -> Work:
        seed = draws.key(self.options.seed, "diagnose", training.fold, training.seed) >> 1
        path = self.run.checkpoint(f"diagnose-{draws.key(0, training.key):016x}")
        epochs = training.epochs
        job = Job(number, training.recipe, training.lr, seed, None, epochs, epochs, path, study=training)

        def ended(outcome: Outcome) -> None:
            if outcome.status != "paused":
                self.run.write(event_of(training, outcome))

        return job, ended

    def _quick(self) -> dict[str, dict[int, Floats]]:
        event = self.run.event("quick")
        if event is None:
            self.run.listener.phase("quick models to compare with")
            seconds = min(QUICK * 60 * self.options.minutes, max(0.0, self.run.clock.left - CLOSING))
            found = quick_models(self.task, self.options.seed, seconds)
            models = {name: texts({str(fold): v for fold, v in each.items()}) for name, each in found.items()}
            self.run.write({"event": "quick", "models": models})
            event = self.run.event("quick")
            assert event is not None
        return {name: {int(f): v for f, v in arrays(each).items()} for name, each in event["models"].items()}
