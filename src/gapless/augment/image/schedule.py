"""The strength of variations over the epochs: a function of an epoch's number, `policy.scaled(schedule(epoch))`."""

from __future__ import annotations

from collections.abc import Callable

from gapless.errors import UsageError
from gapless.schedule import Linear, PerEpoch

EpochSchedule = Callable[[int], float]
"""The number of an epoch, from 0, to the share of every strength, in [0, 1]."""


def RampUp(epochs: int, first: float = 0.0) -> PerEpoch:
    """share(e) = first + (1 - first) * e / epochs, then 1: easy pictures before hard ones.

    Tan and Le, EfficientNetV2, arXiv 2104.00298, section 4, raise the strength of regularization in four steps, and
    the size of the pictures with it; here it rises with every epoch.
    """
    _check_share("RampUp", "first", first)
    return PerEpoch(Linear(first, 1.0), epochs)


def RampDown(start: int, epochs: int, last: float = 0.0) -> PerEpoch:
    """share(e) = 1 before `start`, then 1 - (1 - last) * (e - start) / epochs, then `last`: an end on plain pictures.

    He et al., "Data augmentation revisited", arXiv 1909.09148, drop it in one step, which is `epochs=1`; here it falls
    with every epoch.
    """
    _check_share("RampDown", "last", last)
    return PerEpoch(Linear(1.0, last), epochs, start)


def _check_share(schedule: str, name: str, share: float) -> None:
    if not 0 <= share <= 1:
        raise UsageError(f"{schedule}: {name} must be in [0, 1], got {share!r}")
