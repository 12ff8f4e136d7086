"""Labels that are wrong: contradicted by models that have not seen the row, and learned like labels put wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gapless.diagnose.case import Case, Cause, Floats, NotAsked
from gapless.diagnose.estimators.suspicion import (
    Contradicted,
    Marked,
    calibrated,
    confident_joint,
    contradicted,
    margins,
    marked,
)
from gapless.diagnose.experiment.training import FOLDS, Training
from gapless.diagnose.finding import Finding, Suspect
from gapless.evidence.result import Interval
from gapless.recipe.shipped import preset

TOLERATED = 0.03
"""Share of wrong labels that is nobody's trouble."""
PLANTED = 0.05
"""Share of the labels that are put wrong in each training."""
LISTED = 200
"""Suspects, at most, in the document."""


def judging(case: Case) -> Training:
    """The training that judges labels: lightly regularized, with some labels put wrong."""
    recipe = preset(case.task.kind, "light")
    return replace(case.alone, recipe=recipe, flipped=PLANTED, logits=True, margins=True)


def _needs(case: Case) -> tuple[Training, ...]:
    return (judging(case),) if case.classes and not case.dull else ()


def _judge(case: Case) -> Finding:
    if not case.classes:
        raise NotAsked("labels of a regression are not judged")
    if case.dull:
        raise NotAsked("a model that does not learn its own rows cannot judge their labels")
    logits, area, planted = _measured(case, judging(case))
    y = case.task.develop.y.astype(np.int64)
    known = np.flatnonzero(~np.isnan(logits[:, 0]) & ~np.isnan(area))
    planted = planted[np.isin(planted["row"], known)]
    group = case.task.develop.group
    found = contradicted(
        logits[known], y[known], _alike(case, logits, y)[known], None if group is None else group[known]
    )
    held = margins(logits[known], y[known])
    marks = marked(held, area[known], margins(logits[planted["row"]], planted["label"]), planted["area"])
    joint = confident_joint(calibrated(logits[known], y[known]), y[known])
    share = found.share
    return Finding(
        "wrong labels",
        0,
        _words(case, found, marks, joint, len(known)),
        share,
        found.above(TOLERATED),
        "Look at the rows in the table of suspects, the worst first, put right what is wrong, and ask again.",
        "Have somebody label 50 of the suspects and 50 other rows anew, without the labels before their eyes: on the "
        "suspects the old labels must be wrong far more often.",
        suspects=_suspects(case, logits, known[marks.rows[:LISTED]]),
    )


_PLANTED = np.dtype([("row", np.int64), ("label", np.int64), ("area", np.float64)])


def _measured(case: Case, training: Training) -> tuple[Floats, Floats, NDArray[np.void]]:
    """Logits of each row from the training it is new to, its area under the margin, and the labels put wrong."""
    task, rows = case.task, len(case.task.develop)
    logits = np.full((rows, case.classes), np.nan)
    total, times = np.zeros(rows), np.zeros(rows)
    planted: list[NDArray[np.void]] = []
    said, learned = case.folds(training, "logits"), case.folds(training, "margins")
    if len(learned) < FOLDS:
        raise NotAsked("there was no time for all trainings")
    for fold, area in learned.items():
        here = replace(training, fold=fold)
        train, held = here.rows(task, case.seed)
        logits[held] = said[fold]
        wrong, labels = here.wrong(task, case.seed)
        right = ~np.isin(train, wrong)
        total[train[right]] += area[right]
        times[train[right]] += 1
        part = np.empty(len(wrong), _PLANTED)
        part["row"], part["label"], part["area"] = wrong, labels, area[np.searchsorted(train, wrong)]
        planted.append(part)
    area = np.where(times > 0, total / np.maximum(times, 1), np.nan)
    return logits, area, np.concatenate(planted)


def _alike(case: Case, logits: Floats, y: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether every quick model is right where the judging one is, and wrong where it is."""
    right, alike = logits.argmax(1) == y, np.ones(len(y), bool)
    for each in case.quick.values():
        for fold, values in each.items():
            held = case.held_rows(fold)
            alike[held] &= (values > 0.5) == right[held]
    return alike


def _words(case: Case, found: Contradicted, marks: Marked, joint: Floats, rows: int) -> str:
    share, classes = found.share, case.task.classes
    off = np.where(np.eye(len(joint), dtype=bool), -1.0, joint)
    given, likely = np.unravel_index(int(off.argmax()), off.shape)
    expected = _right(share, marks, rows)
    return (
        f"About {100 * share.mean:.1f} % of the labels are wrong (95 % interval {100 * share.low:.1f} to "
        f"{100 * share.high:.1f}): of the {found.of:,} {case.rows} that models which have not seen them are surest of, "
        f"{found.count:,} are labelled otherwise. {len(marks.rows):,} {case.rows} look like labels put wrong on "
        f"purpose, of which about {expected.mean:.0f} are expected to be wrong ({expected.low:.0f} to "
        f"{expected.high:.0f}); of {marks.planted:,} put wrong {marks.found:,} were found again, a person's mistakes "
        f"are harder to find. Most often {classes[given]!r} stands where {classes[likely]!r} fits."
    )


def _right(share: Interval, marks: Marked, rows: int) -> Interval:
    """How many of the rows that look wrong are: those that are wrong and found, at most all of them."""
    return Interval(*(min(len(marks.rows), s * rows * marks.recall) for s in (share.mean, share.low, share.high)))


def _suspects(case: Case, logits: Floats, rows: NDArray[np.int64]) -> tuple[Suspect, ...]:
    names, y = case.task.classes, case.task.develop.y
    found: list[Suspect] = []
    for row in rows.tolist():
        given, others = int(y[row]), logits[row].copy()
        others[given] = -np.inf
        found.append(Suspect(row, names[given], names[int(others.argmax())], "looks like a label put wrong"))
    return tuple(found)


CAUSE = Cause("wrong labels", _judge, _needs)
