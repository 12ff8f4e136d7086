"""Strength that changes over the epochs.

A schedule is a function from the number of an epoch, from 0, to the share of every strength, in [0, 1]:
`policy.scaled(schedule(epoch))`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gapless.errors import UsageError

Schedule = Callable[[int], float]


@dataclass(frozen=True)
class Constant:
    """share(e) = s."""

    share: float = 1.0

    def __post_init__(self) -> None:
        _check_share("Constant", "share", self.share)

    def __call__(self, epoch: int) -> float:
        return self.share


@dataclass(frozen=True)
class RampUp:
    """share(e) = first + (1 - first) * e / epochs, then 1: easy pictures before hard ones.

    Tan and Le, EfficientNetV2, arXiv 2104.00298, section 4, raise the strength of regularization in four steps, and
    the size of the pictures with it; here it rises with every epoch.
    """

    epochs: int
    first: float = 0.0

    def __post_init__(self) -> None:
        _check_epochs("RampUp", "epochs", self.epochs, 1)
        _check_share("RampUp", "first", self.first)

    def __call__(self, epoch: int) -> float:
        return self.first + (1 - self.first) * min(1.0, epoch / self.epochs)


@dataclass(frozen=True)
class RampDown:
    """share(e) = 1 before `start`, then 1 - (1 - last) * (e - start) / epochs, then `last`: an end on plain pictures.

    He et al., "Data augmentation revisited", arXiv 1909.09148, drop it in one step, which is `epochs=1`; here it falls
    with every epoch.
    """

    start: int
    epochs: int
    last: float = 0.0

    def __post_init__(self) -> None:
        _check_epochs("RampDown", "start", self.start, 0)
        _check_epochs("RampDown", "epochs", self.epochs, 1)
        _check_share("RampDown", "last", self.last)

    def __call__(self, epoch: int) -> float:
        return 1 - (1 - self.last) * min(1.0, max(0, epoch - self.start) / self.epochs)


def _check_share(schedule: str, name: str, share: float) -> None:
    if not 0 <= share <= 1:
        raise UsageError(f"{schedule}: {name} must be in [0, 1], got {share!r}")


def _check_epochs(schedule: str, name: str, epochs: int, least: int) -> None:
    if not epochs >= least:
        raise UsageError(f"{schedule}: {name} must be at least {least}, got {epochs!r}")
