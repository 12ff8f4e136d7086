"""What a model is worth on rows it was trained on and on new ones, row by row, and the gap with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor
from torch.nn import functional

from gapless.errors import UsageError

Floats = NDArray[np.float64]
_Z = float(stats.norm.isf(0.025))


@dataclass(frozen=True)
class Rows:
    """Scores of one model, row by row.

    losses: (N,). right: (N,) 1 where the class was right, else 0; None where there are no classes. of: how many rows
    there are in all, of which these were drawn; None where nobody knows.
    """

    losses: Floats
    right: Floats | None = None
    of: int | None = None


@dataclass(frozen=True)
class Estimate:
    """A score on training rows and on new ones, and the gap with its 95 % interval; above 0: better where trained."""

    train: float
    new: float
    gap: float
    low: float
    high: float


@dataclass(frozen=True)
class Gap:
    """The generalization gap of a model after an epoch (from 0), in eval mode and without augmentation.

    The interval is that of this very model: chance lies in which rows were drawn, and a training set that was measured
    whole has none. right: the share of right answers, train minus new; None where there are no classes. loss: new minus
    train.
    """

    epoch: int
    loss: Estimate
    right: Estimate | None = None
    rows: tuple[int, int] = field(default=(0, 0))
    """How many training rows and how many new ones were measured."""

    @property
    def main(self) -> Estimate:
        return self.loss if self.right is None else self.right

    def figures(self) -> dict[str, float]:
        """By the names under which they are logged."""
        main = self.main
        found = {"gap": main.gap, "gap_low": main.low, "gap_high": main.high}
        found |= {"train_loss": self.loss.train, "new_loss": self.loss.new, "loss_gap": self.loss.gap}
        right = {} if self.right is None else {"train_right": self.right.train, "new_right": self.right.new}
        return found | right

    def __str__(self) -> str:
        if self.right is None:
            e = self.loss
            return f"loss {e.train:.4g} on training rows, {e.new:.4g} on new ones: gap {_span(e, 1, '.4g')}"
        e = self.right
        return (
            f"{e.train:.1%} of the training rows right, {e.new:.1%} of new ones: gap {_span(e, 100, '.1f')} points; "
            f"loss {self.loss.train:.3g} and {self.loss.new:.3g}"
        )


def _span(e: Estimate, unit: float, digits: str) -> str:
    return f"{e.gap * unit:{digits}} ({e.low * unit:{digits}} to {e.high * unit:{digits}})"


def gap_of(epoch: int, train: Rows, new: Rows) -> Gap:
    """The gap between both. Rows drawn from not many more vary less: the finite population correction, for training.

    Raises:
        UsageError: fewer than two rows on a side.
    """
    if min(len(train.losses), len(new.losses)) < 2:
        raise UsageError(f"a gap needs two rows on each side, got {len(train.losses)} and {len(new.losses)}")
    share = 1.0 if train.of is None else math.sqrt(max(0.0, 1 - len(train.losses) / train.of))
    loss = _means(new.losses, train.losses, share)
    right = None
    if train.right is not None and new.right is not None:
        single = set(np.unique(train.right)) | set(np.unique(new.right)) <= {0.0, 1.0}
        if single:
            right = _shares(train.right, new.right, share)
        else:
            turned = _means(new.right, train.right, share)
            right = Estimate(turned.train, turned.new, -turned.gap, -turned.high, -turned.low)
    return Gap(epoch, loss, right, (len(train.losses), len(new.losses)))


def _shares(train: Floats, new: Floats, share: float) -> Estimate:
    """Of right answers: Newcombe's hybrid of two Wilson intervals (Statistics in Medicine 17, 1998, method 10).

    Unlike a normal interval it keeps its width where everything is right.
    """
    p, q = float(train.mean()), float(new.mean())
    (p_low, p_high), (q_low, q_high) = _wilson(p, len(train)), _wilson(q, len(new))
    below = math.hypot((p - p_low) * share, q_high - q)
    above = math.hypot((p_high - p) * share, q - q_low)
    return Estimate(p, q, p - q, p - q - below, p - q + above)


def _wilson(p: float, n: int) -> tuple[float, float]:
    middle, half = (p + _Z**2 / (2 * n)), _Z * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
    return max(0.0, (middle - half) / (1 + _Z**2 / n)), min(1.0, (middle + half) / (1 + _Z**2 / n))


def _means(new: Floats, train: Floats, share: float) -> Estimate:
    """New minus train, with Welch's interval."""
    a, b = float(new.var(ddof=1)) / len(new), float(train.var(ddof=1)) / len(train) * share**2
    errors = a**2 / (len(new) - 1) + b**2 / (len(train) - 1)
    half = float(stats.t.isf(0.025, (a + b) ** 2 / errors)) * math.sqrt(a + b) if errors else 0.0
    gap = float(new.mean() - train.mean())
    return Estimate(float(train.mean()), float(new.mean()), gap, gap - half, gap + half)


