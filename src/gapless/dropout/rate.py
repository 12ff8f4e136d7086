"""Rates that change: over training, and over the depth of the net."""

from torch import nn

from gapless.dropout.places import rated
from gapless.errors import UsageError
from gapless.schedule import Schedule


class Scheduled:
    """Every rate of a model's dropouts under one schedule: rate(t) = the rate it had here * schedule(t).

    `at` before each epoch or step; `restore` afterwards. A compiled model is compiled again for every new rate, so use
    few of them there. UsageError for a model without a dropout rate above 0.
    """

    def __init__(self, model: nn.Module, schedule: Schedule) -> None:
        self.schedule = schedule
        self._full = [(place.module, place.name, place.rate) for place in rated(model) if place.rate > 0]
        if not self._full:
            raise UsageError(f"Scheduled: {type(model).__name__} has no dropout with a rate above 0; attach some first")
        self.at(0.0)

    def at(self, progress: float) -> float:
        """Set the rates for this share of training, in [0, 1], and return the factor."""
        if not 0 <= progress <= 1:
            raise UsageError(f"Scheduled: progress must be in [0, 1], got {progress!r}")
        factor = self.schedule(progress)
        if not 0 <= factor <= 1:
            raise UsageError(f"Scheduled: the schedule must give a factor in [0, 1], got {factor!r} at {progress!r}")
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
        raise UsageError(f"depth_rates: p must be in [0, 1), got {p!r}")
    if blocks < 1:
        raise UsageError(f"depth_rates: blocks must be at least 1, got {blocks!r}")
    return tuple(p * block / blocks for block in range(1, blocks + 1))
