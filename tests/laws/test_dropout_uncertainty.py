"""Monte-Carlo dropout against closed forms, and that it touches nothing but the dropouts."""

import math

import pytest
import torch
from torch import Tensor, nn

from gapless.dropout import Dropout, Passes, WeightDrop, attach, monte_carlo


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def linear_net(p: float) -> nn.Sequential:
    return nn.Sequential(Dropout(p), nn.Linear(20, 3))


def test_mean_and_variance_of_a_linear_model() -> None:
    """y = W (x * m) + b has mean W x + b and variance p / (1-p) * sum_i (W_i x_i)^2."""
    model, x, passes, p = linear_net(0.3), torch.randn(5, 20), 4000, 0.3
    seen = monte_carlo(model, x, passes=passes).values()
    weight = model.get_parameter("1.weight").detach()
    variance = p / (1 - p) * (weight[None] * x[:, None]).square().sum(-1)
    assert bool(((seen.mean - model.eval()(x)).abs() < 4 * (variance / passes).sqrt()).all())
    assert bool(((seen.variance / variance - 1).abs() < 0.15).all())
    assert torch.equal(seen.weight_scaling, model(x))


def test_entropy_and_mutual_information_of_known_passes() -> None:
    """Two passes sure of different classes: all uncertainty is disagreement. Two that agree on a coin: none is."""
    sure = torch.tensor([[[40.0, 0.0]], [[0.0, 40.0]]])
    seen = Passes(sure, torch.zeros(1, 2)).classes()
    assert seen.entropy.item() == pytest.approx(math.log(2), abs=1e-6)
    assert seen.mutual_information.item() == pytest.approx(math.log(2), abs=1e-6)
    assert seen.variance[0].tolist() == pytest.approx([0.5, 0.5])
    torch.testing.assert_close(seen.weight_scaling, torch.tensor([[0.5, 0.5]]))
    coin = Passes(torch.zeros(2, 1, 2), torch.zeros(1, 2)).classes()
    assert coin.entropy.item() == pytest.approx(math.log(2))
    assert coin.mutual_information.item() == pytest.approx(0, abs=1e-7)
    extreme = Passes(torch.tensor([[[-math.inf, 0.0]], [[-math.inf, 0.0]]]), torch.zeros(1, 2)).classes()
    assert extreme.entropy.item() == 0 and extreme.mutual_information.item() == 0


def test_classes_are_consistent() -> None:
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    attach(model, hidden=0.5)
    seen = monte_carlo(model, torch.randn(7, 4) * 3, passes=50).classes()
    torch.testing.assert_close(seen.mean.sum(-1), torch.ones(7))
    torch.testing.assert_close(seen.entropy, -(seen.mean * seen.mean.log()).sum(-1))
    assert bool((seen.mutual_information > 0).all()) and bool((seen.mutual_information <= seen.entropy).all())
    assert bool((seen.entropy <= math.log(3) + 1e-6).all())


def test_only_the_dropouts_are_on_and_every_mode_comes_back() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))
    model.train()
    model[1].eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    seen: list[tuple[bool, ...]] = []

    def look(*_: object) -> None:
        seen.append(tuple(module.training for module in model))

    model[3].register_forward_hook(look)
    monte_carlo(model, torch.randn(6, 4), passes=2)
    assert seen == [(False,) * 4, (False, False, True, False), (False, False, True, False)]
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    with pytest.raises(RuntimeError):
        monte_carlo(model, torch.randn(6, 5))
    assert [module.training for module in model.modules()] == modes


class OwnNoise(nn.Module):
    """A user's module that draws by itself."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(x, 0.5, self.training)


def is_random(model: nn.Module, x: Tensor, **options: object) -> bool:
    return bool((monte_carlo(model, x, passes=4, **options).values().variance > 0).any())  # type: ignore[arg-type]


def test_finds_the_dropouts_inside_attention_transformers_rnns_and_weights() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.3, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 2)
    assert is_random(encoder, torch.randn(2, 5, 8))  # the fused path would skip them

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(4, 4, 2, dropout=0.5)

        def forward(self, x: Tensor) -> Tensor:
            return self.lstm(x)[0]

    assert is_random(Recurrent(), torch.randn(5, 2, 4))
    assert is_random(WeightDrop(nn.Linear(4, 4), ["weight"], 0.5), torch.randn(2, 4))
    assert is_random(OwnNoise(), torch.randn(2, 4), also=(OwnNoise,))


def test_refuses_what_it_cannot_do() -> None:
    x = torch.randn(2, 20)
    with pytest.raises(
        ValueError, match="monte_carlo: nothing in Linear is random; attach dropout or name it in `also`"
    ):
        monte_carlo(nn.Linear(20, 2), x)
    with pytest.raises(ValueError, match="nothing in TransformerEncoderLayer is random"):
        monte_carlo(nn.TransformerEncoderLayer(20, 2, 16, dropout=0.0), torch.randn(2, 3, 20))
    with pytest.raises(ValueError, match="passes must be at least 2, got 1"):
        monte_carlo(linear_net(0.5), x, passes=1)
    with pytest.raises(ValueError, match="the model must return a tensor, got tuple"):
        monte_carlo(nn.LSTM(20, 2, 2, dropout=0.1), x)


def test_the_two_averages_agree_where_theory_says_so() -> None:
    """For a linear model the weight-scaling average is the Monte-Carlo average; for a deep one it comes near."""
    seen = monte_carlo(linear_net(0.5), torch.randn(4, 20), passes=3000).values()
    assert bool(((seen.mean - seen.weight_scaling).abs() < 4 * (seen.variance / 3000).sqrt()).all())
