"""Strength that changes over training.

A schedule is a function from the share t of training that is done, in [0, 1], to a factor on every strength.
`dropout.Scheduled` and `decay.DecaySchedule` apply one; where epochs are counted, `PerEpoch` makes a function of the
epoch's number of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from gapless.errors import UsageError

__all__ = ["Constant", "Cosine", "Early", "FlatCosine", "Late", "Linear", "PerEpoch", "Schedule"]

Schedule = Callable[[float], float]
"""The share of training that is done, in [0, 1], to a factor >= 0."""


@dataclass(frozen=True)
class Constant:
    """factor(t) = share, in [0, 1]."""

    share: float = 1.0

    def __post_init__(self) -> None:
        _check(0 <= self.share <= 1, self, "share", "in [0, 1]", self.share)

    def __call__(self, t: float) -> float:
        return self.share


@dataclass(frozen=True)
class Linear:
    """factor(t) = start + (end - start) * t; Linear(0, 1) grows. Both >= 0.

    Tan and Le, EfficientNetV2, arXiv 2104.00298, section 4, raise the strength of augmentation in four steps, and the
    size of the pictures with it.
    """

    start: float = 1.0
    end: float = 0.0

    def __post_init__(self) -> None:
        _check_factors(self, start=self.start, end=self.end)

    def __call__(self, t: float) -> float:
        return self.start + (self.end - self.start) * t


@dataclass(frozen=True)
class Cosine:
    """factor(t) = end + (start - end) * (1 + cos(pi t)) / 2, both >= 0.

    Cosine(1, 10) is DINO's growth of weight decay from 0.04 to 0.4 (arXiv 2104.14294).
    """

    start: float = 1.0
    end: float = 0.0

    def __post_init__(self) -> None:
        _check_factors(self, start=self.start, end=self.end)

    def __call__(self, t: float) -> float:
        return self.end + (self.start - self.end) * (1 + math.cos(math.pi * t)) / 2


@dataclass(frozen=True)
class FlatCosine:
    """factor(t) = 1 up to `flat`, in [0, 1), then (1 + cos(pi * (t - flat) / (1 - flat))) / 2, which ends at 0.

    Holzmüller, Grinsztajn & Steinwart, "Better by default" (RealMLP), arXiv 2407.04491, with flat = 1/2.
    """

    flat: float = 0.5

    def __post_init__(self) -> None:
        _check(0 <= self.flat < 1, self, "flat", "in [0, 1)", self.flat)

    def __call__(self, t: float) -> float:
        return 1.0 if t <= self.flat else (1 + math.cos(math.pi * (t - self.flat) / (1 - self.flat))) / 2


@dataclass(frozen=True)
class Early:
    """factor(t) = 1 (with `fade` 1 - t / until) before `until`, in (0, 1], then 0.

    Dropout against underfitting, over before the net begins to overfit, fades: Liu et al., arXiv 2303.01500, section 4.
    Weight decay matters most in the beginning and stops at once: Golatkar et al., arXiv 1905.13277.
    """

    until: float
    fade: bool = field(kw_only=True)

    def __post_init__(self) -> None:
        _check(0 < self.until <= 1, self, "until", "in (0, 1]", self.until)

    def __call__(self, t: float) -> float:
        if t >= self.until:
            return 0.0
        return 1 - t / self.until if self.fade else 1.0


@dataclass(frozen=True)
class Late:
    """factor(t) = 0 before `since`, in [0, 1), then 1: against overfitting only once there is any.

    Dropout: Liu et al., arXiv 2303.01500, section 5. Weight decay: the control of Golatkar et al., arXiv 1905.13277.
    """

    since: float = 0.5

    def __post_init__(self) -> None:
        _check(0 <= self.since < 1, self, "since", "in [0, 1)", self.since)

    def __call__(self, t: float) -> float:
        return 1.0 if t >= self.since else 0.0


@dataclass(frozen=True)
class PerEpoch:
    """factor(e) = schedule((e - start) / epochs) of an epoch's number e, from 0; before and after as at the ends.

    PerEpoch(Linear(0, 1), epochs=5) shows easy pictures before hard ones; PerEpoch(Linear(), epochs=1, start=90) ends
    on plain ones (He et al., "Data augmentation revisited", arXiv 1909.09148).
    """

    schedule: Schedule
    epochs: int
    start: int = 0

    def __post_init__(self) -> None:
        _check(self.epochs >= 1, self, "epochs", "at least 1", self.epochs)
        _check(self.start >= 0, self, "start", "at least 0", self.start)

    def __call__(self, epoch: int) -> float:
        return self.schedule(min(1.0, max(0, epoch - self.start) / self.epochs))


def _check(right: bool, schedule: object, name: str, wanted: str, got: float) -> None:
    if not right:
        raise UsageError(f"{type(schedule).__name__}: {name} must be {wanted}, got {got!r}")


def _check_factors(schedule: object, **factors: float) -> None:
    for name, value in factors.items():
        _check(0 <= value < math.inf, schedule, name, "a finite number >= 0", value)
