"""From a finished run to what its report shows: every number of the verdict, the trials, the curves, the recipe."""

from __future__ import annotations

import platform
from collections import Counter
from importlib.metadata import version
from statistics import fmean

from gapless.data import Task
from gapless.data.splits import grouped
from gapless.diagnose.examples import Samples, TextSample
from gapless.diagnose.labels import Table
from gapless.evidence import parts
from gapless.evidence.answers.classes import confusions, recalls
from gapless.evidence.answers.sizes import sizes
from gapless.evidence.answers.turned import turned
from gapless.evidence.intervals import other_rows_interval
from gapless.evidence.paired import BEST, PLAIN, verdict
from gapless.evidence.power import expected, guessed
from gapless.evidence.result import (
    Curve,
    Groups,
    Interval,
    Length,
    MetricFacts,
    ModelFacts,
    Result,
    TaskFacts,
    Training,
    TrialCounts,
)
from gapless.report.answers.rows import shown_rows
from gapless.report.changes import Preview, compared
from gapless.report.content import Content, TrialRow
from gapless.report.handover.commands import Commands
from gapless.report.handover.program import Handed, Source, picks, program
from gapless.report.labels import check_lines
from gapless.search.book import FINALS
from gapless.search.options import TuneOptions
from gapless.search.space import summary
from gapless.search.stages import Finished


def result(task: Task, options: TuneOptions, finished: Finished) -> Result:
    """The verdict and its evidence."""
    assert task.confirm is not None
    confirmation, plain, best = finished.confirmation, finished.plain, finished.best
    plain_side = confirmation.side(PLAIN, plain.lr, plain.epochs, plain.recipe)
    best_side = plain_side if best == plain else confirmation.side(BEST, best.lr, best.epochs, best.recipe)
    gain = confirmation.gain()
    labels = task.confirm.y.astype("int64")
    counts = Counter(t.status for t in finished.book.trials)
    seen = [t.score for t in finished.book.trials if t.status == "finished" and t.phase != FINALS]
    boast = max(s for s in seen if s is not None)
    ranked = [t.score for t in finished.book.finished(best.number).values() if t.score is not None]
    plains = [t.score for t in finished.book.finished(plain.number).values() if t.score is not None]
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
            account=task.account,
            groups=_groups(task),
            time=None if task.confirm.time is None else task.time,
        ),
        model=ModelFacts(task.model_name, finished.parameters),
        metric=MetricFacts(task.judged_by.name, not task.judged_by.error),
        training=_training(finished, options),
        plain=plain_side,
        best=best_side,
        gain=gain,
        verdict=verdict(gain),
        selection_optimism=boast - best_side.confirm.mean,
        pillars=parts.pillars(confirmation, best.recipe),
        trials=TrialCounts(counts["finished"], counts["stopped"], counts["failed"]),
        seconds=round(finished.seconds, 1),
        seed=options.seed,
        versions=versions(),
        elsewhere=confirmation.elsewhere(),
        ranked=fmean(ranked) if ranked else None,
        other_rows=_other_rows(task, finished, gain),
        closed=confirmation.closed(),
        quick=finished.beside.quick,
        reading=confirmation.reading,
        power=expected(task, fmean(plains) if plains else None, confirmation.reading.level) if guessed(task) else None,
        synergies=parts.synergies(confirmation, best.recipe),
        untrainable=parts.untrainable(confirmation, best.recipe),
        recalls=recalls(confirmation, labels, task.classes),
        confusions=confusions(confirmation, labels, task.classes),
        turned=turned(confirmation, task.confirm.y, task.classes),
        costs=finished.beside.costs,
        sizes=() if task.classes else sizes(confirmation, task.confirm.y.astype("float32")),
    )


def _groups(task: Task) -> Groups | None:
    develop, confirm = (None if rows is None else rows.group for rows in (task.develop, task.confirm))
    if develop is None or confirm is None:
        return None
    return Groups(task.group, grouped(develop), grouped(confirm))


