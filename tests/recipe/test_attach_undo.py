"""A recipe on a model: what it adds, that undo takes all of it back, and the optimizer that goes with it."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gapless.errors import UsageError
from gapless.models import CNN, MLP, ResNet
from gapless.recipe import Augment, BatchNorm, Decay, Dropout, Recipe, preset, presets


class Mixed(nn.Module):
    """Dropouts of its own, one part in eval mode, one frozen, a hook of the user's."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Dropout2d(0.05), nn.Conv2d(4, 4, 3), nn.ReLU())
        self.head = nn.Sequential(nn.Dropout(0.05), nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 10))
        self.features[3].eval()
        self.features[0].requires_grad_(False)
        self.calls = 0
        self.head[1].register_forward_hook(self._count)

    def _count(self, module: nn.Module, args: Any, output: Any) -> None:
        self.calls += 1

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).mean((2, 3)))


MODELS: dict[str, Callable[[], nn.Module]] = {
    "cnn": lambda: CNN(1, 10, 8),
    "resnet": lambda: ResNet(1, 10, 8),
    "mlp": lambda: MLP((1, 8, 8), 10),
    "mlp with embeddings": lambda: MLP((4,), 3, (0, 3, 0, 5)),
    "mixed": Mixed,
}
FULL = Recipe(
    dropout=Dropout(hidden=0.3, channel=0.2, input=0.1),
    batchnorm=BatchNorm(insert=True),
    decay=Decay(strength=0.1),
    augment=Augment(mixup=0.2),
)


def built(name: str) -> nn.Module:
    torch.manual_seed(3)
    return MODELS[name]()


def snapshot(model: nn.Module) -> list[Any]:
    """Everything that undo has to give back: bits, names, order, types, modes, rates, hooks."""
    found: list[Any] = [(name, id(p), p.requires_grad, p.detach().clone()) for name, p in model.named_parameters()]
    found += [(name, b.clone()) for name, b in model.named_buffers()]
    for path, module in model.named_modules():
        plain = {k: v for k, v in vars(module).items() if isinstance(v, bool | int | float | str | tuple)}
        hooks = {k: list(v) for k, v in vars(module).items() if "hooks" in k and v is not None}
        found.append((path, type(module), id(module), sorted(vars(module)), plain, hooks))
    return found


def same(a: list[Any], b: list[Any]) -> bool:
    def equal(x: Any, y: Any) -> bool:
        return torch.equal(x, y) if isinstance(x, Tensor) else x == y

    return len(a) == len(b) and all(len(x) == len(y) and all(map(equal, x, y)) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("name", MODELS)
def test_empty_recipe_changes_nothing(name: str) -> None:
    model = built(name)
    before = snapshot(model)
    attached = Recipe().attach(model)
    assert attached.account == ()
    assert same(snapshot(model), before)
    attached.undo()
    assert same(snapshot(model), before)


@pytest.mark.parametrize("name", MODELS)
def test_undo_gives_the_model_back(name: str) -> None:
    model = built(name)
    before = snapshot(model)
    attached = FULL.attach(model)
    assert not same(snapshot(model), before)
    assert len(attached.account) >= 2
    attached.undo()
    assert same(snapshot(model), before)
    attached.undo()  # and a second time does nothing
    assert same(snapshot(model), before)


@pytest.mark.parametrize("name", MODELS)
def test_parameters_keep_their_names_and_bits(name: str) -> None:
    model = built(name)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    FULL.attach(model)
    after = model.state_dict()
    assert before.keys() <= after.keys()
    assert all(torch.equal(after[k], v) for k, v in before.items())


@pytest.mark.parametrize("name", MODELS)
def test_attaching_twice_is_attaching_the_second(name: str) -> None:
    once, twice = built(name), built(name)
    FULL.attach(once)
    before = snapshot(twice)
    weaker = FULL.replace("dropout", Dropout(hidden=0.1, channel=0.1))
    first = weaker.attach(twice)
    second = FULL.attach(twice)
    assert [(n, type(m)) for n, m in twice.named_modules()] == [(n, type(m)) for n, m in once.named_modules()]
    rates = [[getattr(m, "p", None) for m in model.modules()] for model in (once, twice)]
    assert rates[0] == rates[1]
    second.undo()
    first.undo()
    assert same(snapshot(twice), before)


def test_a_recipe_without_a_place_leaves_the_model_as_it_was() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(4))
    before = snapshot(model)
    with pytest.raises(ValueError, match="no place for dropout"):
        Recipe(dropout=Dropout(hidden=0.2), batchnorm=BatchNorm(insert=True)).attach(model)
    assert same(snapshot(model), before)


