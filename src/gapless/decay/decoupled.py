"""Decoupled and cautious decay for any torch optimizer, by step hooks: SGDW, RMSpropW, lr-independent AdamW, ..."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor
from torch.optim import LBFGS, Optimizer

from gapless.decay.cautious import decay_where_agreed
from gapless.decay.coupling import IN_GRADIENT, Coupling, check_coupling, shrink

Group = dict[str, Any]
Args = tuple[Any, ...]
Kwargs = dict[str, Any]


_BY_SCHEDULE: frozenset[Coupling] = frozenset(("independent", "corrected"))  # need to know the top of the schedule


class _Off(float):
    """Zero that can be told from a zero that somebody else wrote (a schedule that ends at 0)."""


class Decoupled:
    """Decay that a hook applies in the optimizer's place; undo() hands it back. Made by decouple()."""

    def __init__(self, optimizer: Optimizer, coupling: Coupling, cautious: bool, peak_lr: float | None) -> None:
        self.optimizer = optimizer
        self.coupling: Coupling = coupling
        self.cautious = cautious
        self._peak_lr = peak_lr
        self._off = _Off(0.0)
        self._held: list[float] = []
        self._before: dict[Tensor, Tensor] = {}  # the weights before this step, in memory that is kept
        self._see_groups()
        self._handles = (
            optimizer.register_step_pre_hook(self._start),
            optimizer.register_step_post_hook(self._finish),
        )

    def undo(self) -> None:
        """Remove the hooks: from now on the optimizer decays by itself again, in its own way."""
        for handle in self._handles:
            handle.remove()
        self._give_back()
        self._before.clear()
        for group in self.optimizer.param_groups:
            group.pop("peak_lr", None)

    def _see_groups(self) -> None:
        for group in self.optimizer.param_groups if self.coupling in _BY_SCHEDULE else ():
            own = group.get("max_lr", group.get("initial_lr", group["lr"]))  # OneCycleLR's, any scheduler's, none's
            group.setdefault("peak_lr", float(own) if self._peak_lr is None else self._peak_lr)

    def _start(self, optimizer: Optimizer, args: Args, kwargs: Kwargs) -> tuple[Args, Kwargs] | None:
        self._give_back()  # a step that raised never came to its end
        self._see_groups()
        for group in optimizer.param_groups:
            self._held.append(group["weight_decay"])
            group["weight_decay"] = self._off
        closure: Callable[[], Any] | None = args[1] if len(args) > 1 else kwargs.get("closure")
        if self.cautious:
            self._remember(every=closure is not None)
            return None
        if closure is None:
            self._shrink()
            return None

        def evaluated() -> Any:  # gradients at the undecayed weights, then the decay, then the update, as AdamW does
            loss = closure()
            self._shrink()
            return loss

        return (optimizer, evaluated), {name: value for name, value in kwargs.items() if name != "closure"}

    @torch.no_grad()
    def _shrink(self) -> None:
        for group, rate in self._rates():
            weights = [p for p in group["params"] if p.grad is not None]
            if weights:
                torch._foreach_mul_(weights, 1 - rate)  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]  # as AdamW

    @torch.no_grad()
    def _remember(self, every: bool) -> None:
        for group, strength in zip(self.optimizer.param_groups, self._held, strict=True):
            for p in group["params"] if strength != 0 else ():
                if every or p.grad is not None:
                    self._before[p] = torch.empty_like(p) if p not in self._before else self._before[p]
                    self._before[p].copy_(p)

    @torch.no_grad()
    def _finish(self, optimizer: Optimizer, args: Args, kwargs: Kwargs) -> None:
        if self.cautious:
            for group, rate in self._rates():
                moved = [p for p in group["params"] if p.grad is not None and p in self._before]
                decay_where_agreed(moved, [self._before[p] for p in moved], rate)
        self._give_back()

    def _rates(self) -> list[tuple[Group, float | Tensor]]:
        """(group, part of the weights to take away in this step) of the groups that decay."""
        rates: list[tuple[Group, float | Tensor]] = []
        skipped = cast(Tensor | None, getattr(self.optimizer, "found_inf", None))  # set by GradScaler for fused kernels
        for group, strength in zip(self.optimizer.param_groups, self._held, strict=True):
            if strength != 0:
                rate = shrink(self.coupling, strength, group["lr"], group.get("peak_lr", 1.0))
                rates.append((group, rate if skipped is None else rate * (1 - skipped)))
        return rates

    def _give_back(self) -> None:
        for group, strength in zip(self.optimizer.param_groups, self._held, strict=False):
            if group["weight_decay"] is self._off:  # a schedule may have written the next value already: that stands
                group["weight_decay"] = strength
        self._held.clear()


def decouple(
    optimizer: Optimizer, coupling: Coupling = "decoupled", *, cautious: bool = False, peak_lr: float | None = None
) -> Decoupled:
    """Take the decay out of the optimizer's hands: decouple(SGD(groups(model, 5e-4), lr=0.1)) is SGDW.

    Before each step every weight that has a gradient is multiplied by 1 - shrink (see Coupling) and the optimizer's own
    decay is switched off for that step. Strengths stay in each group's `weight_decay`, where schedules and state_dict
    find them; foreach, fused and closures keep working, and a step that GradScaler skips does not decay. With
    `cautious` only coordinates decay whose sign agrees with the optimizer's update; that costs a copy of the weights.

    Hooks are not part of an optimizer's state: after deepcopy, pickle or in a new process call decouple again.

    Args:
        optimizer: any torch optimizer with groups that have a `weight_decay`; those without a decay of their own
            (SparseAdam, Rprop) take groups(model, ...) too and decay only through this function.
        coupling: decoupled (times lr), independent (times lr / peak_lr), constant, or corrected (times lr^2 / peak_lr).
        cautious: Chen et al., arXiv 2510.12402.
        peak_lr: lr at the top of the schedule. Default: what the group's scheduler says (max_lr or
            initial_lr), or its lr now if it has none. Kept in the group as `peak_lr`, and so in its state_dict.

    Raises:
        ValueError: a coupling through the gradient, no weight_decay in a group, LBFGS, or decoupled already.
    """
    if not isinstance(optimizer, Optimizer):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers are not all typed
        raise ValueError(f"optimizer must be a torch.optim.Optimizer, got {type(optimizer).__name__}")
    if isinstance(optimizer, LBFGS):
        raise ValueError(
            "LBFGS evaluates the loss many times in one step and cannot be decoupled; add decay.L2 to the loss"
        )
    check_coupling(coupling)
    if coupling in IN_GRADIENT:
        raise ValueError(
            f"{coupling} is what the optimizer does by itself; set its weight_decay with convert() instead"
        )
    if peak_lr is not None and not peak_lr > 0:
        raise ValueError(f"peak_lr must be > 0, got {peak_lr!r}")
    if any("weight_decay" not in group for group in optimizer.param_groups):
        name = type(optimizer).__name__
        raise ValueError(f"{name} has groups without weight_decay; build it from gapless.decay.groups(model, strength)")
    if decoupled_by(optimizer) is not None:
        raise ValueError("this optimizer is decoupled already and would decay twice; undo() the first one")
    return Decoupled(optimizer, coupling, cautious, peak_lr)


def decoupled_by(optimizer: Optimizer) -> Decoupled | None:
    """The Decoupled that acts on this optimizer, if there is one."""
    hooks = optimizer._optimizer_step_pre_hooks.values()  # pyright: ignore[reportPrivateUsage]  # torch lists them nowhere else
    owners = (getattr(hook, "__self__", None) for hook in hooks)
    return next((owner for owner in owners if isinstance(owner, Decoupled)), None)
