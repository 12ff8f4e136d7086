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


class Reads(nn.Module):
    """Attention as most libraries have it: the rate of a dropout that is never called, under its own flag."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.drops = nn.ModuleList([nn.Dropout(p)])
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        rate: float = self.drops[0].p if self.training else 0.0  # type: ignore[assignment]
        return nn.functional.scaled_dot_product_attention(x, x, x, dropout_p=rate)


class Number(nn.Module):
    def __init__(self, rate: float = 0.5) -> None:
        super().__init__()
        self.drop_rate = rate
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(self.norm(x), self.drop_rate, self.training)


@pytest.mark.parametrize("kind", [Reads, Number])
def test_rates_that_a_parent_reads_are_on_and_its_batch_norm_is_not(kind: type[Reads] | type[Number]) -> None:
    model, x = nn.Sequential(kind(), nn.Linear(4, 2)).train(), torch.randn(6, 4) + 3
    before = {key: value.clone() for key, value in model.state_dict().items()}
    seen = monte_carlo(model, x, passes=20).values()
    assert bool((seen.variance > 0).any())
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    torch.testing.assert_close(seen.weight_scaling, model.eval()(x))
    assert not any(module._forward_pre_hooks for module in model.modules())  # type: ignore[attr-defined]  # no public list
    with pytest.raises(ValueError, match="nothing in Sequential is random"):
        monte_carlo(nn.Sequential(kind(0.0), nn.Linear(4, 2)), x)


class Counts(Reads):
    """Cannot be in training mode without a trace of it."""

    steps: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.steps += 1
        return super().forward(x)


class NormWithDropout(nn.BatchNorm1d):
    def __init__(self) -> None:
        super().__init__(4)
        self.drop = nn.Dropout(0.5)


def test_a_parent_that_would_change_is_named() -> None:
    model, x = nn.Sequential(nn.Linear(4, 4), Counts()), torch.randn(6, 4)
    with pytest.raises(
        ValueError, match=r"'1' reads a dropout's rate .* changes its buffers \['steps'\] too; name Counts"
    ):
        monte_carlo(model, x)
    assert model[1].steps == 0
    assert is_random(model, x, also=(Counts,))
    with pytest.raises(ValueError, match=r"the dropout at '0\.drop' is not called, .* is a batch norm"):
        monte_carlo(nn.Sequential(NormWithDropout()), x)


class Named(nn.Module):
    """Takes keywords and returns what transformers' models do."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.drop, self.head = nn.Embedding(9, 4), nn.Dropout(0.5), nn.Linear(4, 2)

    def forward(self, input_ids: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
        words = self.drop(self.table(input_ids))
        return {"hidden": words, "logits": self.head(words.mean(1))}


def test_mappings_are_spread_out_and_logits_taken() -> None:
    model, batch = Named().eval(), {"input_ids": torch.tensor([[1, 2], [3, 4]])}
    seen = monte_carlo(model, batch, passes=5)
    assert seen.outputs.shape == (5, 2, 2)
    assert torch.equal(seen.plain, model(**batch)["logits"])
    assert bool((seen.values().variance > 0).all())
    hidden = monte_carlo(model, batch, passes=3, feed=lambda model, batch: model(**batch)["hidden"])
    assert hidden.outputs.shape == (3, 2, 2, 4)

    class OfADict(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.drop = nn.Dropout(0.5)

        def forward(self, batch: dict[str, Tensor]) -> Tensor:
            return self.drop(batch["x"])

    assert monte_carlo(OfADict(), {"x": torch.ones(4)}, passes=2).plain.tolist() == [1, 1, 1, 1]
    with pytest.raises(
        ValueError, match=r"or a mapping with `logits`, got dict with \['a'\]; say which tensor is meant"
    ):
        monte_carlo(model, batch, feed=lambda model, batch: {"a": 1})
    with pytest.raises(ValueError, match="with feed give one input"):
        monte_carlo(model, batch, batch, feed=lambda model, batch: model(**batch))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_bert_with_dropout_on_its_attention_alone(attention: str) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=30,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.5,
        attn_implementation=attention,
    )
    model = transformers.BertForSequenceClassification(config)
    ids = torch.randint(5, 30, (4, 6))
    seen = monte_carlo(model, {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, passes=6)
    assert bool((seen.values().variance > 0).all())


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
    with pytest.raises(ValueError, match="the model must return a tensor, or a mapping with `logits`, got tuple"):
        monte_carlo(nn.LSTM(20, 2, 2, dropout=0.1), x)


def test_the_two_averages_agree_where_theory_says_so() -> None:
    """For a linear model the weight-scaling average is the Monte-Carlo average; for a deep one it comes near."""
    seen = monte_carlo(linear_net(0.5), torch.randn(4, 20), passes=3000).values()
    assert bool(((seen.mean - seen.weight_scaling).abs() < 4 * (seen.variance / 3000).sqrt()).all())
