"""Weight decay that changes over training: a curve over progress, and the hook that writes it into the groups."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch.optim import Optimizer

Curve = Callable[[float], float]
"""Progress t in [0, 1] to a factor >= 0 on the decay that the groups started with."""


@dataclass(frozen=True)
class Constant:
    """1 throughout."""

    def __call__(self, t: float) -> float:
        return 1.0


@dataclass(frozen=True)
class Linear:
    """From `start` to `end` in a straight line; Linear(0, 1) grows."""

    start: float = 1.0
    end: float = 0.0

    def __post_init__(self) -> None:
        _check_factors(start=self.start, end=self.end)

    def __call__(self, t: float) -> float:
        return self.start + (self.end - self.start) * t


@dataclass(frozen=True)
class Cosine:
    """end + (start - end) * (1 + cos(pi t)) / 2; Cosine(1, 10) is DINO's growth from 0.04 to 0.4 (arXiv 2104.14294)."""

    start: float = 1.0
    end: float = 0.0

    def __post_init__(self) -> None:
        _check_factors(start=self.start, end=self.end)

    def __call__(self, t: float) -> float:
        return self.end + (self.start - self.end) * (1 + math.cos(math.pi * t)) / 2


@dataclass(frozen=True)
class FlatCosine:
    """1 for the first `flat` of training, then a half cosine to 0: RealMLP's wd_sched (flat = 0.5)."""

    flat: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.flat < 1:
            raise ValueError(f"flat must be in [0, 1), got {self.flat!r}")

    def __call__(self, t: float) -> float:
        return 1.0 if t <= self.flat else (1 + math.cos(math.pi * (t - self.flat) / (1 - self.flat))) / 2


@dataclass(frozen=True)
class Early:
    """1 until `until` of training, then 0: decay matters most in the beginning (Golatkar et al., arXiv 1905.13277)."""

    until: float = 0.5

    def __post_init__(self) -> None:
        _check_share(until=self.until)

    def __call__(self, t: float) -> float:
        return 1.0 if t < self.until else 0.0


@dataclass(frozen=True)
class Late:
    """0 until `since` of training, then 1: the control that Golatkar et al. compare Early with."""

    since: float = 0.5

    def __post_init__(self) -> None:
        _check_share(since=self.since)

    def __call__(self, t: float) -> float:
        return 0.0 if t < self.since else 1.0


class DecaySchedule:
    """Writes base * curve(step / steps) into each group's weight_decay: DecaySchedule(optimizer, FlatCosine(), 5000).

    Nothing has to be called: the value for a step stands in the groups before it, the first one at once, and each
    optimizer step moves on. After `steps` steps the value stays at curve(1). The base is kept in the group as
    `initial_weight_decay`. Resume with load_state_dict(), after the optimizer's own.

    Raises:
        ValueError: steps < 1, no group that decays, or a schedule on this optimizer already.
    """

    def __init__(self, optimizer: Optimizer, curve: Curve, steps: int) -> None:
        if steps < 1:
            raise ValueError(f"steps must be at least 1, got {steps!r}")
        if not any(group.get("weight_decay", 0) > 0 for group in optimizer.param_groups):
            raise ValueError("no group of the optimizer has a weight_decay > 0, so there is nothing to schedule")
        hooks = optimizer._optimizer_step_post_hooks.values()  # pyright: ignore[reportPrivateUsage]  # torch lists them nowhere else
        if any(isinstance(getattr(hook, "__self__", None), DecaySchedule) for hook in hooks):
            raise ValueError("this optimizer has a DecaySchedule already; undo() that one first")
        self.optimizer = optimizer
        self.curve = curve
        self.steps = steps
        self.step_count = 0
        self._write()
        self._handle = optimizer.register_step_post_hook(self._next)

    def factor(self) -> float:
        """The factor that stands in the groups now."""
        return self.curve(min(self.step_count / self.steps, 1.0))

    def undo(self) -> None:
        """Stop, and give every group its base back."""
        self._handle.remove()
        for group in self.optimizer.param_groups:
            if "initial_weight_decay" in group:
                group["weight_decay"] = group.pop("initial_weight_decay")

    def state_dict(self) -> dict[str, int]:
        return {"step_count": self.step_count}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on from a saved step; the optimizer's state is loaded before."""
        self.step_count = state["step_count"]
        self._write()

    def _next(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.step_count += 1
        self._write()

    def _write(self) -> None:
        factor = self.factor()
        if not 0 <= factor < math.inf:
            raise ValueError(f"curve must give a finite factor >= 0, got {factor!r} at step {self.step_count}")
        for group in self.optimizer.param_groups:
            if "weight_decay" in group:
                group["weight_decay"] = group.setdefault("initial_weight_decay", group["weight_decay"]) * factor


def _check_factors(**factors: float) -> None:
    for name, value in factors.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} must be a finite number >= 0, got {value!r}")


def _check_share(**shares: float) -> None:
    for name, value in shares.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must be in [0, 1], got {value!r}")
