"""Decoupled and cautious decay for any torch optimizer, by step hooks: SGDW, RMSpropW, lr-independent AdamW, ..."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import LBFGS, Optimizer

from gapless.decay.coupling import IN_GRADIENT, Coupling, check_coupling, shrink
from gapless.decay.optimizers import acting, skipped, unwrapped
from gapless.errors import UsageError

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
        if peak_lr is not None and coupling in _BY_SCHEDULE:
            for group in optimizer.param_groups:
                group.setdefault("peak_lr", peak_lr)
        self._handles = (
            optimizer.register_step_pre_hook(self._start),
            optimizer.register_step_post_hook(self._finish),
            optimizer.register_state_dict_post_hook(self._as_held),
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
        """What this step needs to know of each group, read when a step begins: a scheduler may have come since."""
        for group in self.optimizer.param_groups:
            group.setdefault("weight_decay", 0.0)  # of a group that was added later, to an optimizer without decay
            if self.coupling in _BY_SCHEDULE:
                group.setdefault("peak_lr", _peak_of(group) if self._peak_lr is None else self._peak_lr)
                _refuse_above(group)

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
        left_out: Tensor | None = skipped(self.optimizer)
        for group, strength in zip(self.optimizer.param_groups, self._held, strict=True):
            if strength != 0:
                rate = shrink(self.coupling, strength, group["lr"], group.get("peak_lr", 1.0))
                rates.append((group, rate if left_out is None else rate * (1 - left_out)))
        return rates

    def _give_back(self) -> None:
        for group, strength in zip(self.optimizer.param_groups, self._held, strict=False):
            if group["weight_decay"] is self._off:  # a schedule may have written the next value already: that stands
                group["weight_decay"] = strength
        self._held.clear()

    def _as_held(self, optimizer: Optimizer, state: dict[str, Any]) -> None:
        """A state_dict that is taken in the middle of a step has the strengths too."""
        for group, strength in zip(state["param_groups"], self._held, strict=False):
            if group["weight_decay"] is self._off:
                group["weight_decay"] = strength


def _peak_of(group: Group) -> float:
    """The top of the group's learning rate: what its scheduler says, or the rate it has before its first step."""
    own = float(group.get("max_lr", group.get("initial_lr", group["lr"])))  # OneCycleLR's, any scheduler's, none's
    if not own > 0:
        raise UsageError(
            f"the learning rate is {own:g} in the first step, and no scheduler says how high it will be; say it: "
            "decouple(..., peak_lr=...)"
        )
    return own


def _refuse_above(group: Group) -> None:
    """Above the peak the decay would be stronger than its strength; a rate on another device is not waited for."""
    lr, peak = group["lr"], group["peak_lr"]
    known = not isinstance(lr, Tensor) or lr.device.type == "cpu"
    if known and float(lr) > peak * (1 + 1e-6):
        raise UsageError(
            f"the learning rate {float(lr):g} is above peak_lr {peak:g}, by which the decay is divided; say how high "
            "it will be: decouple(..., peak_lr=...)"
        )


_CHUNK = 1 << 16  # values: on a CPU the two scratch arrays of this size stay in the cache, whole tensors would not


def decay_where_agreed(after: Sequence[Tensor], before: Sequence[Tensor], rate: float | Tensor) -> None:
    """after -= rate * 1[u * before >= 0] * before, in place, where the step was before -> after and u = before - after.

    One formula for every optimizer: whatever it did, before - after is a positive multiple of its direction u. Signs
    are compared, never multiplied, which would underflow. A coordinate whose step rounded to nothing counts as u = 0
    and decays, as the paper's >= says. A complex value is two coordinates, as for torch's optimizers.
    """
    for each, former in zip(after, before, strict=True):
        new, old = (torch.view_as_real(t) if t.is_complex() else t for t in (each, former))
        whole = not (new.device.type == "cpu" and new.is_contiguous() and old.is_contiguous())
        parts = ((new, old),) if whole else zip(new.view(-1).split(_CHUNK), old.view(-1).split(_CHUNK), strict=True)
        scratch = torch.empty(
            (2, *new.shape) if whole else (2, min(_CHUNK, new.numel())), dtype=new.dtype, device=new.device
        )
        for w, w0 in parts:
            u, toward = scratch if whole else scratch[:, : w.numel()]
            torch.sub(w0, w, out=u)
            torch.copysign(u, w0, out=toward)
            torch.eq(u, toward, out=u)  # 1 where u is 0 or has the sign of w0; at w0 = 0 there is nothing to decay
            w.sub_(u.mul_(w0).mul_(rate))


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
        peak_lr: lr at the top of the schedule. Default: what the group's scheduler says when the first step begins
            (max_lr or initial_lr), or its lr then if it has none. Kept in the group as `peak_lr`, and so in its
            state_dict.

    Raises:
        UsageError: a coupling through the gradient, no weight_decay in a group, LBFGS, or decoupled already. The step,
            in independent and corrected: the learning rate is above peak_lr.
    """
    optimizer = unwrapped(optimizer)
    if isinstance(optimizer, LBFGS):
        raise UsageError(
            "LBFGS evaluates the loss many times in one step and cannot be decoupled; add decay.L2 to the loss"
        )
    check_coupling(coupling)
    if coupling in IN_GRADIENT:
        raise UsageError(
            f"{coupling} is what the optimizer does by itself; set its weight_decay with convert() instead"
        )
    if peak_lr is not None and not peak_lr > 0:
        raise UsageError(f"peak_lr must be > 0, got {peak_lr!r}")
    if any("weight_decay" not in group for group in optimizer.param_groups):
        name = type(optimizer).__name__
        raise UsageError(f"{name} has groups without weight_decay; build it from gapless.decay.groups(model, strength)")
    if decoupled_by(optimizer) is not None:
        raise UsageError("this optimizer is decoupled already and would decay twice; undo() the first one")
    return Decoupled(optimizer, coupling, cautious, peak_lr)


def decoupled_by(optimizer: Optimizer) -> Decoupled | None:
    """The Decoupled that acts on this optimizer, if there is one."""
    return acting(Decoupled, optimizer._optimizer_step_pre_hooks)  # pyright: ignore[reportPrivateUsage]  # torch lists them nowhere else
