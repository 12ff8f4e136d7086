"""What a model is worth on given rows, row by row."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from gapless.metrics import Metric, usual
from gapless.surgery import modes_kept
from gapless.train.loop import Diverged
from gapless.train.texts import TextFeed, answer

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gapless.train.batches import Feed


@dataclass(frozen=True)
class Scores:
    """Scores of one model on some rows.

    each: (N,) what every row adds to the metric: 1 or 0 for accuracy (right or wrong), and for a metric that is no mean
        over rows its value plus the row's influence on it; their mean is the metric, errors below zero, and their
        spread over rows is that of the metric (see `gapless.metrics`).
    loss: what breaks ties: mean cross-entropy in nats at the temperature that suits these rows best (Guo et al.,
        arXiv 1706.04599, section 4.2), or mean squared error of the standardised target. Without the temperature,
        recipes that smooth labels or mix samples look worse than they are: over 36 recipes on digits, the plain
        cross-entropy on select did not rank with the test score at all (Spearman 0.02), this one did (0.81).
    losses: (N,) what every row adds to that loss.
    answers: (N,) the class number that the model answers, or the number in the target's unit.
    """

    each: NDArray[np.float32]
    losses: NDArray[np.float32]
    answers: NDArray[np.float32]

    @property
    def loss(self) -> float:
        return float(self.losses.mean(dtype=np.float64))

    @property
    def mean(self) -> float:
        return float(self.each.mean(dtype=np.float64))


@torch.no_grad()
def score(
    model: nn.Module,
    feed: Feed | TextFeed,
    rows: NDArray[np.int64] | None = None,
    batch: int = 512,
    metric: Metric | None = None,
) -> Scores:
    """Scores in eval mode and without augmentation; every module's mode is given back afterwards.

    Args:
        feed: the data with its labels.
        rows: which rows; None takes all.
        metric: for this kind of target; None takes the usual one.

    Raises:
        Diverged: the model gives NaN, or numbers too large for a loss.
    """
    index = torch.arange(len(feed)) if rows is None else torch.from_numpy(rows)
    outputs = answers(model, feed, index, batch)
    scores = _scores(outputs, feed, feed.labels[index.to(feed.labels.device)], metric or usual(feed.classes))
    if not (math.isfinite(scores.loss) and math.isfinite(scores.mean)):
        raise Diverged(f"the model gives NaN or numbers without bound: its loss is {scores.loss} when it is scored")
    return scores


@torch.no_grad()
def answers(model: nn.Module, feed: Feed | TextFeed, index: Tensor, batch: int = 512) -> Tensor:
    """What the model says of the rows at `index`, float32 (rows, outputs), in eval mode and without augmentation."""
    with modes_kept(model):
        model.eval()
        return _answers(model, feed, index, batch).float()


def _answers(model: nn.Module, feed: Feed | TextFeed, index: Tensor, batch: int) -> Tensor:
    if not isinstance(feed, TextFeed):
        return torch.cat([model(feed.inputs(part)) for part in index.split(batch)])
    order = feed.by_length(index)
    found = torch.cat([answer(model, feed.inputs(part), feed.device) for part in index[order].split(batch)])
    return found[order.argsort().to(found.device)]


def _scores(outputs: Tensor, feed: Feed | TextFeed, labels: Tensor, metric: Metric) -> Scores:
    if feed.classes:
        given, losses, said = outputs, calibrated_losses(outputs, labels), outputs.argmax(1)
    else:  # the loss is that of the standardised target, the metric is in the target's unit
        losses = (outputs[:, 0] - labels).square()
        mean, sd = feed.scale.target
        given, labels = (part.double() * sd + mean for part in (outputs[:, 0], labels))
        said = given
    each = metric.rows(given, labels)
    return Scores(each.cpu().numpy(), losses.cpu().numpy(), said.float().cpu().numpy())


def calibrated_losses(outputs: Tensor, labels: Tensor) -> Tensor:
    """(N,) cross-entropy at that inverse temperature, from 1/8 to 8 in steps of a quarter of an octave, of which the
    mean is least."""
    log_odds = outputs - outputs.gather(1, labels.view(-1, 1))  # the loss is log sum exp of these, at any temperature
    inverse = 2 ** torch.arange(-3, 3.25, 0.25, device=outputs.device)
    losses = torch.stack([(log_odds * t).logsumexp(1) for t in inverse])
    return losses[losses.mean(1).nan_to_num(float("inf")).argmin()]
