"""Data from elsewhere on which the model is worse (`--also`), and what of that has a name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gapless.data import Rows
from gapless.diagnose.case import Case, Cause, Floats, NotAsked
from gapless.diagnose.estimators.shift import Told, told_apart
from gapless.diagnose.experiment.folds import Estimate
from gapless.diagnose.experiment.training import AWAY
from gapless.diagnose.finding import Finding
from gapless.diagnose.twins.found import sampled
from gapless.evidence.intervals import mean_interval
from gapless.evidence.result import Interval

TOLERATED = 0.02
"""By how much the model may be worse elsewhere."""
NOTHING = 0.0005
"""A part of a drop that is not worth a number."""
TENTHS = 10
"""Parts of a regression's target in the place of classes."""


@dataclass(frozen=True)
class _Away:
    """One set from elsewhere. each: (folds, rows) what its rows are worth to each fold's model."""

    case: Case
    number: int
    name: str
    rows: Rows
    each: Floats

    @cached_property
    def drop(self) -> Estimate:
        """New rows from home minus these."""
        home, by_row = self.case.new, self.each.mean(0)
        deviations, drawn = by_row - by_row.mean(), len(by_row)
        if self.rows.group is not None:
            deviations = np.bincount(np.unique(self.rows.group, return_inverse=True)[1], deviations)
            drawn = len(deviations)
        of_rows = float((deviations**2).sum()) * drawn / max(1, drawn - 1) / len(by_row) ** 2
        of_models = float(self.each.mean(1).var(ddof=1)) / len(self.each)
        least = (self.case.smallest / len(by_row)) ** 2
        away = max(of_rows, least) + of_models
        error = home.error**2 + away
        freedom = error**2 / (home.error**4 / home.freedom + away**2 / (min(drawn, len(self.each)) - 1))
        return Estimate(home.mean - float(by_row.mean()), error**0.5, max(1.0, freedom))

    @cached_property
    def shares(self) -> float:
        """How much the score at home would fall if classes had the shares that they have here."""
        home, here = self._strata
        each = self.case.new_each
        known = ~np.isnan(each)
        there = np.bincount(home[known], minlength=TENTHS)
        scores = np.bincount(home[known], each[known], minlength=TENTHS) / np.maximum(there, 1)
        wanted = np.bincount(here, minlength=len(there)) / len(here)
        scores = np.where(there > 0, scores, self.case.new.mean)
        return self.case.new.mean - float((wanted * scores).sum())

    @property
    def _strata(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        home, here = self.case.task.develop.y, self.rows.y
        if self.case.classes:
            return home.astype(np.int64), here.astype(np.int64)
        home, here = home.astype(np.float64), here.astype(np.float64)
        edges = np.quantile(home, np.linspace(0, 1, TENTHS + 1)[1:-1])
        return np.digitize(home, edges), np.digitize(here, edges)

    @cached_property
    def renewed(self) -> Interval | None:
        """What batch norm's statistics renewed on these rows win back; None without batch norm."""
        found = self.case.measured.folds(self.case.reference, f"away {self.number} renewed")
        if len(found) != len(self.each):
            return None
        gained = np.stack([found[fold] for fold in sorted(found)]) - self.each
        return mean_interval(gained, 1.0 if self.case.classes else None, self.rows.group)

    @cached_property
    def told(self) -> Told:
        """Whether the model's outputs tell these rows from those at home."""
        measured, reference = self.case.measured, self.case.reference
        home, here = (measured.folds(reference, name) for name in ("logits", f"away {self.number} logits"))
        return told_apart(home, here, self.case.held)


def _sets(case: Case) -> list[_Away]:
    found: list[_Away] = []
    for number, (name, rows) in enumerate(case.task.also):
        each = case.measured.folds(case.reference, f"away {number}")
        if len(each) >= 2:
            some = rows.take(sampled(len(rows), AWAY))
            found.append(_Away(case, number, name, some, np.stack([each[fold] for fold in sorted(each)])))
    return found


def _judge(case: Case) -> Finding:
    if not case.task.also:
        raise NotAsked("no data from elsewhere was given (--also NAME=FILE)")
    sets = _sets(case)
    worst = max(sets, key=lambda away: away.drop.mean)
    others = "".join(f" On {a.name!r} it is {case.points(a.drop.mean)} less." for a in sets if a is not worst)
    return Finding(
        "elsewhere",
        0,
        f"On {worst.name!r} the model gets {case.score(case.new.mean - worst.drop.mean)}, "
        f"{case.points(worst.drop.mean)} less than on new {case.rows} from home (95 % interval "
        f"{case.span(worst.drop.interval)}). {_parts(case, worst)}{others}",
        worst.drop.interval,
        min(1.0, len(sets) * worst.drop.above(TOLERATED)),
        _advice(worst),
        f"Train on {case.rows} from home and a hundred from {worst.name!r}, score on others from there: if the score "
        "does not rise, it is not the place.",
    )


def _parts(case: Case, away: _Away) -> str:
    """What of a drop has a name."""
    kind = "classes" if case.classes else "parts of the target"
    shares = case.points(away.shares) if away.shares >= NOTHING else "nothing"
    said = [f"Of that, {shares} comes from other shares of the {kind}"]
    if (won := away.renewed) is not None:
        said.append(f"batch norm's statistics renewed there win back {case.points(won.mean)} ({case.span(won)})")
    told, area = away.told, f"area under the curve {away.told.area:.2f}"
    if not told.apart:
        said.append(f"what the model says of {case.rows} from there is no different from home ({area})")
    elif told.score is None:
        said.append(
            f"what the model says tells {case.rows} from there so well ({area}) that too few at home are like them to "
            "say more"
        )
    else:
        explained = max(0.0, case.new.mean - told.score)
        rest = max(0.0, away.drop.mean - explained)
        said.append(
            f"what the model says tells {case.rows} from there ({area}): those at home of which it says the like lose "
            f"{case.points(explained) if explained >= NOTHING else 'nothing'}, and {case.points(rest)} are labels that "
            "mean something else there, or inputs unlike any at home"
        )
    return "; ".join(said) + "."


def _advice(away: _Away) -> str:
    """By the largest part that has a name."""
    half = away.drop.mean / 2
    if (won := away.renewed) is not None and won.low > 0 and won.mean >= half:
        return f"Renew batch norm's statistics on rows from {away.name!r}, no labels needed: gapless.batchnorm.adapt."
    if away.shares >= half:
        return f"The classes have other shares in {away.name!r}: weigh by them, in training or in what the model says."
    if away.told.apart:
        return f"Label some rows of {away.name!r} and train on them too, or vary what differs there by augmentation."
    return f"Look at the labels of {away.name!r}: rows that look like those at home are labelled otherwise there."


CAUSE = Cause("elsewhere", _judge)
