"""What the decays ask of an optimizer they did not build: the one behind a wrapper, and who acts on it already."""

from collections.abc import Mapping
from typing import Any, TypeVar

from torch.optim import Optimizer

from gapless.errors import UsageError

Owner = TypeVar("Owner")


def unwrapped(optimizer: Optimizer) -> Optimizer:
    """The optimizer that steps, for one that only passes on to it, such as accelerate's AcceleratedOptimizer.

    Raises:
        UsageError: it is no torch optimizer.
    """
    if not isinstance(optimizer, Optimizer):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers are not all typed
        raise UsageError(f"optimizer must be a torch.optim.Optimizer, got {type(optimizer).__name__}")
    inside: Any = getattr(optimizer, "optimizer", None)
    if "_optimizer_step_pre_hooks" not in vars(optimizer) and isinstance(inside, Optimizer):
        return unwrapped(inside)
    return optimizer


def acting(kind: type[Owner], hooks: Mapping[int, Any]) -> Owner | None:
    """The object of this kind whose methods are among the hooks of an optimizer; torch lists them nowhere else."""
    owners = (getattr(hook, "__self__", None) for hook in hooks.values())
    return next((owner for owner in owners if isinstance(owner, kind)), None)


def skipped(optimizer: Optimizer) -> Any:
    """A tensor of 1 where GradScaler lets a fused kernel skip this very step, of 0 where not; None without one."""
    return getattr(optimizer, "found_inf", None)
