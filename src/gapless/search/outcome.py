"""From a finished run to its Result: every number of the verdict, the trials and the curves."""

from __future__ import annotations

import platform
from collections import Counter
from importlib.metadata import version
from statistics import fmean

from gapless.data import Task
from gapless.search.book import FINALS
from gapless.search.confirm import BEST, PLAIN, verdict
from gapless.search.result import (
    Curve,
    Metric,
    ModelFacts,
    Result,
    TaskFacts,
    Training,
    TrialCounts,
    TrialRow,
)
from gapless.search.run import TuneOptions
from gapless.search.space import summary
from gapless.search.tune import Finished


def result(task: Task, options: TuneOptions, finished: Finished) -> Result:
    """The verdict and its evidence."""
    assert task.confirm is not None
    confirmation, plain, best = finished.confirmation, finished.plain, finished.best
    best_side, gain = confirmation.side(BEST, best.lr, best.recipe), confirmation.gain()
    counts = Counter(t.status for t in finished.book.trials)
    seen = [t.score for t in finished.book.trials if t.status == "finished" and t.phase != FINALS]
    boast = max(s for s in seen if s is not None)
    return Result(
        task=TaskFacts(
            name=task.name,
            kind=task.kind,
            train=len(task.develop),
            select=round(0.2 * len(task.develop)),
            select_parts=finished.splits,
            confirm=len(task.confirm),
            classes=len(task.classes),
            class_names=task.classes,
            shape=task.shape,
            notes=task.notes,
            skipped=tuple((s.where, s.reason) for s in task.skipped),
        ),
        model=ModelFacts(task.model_name, finished.parameters),
        metric=Metric("accuracy" if task.classes else "r2"),
        training=Training(finished.plan.epochs, finished.plan.batch_size, finished.plan.optimizer, options.device),
        plain=confirmation.side(PLAIN, plain.lr, plain.recipe),
        best=best_side,
        gain=gain,
        verdict=verdict(gain),
        selection_optimism=boast - best_side.confirm.mean,
        pillars=confirmation.pillars(best.recipe),
        trials=TrialCounts(counts["finished"], counts["stopped"], counts["failed"]),
        seconds=round(finished.seconds, 1),
        seed=options.seed,
        versions=versions(),
        elsewhere=confirmation.elsewhere(),
    )


def versions() -> dict[str, str]:
    """What the run ran on."""
    found = {name: version(name) for name in ("gapless", "torch", "numpy", "optuna", "scikit-learn")}
    return {"python": platform.python_version(), **found}


def trial_rows(finished: Finished) -> tuple[TrialRow, ...]:
    """Every trial, failures included, in the order in which they ended."""
    rows: list[TrialRow] = []
    for t in finished.book.trials:
        c = finished.book.candidates[t.candidate]
        words = summary(c.recipe, finished.knobs)
        origin = c.origin if t.phase != FINALS else f"final of {c.origin}"
        rows.append(
            TrialRow(
                t.number,
                t.phase,
                origin,
                c.number,
                c.recipe.to_dict(),
                words,
                c.lr,
                t.split,
                t.seed,
                t.epochs,
                t.status,
                t.score,
                t.train_score,
                round(t.seconds, 2),
                t.reason,
            )
        )
    return tuple(rows)


def curves(finished: Finished) -> tuple[Curve, ...]:
    """Learning curves of the plain model and the best recipe: means over the seeds of the finals."""
    found: list[Curve] = []
    for label, candidate in ((PLAIN, finished.plain), (BEST, finished.best)):
        runs = [t.curve for t in finished.book.finished(candidate.number, final=True).values() if t.curve]
        # a training that was interrupted and went on has only the later part of its curve
        points = sorted(set.intersection(*({p[0] for p in run} for run in runs))) if runs else []
        by_epoch = {e: [next(p for p in run if p[0] == e) for run in runs] for e in points}
        train = tuple(fmean(p[1] for p in by_epoch[e]) for e in points)
        select = tuple(fmean(p[2] for p in by_epoch[e]) for e in points)
        found.append(Curve(label, tuple(points), train, select))
    return tuple(found)