# ── row by row ──


def answers_in(output: Any) -> Tensor:
    """The tensor with the answers in what a model returns: itself, `logits`, or the first of a tuple."""
    if isinstance(output, Mapping) and "logits" in output:
        output = output["logits"]
    elif isinstance(output, tuple | list) and output:
        output = output[0]
    output = getattr(output, "logits", output)
    if not isinstance(output, Tensor):
        raise UsageError(f"cannot find the answers in what the model returns, {type(output).__name__}; {_OWN}")
    return output


_OWN = "say how to score a batch, score=f, with f(model, batch) -> (B,) losses, or measure none, rows=0"


def score_rows(answers: Tensor, labels: Any) -> tuple[Tensor, Tensor | None]:
    """(B,) losses, and (B,) 1 where the class is right, or None where there are no classes.

    Answers (B, classes) that are not negative and sum to 1 are taken as probabilities, else they are logits or their
    logarithms. One answer a row for labels 0 and 1 is the logit of 1.

    Args:
        answers: (B, classes), (B, classes, H, W), or as many numbers as labels of a regression.
        labels: class numbers (B,) or (B, H, W); shares of classes or several labels at once (B, classes) that hold
            0 and 1; numbers of a regression.

    Raises:
        UsageError: these do not go together.
    """
    if not isinstance(labels, Tensor) or not answers.ndim or len(labels) != len(answers):
        raise UsageError(f"answers {tuple(answers.shape)} and these labels do not go together; {_OWN}")
    answers = answers.detach().float()
    if labels.is_floating_point():
        return _numbers(answers, labels.float())
    if answers.numel() == labels.numel():
        logits, truth = answers.flatten(1).mean(1) if answers.ndim > 1 else answers, labels.flatten().float()
        if len(logits) == len(truth) and not bool(((truth != 0) & (truth != 1)).any()):
            losses = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
            return losses, ((logits > 0) == truth.bool()).float()
    if answers.ndim not in (2, 4) or answers.shape[:1] + answers.shape[2:] != labels.shape:
        raise UsageError(f"answers {tuple(answers.shape)} do not fit labels {tuple(labels.shape)}; {_OWN}")
    losses = functional.nll_loss(_log_shares(answers), labels.long(), reduction="none")
    right = (answers.argmax(1) == labels).float()
    return (losses, right) if losses.ndim == 1 else (losses.flatten(1).mean(1), right.flatten(1).mean(1))


def _numbers(answers: Tensor, labels: Tensor) -> tuple[Tensor, None]:
    if answers.numel() != labels.numel():
        raise UsageError(f"answers {tuple(answers.shape)} do not fit labels {tuple(labels.shape)}; {_OWN}")
    answers = answers.reshape(labels.shape)
    if labels.ndim == 2 and labels.shape[1] > 1 and bool(((labels == 0) | (labels == 1)).all()):
        return functional.binary_cross_entropy_with_logits(answers, labels, reduction="none").mean(1), None
    return (answers - labels).square().reshape(len(labels), -1).mean(1), None


def _log_shares(answers: Tensor) -> Tensor:
    probabilities = bool((answers >= 0).all()) and bool(((answers.sum(1) - 1).abs() < 1e-3).all())
    return answers.clamp_min(1e-12).log() if probabilities else answers.log_softmax(1)
