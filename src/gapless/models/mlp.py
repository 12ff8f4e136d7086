"""A perceptron for tables (categorical columns get embeddings) and for small pictures."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn


class MLP(nn.Module):
    """Linear and ReLU, `depth` times, then a linear head.

    Args:
        shape: (F,) of a row or (C, H, W) of a picture, which is flattened.
        outputs: number of classes, or 1.
        categories: for each column the number of its categories, 0 for a numeric column; a categorical column enters
            by an embedding of min(50, (n + 1) // 2) numbers (Guo and Berkhahn, arXiv 1604.06737, give no rule for
            the size; this is the usual one).
        width, depth: units of a hidden layer, and hidden layers.

    Shape: (B, *shape) -> (B, outputs).
    """

    def __init__(
        self, shape: Sequence[int], outputs: int, categories: Sequence[int] = (), width: int = 256, depth: int = 2
    ):
        super().__init__()
        codes = [i for i, n in enumerate(categories) if n]
        numeric = [i for i in range(prod(shape)) if i not in set(codes)]
        self.register_buffer("codes", torch.tensor(codes, dtype=torch.long), persistent=False)
        self.register_buffer("numeric", torch.tensor(numeric, dtype=torch.long), persistent=False)
        self.embed = nn.ModuleList(nn.Embedding(categories[i], min(50, (categories[i] + 1) // 2)) for i in codes)
        wide = len(numeric) + sum(e.embedding_dim for e in self.embed if isinstance(e, nn.Embedding))
        widths = [wide, *[width] * depth]
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.head = nn.Linear(widths[-1], outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        if len(self.embed):
            codes = x[:, self.get_buffer("codes")].long()
            parts = [embed(codes[:, i]) for i, embed in enumerate(self.embed)]
            x = torch.cat([x[:, self.get_buffer("numeric")], *parts], 1)
        for layer in self.hidden:
            x = torch.relu(layer(x))
        return self.head(x)
