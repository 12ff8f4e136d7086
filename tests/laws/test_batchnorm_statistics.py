"""The measured statistics are the exact moments, however the data is cut."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from gapless.batchnorm import GhostBatchNorm, SplitBatchNorm, drift, dropout_shift, reestimate


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def cut(x: Tensor, sizes: list[int]) -> list[Tensor]:
    """Batches of the given sizes, over and over, until the rows are used up; none of a single row."""
    batches: list[Tensor] = []
    while len(x):
        for size in sizes:
            batches, x = [*batches, x[:size]], x[size:]
    batches = [b for b in batches if len(b)]
    return batches if len(batches[-1]) > 1 else [*batches[:-2], torch.cat(batches[-2:])]


def inputs(model: nn.Module, norm: nn.Module, x: Tensor) -> Tensor:
    """What `norm` receives for all of x at once in eval mode, channels first."""
    seen: list[Tensor] = []
    handle = norm.register_forward_pre_hook(lambda m, args: seen.append(args[0]))
    with torch.no_grad():
        model.eval()(x)
    handle.remove()
    return seen[0].double().transpose(0, 1).flatten(1)


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Dropout(0.5),
        nn.Conv2d(5, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(36, 6), nn.BatchNorm1d(6),
    )  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(2, 40), min_size=1, max_size=4), offset=st.floats(-1000, 1000))
def test_running_statistics_are_the_moments_of_a_whole_pass(sizes: list[int], offset: float) -> None:
    model = nn.Sequential(nn.BatchNorm2d(2))
    x = 3 * noise(50, 2, 3, 3) + offset
    reestimate(model, cut(x, sizes))
    values = x.double().transpose(0, 1).flatten(1)
    torch.testing.assert_close(model[0].running_mean.double(), values.mean(1), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(model[0].running_var.double(), values.var(1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("sizes", [[64], [16], [7, 30]])
def test_layerwise_every_depth_is_exact_in_eval_mode(sizes: list[int]) -> None:
    model, x = net(), 2 * noise(64, 2, 7, 7) + 1
    for _ in range(3):
        model.train()(3 * x)  # statistics from elsewhere
    reestimate(model, cut(x, sizes), layerwise=True)
    for norm in (model[1], model[5], model[9]):
        values = inputs(model, norm, x)
        torch.testing.assert_close(norm.running_mean.double(), values.mean(1), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(norm.running_var.double(), values.var(1), rtol=1e-5, atol=1e-5)
    for found in drift(model, cut(x, [10])):
        assert found.mean_shift < 1e-5 and abs(found.var_ratio - 1) < 1e-4


def test_one_pass_equals_layerwise_on_one_batch_but_for_the_correction() -> None:
    one, layerwise, x = net(), net(), noise(64, 2, 7, 7)
    reestimate(one, [x])
    reestimate(layerwise, [x], layerwise=True)
    for a, b in ((one[1], layerwise[1]), (one[5], layerwise[5]), (one[9], layerwise[9])):
        torch.testing.assert_close(a.running_mean, b.running_mean, rtol=1e-2, atol=1e-2)
        torch.testing.assert_close(a.running_var, b.running_var, rtol=1e-2, atol=1e-2)


@settings(max_examples=25, deadline=None)
@given(shift=st.floats(-5, 5), stretch=st.floats(0.2, 5))
def test_drift_is_the_planted_shift(shift: float, stretch: float) -> None:
    x = noise(400, 3)
    model = nn.Sequential(nn.BatchNorm1d(3, eps=1e-12))
    reestimate(model, [x])
    std = x.std(0)
    moved = (x - x.mean(0)) * stretch + x.mean(0) + shift * std
    (found,) = drift(model, list(moved.split(50)))
    assert found.path == "0" and found.values == 400
    assert found.mean_shift == pytest.approx(abs(shift), abs=1e-3)
    assert found.var_ratio == pytest.approx(stretch**2, rel=1e-3)


@pytest.mark.parametrize("size", [4, 16, 64])
def test_batch_noise_of_independent_values_is_one_over_root_m(size: int) -> None:
    x = noise(4096, 8, seed=3)
    model = nn.Sequential(nn.BatchNorm1d(8))
    (found,) = drift(model, list(x.split(size)))
    assert found.batch_noise == pytest.approx(size**-0.5, rel=0.1)


@pytest.mark.parametrize("p", [0.2, 0.5, 0.8])
def test_dropout_shift_is_the_closed_form(p: float) -> None:
    """y = x m / (1-p): E[y] = E[x] and E[y^2] = E[x^2] / (1-p), so Var(x) / Var(y) is known per channel."""
    x = noise(20_000, 6).relu() + torch.arange(6) / 4
    model = nn.Sequential(nn.Dropout(p), nn.BatchNorm1d(6, eps=1e-12))
    (found,) = dropout_shift(model, list(x.split(1000)))
    mean, square = x.double().mean(0), x.double().square().mean(0)
    expected = (square - mean**2) / (square / (1 - p) - mean**2)
    assert found.ratio == pytest.approx(float(expected.log().mean().exp()), rel=0.03)
    assert found.lowest == pytest.approx(float(expected.min()), rel=0.05)
    assert found.highest == pytest.approx(float(expected.max()), rel=0.05)


def test_ghost_and_split_are_renewed_by_the_whole_batch_and_their_own_part() -> None:
    x = 2 * noise(40, 3) + 1
    for norm in (GhostBatchNorm(3, ghost_size=4), SplitBatchNorm(3)):
        auxiliary = {k: v.clone() for k, v in norm.state_dict().items() if k.startswith("auxiliary")}
        reestimate(nn.Sequential(norm), list(x.split(8)))
        torch.testing.assert_close(norm.running_mean, x.mean(0))
        torch.testing.assert_close(norm.running_var, x.var(0))
        assert all(torch.equal(norm.state_dict()[k], v) for k, v in auxiliary.items())
