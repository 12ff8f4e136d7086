"""What a model is worth on given rows, row by row."""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from gapless.train.loop import Diverged
from gapless.train.texts import TextFeed, answer

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gapless.train.batches import Feed


@dataclass(frozen=True)
class Scores:
    """Scores of one model on some rows.

    each: (N,) the contribution of every row to the metric: 1 or 0 for accuracy (right or wrong), and
        1 - squared error / variance of the target for r2; their mean is the metric.
    loss: what breaks ties: mean cross-entropy in nats at the temperature that suits these rows best (Guo et al.,
        arXiv 1706.04599, section 4.2), or mean squared error of the standardised target. Without the temperature,
        recipes that smooth labels or mix samples look worse than they are: over 36 recipes on digits, the plain
        cross-entropy on select did not rank with the test score at all (Spearman 0.02), this one did (0.81).
    """

    each: NDArray[np.float32]
    loss: float

    @property
    def mean(self) -> float:
        return float(self.each.mean(dtype=np.float64))


@torch.no_grad()
def score(model: nn.Module, feed: Feed | TextFeed, rows: NDArray[np.int64] | None = None, batch: int = 512) -> Scores:
    """Scores in eval mode and without augmentation; every module's mode is given back afterwards.

    Args:
        feed: the data with its labels.
        rows: which rows; None takes all.

    Raises:
        Diverged: the model gives NaN, or numbers too large for a loss.
    """
    index = torch.arange(len(feed)) if rows is None else torch.from_numpy(rows)
    with _eval_mode(model):
        outputs = _answers(model, feed, index, batch).float()
    scores = _scores(outputs, feed.labels[index.to(feed.labels.device)], feed.classes)
    if not (math.isfinite(scores.loss) and math.isfinite(scores.mean)):
        raise Diverged(f"the model gives NaN or numbers without bound: its loss is {scores.loss} when it is scored")
    return scores


def _answers(model: nn.Module, feed: Feed | TextFeed, index: Tensor, batch: int) -> Tensor:
    if not isinstance(feed, TextFeed):
        return torch.cat([model(feed.inputs(part)) for part in index.split(batch)])
    order = feed.by_length(index)
    found = torch.cat([answer(model, feed.inputs(part), feed.device) for part in index[order].split(batch)])
    return found[order.argsort().to(found.device)]


@contextmanager
def _eval_mode(model: nn.Module) -> Generator[None]:
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training


def _scores(outputs: Tensor, labels: Tensor, classes: int) -> Scores:
    if classes:
        right = (outputs.argmax(1) == labels).float()
        return Scores(right.cpu().numpy(), _calibrated_loss(outputs, labels))
    error = (outputs[:, 0] - labels).square()
    spread = labels.var(correction=0).clamp_min(1e-12)
    return Scores((1 - error / spread).cpu().numpy(), float(error.mean()))


def _calibrated_loss(outputs: Tensor, labels: Tensor) -> float:
    """The least mean cross-entropy over inverse temperatures from 1/8 to 8, in steps of a quarter of an octave."""
    log_odds = outputs - outputs.gather(1, labels.view(-1, 1))  # the loss is log sum exp of these, at any temperature
    inverse = 2 ** torch.arange(-3, 3.25, 0.25, device=outputs.device)
    return float(torch.stack([(log_odds * t).logsumexp(1).mean() for t in inverse]).min())
