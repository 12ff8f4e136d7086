"""What is enforced after each step instead of being paid for in the loss: max-norm, and L1's soft threshold."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gapless.decay.optimizers import unwrapped
from gapless.decay.penalty import by_unit, decayed
from gapless.decay.rules import RULES, Leaf, Rule
from gapless.errors import UsageError


class Projection(Protocol):
    """Changes one parameter in place after a step; `factor` is that of the rule that caught it."""

    def apply(self, leaf: Leaf, lr: float | Tensor, factor: float) -> None: ...


@dataclass(frozen=True)
class MaxNorm:
    """||w_unit||_2 <= limit: a unit's incoming weights that grew longer are scaled back. The factor does not matter.

    Hinton et al., arXiv 1207.0580; Srivastava et al., JMLR 2014 (limits 3 to 4, with dropout). A unit is a row of a
    linear layer, a filter of a convolution.
    """

    limit: float

    def __post_init__(self) -> None:
        if not 0 < self.limit < math.inf:
            raise UsageError(f"limit must be a finite number > 0, got {self.limit!r}")

    def apply(self, leaf: Leaf, lr: float | Tensor, factor: float) -> None:
        view, units = by_unit(leaf)
        inputs = tuple(d for d in range(view.ndim) if d not in units)
        if inputs:
            norm = torch.linalg.vector_norm(view, dim=inputs, keepdim=True)
            view.mul_((self.limit / norm).clamp_(max=1))  # norm 0 gives inf, clamped to 1


@dataclass(frozen=True)
class SoftThreshold:
    """w <- sign(w) * max(|w| - lr * lambda, 0): L1 that makes weights exactly zero.

    The proximal gradient step of lambda * sum(|w|), Daubechies et al., arXiv math/0307152; exact for SGD. With Adam the
    threshold is not divided by the gradient's size: it is to L1 what AdamW's decay is to L2.
    """

    strength: float

    def __post_init__(self) -> None:
        if not 0 <= self.strength < math.inf:
            raise UsageError(f"strength must be a finite number >= 0, got {self.strength!r}")

    def apply(self, leaf: Leaf, lr: float | Tensor, factor: float) -> None:
        threshold = float(lr) * self.strength * factor
        if leaf.tensor.is_complex():  # the size shrinks, the direction stays
            size = leaf.tensor.abs()
            leaf.tensor.mul_((1 - threshold / size).clamp_(min=0).where(size > 0, size))
        else:
            leaf.tensor.copy_(nn.functional.softshrink(leaf.tensor, threshold))


class Constraint:
    """A projection after every optimizer step; undo() stops it. Made by constrain()."""

    def __init__(self, optimizer: Optimizer, kind: Projection, on: tuple[tuple[Leaf, float], ...]) -> None:
        self.kind = kind
        self.on = on
        self._handle = optimizer.register_step_post_hook(self._after)

    def undo(self) -> None:
        self._handle.remove()

    @torch.no_grad()
    def _after(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        lr_of = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
        for leaf, factor in self.on:
            self.kind.apply(leaf, lr_of[id(leaf.tensor)], factor)


def constrain(optimizer: Optimizer, model: nn.Module, kind: Projection, *, rules: Sequence[Rule] = RULES) -> Constraint:
    """Project the parameters that would decay after every step: constrain(optimizer, model, MaxNorm(3.0)).

    Raises:
        UsageError: if the rules let no parameter decay, or the optimizer does not train those that they do.
    """
    optimizer = unwrapped(optimizer)
    on = decayed(model, rules)
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    strange = [leaf.name for leaf, _ in on if id(leaf.tensor) not in held]
    if strange:
        raise UsageError(f"the optimizer does not train {', '.join(strange)}; hand in the model it was built from")
    return Constraint(optimizer, kind, on)
