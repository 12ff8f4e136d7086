"""What a model is worth on given rows, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gapless.train.batches import Feed


@dataclass(frozen=True)
class Scores:
    """Scores of one model on some rows.

    each: (N,) the contribution of every row to the metric: 1 or 0 for accuracy (right or wrong), and
        1 - squared error / variance of the target for r2; their mean is the metric.
    loss: mean cross-entropy in nats, or mean squared error in variances of the target.
    """

    each: NDArray[np.float32]
    loss: float

    @property
    def mean(self) -> float:
        return float(self.each.mean(dtype=np.float64))


@torch.no_grad()
def score(model: nn.Module, feed: Feed, rows: NDArray[np.int64] | None = None, batch: int = 512) -> Scores:
    """Scores in eval mode and without augmentation; the model's training mode is given back afterwards.

    Args:
        feed: the data with its labels.
        rows: which rows; None takes all.
    """
    training = model.training
    model.eval()
    index = torch.arange(len(feed)) if rows is None else torch.from_numpy(rows)
    outputs = torch.cat([model(feed.inputs(part)) for part in index.split(batch)]).float()
    model.train(training)
    return _scores(outputs, feed.labels[index.to(feed.labels.device)], feed.classes)


def _scores(outputs: Tensor, labels: Tensor, classes: int) -> Scores:
    if classes:
        right = (outputs.argmax(1) == labels).float()
        return Scores(right.cpu().numpy(), float(functional.cross_entropy(outputs, labels)))
    error = (outputs[:, 0] - labels).square()
    spread = labels.var(correction=0).clamp_min(1e-12)
    return Scores((1 - error / spread).cpu().numpy(), float(error.mean()))