def test_a_model_that_normalises_gets_no_batch_norm_and_the_account_says_why() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 2))
    before = snapshot(model)
    attached = Recipe(batchnorm=BatchNorm(insert=True)).attach(model)
    assert same(snapshot(model), before)
    assert len(attached.account) == 1
    assert "already normalises, with LayerNorm" in attached.account[0]


@pytest.mark.parametrize("kind", ["image", "table"])
def test_every_preset_finds_its_places_and_trains(kind: str) -> None:
    for recipe in presets(kind).values():
        for name in ("cnn", "resnet", "mlp") if kind == "image" else ("mlp with embeddings",):
            model = built(name)
            recipe.attach(model)
            optimizer = recipe.optimizer(model, lr=1e-2)
            x = torch.rand(8, 1, 8, 8) if kind == "image" else torch.tensor([[0.3, 1, -0.2, 4]] * 8)
            before = {k: v.clone() for k, v in model.named_parameters()}
            for _ in range(2):  # residual branches begin at zero: their first layers move at the second step
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x + 0.01), torch.arange(8) % 3).backward()
                optimizer.step()
            moved = {k for k, v in model.named_parameters() if not torch.equal(v, before[k])}
            # a layer's bias in front of batch norm has no effect: it only moves by what rounding leaves
            still = {k for k in before if k not in moved}
            assert all(k.endswith("bias") or k.startswith("embed") for k in still), (recipe, name, still)


# ── optimizer ──


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_empty_recipe_has_no_decay(name: str, kind: Any) -> None:
    model = built(name)
    optimizer = Recipe().optimizer(model, lr=0.01, kind=kind)
    assert [g["weight_decay"] for g in optimizer.param_groups] == [0.0] * len(optimizer.param_groups)
    assert {g["lr"] for g in optimizer.param_groups} == {0.01}


@pytest.mark.parametrize("on", ["weights", "everything"])
def test_decay_goes_where_it_is_meant_to(on: Any) -> None:
    model = built("mlp with embeddings")
    recipe = Recipe(batchnorm=BatchNorm(insert=True), decay=Decay(strength=0.3, on=on))
    recipe.attach(model)
    optimizer = recipe.optimizer(model, lr=0.01)
    names = {id(p): n for n, p in model.named_parameters()}
    decay = {names[id(p)]: g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    assert decay.keys() == set(names.values())  # the batch norms' parameters too, each once
    spared = {n for n, strength in decay.items() if strength == 0}
    if on == "everything":
        assert not spared
    else:
        assert spared == {n for n in decay if n.endswith("bias") or "batchnorm" in n or n.startswith("embed")}
        assert all(decay[n] in (0, 0.3) for n in decay)


def test_frozen_parameters_are_left_out() -> None:
    model = built("mixed")
    optimizer = FULL.optimizer(model, lr=0.01)
    grouped = {id(p) for g in optimizer.param_groups for p in g["params"]}
    assert grouped == {id(p) for p in model.parameters() if p.requires_grad}


def test_adamw_decays_as_documented() -> None:
    """A step without gradient multiplies the weights by 1 - lr * strength and leaves biases alone."""
    model = nn.Linear(3, 2)
    weight, bias = model.weight.detach().clone(), model.bias.detach().clone()
    optimizer = Recipe(decay=Decay(strength=0.5)).optimizer(model, lr=0.1)
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    torch.testing.assert_close(model.weight, weight * (1 - 0.1 * 0.5))
    assert torch.equal(model.bias, bias)


def test_sgd_couples_the_decay() -> None:
    """Two steps with Nesterov momentum 0.9 on a gradient of strength * w, worked out by hand."""
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(1.0)
    optimizer = Recipe(decay=Decay(strength=0.5)).optimizer(model, lr=0.1, kind="sgd")
    w, velocity = 1.0, 0.0
    for _ in range(2):
        model.weight.grad = torch.zeros_like(model.weight)
        optimizer.step()
        gradient = 0.5 * w
        velocity = 0.9 * velocity + gradient
        w -= 0.1 * (gradient + 0.9 * velocity)
    assert float(model.weight.detach()) == pytest.approx(w)


def test_fused_forms_are_used() -> None:
    for kind in ("adamw", "sgd"):
        assert preset("image", "strong").optimizer(built("cnn"), 0.1, kind).defaults["fused"] is True


def test_unknown_optimizer() -> None:
    with pytest.raises(UsageError, match=r"optimizer: there is no 'adam'. Did you mean 'adamw'"):
        Recipe().optimizer(built("cnn"), 0.1, "adam")  # pyright: ignore[reportArgumentType]  # a typing error on purpose
