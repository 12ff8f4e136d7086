"""Where a model drops: our dropouts, torch's, and those inside attention and recurrent layers."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn
from torch.nn.modules.dropout import _DropoutNd as TorchDropout  # pyright: ignore[reportPrivateUsage]  # their one base

from gapless.dropout.concrete import ConcreteDropout
from gapless.dropout.dropped import Dropped
from gapless.dropout.functional import functional_rates
from gapless.dropout.noise import NoiseLayer
from gapless.dropout.weight import DropConnect, EmbeddingDropout, WeightDrop
from gapless.surgery import additions, rates_set

_WITH_P = (NoiseLayer, DropConnect, EmbeddingDropout, WeightDrop, TorchDropout)
_WITH_DROPOUT = (nn.MultiheadAttention, nn.RNNBase)


@dataclass(frozen=True)
class Rated:
    """The rate `module.name` of the dropout at `path`."""

    path: str
    module: nn.Module
    name: str

    @property
    def rate(self) -> float:
        return float(getattr(self.module, self.name))


def rated(model: nn.Module) -> Iterator[Rated]:
    """Every dropout whose rate is a number that can be set, in order of registration."""
    for path, module in model.named_modules():
        yield from _own(module, path)


def _own(module: nn.Module, path: str) -> Iterator[Rated]:
    if isinstance(module, _WITH_P):
        yield Rated(path, module, "p")
    elif isinstance(module, _WITH_DROPOUT):
        yield Rated(path, module, "dropout")
    else:
        yield from (Rated(path, module, name) for name in rates_set(module))
    for addition in additions(module):
        if isinstance(addition, Dropped):
            yield Rated(path, addition.noise, "p")


def is_random(module: nn.Module) -> bool:
    """Whether this very module draws noise while it is in training mode: a dropout with a rate above 0.

    Also a module that hands such a rate of its own to a function, as `functional_rates` finds it.
    """
    rates = [*(place.rate for place in _own(module, "")), *(rate for _, rate in functional_rates(module))]
    return isinstance(module, ConcreteDropout) or any(rate > 0 for rate in rates)
