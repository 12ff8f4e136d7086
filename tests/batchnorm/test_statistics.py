"""Statistics on real data, and what the measurements must not disturb."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from gapless.batchnorm import FrozenBatchNorm, adapt, drift, dropout_shift, freeze, insert, reestimate

Digits = tuple[Tensor, Tensor, Tensor, Tensor]


@pytest.fixture(scope="module")
def digits() -> Digits:
    pixels, labels = load_digits(return_X_y=True)
    x, y = torch.tensor(pixels / 16, dtype=torch.float32), torch.tensor(labels)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    x, y = x[order], y[order]
    return x[:1200], y[:1200], x[1200:], y[1200:]


def train(model: nn.Module, x: Tensor, y: Tensor, epochs: int = 8) -> nn.Module:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    generator = torch.Generator().manual_seed(0)
    model.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=generator).split(100):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
    return model


def accuracy(model: nn.Module, x: Tensor, y: Tensor) -> float:
    with torch.no_grad():
        return float((model.eval()(x).argmax(1) == y).float().mean())


def everything(model: nn.Module) -> dict[str, object]:
    state: dict[str, object] = {k: v.clone() for k, v in model.state_dict().items()}
    for path, module in model.named_modules():
        state[f"{path}|"] = (module.training, list(vars(module)["_forward_hooks"]))
    state["random"] = torch.get_rng_state()
    return state


def same(a: dict[str, object], b: dict[str, object]) -> bool:
    return all(
        torch.equal(v, w) if isinstance(v, Tensor) else v == w for v, w in zip(a.values(), b.values(), strict=True)
    )


def mlp(*, dropout_before: bool = True) -> nn.Sequential:
    torch.manual_seed(0)

    def block(inputs: int) -> list[nn.Module]:
        norm, dropout = nn.BatchNorm1d(64), nn.Dropout(0.5)
        return [nn.Linear(inputs, 64), *([nn.ReLU(), dropout, norm] if dropout_before else [norm, nn.ReLU(), dropout])]

    return nn.Sequential(*block(64), *block(64), nn.Linear(64, 10))


@pytest.mark.parametrize("layerwise", [False, True])
def test_adapting_recovers_what_a_change_of_contrast_costs(digits: Digits, layerwise: bool) -> None:
    x, y, unseen, labels = digits
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    insert(model)
    train(model, x, y)
    shifted = unseen * 0.3 + 0.6
    source, lost = accuracy(model, unseen, labels), accuracy(model, shifted, labels)
    assert source > 0.95 and lost < source - 0.2, "the shift costs nothing: this test has no teeth"
    before = everything(model)
    adapted = adapt(model, shifted.split(100), layerwise=layerwise)
    assert accuracy(model, shifted, labels) > lost + 0.8 * (source - lost)
    assert max(d.mean_shift for d in adapted.drifts) > 1
    adapted.undo()
    assert same(before, everything(model))


def test_source_rows_mix_source_and_target() -> None:
    model = nn.Sequential(nn.BatchNorm1d(2)).double()
    source, target = torch.randn(100, 2, dtype=torch.float64), 3 * torch.randn(25, 2, dtype=torch.float64) + 4
    reestimate(model, [source])
    adapt(model, [target], source_rows=75)
    torch.testing.assert_close(model[0].running_mean, 0.75 * source.mean(0) + 0.25 * target.mean(0))
    torch.testing.assert_close(model[0].running_var, 0.75 * source.var(0) + 0.25 * target.var(0))


def test_dropout_before_batch_norm_shifts_and_after_it_hardly(digits: Digits) -> None:
    """Measured elsewhere as running against eval variance: about .30 to .37 before, .75 to 1.0 after."""
    x, y, _, _ = digits
    model = train(mlp(), x, y)
    before = dropout_shift(model, x.split(200))
    after = dropout_shift(train(mlp(dropout_before=False), x, y), x.split(200))
    assert [shift.path for shift in before] == ["3", "7"]
    assert 0.3 < before[0].ratio < 0.5 and 0.2 < before[1].ratio < 0.45
    assert before[0].lowest < before[0].ratio < before[0].highest < 0.7
    assert after[0].ratio == pytest.approx(1, abs=1e-6), "nothing random stands before the first batch norm"
    assert 0.6 < after[1].ratio < 1.0
    running = drift(model, x.split(200))
    assert running[0].var_ratio == pytest.approx(before[0].ratio, rel=0.2)


def test_without_dropout_the_ratio_is_one(digits: Digits) -> None:
    x = digits[0]
    model = nn.Sequential(nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 8), nn.BatchNorm1d(8))
    for shift in dropout_shift(model, [x]):
        assert shift.ratio == pytest.approx(1, abs=1e-2)


def test_reestimating_mends_statistics_that_lag(digits: Digits) -> None:
    x, y, unseen, labels = digits
    model = mlp(dropout_before=False)
    for module in model:
        if isinstance(module, nn.BatchNorm1d):
            module.momentum = 1e-4
    train(model, x, y)
    before = accuracy(model, unseen, labels)
    done = reestimate(model, x.split(100))
    assert accuracy(model, unseen, labels) > 0.93 > before + 0.05
    assert all(d.values == 1200 for d in done.drifts)
    assert all(int(m.num_batches_tracked) == 12 for m in model if isinstance(m, nn.BatchNorm1d))


def test_constant_channels_are_counted_and_left_out() -> None:
    x = torch.randn(400, 3)
    x[:, 1] = 0
    model = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(3))
    (shift,) = dropout_shift(model, [x])
    assert shift.constant == 1 and 0.4 < shift.lowest <= shift.highest < 0.6
    (found,) = drift(model, [x])
    assert found.constant == 1 and found.var_ratio == pytest.approx(1, abs=0.15)
    (nothing,) = drift(model, [torch.zeros(4, 3)])
    assert nothing.constant == 3 and math.isnan(nothing.var_ratio) and nothing.mean_shift == 0


def test_measuring_changes_nothing(digits: Digits) -> None:
    x = digits[0]
    model = mlp()
    parametrizations.spectral_norm(model[0])
    model(x)
    model[3].eval()
    model[2].register_forward_hook(lambda m, a, y: None)
    before = everything(model)
    drift(model, x.split(100))
    dropout_shift(model, x.split(100))
    assert same(before, everything(model))


def test_the_seed_decides_the_masks(digits: Digits) -> None:
    x, model = digits[0], mlp()
    assert dropout_shift(model, [x]) == dropout_shift(model, [x])
    assert dropout_shift(model, [x]) != dropout_shift(model, [x], seed=1)


class Breaking:
    """A loader that fails in its n-th pass."""

    def __init__(self, x: Tensor, fails: int) -> None:
        self.x, self.fails, self.passes = x, fails, 0

    def __iter__(self) -> Iterator[Tensor]:
        self.passes += 1
        yield self.x
        if self.passes == self.fails:
            raise OSError("disk gone")


@pytest.mark.parametrize(("layerwise", "fails"), [(False, 1), (True, 2), (True, 3)])
def test_an_error_half_way_restores_the_statistics(digits: Digits, layerwise: bool, fails: int) -> None:
    x, model = digits[0], mlp()
    model(x)
    before = everything(model)
    with pytest.raises(OSError, match="disk gone"):
        reestimate(model, Breaking(x, fails), layerwise=layerwise)
    assert same(before, everything(model))


def test_frozen_layers_are_left_alone(digits: Digits) -> None:
    x, model = digits[0], mlp()
    model(x)
    freeze(model)
    with pytest.raises(ValueError, match="every batch norm of the model is frozen"):
        reestimate(model, [x])
    before = everything(model)
    assert len(drift(model, [x])) == len(dropout_shift(model, [x])) == 2
    assert same(before, everything(model))


def test_a_frozen_layer_uses_its_own_statistics_while_measured() -> None:
    x = torch.rand(20_000, 4) + 1  # the frozen layer is the identity: all values stay positive and pass the ReLU
    model = nn.Sequential(nn.Dropout(0.2), FrozenBatchNorm(4), nn.ReLU(), nn.BatchNorm1d(4))
    shift = dropout_shift(model, [x])[1]
    mean, square = x.mean(), x.square().mean()
    assert shift.ratio == pytest.approx(float((square - mean**2) / (square / 0.8 - mean**2)), rel=0.05)


def test_layers_that_no_batch_reaches_are_left_out() -> None:
    class Branch(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.BatchNorm1d(2), nn.BatchNorm1d(2)

        def forward(self, x: Tensor) -> Tensor:
            return self.used(x) if not self.training else self.unused(x)

    model, x = Branch(), torch.randn(8, 2)
    assert [d.path for d in reestimate(model, [x]).drifts] == ["used"]
    assert torch.equal(model.unused.running_mean, torch.zeros(2))
    assert dropout_shift(model, [x]) == ()


def test_items_of_any_kind() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(2)

        def forward(self, *, pixels: Tensor) -> Tensor:
            return self.norm(pixels)

    x = torch.randn(8, 2)
    plain = nn.Sequential(nn.BatchNorm1d(2))
    for item in (x, (x, torch.zeros(8)), [x]):
        reestimate(plain, [item])
        torch.testing.assert_close(plain[0].running_mean, x.mean(0))
    named = Named()
    reestimate(named, [{"pixels": x}], feed=lambda model, batch: model(**batch))
    torch.testing.assert_close(named.norm.running_mean, x.mean(0))
    with pytest.raises(ValueError, match="a batch must be a tensor or begin with one, got dict; pass feed="):
        reestimate(named, [{"pixels": x}])


def test_bad_arguments() -> None:
    x, model = torch.randn(8, 2), nn.Sequential(nn.BatchNorm1d(2))
    with pytest.raises(ValueError, match="the model has no batch norm"):
        drift(nn.Linear(2, 2), [x])
    with pytest.raises(ValueError, match="there is no batch to measure"):
        reestimate(model, [])
    with pytest.raises(ValueError, match="0: a batch with one value per channel"):
        reestimate(model, [x[:1]])
    with pytest.raises(ValueError, match="source_rows must be 0 or more, got -1"):
        adapt(model, [x], source_rows=-1)
    with pytest.raises(ValueError, match="layerwise passes over the data once per batch norm: pass a list"):
        reestimate(model, iter([x]), layerwise=True)
    with pytest.raises(ValueError, match="dropout_shift passes over the data twice: pass a list"):
        dropout_shift(model, iter([x]))
    with pytest.raises(ValueError, match=r"without running statistics \(track_running_stats=False\): 0"):
        drift(nn.Sequential(nn.BatchNorm1d(2, track_running_stats=False)), [x])
