"""Penalties that are added to the loss: L2, L1, elastic net, L2-SP, spectral, orthogonal."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from gapless.decay.leaves import leaves
from gapless.decay.rules import RULES, Leaf, Rule, first_that_catches
from gapless.errors import UsageError

Memory = dict[str, Tensor]


class Kind(Protocol):
    """One parameter to its part of the penalty, a scalar; `memory` is what it keeps between steps."""

    def of(self, leaf: Leaf, memory: Memory) -> Tensor: ...


@dataclass(frozen=True)
class L2:
    """lambda * sum(w^2): the textbook's form, the same as torch's weight_decay = 2 * lambda inside the gradient."""

    strength: float

    def __post_init__(self) -> None:
        _check(strength=self.strength)

    def of(self, leaf: Leaf, memory: Memory) -> Tensor:
        return self.strength * _squared(leaf.tensor)


@dataclass(frozen=True)
class L1:
    """lambda * sum(|w|), Tibshirani 1996. By gradient it makes weights small but never 0: see SoftThreshold."""

    strength: float

    def __post_init__(self) -> None:
        _check(strength=self.strength)

    def of(self, leaf: Leaf, memory: Memory) -> Tensor:
        return self.strength * leaf.tensor.abs().sum()


@dataclass(frozen=True)
class ElasticNet:
    """lambda * sum(rho * |w| + (1 - rho)/2 * w^2): Zou & Hastie 2005 in scikit-learn's parameters (rho: l1_ratio)."""

    strength: float
    l1_ratio: float = 0.5

    def __post_init__(self) -> None:
        _check(strength=self.strength)
        if not 0 <= self.l1_ratio <= 1:
            raise UsageError(f"l1_ratio must be in [0, 1], got {self.l1_ratio!r}")

    def of(self, leaf: Leaf, memory: Memory) -> Tensor:
        w, rho = leaf.tensor, self.l1_ratio
        return self.strength * (rho * w.abs().sum() + (1 - rho) / 2 * _squared(w))


@dataclass(frozen=True, eq=False)
class L2SP:
    """alpha/2 * sum((w - w0)^2) where w0 is known, beta/2 * sum(w^2) elsewhere. Li et al., arXiv 1802.01483.

    Fine-tuning pulled back to the pre-trained weights instead of to zero; a new head has no start and goes to zero.

    Args:
        start: name -> pre-trained tensor, e.g. the state_dict that was loaded. It is copied, so the model's own
            state_dict() may be handed in before training.
    """

    start: Mapping[str, Tensor]
    alpha: float
    beta: float = 0.0

    def __post_init__(self) -> None:
        _check(alpha=self.alpha, beta=self.beta)
        if not self.start:
            raise UsageError("start holds no tensor; hand in the pre-trained state_dict")
        object.__setattr__(self, "start", {name: t.detach().clone() for name, t in self.start.items()})

    def of(self, leaf: Leaf, memory: Memory) -> Tensor:
        known = next((self.start[name] for name in leaf.names if name in self.start), None)
        if known is None:
            return self.beta / 2 * _squared(leaf.tensor)
        if known.shape != leaf.tensor.shape:
            raise UsageError(
                f"start[{leaf.name!r}] has shape {tuple(known.shape)}, the model's {leaf.shape}; "
                "leave a replaced layer out of start"
            )
        key = f"{leaf.name}.start"
        if key not in memory or memory[key].device != leaf.tensor.device:
            memory[key] = known.to(leaf.tensor)
        return self.alpha / 2 * _squared(leaf.tensor - memory[key])


@dataclass(frozen=True)
class Spectral:
    """lambda/2 * sum(sigma_max(W)^2). Yoshida & Miyato, arXiv 1705.10941; W is (units, everything else).

    sigma = u' W v with u, v tracked by power iteration as in the paper. Different from it, they are the exact singular
    vectors at the first use and at every `refresh`-th: a direction that the penalty has made small keeps the iteration
    for many steps after another one has become the largest. Vectors and scalars have no spectrum and are left out.
    """

    strength: float
    iterations: int = 1
    refresh: int = 100

    def __post_init__(self) -> None:
        _check(strength=self.strength)
        if self.iterations < 1:
            raise UsageError(f"iterations must be at least 1, got {self.iterations!r}")
        if self.refresh < 1:
            raise UsageError(f"refresh must be at least 1, got {self.refresh!r}")

    def of(self, leaf: Leaf, memory: Memory) -> Tensor:
        if leaf.tensor.ndim < 2:
            return leaf.tensor.new_zeros(()).abs()  # real, whatever the weights are
        w = as_matrix(leaf)
        u, v = self._vectors(w.detach(), leaf.name, memory)
        return self.strength / 2 * _squared(torch.vdot(u, w @ v))

    @torch.no_grad()
    def _vectors(self, w: Tensor, name: str, memory: Memory) -> tuple[Tensor, Tensor]:
        v, age = memory.get(f"{name}.v"), memory.get(f"{name}.age", torch.zeros((), dtype=torch.int64))
        if v is None or v.device != w.device or age % self.refresh == 0:
            exact = w.float() if w.dtype in (torch.float16, torch.bfloat16) else w  # there is no SVD in half precision
            v = torch.linalg.svd(exact, full_matrices=False).Vh[0].conj().to(w.dtype)
        u = _unit(w @ v)
        for _ in range(self.iterations):
            v = _unit(w.mH @ u)
            u = _unit(w @ v)
        memory[f"{name}.v"], memory[f"{name}.age"] = v, age + 1
        return u, v


