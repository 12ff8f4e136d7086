"""Metrics: what each row adds to a score, which is their mean; the interval of the verdict needs them row by row.

A metric that is no mean over rows (a mean over classes, a rank, a root) is linearised: a row adds the metric plus the
row's influence on it, the derivative by the row's weight (Hampel, JASA 69, 1974). Influences add up to zero, so the
mean over rows is the metric itself, and their spread is that of the metric. For the area under the curve these are the
components of DeLong et al. (Biometrics 44, 1988).

Within gapless larger is better: errors are counted below zero, as scikit-learn's `neg_` scorers do. Reports turn them
round.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from gapless.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


@dataclass(frozen=True)
class Metric:
    """What models are judged by.

    name: as reports and result.json call it.
    rows: the model's outputs and labels (N,) to what each row adds, (N,) float32, larger is better. Outputs are log
        odds (N, C) of classes up to a constant in each row, or numbers (N,) on the labels' scale, any.
    classes: whether it is for classes, else for numbers. share: whether it is shown in per cent.
    error: whether people want less of it; what `rows` gives is then negated.
    unit: the size of the steps that a row's score makes, None where it makes none.
    step: labels (N,) to how much more a row can add at most than one like all others; None where that is not known.
    means: what it is, in half a sentence for people.
    """

    name: str
    rows: Callable[[Tensor, Tensor], Tensor]
    classes: bool
    share: bool = False
    error: bool = False
    unit: float | None = None
    step: Callable[[NDArray[np.int64]], float] | None = None
    means: str = ""

    @property
    def sign(self) -> int:
        """What turns a score into what people know: -1 for errors."""
        return -1 if self.error else 1


# ── classes ──


def _right(outputs: Tensor, labels: Tensor) -> Tensor:
    """1 where the class is right, else 0."""
    return (outputs.argmax(1) == labels).float()


def _recall(outputs: Tensor, labels: Tensor) -> Tensor:
    """The mean over the classes that there are of the share of their rows that is right; a row's influence is
    (right - recall of its class) / share of its class / number of classes."""
    right, counts = (outputs.argmax(1) == labels).double(), labels.bincount(minlength=outputs.shape[1])
    recall = labels.bincount(right, minlength=outputs.shape[1]) / counts.clamp_min(1)
    present = int((counts > 0).sum())
    influence = (right - recall[labels]) * len(labels) / counts[labels] / present
    return (recall.sum() / present + influence).float()


def _f1(outputs: Tensor, labels: Tensor) -> Tensor:
    """The mean of F1 = 2 both / (answered + labelled) over the classes that are answered or labelled at all; a row's
    influence on that of one class is (2 both_i - F1 (answered_i + labelled_i)) / (answered + labelled)."""
    answers, classes = outputs.argmax(1), outputs.shape[1]
    right = (answers == labels).double()
    either = (answers.bincount(minlength=classes) + labels.bincount(minlength=classes)).double()
    f1 = 2 * labels.bincount(right, minlength=classes) / either.clamp_min(1)
    weight = len(labels) / either.clamp_min(1) / (either > 0).sum()
    influence = 2 * right * weight[labels] - f1[answers] * weight[answers] - f1[labels] * weight[labels]
    return (f1.sum() / (either > 0).sum() + influence).float()


def _area(outputs: Tensor, labels: Tensor) -> Tensor:
    """The area under the ROC curve: how often a row of a class ranks above one of the others, ties counted half.

    With more than two classes the mean over the classes of each against the rest, by the softmax probabilities; classes
    of which there are no rows, or only such, are left out. Without any other it is 1/2: nothing can be ranked.
    """
    log_odds, counts = outputs.double(), labels.bincount(minlength=outputs.shape[1]).tolist()
    if outputs.shape[1] == 2:
        areas = [_one_area(log_odds[:, 1] - log_odds[:, 0], labels == 1)] if min(counts) else []
    else:
        known = [k for k, n in enumerate(counts) if 0 < n < len(labels)]
        chances = log_odds.softmax(1) if known else log_odds
        areas = [_one_area(chances[:, k], labels == k) for k in known]
    if not areas:
        return labels.float() * 0 + 0.5
    return (sum(areas[1:], areas[0]) / len(areas)).float()


def _one_area(scores: Tensor, positive: Tensor) -> Tensor:
    """(N,) area plus influence of each row: (share of the other side in order with it - area) / share of its side."""
    _, at = scores.unique(return_inverse=True)
    many, n = int(positive.sum()), len(scores)
    size = int(at.max()) + 1

    def below(side: Tensor, rows: int) -> Tensor:
        counts = at.bincount(side.double(), minlength=size)
        return ((counts.cumsum(0) - counts / 2) / rows)[at]

    ahead, behind = below(~positive, n - many), 1 - below(positive, many)
    area = ahead[positive].mean()
    on_side = ahead.where(positive, behind)
    share = positive.double() * many / n + (~positive).double() * (n - many) / n
    return area + (on_side - area) / share


def _surprise(outputs: Tensor, labels: Tensor) -> Tensor:
    """Minus the cross-entropy in nats, of the probabilities as the model gives them."""
    return outputs.double().log_softmax(1).gather(1, labels.view(-1, 1))[:, 0].float()


def _brier(outputs: Tensor, labels: Tensor) -> Tensor:
    """Minus the sum over classes of (probability - truth)^2; half of it for two classes, as is usual (from 0 to 1)."""
    chances = outputs.double().softmax(1)
    truth = chances.new_zeros(chances.shape).scatter_(1, labels.view(-1, 1), 1.0)
    squares = (chances - truth).square().sum(1)
    return -(squares / 2 if outputs.shape[1] == 2 else squares).float()


def _of_rarest(labels: NDArray[np.int64]) -> float:
    """One row of the rarest class, right instead of wrong, in a mean over classes."""
    counts = _counts(labels)
    return len(labels) / min(counts) / len(counts)


def _f1_of_rarest(labels: NDArray[np.int64]) -> float:
    """One row of the rarest class right, none of which was before: F1 from 0 to 2 / (rows of it + 1)."""
    counts = _counts(labels)
    return 2 * len(labels) / (min(counts) + 1) / len(counts)


def _counts(labels: NDArray[np.int64]) -> list[int]:
    """How many rows the classes have of which there are any."""
    found: dict[int, int] = {}
    for label in labels.tolist():
        found[label] = found.get(label, 0) + 1
    return list(found.values())


# ── numbers ──


def _explained(answers: Tensor, labels: Tensor) -> Tensor:
    """r2 by its influence function: r2_i + (1 - r2) ((y_i - mean y)^2 / V - 1), r2_i = 1 - e_i^2 / V, V = var(y).

    The mean is r2; the second term is what the row does to the denominator V, without which the spread over rows is not
    that of r2: V is known from these rows only.
    """
    deviations = (labels - labels.mean()).square()
    variance = deviations.mean().clamp_min(1e-12)
    explained = 1 - (answers - labels).square() / variance
    return (explained + (1 - explained.mean()) * (deviations - deviations.mean()) / variance).float()


def _root_error(answers: Tensor, labels: Tensor) -> Tensor:
    """Minus the root of the mean squared error; a row's influence on it is (e_i^2 - mean) / (2 root)."""
    squares = (answers.double() - labels.double()).square()
    root = squares.mean().sqrt()
    return -(root + (squares - squares.mean()) / (2 * root.clamp_min(1e-300))).float()


