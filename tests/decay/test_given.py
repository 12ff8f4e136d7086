"""Groups from what optimizers are given in place of a model: parameters, pairs, groups. And wrapped optimizers."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn, optim
from torch.nn.utils import parametrizations

from gapless import decay
from gapless.recipe import Decay, Recipe


class Net(nn.Module):
    """What no shape tells apart: a table, a norm's scale, a bias and a head of one output."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(6, 4)
        self.conv = nn.Conv2d(3, 1, 2)
        self.normed = parametrizations.weight_norm(nn.Linear(4, 4))
        self.norm = nn.LayerNorm(4)
        self.scales = nn.ParameterList([nn.Parameter(torch.ones(4)), nn.Parameter(torch.ones(1))])
        self.head = nn.Linear(4, 6)
        self.head.weight = self.words.weight
        self.mix = nn.Parameter(torch.ones(1, 3, 4))

    def no_weight_decay(self) -> list[str]:
        return ["conv.weight"]


FORMS: dict[str, Callable[[nn.Module], Any]] = {
    "parameters": lambda net: net.parameters(),
    "list": lambda net: list(net.parameters()),
    "named": lambda net: net.named_parameters(),
    "group": lambda net: [{"params": net.parameters()}],
    "group of pairs": lambda net: [{"params": net.named_parameters()}],
    "reversed": lambda net: reversed(list(net.parameters())),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rules", decay.RULE_SETS.values(), ids=decay.RULE_SETS)
@pytest.mark.parametrize("inside", [False, True])
def test_parameters_decay_as_those_of_their_model_do(form: str, rules: tuple[decay.Rule, ...], inside: bool) -> None:
    net = Net()
    whole = nn.ModuleDict({"net": net}) if inside and rules is decay.RULES else net  # TIMM asks the model itself
    expected = {id(p): g["weight_decay"] for g in decay.groups(whole, 0.1, rules=rules) for p in g["params"]}
    made = decay.groups(FORMS[form](net), 0.1, rules=rules)
    assert {id(p): g["weight_decay"] for g in made for p in g["params"]} == expected
    assert sum(len(g["params"]) for g in made) == len(list(net.parameters()))


def test_groups_stay_apart_and_keep_their_settings() -> None:
    net = Net()
    rest = [p for p in net.parameters() if p is not net.conv.weight and p is not net.conv.bias]
    given = [{"params": net.conv.parameters(), "lr": 0.5, "weight_decay": 7.0}, {"params": rest}]
    made = decay.groups(given, 0.1, rules=decay.HUGGING_FACE)
    assert [(g.get("lr"), g["weight_decay"], len(g["params"])) for g in made] == [
        (0.5, 0.1, 1),
        (0.5, 0.0, 1),
        (None, 0.1, 6),
        (None, 0.0, 4),
    ]
    optim.AdamW(made, lr=0.1)


def test_frozen_parameters_that_were_handed_in_are_kept_for_when_they_thaw() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)).requires_grad_(False)
    made = decay.groups(net.parameters(), 0.1)
    assert [(g["weight_decay"], len(g["params"])) for g in made] == [(0.1, 2), (0.0, 2)]


def test_a_parameter_of_no_model_is_told_by_name_and_shape() -> None:
    table, matrix, vector = (nn.Parameter(torch.ones(shape)) for shape in ((5, 4), (4, 4), (4,)))
    account = decay.account([("token_embedding", table), ("mix", matrix), ("bias", vector)], 0.1)
    assert [(row.name, row.rule, row.decay) for row in account] == [
        ("token_embedding", "embedding", 0.0),
        ("mix", "rest", 0.1),
        ("bias", "bias", 0.0),
    ]
    nameless = decay.account([table, matrix, vector], 0.1)
    assert [(row.name, row.rule) for row in nameless] == [
        ("parameter 0", "rest"),
        ("parameter 1", "rest"),
        ("parameter 2", "scale"),
    ]