def _other_rows(task: Task, finished: Finished, gain: Interval) -> Interval | None:
    """The gain for other training sets, from the splits of the finals; None where fewer than two have both sides."""
    if finished.plain.number == finished.best.number:
        return None
    by_split = [
        {s: t.score for s, t in finished.book.finished(c.number, final=True).items() if t.score is not None}
        for c in (finished.plain, finished.best)
    ]
    plain, best = by_split
    differences = [best[s] - plain[s] for s in sorted(plain.keys() & best.keys())]
    select = round(0.2 * len(task.develop))
    train = len(task.develop) - select
    return other_rows_interval(gain, differences, train, select) if len(differences) > 1 else None


def _training(finished: Finished, options: TuneOptions) -> Training:
    plan, lengths = finished.plan, finished.lengths
    length = Length(lengths.steps, lengths.plain, lengths.settled, lengths.enough) if lengths.steps else None
    return Training(plan.epochs, plan.batch_size, plan.optimizer, options.device, length, plan.ema, plan.warmup)


def versions() -> dict[str, str]:
    """What the run ran on."""
    found = {name: version(name) for name in ("gapless", "torch", "numpy", "optuna", "scikit-learn")}
    return {"python": platform.python_version(), **found}


def trial_rows(finished: Finished) -> tuple[TrialRow, ...]:
    """Every trial, failures included, in the order in which they ended."""
    rows: list[TrialRow] = []
    for trial in finished.book.trials:
        candidate = finished.book.candidates[trial.candidate]
        origin = candidate.origin if trial.phase != FINALS else f"final of {candidate.origin}"
        words, plain = summary(candidate.recipe, finished.knobs), not candidate.recipe.active
        rows.append(TrialRow(**vars(trial), origin=origin, summary=words, lr=candidate.lr, plain=plain))
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


def content(
    task: Task,
    options: TuneOptions,
    finished: Finished,
    commands: Commands,
    pictures: Samples | None,
    texts: tuple[TextSample, ...],
    labels: Table | str | None,
    source: Source | None = None,
) -> Content:
    """Everything the report shows.

    Args:
        commands: what to type next.
        pictures, texts: what the best recipe makes of some rows. labels: what its operations do to labels, or why
            that is not known. source: the code that makes the task again, None where only the user knows it.
    """
    found = result(task, options, finished)
    improved = found.verdict == "improved"
    best, plan = finished.best, finished.plan
    handed = best if improved else finished.plain
    trained = program(task, Handed(best.recipe, best.lr, best.epochs), plan, options, source) if improved else ""
    return Content(
        result=found,
        trials=trial_rows(finished),
        best=finished.best.number,
        curves=curves(finished),
        recipe_toml=handed.recipe.to_toml(_comment(finished, options, improved)),
        program=trained,
        samples=pictures,
        command=commands.repeat,
        texts=tuple(Preview(t.before, tuple(compared(t.before, after) for after in t.after)) for t in texts),
        labels=tuple(check_lines(labels, "texts")) if isinstance(labels, Table) else (labels,) if labels else (),
        turned=shown_rows(task, found.turned),
        commands=commands,
    )


def _comment(finished: Finished, options: TuneOptions, improved: bool) -> str:
    plan, ahead = finished.plan, picks(finished.best.recipe)
    if not improved:
        return "The plain model: no recipe was shown to improve on it. What came nearest is in result.json, under best."
    tuned = (
        f"Tuned with learning rate {finished.best.lr:g}, {plan.optimizer}, batches of {plan.batch_size}, "
        f"{finished.best.epochs} epochs, cosine schedule with {plan.warmup:.0%} warm-up, seed {options.seed}."
    )
    if not ahead:
        return tuned
    makers = {"back_translate": options.translator, "contextual": options.masked_model}
    made = [f"{op} (by {makers[op]})" if makers[op] else op for op in ahead]
    return (
        f"{tuned}\n{' and '.join(made)}: from paraphrases of the training texts, made ahead. recipe.vary needs them as "
        "its resources; train.py makes them."
    )
