"""Dropout on parameters instead of activations: the weight is random, not the unit.

One mask per forward pass, for the whole batch. The dropped weight is W * noise with E[noise] = 1, so evaluation uses W
itself.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from gapless.dropout import fast
from gapless.errors import UsageError


class DropConnect(nn.Linear):
    """A linear layer y = (W * m) x + b, m = 0 with probability p, else 1 / (1 - p), while training.

    Wan et al., "Regularization of neural networks using DropConnect", ICML 2013, section 3. There every example has its
    own mask and evaluation samples a Gaussian in place of the sum; here a batch shares the mask and evaluation uses W.
    Parameters, names and state_dict are nn.Linear's.
    """

    def __init__(self, in_features: int, out_features: int, p: float = 0.5, bias: bool = True) -> None:
        super().__init__(in_features, out_features, bias)
        self.p = _rate(self, p)

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return super().forward(input)
        return functional.linear(input, fast.dropout(self.weight, self.p), self.bias)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, p={self.p:g}"


class EmbeddingDropout(nn.Embedding):
    """An embedding that drops whole words: every occurrence of a dropped word in the batch is 0, others / (1 - p).

    Gal & Ghahramani, arXiv 1512.05287, section 4.2 (rows of the embedding matrix); Merity et al., arXiv 1708.02182,
    section 4.3. Only the rows are drawn, the matrix is not copied. Parameters and state_dict are nn.Embedding's.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, p: float = 0.1, padding_idx: int | None = None) -> None:
        super().__init__(num_embeddings, embedding_dim, padding_idx)
        self.p = _rate(self, p)

    def forward(self, input: Tensor) -> Tensor:
        embedded = super().forward(input)
        if not self.training or self.p == 0:
            return embedded
        words = fast.dropout(embedded.new_ones(self.num_embeddings), self.p)
        return embedded * words[input].unsqueeze(-1)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, p={self.p:g}"


class WeightDrop(nn.Module):
    """Any module, run with dropout on some of its parameters: `WeightDrop(nn.LSTM(8, 8), ["weight_hh_l0"], 0.5)`.

    Merity et al., "Regularizing and optimizing LSTM language models", arXiv 1708.02182, section 2: the recurrent
    weights of an LSTM are dropped once per sequence, so the mask is the same at every step. Keys of the state_dict
    gain the prefix "module.". UsageError for a name that is not a parameter.
    """

    def __init__(self, module: nn.Module, names: Sequence[str], p: float = 0.5) -> None:
        super().__init__()
        self.p = _rate(self, p)
        if not names or isinstance(names, str):
            raise UsageError(f"WeightDrop: names must be a sequence of parameter names, got {names!r}")
        known = [name for name, _ in module.named_parameters()]
        for name in names:
            if name not in known:
                raise UsageError(f"WeightDrop: {type(module).__name__} has no parameter {name!r}, only {known}")
        self.module = module
        self.names = tuple(names)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        if not self.training or self.p == 0:
            return self.module(*args, **kwargs)
        dropped = {name: fast.dropout(self.module.get_parameter(name), self.p) for name in self.names}
        return torch.func.functional_call(self.module, dropped, args, kwargs)

    def extra_repr(self) -> str:
        return f"p={self.p:g}, names={self.names}"


def _rate(layer: nn.Module, p: float) -> float:
    if not 0 <= p < 1:
        raise UsageError(f"{type(layer).__name__}: p must be in [0, 1), got {p!r}")
    return p
