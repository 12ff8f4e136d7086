"""Networks and trainings in plain torch, for claims about a mechanism: a rate, a start, a layer, and nothing around."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from gapless.data.splits import put_aside
from gapless.lab.setting import Lab, digit_pools


def digit_tensors(lab: Lab, n: int, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Digits as rows of 64 numbers, standardised: n to train on, drawn by the seed, and the new ones; (x, y, x, y)."""
    pool, new = digit_pools()
    rows = pool.take(put_aside(pool.y, lab.pick(n, 60), seed)[1])
    new = new.take(np.arange(lab.pick(len(new), 100)))
    mean, sd = float(rows.x.mean()), float(rows.x.std())

    def ready(x: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy((x.reshape(len(x), -1).astype(np.float32) - mean) / sd)

    return ready(rows.x), torch.from_numpy(rows.y), ready(new.x), torch.from_numpy(new.y)


def mlp(sizes: Sequence[int], norm: bool = False, p: float = 0.0) -> nn.Sequential:
    """Linear layers of these sizes with batch norm (or not), ReLU and dropout between them."""
    layers: list[nn.Module] = []
    for wide_in, wide in pairwise(sizes[:-1]):
        layers += [nn.Linear(wide_in, wide), *([nn.BatchNorm1d(wide)] if norm else []), nn.ReLU()]
        layers += [nn.Dropout(p)] if p else []
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


def fit(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    x: Tensor,
    y: Tensor,
    steps: int,
    batch: int = 32,
    each: Callable[[int, Tensor], None] | None = None,
) -> bool:
    """Steps at a constant rate over batches drawn at random; whether the loss stayed a number.

    each: called after every backward pass with the step and the loss.
    """
    model.train()
    for step in range(steps):
        rows = torch.randint(len(x), (batch,))
        loss = functional.cross_entropy(model(x[rows]), y[rows])
        if not bool(loss.isfinite()):
            model.eval()
            return False
        optimizer.zero_grad()
        loss.backward()
        if each is not None:
            each(step, loss.detach())
        optimizer.step()
    model.eval()
    return True


@torch.no_grad()
def right(model: nn.Module, x: Tensor, y: Tensor) -> NDArray[np.bool_]:
    """Right or wrong, row by row, in eval mode; what is no number is wrong."""
    model.eval()
    outputs = model(x)
    return ((outputs.argmax(1) == y) & outputs.isfinite().all(1)).numpy()