def test_names_are_those_that_were_given() -> None:
    net = nn.Linear(2, 2)
    made = decay.groups([(f"mine.{name}", p) for name, p in net.named_parameters()], 0.1, names=True)
    assert [g["param_names"] for g in made] == [["mine.weight"], ["mine.bias"]]


def test_other_code_can_add_a_group_later() -> None:
    """Gradual unfreezing does so, without names: torch takes names in all groups or in none."""
    for made in (decay.groups(Net(), 0.1), decay.layerwise(Net(), 0.1, 0.1), decay.groups(Net().parameters(), 0.1)):
        optim.AdamW(made, lr=0.1).add_param_group({"params": [nn.Parameter(torch.ones(3))]})
    optimizer = optim.AdamW(Net().parameters())
    net = nn.Linear(2, 2)
    optimizer = optim.AdamW(net.parameters())
    decay.regroup(optimizer, net, 0.1)
    optimizer.add_param_group({"params": [nn.Parameter(torch.ones(3))]})


def empty() -> Iterator[nn.Parameter]:
    yield from ()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (nn.Parameter(torch.ones(2)), "a torch.nn.Module, or its parameters, got Parameter"),
        ({"params": []}, "a torch.nn.Module, or its parameters, got dict"),
        (3, "a torch.nn.Module, or its parameters, got int"),
        (empty(), "there is no parameter to train: an empty list was handed in"),
        ([nn.Linear(2, 2)], r"must be parameters, or \(name, parameter\) pairs, got Linear among them"),
        ([("weight", 3)], "got int among them"),
        ([{"lr": 0.1}], r"a group of parameters must have 'params', got the keys \['lr'\]"),
        ([nn.Parameter(torch.ones(2))] * 2, "a parameter was handed in twice"),
    ],
)
def test_what_cannot_be_trained_is_refused(given: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        decay.groups(given, 0.1)


# ── optimizers that only pass on to another ──


class Passing(optim.Optimizer):
    """As accelerate wraps an optimizer: one by its type, with nothing of its own."""

    def __init__(self, optimizer: optim.Optimizer) -> None:
        self.optimizer = optimizer

    @property
    def param_groups(self) -> list[dict[str, Any]]:  # type: ignore[override]
        return self.optimizer.param_groups

    def step(self, closure: Any = None) -> Any:
        return self.optimizer.step(closure)


@pytest.mark.parametrize("twice", [False, True])
def test_a_wrapped_optimizer_is_treated_as_what_it_wraps(twice: bool) -> None:
    net = nn.Linear(3, 3, bias=False)
    with torch.no_grad():
        net.weight.fill_(1.0)
    plain = optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    wrapped = Passing(Passing(plain) if twice else plain)
    decay.regroup(wrapped, net, 0.5)
    decay.decouple(wrapped)
    decay.DecaySchedule(wrapped, decay.Linear(), 2)
    decay.constrain(wrapped, net, decay.MaxNorm(1.5))
    left = [1 - 0.1 * 0.5, 1 - 0.1 * 0.25, 1.0]
    expected = 1.0
    for factor in left:
        net.weight.grad = torch.zeros(3, 3)
        wrapped.step()
        expected *= factor
        torch.testing.assert_close(net.weight.detach(), torch.full((3, 3), min(expected, 1.5 / 3**0.5)))
        expected = float(net.weight.detach()[0, 0])
    with pytest.raises(ValueError, match="decoupled already"):
        decay.decouple(wrapped)
    with pytest.raises(ValueError, match="has a DecaySchedule already"):
        decay.DecaySchedule(wrapped, decay.Linear(), 2)


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_a_recipes_optimizer_takes_what_trainers_hand_in(kind: Any) -> None:
    net, recipe = Net(), Recipe(decay=Decay(strength=0.1))
    expected = {id(p): g["weight_decay"] for g in recipe.optimizer(net, 0.1, kind).param_groups for p in g["params"]}
    for form in FORMS.values():
        made = recipe.optimizer(form(net), lr=0.1, kind=kind)
        assert {id(p): g["weight_decay"] for g in made.param_groups for p in g["params"]} == expected
