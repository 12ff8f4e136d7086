"""Every rule set and every rule, on one small model that has a bit of everything."""

import pytest
import torch
from torch import nn

from gapless import decay


class Rms(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.gain * x / x.pow(2).mean(-1, keepdim=True).add(1e-6).sqrt()


class Bit(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(11, 8)
        self.positions = nn.Parameter(torch.zeros(1, 5, 8))
        self.norm = Rms(8)
        self.hidden = nn.Linear(8, 8)
        self.layer_scale = nn.Parameter(torch.full((8, 1, 1), 1e-5))
        self.act = nn.PReLU()
        self.out = nn.Linear(8, 11)
        self.out.weight = self.words.weight
        self.mix = nn.Parameter(torch.randn(8, 3))
        self.frozen = nn.Parameter(torch.ones(3, 3), requires_grad=False)


@pytest.mark.parametrize("rules", decay.RULE_SETS.values(), ids=decay.RULE_SETS)
def test_every_parameter_is_in_exactly_one_group(rules: tuple[decay.Rule, ...]) -> None:
    model = Bit()
    made = decay.groups(model, 0.1, rules=rules, names=True)
    grouped = [id(p) for group in made for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters() if p.requires_grad)
    assert [g["weight_decay"] for g in made] == sorted({g["weight_decay"] for g in made}, reverse=True)
    for group in made:
        assert [id(model.get_parameter(name)) for name in group["param_names"]] == [id(p) for p in group["params"]]


@pytest.mark.parametrize("rules", decay.RULE_SETS.values(), ids=decay.RULE_SETS)
def test_account_and_groups_say_the_same(rules: tuple[decay.Rule, ...]) -> None:
    model = Bit()
    said = {row.name: row.decay for row in decay.account(model, 0.1, rules=rules)}
    made = decay.groups(model, 0.1, rules=rules, names=True)
    done = {n: g["weight_decay"] for g in made for n in g["param_names"]}
    assert said == done


def test_each_rule_of_ours_catches_what_it_is_for() -> None:
    account = decay.account(Bit(), 0.1)
    assert {row.name: (row.rule, row.decay) for row in account} == {
        "positions": ("embedding", 0.0),
        "layer_scale": ("scale", 0.0),
        "mix": ("rest", 0.1),
        "words.weight": ("embedding", 0.0),
        "norm.gain": ("norm", 0.0),
        "hidden.weight": ("weight", 0.1),
        "hidden.bias": ("bias", 0.0),
        "act.weight": ("scale", 0.0),
        "out.bias": ("bias", 0.0),
    }
    assert account.frozen == 1
    assert next(row for row in account if row.name == "words.weight").names == ("words.weight", "out.weight")


def test_the_table_is_aligned_and_totals_are_right() -> None:
    text = str(decay.account(Bit(), 0.1))
    lines = text.splitlines()
    assert lines[0].split() == ["parameter", "shape", "rule", "decay"]
    column = lines[0].index("shape")
    assert all(line[column - 1] == " " and line[column] != " " for line in lines[:-1])
    assert lines[-1] == "decayed: 2 tensors, 88 values; not decayed: 7 tensors, 164 values; frozen: 1 tensors"
