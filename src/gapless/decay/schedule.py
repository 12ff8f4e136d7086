"""Weight decay that changes over training: the hook that writes a schedule into the groups of an optimizer."""

import math
from typing import Any

from torch.optim import Optimizer

from gapless.decay.optimizers import acting, skipped, unwrapped
from gapless.errors import UsageError
from gapless.schedule import Schedule

_STEP, _BASE = "decay_step", "initial_weight_decay"


class DecaySchedule:
    """Writes base * schedule(step / steps) into each group's weight_decay: DecaySchedule(adamw, FlatCosine(), 5000).

    Nothing has to be called: the value for a step stands in the groups before it, the first one at once, and each
    optimizer step moves on. After `steps` steps the value stays at schedule(1). The step and the base are kept in the
    groups, as `decay_step` and `initial_weight_decay`, and so in the optimizer's state_dict: whoever saves and loads
    that resumes the schedule too, whether it is loaded before or after this is built. A step that GradScaler skips does
    not count; to know that of a fused optimizer, the step waits for the device.

    Raises:
        UsageError: steps < 1, no group that decays, or a schedule on this optimizer already.
    """

    def __init__(self, optimizer: Optimizer, schedule: Schedule, steps: int) -> None:
        optimizer = unwrapped(optimizer)
        if steps < 1:
            raise UsageError(f"steps must be at least 1, got {steps!r}")
        if not any(group.get(_BASE, group.get("weight_decay", 0)) > 0 for group in optimizer.param_groups):
            raise UsageError("no group of the optimizer has a weight_decay > 0, so there is nothing to schedule")
        if acting(DecaySchedule, optimizer._optimizer_step_post_hooks) is not None:  # pyright: ignore[reportPrivateUsage]  # torch lists them nowhere else
            raise UsageError("this optimizer has a DecaySchedule already; undo() that one first")
        self.optimizer = optimizer
        self.schedule = schedule
        self.steps = steps
        self._write(self.step_count)
        self._handle = optimizer.register_step_post_hook(self._next)

    @property
    def step_count(self) -> int:
        """The steps that were taken under a schedule, as the groups say."""
        return max(group.get(_STEP, 0) for group in self.optimizer.param_groups)

    def factor(self) -> float:
        """The factor that stands in the groups now."""
        return self.schedule(min(self.step_count / self.steps, 1.0))

    def undo(self) -> None:
        """Stop, and give every group its base back."""
        self._handle.remove()
        for group in self.optimizer.param_groups:
            group.pop(_STEP, None)
            if _BASE in group:
                group["weight_decay"] = group.pop(_BASE)

    def _next(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        left_out = skipped(optimizer)
        if left_out is None or not bool(left_out):
            self._write(self.step_count + 1)

    def _write(self, step: int) -> None:
        factor = self.schedule(min(step / self.steps, 1.0))
        if not 0 <= factor < math.inf:
            raise UsageError(f"the schedule must give a finite factor >= 0, got {factor!r} at step {step}")
        for group in self.optimizer.param_groups:
            if "weight_decay" in group:
                group[_STEP] = step
                group["weight_decay"] = group.setdefault(_BASE, group["weight_decay"]) * factor
