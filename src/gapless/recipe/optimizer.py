"""A recipe's weight decay, in an optimizer that decays as the recipe says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from gapless import decay
from gapless.decay.decoupled import decoupled_by
from gapless.errors import UsageError, did_you_mean
from gapless.kinds import EMBEDDING_TYPES

if TYPE_CHECKING:
    from gapless.decay.leaves import Trained
    from gapless.recipe.parts import Decay

Name = Literal["adamw", "sgd"]
_FUSED = ("cpu", "cuda", "mps", "xpu")  # devices for which torch has fused kernels


@dataclass(frozen=True)
class Options:
    """What torch's AdamW and SGD take beside parameters, learning rate and decay; each its own share of it."""

    betas: tuple[float, float]
    eps: float
    momentum: float
    nesterov: bool | None
    fused: bool | None
    foreach: bool | None
    names: bool


class SGDW(SGD):
    """SGD whose weight decay stays out of its momentum: each step multiplies weights by 1 - lr * weight_decay first.

    Loshchilov & Hutter, arXiv 1711.05101, algorithm 1. A copied or unpickled one decays in the same way.
    """

    def __init__(
        self,
        params: list[dict[str, Any]],
        lr: float,
        momentum: float,
        nesterov: bool,
        fused: bool | None,
        foreach: bool | None,
    ) -> None:
        super().__init__(params, lr, momentum, nesterov=nesterov, fused=fused, foreach=foreach)
        decay.decouple(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if decoupled_by(self) is None:  # step hooks are not part of what is pickled
            decay.decouple(self)


def optimizer(part: Decay, model: Trained, lr: float, kind: Name, options: Options) -> Optimizer:
    """See `gapless.recipe.Recipe.optimizer`."""
    if kind not in ("adamw", "sgd"):
        raise UsageError(f"optimizer: there is no {kind!r}.{did_you_mean(kind, ['adamw', 'sgd'])}")
    rules = {"weights": decay.RULES, "everything": decay.EVERYTHING}[part.on]
    groups = decay.groups(model, part.strength, rules=rules, names=options.names)
    tensors: list[Tensor] = [tensor for group in groups for tensor in group["params"]]
    fused = options.fused
    if fused is None and not options.foreach and all(map(_can_be_fused, tensors)):
        fused = True
    how: dict[str, Any] = {"lr": lr, "fused": fused, "foreach": options.foreach}
    if kind == "adamw":
        made: Optimizer = AdamW(groups, betas=options.betas, eps=options.eps, **how)
    else:
        nesterov = options.momentum > 0 if options.nesterov is None else options.nesterov
        decayed = any(group["weight_decay"] > 0 for group in groups)
        made = (SGDW if decayed else SGD)(groups, momentum=options.momentum, nesterov=nesterov, **how)
    if isinstance(model, nn.Module) and _has_sparse_gradients(model):
        made.register_step_pre_hook(_densified)
    return made


def _can_be_fused(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and tensor.device.type in _FUSED


def _has_sparse_gradients(model: nn.Module) -> bool:
    return any(isinstance(module, EMBEDDING_TYPES) and module.sparse for module in model.modules())


def _densified(made: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """The gradient of an embedding with sparse=True as its tensor's like, which AdamW and momentum need."""
    for group in made.param_groups:
        for parameter in group["params"]:
            if parameter.grad is not None and parameter.grad.layout is not torch.strided:
                parameter.grad = parameter.grad.to_dense()
