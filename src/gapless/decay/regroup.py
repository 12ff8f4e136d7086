"""Change the groups of an optimizer that exists already, with its state, and exactly back again."""

import gc
from collections.abc import Sequence
from typing import Any

from torch import nn
from torch.optim import LBFGS, Optimizer
from torch.optim.lr_scheduler import LRScheduler

from gapless.decay.decoupled import decoupled_by
from gapless.decay.groups import groups
from gapless.decay.optimizers import unwrapped
from gapless.decay.rules import RULES, Rule
from gapless.errors import UsageError

Group = dict[str, Any]
_OWN = ("params", "param_names", "weight_decay")


class Regrouped:
    """An optimizer whose groups were replaced; undo() puts the former ones back."""

    def __init__(self, optimizer: Optimizer, former: list[Group]) -> None:
        self.optimizer = optimizer
        self._former = former

    def undo(self) -> None:
        """The former group objects again, with the hyperparameters they had. The optimizer's state is left as it is."""
        refuse_scheduled(self.optimizer)
        self.optimizer.param_groups[:] = self._former


def regroup(optimizer: Optimizer, model: nn.Module, weight_decay: float, *, rules: Sequence[Rule] = RULES) -> Regrouped:
    """Give an existing optimizer the groups that groups() would have made; state and other settings are kept.

    Parameters that had different settings (lr, betas, ...) before stay apart: there is one group for each former group
    and strength. Moments and step counts belong to the tensors and do not change.

    Raises:
        UsageError: a scheduler holds the optimizer, it trains other tensors than the model, or it cannot decay.
    """
    optimizer = unwrapped(optimizer)
    refuse_scheduled(optimizer)
    _refuse_without_decay(optimizer)
    _refuse_other_model(optimizer, model)
    former = list(optimizer.param_groups)
    home = {id(p): i for i, group in enumerate(former) for p in group["params"]}
    made: dict[tuple[int, float], Group] = {}
    for wanted in groups(model, weight_decay, rules=rules, names=True):
        decay = wanted["weight_decay"]
        for name, tensor in zip(wanted["param_names"], wanted["params"], strict=True):
            i = home[id(tensor)]
            kept = {key: value for key, value in former[i].items() if key not in _OWN}
            empty = {"params": [], "param_names": []} if "param_names" in former[i] else {"params": []}
            group = made.setdefault((i, decay), {**empty, "weight_decay": decay, **kept})
            group["params"].append(tensor)
            if "param_names" in group:
                group["param_names"].append(name)
    optimizer.param_groups[:] = [made[key] for key in sorted(made, key=lambda key: (key[0], -key[1]))]
    return Regrouped(optimizer, former)


def refuse_scheduled(optimizer: Optimizer) -> None:
    """Raise if a learning-rate scheduler holds the optimizer: it has stored one value for each of today's groups."""
    holders = _schedulers(optimizer)
    if holders:
        what = ", ".join(sorted({type(holder).__name__ for holder in holders}))
    elif any("initial_lr" in group for group in optimizer.param_groups):
        what = "a scheduler (initial_lr stands in its groups)"
    else:
        return
    raise UsageError(
        f"the optimizer is held by {what}, which stores one value per group and would step the wrong ones; "
        "regroup first, then build the scheduler"
    )


def _schedulers(optimizer: Optimizer) -> list[LRScheduler]:
    # ReduceLROnPlateau leaves no trace on the optimizer, so the schedulers alive are asked: they refer to it, either
    # directly or, once their attributes were touched as a dict, through that dict.
    found: list[LRScheduler] = []
    for referrer in gc.get_referrers(optimizer):
        owners = gc.get_referrers(referrer) if isinstance(referrer, dict) else (referrer,)
        found += [owner for owner in owners if isinstance(owner, LRScheduler) and owner.optimizer is optimizer]
    return found


def _refuse_other_model(optimizer: Optimizer, model: nn.Module) -> None:
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    wanted = {id(p): name for name, p in model.named_parameters() if p.requires_grad}
    if held != set(wanted):
        missing = ", ".join(name for key, name in wanted.items() if key not in held) or "none"
        raise UsageError(
            f"the optimizer does not train exactly the model's trainable parameters: it lacks {missing} and has "
            f"{len(held - set(wanted))} others; build it from this model, after freezing"
        )


def _refuse_without_decay(optimizer: Optimizer) -> None:
    if isinstance(optimizer, LBFGS):
        raise UsageError("LBFGS takes one group only; add decay.L2 to the loss instead")
    if "weight_decay" not in optimizer.defaults and decoupled_by(optimizer) is None:
        name = type(optimizer).__name__
        raise UsageError(
            f"{name} has no weight decay of its own; build it as {name}(gapless.decay.groups(model, strength), ...) "
            "and call gapless.decay.decouple on it"
        )
