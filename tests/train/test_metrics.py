"""Every metric against scikit-learn, and the spread of its rows against the jackknife's."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as theirs
from torch import Tensor

from gapless.errors import UsageError
from gapless.metrics import METRICS, chosen

Score = Callable[[Tensor, Tensor], float]


def odds(rows: int, classes: int, seed: int, skill: float = 1.0) -> tuple[Tensor, Tensor]:
    """Outputs and labels of which the later classes are rare, every one there twice."""
    rng = torch.Generator().manual_seed(seed)
    shares = torch.tensor([2.0**-k for k in range(classes)])
    labels = torch.multinomial(shares, rows, replacement=True, generator=rng)
    labels[: 2 * classes] = torch.arange(classes).repeat(2)
    outputs = torch.randn(rows, classes, generator=rng)
    outputs[torch.arange(rows), labels] += skill
    return outputs, labels


def numbers(rows: int, seed: int) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    labels = 40 + 7 * torch.randn(rows, generator=rng)
    return labels + 5 * torch.randn(rows, generator=rng), labels


def area(outputs: Tensor, labels: Tensor) -> float:
    chances = outputs.double().softmax(1).numpy()
    if outputs.shape[1] == 2:
        return float(theirs.roc_auc_score(labels, chances[:, 1]))
    return float(theirs.roc_auc_score(labels, chances, multi_class="ovr", labels=range(outputs.shape[1])))


def brier(outputs: Tensor, labels: Tensor) -> float:
    chances = outputs.double().softmax(1).numpy()
    if outputs.shape[1] == 2:
        return float(theirs.brier_score_loss(labels, chances[:, 1]))
    return float(((chances - np.eye(outputs.shape[1])[labels]) ** 2).sum(1).mean())


THEIRS: dict[str, Score] = {
    "accuracy": lambda o, y: theirs.accuracy_score(y, o.argmax(1)),
    "balanced-accuracy": lambda o, y: theirs.balanced_accuracy_score(y, o.argmax(1)),
    "macro-f1": lambda o, y: theirs.f1_score(y, o.argmax(1), average="macro"),
    "auc": area,
    "log-loss": lambda o, y: theirs.log_loss(y, o.double().softmax(1), labels=range(o.shape[1])),
    "brier": brier,
    "r2": lambda o, y: theirs.r2_score(y, o),
    "rmse": lambda o, y: theirs.root_mean_squared_error(y, o),
    "mae": lambda o, y: theirs.mean_absolute_error(y, o),
}
CLASSES = [name for name, metric in METRICS.items() if metric.classes]


def drawn(name: str, rows: int, classes: int, seed: int, skill: float = 1.0) -> tuple[Tensor, Tensor]:
    return odds(rows, classes, seed, skill) if METRICS[name].classes else numbers(rows, seed)


def test_every_metric_is_held_against_another() -> None:
    assert set(THEIRS) == set(METRICS)


@pytest.mark.parametrize("name", METRICS)
@settings(deadline=None, max_examples=10)
@given(rows=st.integers(10, 60), classes=st.integers(2, 5), seed=st.integers(0, 999))
def test_the_mean_over_rows_is_the_metric(name: str, rows: int, classes: int, seed: int) -> None:
    outputs, labels = drawn(name, rows, classes, seed)
    metric = METRICS[name]
    each = metric.rows(outputs, labels)
    assert each.dtype == torch.float32 and each.shape == labels.shape
    assert metric.sign * float(each.double().mean()) == pytest.approx(THEIRS[name](outputs, labels), abs=2e-5, rel=1e-4)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("classes", [2, 3])
def test_rows_spread_as_the_metric_does(name: str, classes: int) -> None:
    """The standard error from the rows is the jackknife's, which knows the metric as a whole only."""
    outputs, labels = drawn(name, 300, classes, 1)
    left_out = [THEIRS[name](outputs[keep], labels[keep]) for keep in ~torch.eye(300, dtype=torch.bool)]
    jackknife = float(np.sqrt(299 / 300 * np.square(left_out - np.mean(left_out)).sum()))
    assert float(METRICS[name].rows(outputs, labels).std() / 300**0.5) == pytest.approx(jackknife, rel=0.05)


