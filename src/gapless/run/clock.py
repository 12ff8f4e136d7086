"""The time of a run, earlier sittings included."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """Time since the run began, earlier sittings included, against the budget in seconds (None: by trials)."""

    now: Callable[[], float]
    begun: float
    budget: float | None

    @property
    def spent(self) -> float:
        return self.now() - self.begun

    @property
    def left(self) -> float:
        return float("inf") if self.budget is None else self.budget - self.spent
