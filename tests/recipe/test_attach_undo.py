"""A recipe on a model: what it adds, and that undo takes all of it back."""

from typing import Any

import pytest
import torch
from recipe_models import FULL, MODELS, built
from torch import Tensor, nn

from gapless.recipe import BatchNorm, Dropout, Recipe, presets


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
    assert "already normalises, with LayerNorm" in str(attached.account[0])


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