@dataclass(frozen=True)
class Orthogonal:
    """lambda * sum(||G - I||_F^2), G the smaller Gram matrix of W. Bansal et al., arXiv 1810.09102 (SO).

    The paper writes W'W; with more inputs than units W'W cannot be the identity, so the rows' W W' is taken there.
    """

    strength: float

    def __post_init__(self) -> None:
        _check(strength=self.strength)

    def of(self, leaf: Leaf, memory: Memory) -> Tensor:
        if leaf.tensor.ndim < 2:
            return leaf.tensor.new_zeros(()).abs()  # real, whatever the weights are
        w = as_matrix(leaf)
        gram = w @ w.mH if w.shape[0] <= w.shape[1] else w.mH @ w
        return self.strength * _squared(gram - torch.eye(len(gram), dtype=w.dtype, device=w.device))


@dataclass(frozen=True, eq=False)
class Penalty:
    """A penalty on a model's weights: loss = criterion(y, t) + penalty(). Made by penalty()."""

    kind: Kind
    on: tuple[tuple[Leaf, float], ...]  # parameter and the factor of the rule that caught it
    memory: Memory = field(default_factory=dict[str, Tensor])

    def __call__(self) -> Tensor:
        """The scalar to add to the loss, with gradient."""
        return torch.stack([factor * self.kind.of(leaf, self.memory) for leaf, factor in self.on]).sum()

    def state_dict(self) -> dict[str, Tensor]:
        """What the penalty keeps between steps (power iteration); needed for a bit-exact resume."""
        return dict(self.memory)

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.memory.clear()
        self.memory.update(state)


def penalty(model: nn.Module, kind: Kind, *, rules: Sequence[Rule] = RULES) -> Penalty:
    """The penalty over exactly the parameters that would decay: penalty(model, L1(1e-5)).

    Raises:
        UsageError: if the rules let no parameter decay.
    """
    return Penalty(kind, decayed(model, rules))


def decayed(model: nn.Module, rules: Sequence[Rule]) -> tuple[tuple[Leaf, float], ...]:
    """(parameter, factor) of all parameters that these rules let decay."""
    judged = ((leaf, first_that_catches(leaf, rules).factor) for leaf in leaves(model))
    found = tuple((leaf, factor) for leaf, factor in judged if factor > 0)
    if not found:
        raise UsageError("these rules let no parameter of the model decay, so there is nothing to penalize")
    return found


_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def by_unit(leaf: Leaf) -> tuple[Tensor, tuple[int, ...]]:
    """A view of the tensor and the dimensions that number its output units; all others are a unit's inputs.

    Everything torch has keeps its units in dimension 0, except transposed convolutions: (in, out/groups, k...).
    """
    w = leaf.tensor
    module = leaf.uses[0].module
    if isinstance(module, _TRANSPOSED) and w.ndim >= 3:
        return w.unflatten(0, (module.groups, -1)), (0, 2)
    return w, (0,)


def as_matrix(leaf: Leaf) -> Tensor:
    """The weights as (units, inputs of one unit)."""
    view, units = by_unit(leaf)
    rest = [d for d in range(view.ndim) if d not in units]
    return view.permute(*units, *rest).flatten(len(units)).flatten(0, len(units) - 1)


def _squared(w: Tensor) -> Tensor:
    """sum(|w|^2), real for complex weights too."""
    return (torch.view_as_real(w) if w.is_complex() else w).square().sum()


def _unit(vector: Tensor) -> Tensor:
    """The vector with length 1; normalize() does not take complex ones."""
    return vector / torch.linalg.vector_norm(vector).clamp_(min=1e-12)


def _check(**strengths: float) -> None:
    for name, value in strengths.items():
        if not 0 <= value < math.inf:
            raise UsageError(f"{name} must be a finite number >= 0, got {value!r}")
