"""Dropout as an approximate posterior: many passes with dropout on, and what they disagree about.

Gal & Ghahramani, "Dropout as a Bayesian approximation", arXiv 1506.02142. Only the dropouts are switched on: batch
norm stays in evaluation mode, and every module gets its own mode back.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gapless.dropout.places import is_random


@dataclass(frozen=True)
class ClassUncertainty:
    """What S passes say about class probabilities; C classes on the last dimension, entropies in nats.

    mean: (B, ..., C) the Monte-Carlo average of the softmax. variance: (B, ..., C) of the probabilities over passes.
    entropy: (B, ...) H(mean), all uncertainty. mutual_information: (B, ...) H(mean) - mean of H, the part the passes
    disagree about (what the model does not know; Houlsby et al., arXiv 1112.5745). weight_scaling: (B, ..., C) the
    softmax of one pass without dropout, beside the average that it approximates.
    """

    mean: Tensor
    variance: Tensor
    entropy: Tensor
    mutual_information: Tensor
    weight_scaling: Tensor


@dataclass(frozen=True)
class ValueUncertainty:
    """What S passes say about real outputs: mean and variance (unbiased) over passes, and one pass without dropout."""

    mean: Tensor
    variance: Tensor
    weight_scaling: Tensor


@dataclass(frozen=True)
class Passes:
    """outputs: (S, B, ...) of the passes with dropout; plain: (B, ...) of the one without (weight scaling)."""

    outputs: Tensor
    plain: Tensor

    def classes(self) -> ClassUncertainty:
        """The outputs read as logits."""
        logs = self.outputs.log_softmax(-1)
        probabilities = logs.exp()
        mean = probabilities.mean(0)
        entropy = _entropy(mean.log(), mean)
        expected = _entropy(logs, probabilities).mean(0)
        information = (entropy - expected).clamp(min=0)  # below 0 only by rounding
        return ClassUncertainty(mean, probabilities.var(0), entropy, information, self.plain.softmax(-1))

    def values(self) -> ValueUncertainty:
        """The outputs read as numbers."""
        return ValueUncertainty(self.outputs.mean(0), self.outputs.var(0), self.plain)


def monte_carlo(model: nn.Module, *inputs: Any, passes: int = 30, also: tuple[type[nn.Module], ...] = ()) -> Passes:
    """Run model(*inputs) once without and `passes` times with dropout, without gradients.

    also: classes of the user's own modules that are random in training mode (functional dropout inside a module cannot
    be seen from outside). ValueError when nothing in the model is random, when passes < 2, and when the model returns
    anything but a tensor.
    """
    if passes < 2:
        raise ValueError(f"monte_carlo: passes must be at least 2, got {passes!r}")
    with torch.no_grad():
        with modes(model, random=False):
            plain = _tensor(model(*inputs))
        with modes(model, random=True, also=also):
            return Passes(torch.stack([_tensor(model(*inputs)) for _ in range(passes)]), plain)


@contextmanager
def modes(model: nn.Module, *, random: bool, also: tuple[type[nn.Module], ...] = ()) -> Generator[None]:
    """Inside: everything in evaluation mode, but with `random` the dropouts (and `also`) training. Then as before."""
    before = [(module, module.training) for module in model.modules()]
    chosen = {id(module) for module, _ in before if random and (is_random(module) or isinstance(module, also))}
    if random and not chosen:
        raise ValueError(
            f"monte_carlo: nothing in {type(model).__name__} is random; attach dropout or name it in `also`"
        )
    # torch's fused transformer layer looks at the layer's own mode only and would pass over the dropouts inside
    chosen |= {
        id(module)
        for module, _ in before
        if isinstance(module, nn.TransformerEncoderLayer) and any(id(inner) in chosen for inner in module.modules())
    }
    try:
        for module, _ in before:
            module.training = id(module) in chosen
        yield
    finally:
        for module, mode in before:
            module.training = mode


def _tensor(output: object) -> Tensor:
    if not isinstance(output, Tensor):
        raise ValueError(f"monte_carlo: the model must return a tensor, got {type(output).__name__}")
    return output


def _entropy(logs: Tensor, probabilities: Tensor) -> Tensor:
    """-sum p log p over the last dimension, with 0 log 0 = 0."""
    return -torch.where(probabilities > 0, probabilities * logs, 0.0).sum(-1)
