"""The optimizer that goes with a recipe: which parameters decay, how strongly, and its options."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from recipe_models import FULL, MODELS, built
from torch import Tensor, nn

from gapless.errors import UsageError
from gapless.recipe import BatchNorm, Decay, Recipe, preset


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


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("fused", [None, False])
def test_sgd_decays_as_documented(momentum: float, fused: bool | None) -> None:
    """100 steps without gradient: (1 - lr * strength)^100, whatever the momentum is."""
    model = nn.Linear(4, 4)
    weight, bias = model.weight.detach().clone(), model.bias.detach().clone()
    optimizer = Recipe(decay=Decay(strength=0.05)).optimizer(model, 0.1, "sgd", momentum=momentum, fused=fused)
    for _ in range(100):
        for p in model.parameters():
            p.grad = torch.zeros_like(p)
        optimizer.step()
    torch.testing.assert_close(model.weight.detach(), weight * (1 - 0.1 * 0.05) ** 100)
    assert torch.equal(model.bias, bias)


def test_sgd_is_the_papers_algorithm_one_with_nesterovs_momentum() -> None:
    """Loshchilov & Hutter, arXiv 1711.05101: two steps worked out by hand."""
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(1.0)
    optimizer = Recipe(decay=Decay(strength=0.5)).optimizer(model, lr=0.1, kind="sgd")
    w, velocity = 1.0, 0.0
    for gradient in (0.3, -0.7):
        model.weight.grad = torch.full((1, 1), gradient)
        optimizer.step()
        velocity = 0.9 * velocity + gradient
        w = (1 - 0.1 * 0.5) * w - 0.1 * (gradient + 0.9 * velocity)
    assert float(model.weight.detach()) == pytest.approx(w)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))], ids=["deepcopy", "pickle"])
def test_sgd_that_was_copied_decays_in_the_same_way(copied: Callable[[Any], Any]) -> None:
    optimizer = copied(Recipe(decay=Decay(strength=0.5)).optimizer(nn.Linear(2, 2, bias=False), 0.1, "sgd"))
    (weight,) = optimizer.param_groups[0]["params"]
    start = weight.detach().clone()
    for _ in range(3):
        weight.grad = torch.zeros_like(weight)
        optimizer.step()
        optimizer.load_state_dict(optimizer.state_dict())
    torch.testing.assert_close(weight.detach(), start * 0.95**3)


# ── its options ──


def test_fused_forms_are_used_where_torch_has_them_and_can_be_refused() -> None:
    recipe = preset("image", "strong")
    for kind in ("adamw", "sgd"):
        assert recipe.optimizer(built("cnn"), 0.1, kind).defaults["fused"] is True
        assert recipe.optimizer(built("cnn"), 0.1, kind, foreach=True).defaults["foreach"] is True
        unfused = recipe.optimizer(built("cnn"), 0.1, kind, fused=False)
        assert unfused.defaults["fused"] is False
        # what Lightning looks at before it clips gradients in mixed precision
        assert not getattr(unfused, "_step_supports_amp_scaling", False)


def test_each_kind_takes_its_options() -> None:
    recipe, net = Recipe(decay=Decay(strength=0.1)), nn.Linear(2, 2)
    adamw = recipe.optimizer(net, 0.1, betas=(0.8, 0.95), eps=1e-6)
    assert all((g["betas"], g["eps"]) == ((0.8, 0.95), 1e-6) for g in adamw.param_groups)
    settings = {
        (None, 0.9): True,
        (None, 0.0): False,
        (False, 0.5): False,
    }
    for (nesterov, momentum), expected in settings.items():
        sgd = recipe.optimizer(net, 0.1, "sgd", momentum=momentum, nesterov=nesterov)
        assert all((g["momentum"], g["nesterov"]) == (momentum, expected) for g in sgd.param_groups)


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_names_stand_in_the_groups_only_when_they_are_wanted(kind: Any) -> None:
    recipe, net = Recipe(decay=Decay(strength=0.1)), nn.Linear(2, 2)
    recipe.optimizer(net, 0.1, kind).add_param_group({"params": [nn.Parameter(torch.ones(3))]})
    named = recipe.optimizer(net, 0.1, kind, names=True)
    assert [g["param_names"] for g in named.param_groups] == [["weight"], ["bias"]]


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_complex_weights_decay_as_real_ones_do(kind: Any) -> None:
    net = nn.Linear(3, 3, dtype=torch.complex64)
    optimizer = Recipe(decay=Decay(strength=0.5)).optimizer(net, 0.1, kind)
    start = net.weight.detach().clone()
    for p in net.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    torch.testing.assert_close(net.weight.detach(), start * 0.95)


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
@pytest.mark.parametrize("table", [nn.Embedding, nn.EmbeddingBag])
def test_a_table_with_sparse_gradients_learns_what_a_dense_one_does(kind: Any, table: Any) -> None:
    learned: list[Tensor] = []
    for sparse in (False, True):
        torch.manual_seed(0)
        net = nn.Sequential(table(6, 4, sparse=sparse), nn.Linear(4, 2))
        optimizer = Recipe(decay=Decay(strength=0.5, on="everything")).optimizer(net, 0.1, kind)
        for ids in ([[1, 2]], [[2, 2]]):
            optimizer.zero_grad()
            net(torch.tensor(ids)).square().sum().backward()
            optimizer.step()
        learned.append(net[0].weight.detach())
    assert torch.equal(*learned)


def test_unknown_optimizer() -> None:
    with pytest.raises(UsageError, match=r"optimizer: there is no 'adam'. Did you mean 'adamw'"):
        Recipe().optimizer(built("cnn"), 0.1, "adam")  # pyright: ignore[reportArgumentType]  # a typing error on purpose
