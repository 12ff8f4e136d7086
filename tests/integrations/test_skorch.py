"""The callback in skorch's real nets."""

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV
from torch import nn
from torch.nn import functional
from trained_digits import TURNED, WHOLE, digits, network, run_example, same

from gapless import Recipe, UsageError
from gapless.dropout.places import rated
from gapless.recipe import Augment, BatchNorm, Decay, Dropout

skorch = pytest.importorskip("skorch")

from skorch import NeuralNetClassifier, NeuralNetRegressor  # noqa: E402
from skorch.callbacks import Checkpoint, LoadInitState, LRScheduler  # noqa: E402

from gapless.integrations.skorch import Gapless  # noqa: E402


class Digits(nn.Module):
    """As people write theirs; remembers what it was trained on."""

    def __init__(self, shares: bool = False):
        super().__init__()
        self.net, self.shares = network(), shares
        self.trained: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.trained.append(x)
        return self.net(x).softmax(1) if self.shares else self.net(x)


def net(callback: Gapless, *more: Any, **options: Any) -> Any:
    usual: dict[str, Any] = {"module": Digits, "criterion": nn.CrossEntropyLoss, "optimizer": torch.optim.AdamW}
    usual |= {"lr": 0.01, "batch_size": 16, "max_epochs": 2, "verbose": 0, "iterator_train__shuffle": False}
    return NeuralNetClassifier(callbacks=[("gapless", callback), *more], **usual | options)


def some(rows: int = 100) -> tuple[np.ndarray, np.ndarray]:
    x, y = digits()
    return x[:rows].numpy(), y[:rows].numpy()


def test_each_pillar_is_on_while_it_trains(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(WHOLE.to_toml())
    cosine = ("rates", LRScheduler("CosineAnnealingLR", T_max=4))
    for callbacks in ([cosine], []):
        made = net(Gapless(str(tmp_path / "recipe.toml"), classes=10), *callbacks).fit(*some())
        module = made.module_
        assert [place.rate for place in rated(module)] == [0.2, 0.2]
        weights = {id(m.weight) for m in module.modules() if isinstance(m, nn.Conv2d | nn.Linear)}
        group, spared = made.optimizer_.param_groups
        assert {id(p) for p in group["params"]} == weights
        assert (group["weight_decay"], spared["weight_decay"]) == (0.05, 0)
        everything = {id(p) for p in module.parameters()}
        assert everything == weights | {id(p) for p in spared["params"]}, "inserted batch norm learns too"
        assert group["lr"] == spared["lr"]
        assert not any(torch.equal(seen[:1], digits()[0][:1]) for seen in module.trained)
        assert made.history[-1, "gap_low"] <= made.history[-1, "gap"] <= made.history[-1, "gap_high"]


def test_a_scheduler_that_came_first_goes_on_for_both_groups() -> None:
    made = net(Gapless(None), ("rates", LRScheduler("StepLR", step_size=1, gamma=0.1)), max_epochs=3)
    made.set_params(callbacks=[made.callbacks[1], ("gapless", Gapless(WHOLE, classes=10))])
    made.fit(*some())
    assert [group["lr"] for group in made.optimizer_.param_groups] == [pytest.approx(1e-5)] * 2


@pytest.mark.parametrize("shares", [False, True])
def test_soft_labels_in_both_usual_losses(shares: bool) -> None:
    recipe = Recipe(augment=Augment(label_smoothing=0.2))
    options = {"criterion": nn.NLLLoss if shares else nn.CrossEntropyLoss, "module__shares": shares, "max_epochs": 1}
    made = net(Gapless(recipe, classes=10, rows=0), train_split=None, lr=0.0, **options).fit(*some(48))
    x, y = (torch.from_numpy(a) for a in some(48))
    expected = functional.cross_entropy(network()(x), y, label_smoothing=0.2).detach()
    assert made.history[-1, "train_loss"] == pytest.approx(float(expected), abs=1e-5)
    with pytest.raises(UsageError, match="CrossEntropyLoss"):
        weighted = {"criterion": nn.NLLLoss, "criterion__weight": torch.ones(10)}
        net(Gapless(recipe, classes=10), module__shares=True, **weighted).fit(*some(48))


def test_watching_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(3)
    plain = net(Gapless(None, rows=0), iterator_train__shuffle=True).fit(*some())
    torch.manual_seed(3)
    watched = net(Gapless.watch(), iterator_train__shuffle=True, verbose=1).fit(*some())
    assert same(plain.module_, watched.module_)
    assert "To try:" in capsys.readouterr().out or watched.history[-1, "gap_low"] <= 0


def test_resuming_is_as_if_nothing_had_happened(tmp_path: Path) -> None:
    """Without dropout, whose masks are drawn from torch's generator: skorch does not save its state."""
    recipe = WHOLE.without("dropout")
    through = net(Gapless(recipe, classes=10), max_epochs=4).fit(*some())
    saving = Checkpoint(dirname=str(tmp_path), monitor=None)
    net(Gapless(recipe, classes=10), saving, max_epochs=2).fit(*some())
    torch.manual_seed(9)
    resumed = net(Gapless(recipe, classes=10), LoadInitState(saving), max_epochs=2).fit(*some())
    assert len(resumed.history) == 4
    assert same(through.module_, resumed.module_)


def test_a_grid_over_recipes() -> None:
    recipes = [Recipe(), Recipe(decay=Decay(strength=0.1))]
    made = net(Gapless(Recipe()), train_split=None)
    search = GridSearchCV(made, {"callbacks__gapless__recipe": recipes}, cv=2, refit=True, error_score="raise")
    search.fit(*some(64))
    assert len(search.cv_results_["mean_test_score"]) == 2
    best = search.best_params_["callbacks__gapless__recipe"]
    assert search.best_estimator_.optimizer_.param_groups[0]["weight_decay"] == best.decay.strength


def test_folding_and_fitting_again() -> None:
    recipe = Recipe(dropout=Dropout(hidden=0.2), batchnorm=BatchNorm(insert=True))
    made = net(Gapless(recipe, at_end="fold")).fit(*some())
    assert made.module_.state_dict().keys() == Digits().state_dict().keys()
    made.fit(*some())
    assert made.module_.state_dict().keys() == Digits().state_dict().keys()


def test_a_pickled_net_goes_on() -> None:
    made = net(Gapless(WHOLE, classes=10)).fit(*some())
    again = pickle.loads(pickle.dumps(made))
    assert np.array_equal(made.predict_proba(some()[0]), again.predict_proba(some()[0]))
    again.partial_fit(*some())
    assert sum(isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) for m in again.module_.modules()) == 2
    assert len(again.history) == 4


