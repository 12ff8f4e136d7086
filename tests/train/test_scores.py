"""Scores against scikit-learn, and the state in which they leave the model."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss, r2_score, root_mean_squared_error
from small_tasks import Drops, pictures, table
from torch import Tensor, nn

from gapless.data import Rows, Task
from gapless.metrics import METRICS
from gapless.recipe import Recipe, preset
from gapless.train.batches import Feed, Scale
from gapless.train.loop import Diverged, Plan, Trainer, build
from gapless.train.scores import score

CPU = torch.device("cpu")


def feed_of(task: Task, rows: Rows | None = None) -> Feed:
    scale = Scale.of(task.develop, len(task.classes), np.arange(len(task.develop)))
    return Feed(rows or task.develop, scale, len(task.classes), CPU)


class Fixed(nn.Module):
    """The same outputs for every batch of all rows, or for the rows asked for one by one."""

    def __init__(self, outputs: Tensor):
        super().__init__()
        self.outputs = outputs
        self.at = 0

    def forward(self, x: Tensor) -> Tensor:
        self.at += len(x)
        return self.outputs[self.at - len(x) : self.at]


@pytest.mark.parametrize("batch", [512, 7])
def test_accuracy_as_scikit_learn_has_it(batch: int) -> None:
    task = pictures(100)
    outputs = torch.randn(100, 10, generator=torch.Generator().manual_seed(0))
    outputs[torch.arange(100), torch.from_numpy(task.develop.y)] += 1.5
    found = score(Fixed(outputs), feed_of(task), batch=batch)
    assert found.mean == pytest.approx(accuracy_score(task.develop.y, outputs.argmax(1)))
    assert 0.2 < found.mean < 0.9
    assert found.each.tolist() == (outputs.argmax(1).numpy() == task.develop.y).astype(float).tolist()


def test_loss_is_the_cross_entropy_at_its_best_temperature() -> None:
    """Outputs that are four times too sure: the loss is that of a quarter of them, as scikit-learn has it."""
    task = pictures(300)
    rng = torch.Generator().manual_seed(1)
    odds = torch.randn(300, 10, generator=rng)
    odds[torch.arange(300), torch.from_numpy(task.develop.y)] += 1.0
    temperatures = 2 ** np.arange(-3, 3.25, 0.25)
    best = min(log_loss(task.develop.y, (odds * 4 * t).double().softmax(1).numpy()) for t in temperatures)
    assert score(Fixed(odds * 4), feed_of(task)).loss == pytest.approx(best, rel=1e-4)
    assert score(Fixed(odds), feed_of(task)).loss == pytest.approx(best, rel=1e-4)  # sureness makes no difference


def test_r2_as_scikit_learn_has_it() -> None:
    """1 - squared error / variance of the target on the rows that are scored, not on those trained on."""
    task = table(outputs=0)
    assert task.confirm is not None
    shifted = Rows(task.confirm.x, task.confirm.y.astype(np.float32) * np.float32(1.7) + np.float32(3))
    feed = feed_of(task, shifted)
    guess = torch.from_numpy(shifted.y) + 6 * torch.randn(len(shifted), generator=torch.Generator().manual_seed(0))
    mean, sd = Scale.of(task.develop, 0, np.arange(len(task.develop))).target
    found = score(Fixed(((guess - mean) / sd)[:, None]), feed)
    assert found.mean == pytest.approx(r2_score(shifted.y, guess), abs=1e-5)
    assert 0.3 < found.mean < 0.99
    assert found.each.mean() == pytest.approx(found.mean, abs=1e-6)
    assert found.loss == pytest.approx(float(np.mean((guess.numpy() - shifted.y) ** 2)) / sd**2, rel=1e-4)


def test_errors_are_in_the_unit_of_the_target() -> None:
    task = table(outputs=0)
    mean, sd = Scale.of(task.develop, 0, np.arange(len(task.develop))).target
    guess = torch.randn(len(task.develop), generator=torch.Generator().manual_seed(0))
    found = score(Fixed(guess[:, None]), feed_of(task), metric=METRICS["rmse"])
    assert -found.mean == pytest.approx(root_mean_squared_error(task.develop.y, guess * sd + mean), rel=1e-5)
    np.testing.assert_allclose(found.answers, guess * sd + mean, rtol=1e-5)


def test_another_metric_has_the_same_loss_and_answers() -> None:
    task = pictures(100)
    outputs = torch.randn(100, 10, generator=torch.Generator().manual_seed(0))
    one, other = (score(Fixed(outputs), feed_of(task), metric=METRICS[m]) for m in ("accuracy", "log-loss"))
    assert one.loss == other.loss
    assert one.answers.tolist() == other.answers.tolist() == outputs.argmax(1).tolist()
    assert -other.mean == pytest.approx(
        log_loss(task.develop.y, outputs.double().softmax(1), labels=range(10)), rel=1e-4
    )


def test_r2_of_the_mean_is_zero_and_worse_is_negative() -> None:
    task = table(outputs=0)
    assert score(Fixed(torch.zeros(90, 1)), feed_of(task)).mean == pytest.approx(0, abs=1e-6)
    assert score(Fixed(torch.full((90, 1), 2.0)), feed_of(task)).mean == pytest.approx(-4, abs=1e-4)


def test_some_rows() -> None:
    task = pictures(60)
    feed, model, rows = feed_of(task), build(task, 0), np.array([5, 3, 58])
    every, some = score(model, feed), score(model, feed, rows)
    assert some.each.tolist() == every.each[rows].tolist()


@pytest.mark.parametrize("batch", [1, 13, 512])
def test_scores_do_not_depend_on_the_batch(batch: int) -> None:
    """Eval mode: batch norm uses its running statistics, dropout drops nothing."""
    task = replace(pictures(60), model=Drops)
    t = Trainer(task, np.arange(60), preset("image", "strong"), 0.01, 0, Plan(2, 16), task.develop)
    t.run_to(1)
    once, again = (score(t.model, t.feed, batch=b) for b in (60, batch))
    assert once.each.tolist() == again.each.tolist()
    assert once.loss == pytest.approx(again.loss, rel=1e-4)


def test_scoring_leaves_no_trace() -> None:
    model = Drops()
    model.norm.eval()  # a user's frozen layer in a model that trains
    before = {k: v.clone() for k, v in model.state_dict().items()}
    modes = [m.training for m in model.modules()]
    random = torch.get_rng_state()
    score(model, feed_of(pictures(60)))
    assert [m.training for m in model.modules()] == modes
    assert set(modes) == {True, False}
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert all(p.grad is None for p in model.parameters())


class Raises(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise RuntimeError("no")


def test_modes_come_back_even_when_the_model_raises() -> None:
    model = Raises()
    with pytest.raises(RuntimeError, match="no"):
        score(model, feed_of(pictures(60)))
    assert model.training


@pytest.mark.parametrize("worst", [float("nan"), float("inf"), 3e38])
@pytest.mark.parametrize("kind", ["classes", "regression"])
def test_scores_are_numbers_or_there_are_none(worst: float, kind: str) -> None:
    """A training may end with a finite loss and weights that overflow on other rows."""
    task = pictures(60) if kind == "classes" else table(60, outputs=0)
    outputs = torch.zeros(60, task.outputs)
    outputs[3, 0] = worst
    if kind == "classes" and worst == 3e38:  # certain and wrong, but a number: the best temperature copes
        assert np.isfinite(score(Fixed(outputs), feed_of(task)).loss)
        return
    with pytest.raises(Diverged, match=r"the model gives NaN or numbers without bound: its loss is (nan|inf)"):
        score(Fixed(outputs), feed_of(task))


def test_empty_recipe_scores_like_the_model_itself() -> None:
    task = pictures(60)
    t = Trainer(task, np.arange(60), Recipe(), 0.01, 4, Plan(2, 16), task.develop)
    with torch.no_grad():
        x = torch.from_numpy(task.develop.x).permute(0, 3, 1, 2).float() / 255
        x = (x - x.mean((0, 2, 3), keepdim=True)) / x.std((0, 2, 3), correction=0, keepdim=True)
        direct = t.model(x).argmax(1).numpy() == task.develop.y
    assert score(t.judged, t.feed).each.tolist() == direct.astype(float).tolist()
