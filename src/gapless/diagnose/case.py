"""What a cause is judged by: the rows, the training that is asked about, and all that was measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gapless.data import Rows, Task
from gapless.diagnose.experiment.folds import Estimate, difference, estimate
from gapless.diagnose.experiment.measured import Measured
from gapless.diagnose.experiment.training import FOLDS, Training
from gapless.diagnose.finding import Finding
from gapless.evidence.result import Interval
from gapless.recipe import Recipe

Floats = NDArray[np.floating]


class NotAsked(Exception):
    """Why a cause cannot be judged here."""


@dataclass(frozen=True)
class Case:
    """A task at diagnosis.

    reference: the plain model's training, fold 0. chosen: whether its length and rate are the user's. seed: of the run.
    quick: what held rows are worth to quick models, by name and fold.
    """

    task: Task
    reference: Training
    chosen: bool
    measured: Measured
    seed: int
    quick: Mapping[str, Mapping[int, Floats]] = field(default_factory=dict[str, "Mapping[int, Floats]"])

    @property
    def classes(self) -> int:
        return len(self.task.classes)

    @property
    def confirm(self) -> Rows:
        assert self.task.confirm is not None, "a diagnosis is of a complete task"
        return self.task.confirm

    @property
    def rows(self) -> str:
        """What the rows are called, in the plural."""
        return {"image": "pictures", "text": "texts", "table": "rows"}[self.task.kind]

    def folds(self, training: Training, name: str = "held") -> Mapping[int, Floats]:
        """What was kept of a training on each fold.

        Raises:
            NotAsked: there was no time for it, or it failed.
        """
        found = self.measured.folds(training, name)
        if len(found) < 2:
            reason = self.measured.failed(training)
            raise NotAsked(f"its trainings failed: {reason}" if reason else "there was no time for all trainings")
        return found

    @cached_property
    def held(self) -> Mapping[int, Floats]:
        """What each development row is worth when it is new to the plain model."""
        return self.folds(self.reference)

    @cached_property
    def known(self) -> float:
        """The plain model's score on the rows trained on."""
        return float(np.mean([v.mean() for v in self.folds(self.reference, "train").values()]))

    @cached_property
    def new(self) -> Estimate:
        return self.estimate(self.held)

    @cached_property
    def gap(self) -> Estimate:
        """Score on the rows trained on minus score on new ones."""
        train = self.folds(self.reference, "train")
        return self.estimate({fold: train[fold] - held for fold, held in self.held.items()})

    @property
    def grouped(self) -> bool:
        """Whether the user says which rows belong together."""
        return self.task.develop.group is not None

    @cached_property
    def groups(self) -> Mapping[int, NDArray[np.int64]] | None:
        """The groups of the rows that each fold holds, where rows belong together."""
        group = self.task.develop.group
        return None if group is None else {fold: group[self.held_rows(fold)] for fold in range(FOLDS)}

    def estimate(self, each: Mapping[int, Floats], groups: Mapping[int, NDArray[np.int64]] | None = None) -> Estimate:
        """groups: of the rows in `each`, where these are not all that a fold holds."""
        return estimate(each, self.smallest, self.groups if groups is None else groups)

    def difference(self, a: Mapping[int, Floats], b: Mapping[int, Floats]) -> Estimate:
        found = difference(a, b, self.smallest, self.groups)
        if found is None:
            raise NotAsked("too few of its trainings came to an end")
        return found

    @cached_property
    def dull(self) -> bool:
        """Whether a quick model gets more on new rows than the plain one on its own: then more than a small change of
        its training is needed."""
        best = max((self.estimate(each).mean for each in self.quick.values()), default=0.0)
        return best > self.known + 0.02

    @property
    def smallest(self) -> float:
        """What one row that differs adds at the least, where none does."""
        return 1.0 if self.classes else 0.1

    @cached_property
    def new_each(self) -> Floats:
        """(N,) what each development row is worth when it is new to the plain model; NaN where it never was."""
        each = np.full(len(self.task.develop), np.nan)
        for fold, held in self.held.items():
            each[self.held_rows(fold)] = held
        return each

    @cached_property
    def alone(self) -> Training:
        """The plain model's training as others are derived from it: nothing kept but what rows are worth."""
        return replace(self.reference, logits=False, away=False)

    @cached_property
    def chance(self) -> float:
        """What rows are worth to who knows only the labels trained on: the commonest class's share, or 0."""
        y = self.task.develop.y
        return float(np.bincount(y.astype(np.int64)).max() / len(y)) if self.classes else 0.0

    def held_rows(self, fold: int) -> NDArray[np.int64]:
        return replace(self.reference, fold=fold).rows(self.task, self.seed)[1]

    # ── words ──

    def points(self, value: float) -> str:
        """`6.2 points`, or `0.062 of the variance`."""
        return f"{100 * value:.1f} points" if self.classes else f"{value:.3f} of the variance"

    def score(self, value: float) -> str:
        """`86.3 % right`, or `r2 0.863`."""
        return f"{100 * value:.1f} %" if self.classes else f"{self.task.metric} {value:.3f}"

    def span(self, interval: Interval) -> str:
        """`4.1 to 8.3`"""
        scale, digits = (100, 1) if self.classes else (1, 3)
        return f"{scale * interval.low:.{digits}f} to {scale * interval.high:.{digits}f}"


def _nothing(case: Case) -> tuple[Training, ...]:
    return ()


@dataclass(frozen=True)
class Cause:
    """One cause: which trainings it needs beside the plain model's, and how it is judged.

    judge: raises NotAsked where the cause has no meaning, or what it needs is not there. needs: of these every fold is
    trained, the first that there is time for; asked when all causes before have had their trainings. together: whether
    they say something only together, so that none is begun unless there is time for all.
    """

    name: str
    judge: Callable[[Case], Finding]
    needs: Callable[[Case], tuple[Training, ...]] = _nothing
    together: bool = False


def every_fold(trainings: tuple[Training, ...]) -> tuple[Training, ...]:
    """The same on each fold, fold by fold."""
    return tuple(replace(training, fold=fold) for fold in range(FOLDS) for training in trainings)


def plain(epochs: int, lr: float, away: bool = False) -> Training:
    """The plain model's training. away: whether it is to be scored on data from elsewhere."""
    return Training(Recipe(), lr, epochs, 0, logits=away, away=away)
