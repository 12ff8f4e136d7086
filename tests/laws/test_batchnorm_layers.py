"""Mathematics of the batch norm layers."""

from __future__ import annotations

import copy

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from gapless.batchnorm import BatchRenorm, GhostBatchNorm, SplitBatchNorm, insert


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@settings(max_examples=60, deadline=None)
@given(rows=st.integers(2, 40), ghost_size=st.integers(2, 12), seed=st.integers(0, 1000))
def test_ghost_is_batch_norm_part_by_part(rows: int, ghost_size: int, seed: int) -> None:
    """Consecutive parts of sizes that differ by one at most, none above ghost_size; each is a batch of its own."""
    groups = -(-rows // ghost_size)
    x = noise(rows, 3, 4, seed=seed)
    parts = list(x.tensor_split(groups))
    assert max(map(len, parts)) <= ghost_size and max(map(len, parts)) - min(map(len, parts)) <= 1
    ghost, plain = GhostBatchNorm(3, ghost_size=ghost_size).double(), nn.BatchNorm1d(3).double()
    torch.testing.assert_close(ghost(x), torch.cat([plain(part) for part in parts]))


@settings(max_examples=60, deadline=None)
@given(
    step=st.integers(0, 30),
    mean=st.floats(-20, 20),
    var=st.floats(0.01, 100),
    r_max=st.floats(1, 4),
    d_max=st.floats(0, 6),
    seed=st.integers(0, 1000),
)
def test_renorm_is_the_papers_formula(
    step: int, mean: float, var: float, r_max: float, d_max: float, seed: int
) -> None:
    norm = BatchRenorm(3, r_max=r_max, d_max=d_max, start=5, r_end=20, d_end=10).double()
    with torch.no_grad():
        norm.weight.copy_(noise(3, seed=seed + 1))
        norm.bias.copy_(noise(3, seed=seed + 2))
    norm.running_mean.fill_(mean)
    norm.running_var.fill_(var)
    norm.num_batches_tracked.fill_(step)
    x = 3 * noise(8, 3, 4, seed=seed) + 2
    r_limit = 1 + (r_max - 1) * min(max((step - 4) / 16, 0), 1)
    d_limit = d_max * min(max((step - 4) / 6, 0), 1)
    batch_mean, batch_sigma = x.mean((0, 2)), (x.var((0, 2), correction=0) + 1e-5).sqrt()
    sigma = (var + 1e-5) ** 0.5
    r = (batch_sigma / sigma).clamp(1 / r_limit, r_limit)
    d = ((batch_mean - mean) / sigma).clamp(-d_limit, d_limit)

    def over_channels(v: Tensor) -> Tensor:
        return v.reshape(1, 3, 1)

    hat = (x - over_channels(batch_mean)) / over_channels(batch_sigma) * over_channels(r) + over_channels(d)
    expected = over_channels(norm.weight) * hat + over_channels(norm.bias)
    torch.testing.assert_close(norm(x), expected, rtol=1e-5, atol=1e-5)


def test_wide_limits_make_renorm_train_as_it_evaluates() -> None:
    norm = BatchRenorm(3, r_max=1e6, d_max=1e6, start=0, r_end=0, d_end=0).double()
    norm.running_mean.copy_(torch.tensor([0.5, -1, 2]))
    norm.running_var.copy_(torch.tensor([0.5, 2, 3]))
    x = noise(16, 3)
    torch.testing.assert_close(copy.deepcopy(norm)(x), copy.deepcopy(norm).eval()(x))


def test_renorms_gradient_treats_r_and_d_as_constants() -> None:
    norm = BatchRenorm(3, r_max=3, d_max=5, start=0, r_end=0, d_end=0).double()
    norm.running_mean.copy_(torch.tensor([0.2, -0.1, 0.4]))
    norm.running_var.copy_(torch.tensor([0.7, 1.2, 2.0]))
    x, weight = noise(16, 3), noise(16, 3, seed=9)
    r = (x.var(0, correction=0) + 1e-5).sqrt() / (norm.running_var + 1e-5).sqrt()
    assert ((r > 1 / 3) & (r < 3)).all(), "a clipped r would prove nothing"
    got, expected = x.clone().requires_grad_(), x.clone().requires_grad_()
    (norm(got) * weight).sum().backward()
    (nn.BatchNorm1d(3).double()(expected) * r * weight).sum().backward()
    torch.testing.assert_close(got.grad, expected.grad)


def test_split_keeps_the_distributions_apart() -> None:
    norm = SplitBatchNorm(3, splits=2, momentum=1.0).double()
    clean, shifted = noise(32, 3), 5 * noise(32, 3, seed=1) + 10
    y = norm(torch.cat([clean, shifted]))
    torch.testing.assert_close(norm.running_mean, clean.mean(0))
    torch.testing.assert_close(norm.auxiliary[0].running_mean, shifted.mean(0))
    torch.testing.assert_close(y[:32], nn.BatchNorm1d(3).double()(clean))
    torch.testing.assert_close(y[32:], nn.BatchNorm1d(3).double()(shifted))


@settings(max_examples=30, deadline=None)
@given(scale=st.floats(0.1, 10), seed=st.integers(0, 1000))
def test_an_inserted_batch_norm_makes_the_layer_scale_invariant(scale: float, seed: int) -> None:
    """BN(a W x) = BN(W x), so the gradient is orthogonal to W and shrinks by a (why decay there is a learning rate)."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 1)).double()
    insert(model)
    model[0].get_submodule("batchnorm").eps = 1e-30
    x = noise(16, 4, seed=seed)
    weight = model[0].weight

    def gradient() -> tuple[Tensor, Tensor]:
        weight.grad = None
        y = model(x)
        (y * noise(16, 1, seed=1)).sum().backward()
        assert weight.grad is not None
        return y.detach(), weight.grad.clone()

    y, grad = gradient()
    torch.testing.assert_close((grad * weight.detach()).sum(), torch.zeros((), dtype=torch.float64), atol=1e-8, rtol=0)
    with torch.no_grad():
        weight.mul_(scale)
        model[0].bias.mul_(scale)
    scaled, smaller = gradient()
    torch.testing.assert_close(scaled, y)
    torch.testing.assert_close(smaller * scale, grad, rtol=1e-5, atol=1e-8)