def _distance(answers: Tensor, labels: Tensor) -> Tensor:
    """Minus the absolute error."""
    return -(answers.double() - labels.double()).abs().float()


ACCURACY = Metric("accuracy", _right, True, share=True, unit=1.0)
R2 = Metric(
    "r2", _explained, False, means="1 is perfect, 0 no better than always answering the mean, below 0 worse than that"
)
RMSE, MAE = (
    Metric(
        "rmse",
        _root_error,
        False,
        error=True,
        means="root of the mean squared error, in the unit of the target; large errors count most",
    ),
    Metric("mae", _distance, False, error=True, means="mean absolute error, in the unit of the target"),
)
METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            ACCURACY,
            Metric(
                "balanced-accuracy",
                _recall,
                True,
                share=True,
                step=_of_rarest,
                means="recall, a mean over classes, so that rare ones count as much as others",
            ),
            Metric(
                "macro-f1",
                _f1,
                True,
                step=_f1_of_rarest,
                means="the harmonic mean of recall and precision, a mean over classes, so that rare ones count",
            ),
            Metric(
                "auc",
                _area,
                True,
                step=_of_rarest,
                means="the chance that a row of a class is ranked above one of another; half is a coin",
            ),
            Metric(
                "log-loss",
                _surprise,
                True,
                error=True,
                means="how surprised the model is by the true class, in nats; 0 is certain and right",
            ),
            Metric(
                "brier", _brier, True, error=True, means="squared error of the probabilities; 0 is certain and right"
            ),
            R2,
            RMSE,
            MAE,
        )
    }
)


def usual(classes: int) -> Metric:
    """The metric of a classification, or of a regression where there are no classes."""
    return ACCURACY if classes else R2


def chosen(name: str, classes: int, where: str) -> Metric:
    """The metric of that name, for so many classes (0 for a regression); the usual one for the empty name.

    Raises:
        UsageError: there is none of that name, or it is not for this kind of target; names those that are.
    """
    if not name:
        return usual(classes)
    metric = METRICS.get(name)
    if metric is not None and metric.classes == bool(classes):
        return metric
    suited = ", ".join(m.name for m in METRICS.values() if m.classes == bool(classes))
    target = f"the target of {where} is {'classes' if classes else 'a number'}"
    problem = "there is no metric" if metric is None else "no metric for this target:"
    raise UsageError(f"--metric: {problem} {name!r}; {target}, for which there are {suited}")