@pytest.mark.parametrize("name", METRICS)
def test_a_better_model_scores_higher(name: str) -> None:
    """Whatever people want of the metric, within gapless more is better."""
    metric = METRICS[name]
    if metric.classes:
        (bad, labels), (good, same) = odds(200, 3, 2, 0.5), odds(200, 3, 2, 2.5)
        assert torch.equal(labels, same)
    else:
        bad, labels = numbers(200, 2)
        good = labels + (bad - labels) / 4
    assert metric.rows(good, labels).mean() > metric.rows(bad, labels).mean() + 0.01


def test_ties_count_half_in_the_area() -> None:
    outputs = torch.tensor([[0.0, 1.0], [0.0, 1.0], [0.0, 0.0], [0.0, 1.0]])
    labels = torch.tensor([1, 0, 0, 1])
    assert float(METRICS["auc"].rows(outputs, labels).mean()) == pytest.approx(area(outputs, labels)) == 0.75


def test_parts_without_some_classes() -> None:
    """A class without rows counts nowhere; where one class is alone nothing can be ranked, and nothing breaks."""
    outputs, labels = odds(40, 4, 3)
    labels = labels.clamp(max=1)
    here = theirs.roc_auc_score(labels == 1, outputs.double().softmax(1)[:, 1])
    there = theirs.roc_auc_score(labels == 0, outputs.double().softmax(1)[:, 0])
    assert float(METRICS["auc"].rows(outputs, labels).mean()) == pytest.approx((here + there) / 2, abs=1e-6)
    recalls = [float((outputs.argmax(1) == labels)[labels == k].float().mean()) for k in (0, 1)]
    assert float(METRICS["balanced-accuracy"].rows(outputs, labels).mean()) == pytest.approx(np.mean(recalls))
    alone = torch.zeros(40, dtype=torch.int64)
    assert METRICS["auc"].rows(outputs, alone).tolist() == [0.5] * 40
    for name in CLASSES:
        assert bool(METRICS[name].rows(outputs, alone).isfinite().all())


@pytest.mark.parametrize("name", ["rmse", "mae"])
def test_an_error_is_in_the_unit_of_the_target(name: str) -> None:
    answers, labels = numbers(50, 4)
    once, scaled = (METRICS[name].rows(answers * k, labels * k).mean() for k in (1, 1000))
    assert float(scaled) == pytest.approx(1000 * float(once), rel=1e-5)
    assert METRICS[name].rows(labels, labels).tolist() == [0.0] * 50


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.step])
def test_the_largest_step_is_that_of_a_row_of_the_rarest_class(name: str) -> None:
    """Two models that differ on one row of the rarest class only differ by what the step says, over N."""
    labels = torch.tensor([0] * 90 + [1] * 10)
    never = torch.tensor([[1.0, 0.0]]).repeat(100, 1)
    once = never.clone()
    once[95] = torch.tensor([0.0, 1.0])
    metric = METRICS[name]
    assert metric.step is not None
    gained = float((metric.rows(once, labels) - metric.rows(never, labels)).mean()) * 100
    assert gained == pytest.approx(metric.step(labels.numpy()), rel=0.05)


def test_what_does_not_suit_is_refused_by_name() -> None:
    assert chosen("", 3, "digits").name == "accuracy" and chosen("", 0, "prices").name == "r2"
    assert chosen("auc", 2, "digits").name == "auc"
    with pytest.raises(
        UsageError, match=r"no metric for this target: 'auc'; .*prices is a number.* are r2, rmse, mae$"
    ):
        chosen("auc", 0, "prices")
    with pytest.raises(
        UsageError, match=r"no metric for this target: 'r2'; .* classes, .* accuracy, balanced-accuracy"
    ):
        chosen("r2", 3, "digits")
    with pytest.raises(UsageError, match="there is no metric 'f1'"):
        chosen("f1", 3, "digits")
