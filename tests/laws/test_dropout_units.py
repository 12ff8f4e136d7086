"""What each variant drops, and what the ones keep that do not keep the mean."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from gapless.dropout import (
    AlphaDropout,
    AttentionDropout,
    ChannelDropout,
    ConcreteDropout,
    DropBlock,
    DropConnect,
    Dropout,
    DropPath,
    EmbeddingDropout,
    GaussianDropout,
    LockedDropout,
    PatchDropout,
    TokenDropout,
    WeightDrop,
)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def share_dropped(y: Tensor) -> float:
    return float((y == 0).float().mean())


def within(value: float, expected: float, variance: float, count: int) -> bool:
    return abs(value - expected) < 4 * math.sqrt(variance / count)


@pytest.mark.parametrize(
    ("layer", "shape", "units"),
    [
        (Dropout(0.3), (64, 100), (64, 100)),
        (AttentionDropout(0.3), (8, 4, 16, 16), (8, 4, 16, 16)),
        (ChannelDropout(0.3), (64, 100, 3, 2), (64, 100, 1, 1)),
        (DropPath(0.3), (5000, 3, 2), (5000, 1, 1)),
        (LockedDropout(0.3), (64, 5, 100), (64, 1, 100)),
        (TokenDropout(0.3), (64, 100, 7), (64, 100, 1)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_a_unit_is_dropped_as_a_whole_and_others_are_not(
    layer: nn.Module, shape: tuple[int, ...], units: tuple[int, ...]
) -> None:
    y = layer(torch.ones(shape))
    small = y[tuple(slice(0, n) for n in units)]
    assert torch.equal(y, small.expand(shape))
    assert set(small.unique().tolist()) == {0.0, float(torch.tensor(1 / 0.7))}
    assert within(share_dropped(small), 0.3, 0.21, small.numel())


def test_gaussian_noise_has_the_variance_of_dropout() -> None:
    y = GaussianDropout(0.3)(torch.ones(1 << 18))
    variance = 0.3 / 0.7
    assert within(float(y.mean()), 1, variance, len(y))
    assert within(float(y.var()), variance, 2 * variance**2, len(y))
    assert share_dropped(y) == 0


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_alpha_dropout_keeps_mean_0_and_variance_1(p: float) -> None:
    x = torch.randn(1 << 18)
    y = AlphaDropout(p)(x)
    assert within(float(y.mean()), 0, 1, len(y))
    fourth = float((y**4).mean())
    assert within(float((y**2).mean()), 1, fourth - 1, len(y))


def test_alpha_dropout_has_the_values_of_torch() -> None:
    x = torch.zeros(4096)
    ours, theirs = AlphaDropout(0.25)(x).unique(), functional.alpha_dropout(x, 0.25, True).unique()
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
    again = AlphaDropout(0.25)(x.half()).float().unique()  # a type without a kernel
    torch.testing.assert_close(again, theirs, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("shape", [(40, 25, 16), (10, 25, 9, 9), (10, 10, 7, 6, 5)], ids=["1d", "2d", "3d"])
def test_drop_block_drops_whole_blocks_at_exactly_its_rate(shape: tuple[int, ...]) -> None:
    layer, dims = DropBlock(0.2, 3), len(shape) - 2
    y = layer(torch.ones(shape))
    assert y.unique().tolist() == pytest.approx([0.0, 1.25])
    gone = (y == 0).float()
    corner = gone.flatten(2)[:, :, 0].mean()  # the border is dropped as often as the middle
    middle = gone.flatten(2)[:, :, gone[0, 0].numel() // 2].mean()
    maps = shape[0] * shape[1]
    assert within(float(corner), 0.2, 0.16, maps) and within(float(middle), 0.2, 0.16, maps)
    pool = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)[dims - 1]
    eroded = -pool(-functional.pad(gone, [2, 2] * dims, value=1.0), 3, stride=1)
    assert torch.equal(pool(eroded, 3, stride=1), gone)  # a union of blocks is its own opening
    assert not torch.equal(pool(-pool(-functional.pad(gone, [3, 3] * dims, value=1.0), 4, stride=1), 4, stride=1), gone)


def test_drop_block_of_size_1_is_dropout() -> None:
    y = DropBlock(0.2, 1)(torch.ones(20, 10, 8, 8))
    assert within(share_dropped(y), 0.2, 0.16, y.numel())
    z = (y == 0).float() - 0.2
    assert within(float((z[..., 1:] * z[..., :-1]).mean()), 0, 0.16**2, y.numel())


def test_locked_dropout_over_another_dimension() -> None:
    y = LockedDropout(0.5, time=0)(torch.ones(6, 3, 50))
    assert torch.equal(y, y[:1].expand_as(y))
    with pytest.raises(ValueError, match=r"time is dimension 3, got x of shape \(2, 2\)"):
        LockedDropout(0.5, time=3)(torch.ones(2, 2))


def test_the_prefix_of_tokens_always_stays() -> None:
    x = torch.ones(500, 4, 2)
    y = TokenDropout(0.9, prefix=2)(x)
    assert torch.equal(y[:, :2], x[:, :2])
    assert within(share_dropped(y[:, 2:, 0]), 0.9, 0.09, 1000)


def test_patch_dropout_keeps_k_patches_in_order_each_equally_often() -> None:
    rows = torch.arange(11.0).view(1, 11, 1).expand(4000, 11, 2)
    y = PatchDropout(0.4, prefix=1)(rows)
    assert y.shape == (4000, 1 + 6, 2)
    assert bool((y[:, 0] == 0).all())
    assert bool((y[:, 1:, 0].diff(dim=1) > 0).all())
    counts = torch.bincount(y[:, 1:, 0].long().flatten(), minlength=11)[1:]
    assert all(within(float(count) / 4000, 0.6, 0.24, 4000) for count in counts)
    assert PatchDropout(0.99, prefix=0)(rows).shape == (4000, 1, 2)
    with pytest.raises(ValueError, match="1 prefix tokens leave no patch"):
        PatchDropout(0.5)(torch.ones(2, 1, 3))


def test_a_dropped_word_is_dropped_everywhere_in_the_batch() -> None:
    layer = EmbeddingDropout(200, 3, 0.5, padding_idx=0)
    ids = torch.randint(1, 200, (40, 30))
    plain, y = functional.embedding(ids, layer.weight), layer(ids)
    ratio = (y / plain)[..., 0]
    for word in ids.unique().tolist():
        seen = ratio[ids == word]
        assert torch.allclose(seen, torch.zeros_like(seen)) or torch.allclose(seen, torch.full_like(seen, 2.0))
    assert within(float((ratio == 0).float().mean()), 0.5, 0.25, 199)
    assert layer.state_dict().keys() == nn.Embedding(200, 3).state_dict().keys()


def test_drop_connect_drops_weights_and_not_the_bias() -> None:
    layer = DropConnect(30, 20, 0.25)
    y = layer(torch.zeros(4, 30))
    assert torch.equal(y, layer.bias.expand(4, 20))
    seen = layer(torch.eye(30)) - layer.bias
    ratio = (seen / layer.weight.T).detach().round(decimals=3).unique().tolist()
    assert ratio == pytest.approx([0.0, 1.333], abs=1e-3)
    layer(torch.ones(1, 30)).sum().backward()
    assert within(float((layer.weight.grad == 0).float().mean()), 0.25, 0.1875, 600)


def test_weight_drop_drops_the_named_weights_of_an_lstm_only() -> None:
    lstm = nn.LSTM(3, 8, batch_first=True)
    layer = WeightDrop(lstm, ["weight_hh_l0"], 0.5)
    x = torch.randn(2, 5, 3)
    outputs = [layer(x)[0] for _ in range(2)]
    assert torch.equal(outputs[0][:, 0], outputs[1][:, 0])  # the first step has no recurrent input
    assert not torch.equal(outputs[0], outputs[1])
    assert torch.equal(layer.eval()(x)[0], lstm(x)[0])
    layer.train()(x)[0].sum().backward()
    recurrent, incoming = (lstm.get_parameter(name).grad for name in ("weight_hh_l0", "weight_ih_l0"))
    assert recurrent is not None and share_dropped(recurrent) > 0.3
    assert incoming is not None and share_dropped(incoming) == 0
    assert [key for key, _ in layer.named_parameters()] == [f"module.{key}" for key, _ in lstm.named_parameters()]


def test_weight_drop_names_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"WeightDrop: Linear has no parameter 'w', only \['weight', 'bias'\]"):
        WeightDrop(nn.Linear(2, 2), ["w"])
    with pytest.raises(ValueError, match="names must be a sequence of parameter names, got 'weight'"):
        WeightDrop(nn.Linear(2, 2), "weight")


@pytest.mark.parametrize("temperature", [0.05, 0.1, 0.67, 1.0])
@pytest.mark.parametrize("p", [0.02, 0.3, 0.9])
def test_concrete_dropout_knows_its_expectation(p: float, temperature: float) -> None:
    layer = ConcreteDropout(p, temperature).double()
    uniform = (torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000
    exact = torch.sigmoid((layer.logit + uniform.logit()) / temperature).mean()
    assert float(layer.expected_drop().detach()) == pytest.approx(float(exact.detach()), abs=2e-6)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_concrete_dropout_keeps_the_mean_at_any_temperature(temperature: float) -> None:
    """At temperature 1 the paper's 1 / (1 - p) would be off by a tenth: E[z] = 0.28 at p = 0.2."""
    y = ConcreteDropout(0.2, temperature)(torch.ones(1 << 20)).detach()
    assert within(float(y.double().mean()), 1, float(y.var()), len(y))