def test_the_recipes_own_optimizer() -> None:
    recipe = WHOLE.without("augment")
    made = net(Gapless(recipe), optimizer=recipe.optimizer, optimizer__kind="sgd").fit(*some())
    assert {group["weight_decay"] for group in made.optimizer_.param_groups} == {0.05, 0}
    held = {id(p) for group in made.optimizer_.param_groups for p in group["params"]}
    assert held == {id(p) for p in made.module_.parameters()}


def test_a_regression() -> None:
    x, y = digits()
    flat, target = x[:64].flatten(1).numpy(), y[:64].float().view(-1, 1).numpy()
    recipe = Recipe(decay=Decay(strength=0.1), augment=Augment(noise=0.1, mixup=0.2))
    made = NeuralNetRegressor(
        nn.Linear, module__in_features=64, module__out_features=1, max_epochs=2, verbose=0, callbacks=[Gapless(recipe)]
    ).fit(flat, target)
    assert np.isfinite(made.history[-1, "gap"])


def test_training_goes_on_where_it_stopped_without_a_second_attachment() -> None:
    made = net(Gapless(Recipe(dropout=Dropout(hidden=0.2), augment=TURNED))).fit(*some())
    made.partial_fit(*some())
    assert [place.rate for place in rated(made.module_)] == [0.2, 0.2]
    assert not {"train_step_single", "get_loss"} & set(vars(made))


def test_the_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run_example(monkeypatch, tmp_path, "in_skorch.py", 2)
    assert re.findall(r"^(\w+): [\d.]+% of new pictures right$", capsys.readouterr().out, re.M) == ["plain", "shapes"]
