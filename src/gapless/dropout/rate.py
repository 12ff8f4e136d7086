"""Rates that change: over training, and over the depth of the net.

A schedule is a function from the share of training that is done, in [0, 1], to a factor in [0, 1] for every rate.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from gapless.dropout.places import rated

Schedule = Callable[[float], float]


@dataclass(frozen=True)
class Constant:
    """factor(t) = 1."""

    def __call__(self, progress: float) -> float:
        return 1.0


@dataclass(frozen=True)
class Early:
    """factor(t) = 1 - t / until, then 0: dropout against underfitting, over before the net begins to overfit.

    Liu et al., "Dropout reduces underfitting", arXiv 2303.01500, section 4. `fade=False` keeps 1 up to `until`.
    """

    until: float = 0.2
    fade: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.until <= 1:
            raise ValueError(f"Early: until must be in (0, 1], got {self.until!r}")

    def __call__(self, progress: float) -> float:
        if progress >= self.until:
            return 0.0
        return 1 - progress / self.until if self.fade else 1.0


@dataclass(frozen=True)
class Late:
    """factor(t) = 0 before `start`, then 1: dropout against overfitting only once there is any.

    Liu et al., arXiv 2303.01500, section 5.
    """

    start: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.start < 1:
            raise ValueError(f"Late: start must be in [0, 1), got {self.start!r}")

    def __call__(self, progress: float) -> float:
        return 1.0 if progress >= self.start else 0.0


@dataclass(frozen=True)
class FlatCosine:
    """factor(t) = 1 up to `flat`, then (1 + cos(pi * (t - flat) / (1 - flat))) / 2, which ends at 0.

    Holzmüller, Grinsztajn & Steinwart, "Better by default" (RealMLP), arXiv 2407.04491, with flat = 1/2.
    """

    flat: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.flat < 1:
            raise ValueError(f"FlatCosine: flat must be in [0, 1), got {self.flat!r}")

    def __call__(self, progress: float) -> float:
        if progress <= self.flat:
            return 1.0
        return (1 + math.cos(math.pi * (progress - self.flat) / (1 - self.flat))) / 2


class Scheduled:
    """Every rate of a model's dropouts under one schedule: rate(t) = the rate it had here * schedule(t).

    `at` before each epoch or step; `restore` afterwards. A compiled model is compiled again for every new rate, so use
    few of them there. ValueError for a model without a dropout rate above 0.
    """

    def __init__(self, model: nn.Module, schedule: Schedule) -> None:
        self.schedule = schedule
        self._full = [(place.module, place.name, place.rate) for place in rated(model) if place.rate > 0]
        if not self._full:
            raise ValueError(f"Scheduled: {type(model).__name__} has no dropout with a rate above 0; attach some first")
        self.at(0.0)

    def at(self, progress: float) -> float:
        """Set the rates for this share of training, in [0, 1], and return the factor."""
        if not 0 <= progress <= 1:
            raise ValueError(f"Scheduled: progress must be in [0, 1], got {progress!r}")
        factor = self.schedule(progress)
        if not 0 <= factor <= 1:
            raise ValueError(f"Scheduled: the schedule must give a factor in [0, 1], got {factor!r} at {progress!r}")
        for module, name, rate in self._full:
            setattr(module, name, rate * factor)
        return factor

    def restore(self) -> None:
        """The rates as they were."""
        for module, name, rate in self._full:
            setattr(module, name, rate)


def depth_rates(p: float, blocks: int) -> tuple[float, ...]:
    """p_l = p * l / L for block l = 1 .. L: the deeper, the likelier to be dropped.

    Huang et al., "Deep networks with stochastic depth", arXiv 1603.09382, section 3, with p = 1 - p_L. (timm starts at
    0 instead, with p * (l - 1) / (L - 1).)
    """
    if not 0 <= p < 1:
        raise ValueError(f"depth_rates: p must be in [0, 1), got {p!r}")
    if blocks < 1:
        raise ValueError(f"depth_rates: blocks must be at least 1, got {blocks!r}")
    return tuple(p * block / blocks for block in range(1, blocks + 1))