def test_concrete_dropout_nears_dropout_as_it_cools() -> None:
    y = ConcreteDropout(0.3, temperature=0.001)(torch.ones(1 << 16)).detach()
    assert within(float((y < 0.5).float().mean()), 0.3, 0.21, len(y))
    assert float(((y > 0.01) & (y < 1.4)).float().mean()) < 0.02


def test_concrete_dropout_learns_the_rate_that_its_penalty_asks_for() -> None:
    """With no data the penalty's minimum is where l^2/2 * ||W||^2 / (1-p)^2 = K * logit(1-p)."""
    layer, weight = ConcreteDropout(0.1), torch.full((4, 3), 2.0)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
    for _ in range(600):
        optimizer.zero_grad()
        layer.penalty(weight, examples=10, length_scale=0.1).backward()
        optimizer.step()
    p = layer.p
    energy = 0.1**2 / 2 * 48 / (1 - p) ** 2
    assert energy == pytest.approx(3 * math.log((1 - p) / p), rel=1e-3)


def test_concrete_dropout_drops_less_where_dropping_hurts() -> None:
    """A sum of 8 inputs, fitted exactly without noise: the data term drives p down, and only it can."""
    layer = ConcreteDropout(0.4)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
    x = torch.randn(256, 8)
    for _ in range(150):
        optimizer.zero_grad()
        ((layer(x).sum(1) - x.sum(1)) ** 2).mean().backward()
        optimizer.step()
    assert layer.p < 0.1


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: DropBlock(0.1, 0), "DropBlock: size must be at least 1, got 0"),
        (lambda: DropBlock(0.1)(torch.ones(2, 3)), r"DropBlock: x must be \(B, C, ...\) with 1 to 3 more dimensions"),
        (lambda: ChannelDropout(0.1)(torch.ones(2)), r"ChannelDropout: x must be \(B, C, ...\), got shape \(2,\)"),
        (lambda: TokenDropout(0.1, prefix=-1), "TokenDropout: prefix must be 0 or more, got -1"),
        (lambda: PatchDropout(0.1)(torch.ones(2, 3)), r"PatchDropout: x must be \(B, N, D\), got shape \(2, 3\)"),
        (lambda: ConcreteDropout(0.1, 0.0), r"ConcreteDropout: temperature must be in \(0, 1\], got 0.0"),
        (lambda: DropPath(0.1)(torch.tensor(1.0)), r"DropPath: x must be \(B, ...\), got shape \(\)"),
    ],
)
def test_bad_arguments(build: object, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        build()  # type: ignore[operator]
