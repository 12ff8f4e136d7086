"""Rules of other libraries, rules of one's own, and everything that is refused."""

import pytest
import torch
from test_architectures import ZOO, built
from torch import nn
from transformers import Trainer

from gapless import decay


@pytest.mark.parametrize("key", ZOO)
def test_hugging_faces_rules_are_those_of_its_trainer(key: str) -> None:
    model = built(key)
    theirs = set(Trainer.get_decay_parameter_names(None, model))  # type: ignore[arg-type]  # the method never looks at self
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    ours = {row.name for row in decay.account(model, 0.1, rules=decay.HUGGING_FACE) if row.decay > 0}
    assert ours == theirs & trained


class Timm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pos_embed = nn.Parameter(torch.zeros(1, 4, 8))
        self.scale = nn.Parameter(torch.ones(8, 1, 1))
        self.blocks = nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 8)])
        self.table = nn.Embedding(5, 8)
        self.norm = nn.LayerNorm(8)

    def no_weight_decay(self) -> set[str]:
        return {"pos_embed", "blocks.1.*"}


def test_timms_rules() -> None:
    decayed = {row.name for row in decay.account(Timm(), 0.1, rules=decay.TIMM) if row.decay > 0}
    assert decayed == {"scale", "blocks.0.weight", "table.weight"}


def test_the_models_own_list_counts_for_us_too_also_deeper_down() -> None:
    wrapped = nn.ModuleDict({"backbone": Timm(), "head": nn.Linear(8, 2)})
    account = {row.name: row.rule for row in decay.account(wrapped, 0.1)}
    assert account["backbone.blocks.1.weight"] == "asked" and account["backbone.blocks.0.weight"] == "weight"
    assert {
        row.name for row in decay.account(wrapped, 0.1, rules=decay.TIMM) if row.rule == "no_weight_decay()"
    } == set()


def test_the_flag_of_s4_counts() -> None:
    model = nn.Linear(3, 3, bias=False)
    model.weight._no_weight_decay = True  # type: ignore[assignment]
    assert [row.rule for row in decay.account(model, 0.1)] == ["asked"]


def test_differences_name_both_rules() -> None:
    found = decay.differences(Timm(), decay.TIMM, decay.RULES)
    assert [(d.name, d.first, d.second) for d in found] == [
        ("scale", ("rest", 1.0), ("scale", 0.0)),
        ("table.weight", ("rest", 1.0), ("embedding", 0.0)),
    ]
    assert str(found).splitlines()[1].split() == ["scale", "8x1x1", "1", "(rest)", "0", "(scale)"]
    assert str(decay.differences(Timm(), decay.RULES)) == "no difference"


def test_a_rule_of_ones_own_goes_first_and_may_weaken() -> None:
    half = decay.Rule("half", lambda leaf: leaf.name.startswith("0."), 0.5)
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    made = decay.groups(model, 0.2, rules=(half, *decay.RULES), names=True)
    assert [(g["weight_decay"], g["param_names"]) for g in made] == [
        (0.2, ["1.weight"]),
        (0.1, ["0.weight", "0.bias"]),
        (0.0, ["1.bias"]),
    ]


def test_everything_decays_everything() -> None:
    assert [g["weight_decay"] for g in decay.groups(Timm(), 0.3, rules=decay.EVERYTHING)] == [0.3]


def test_zero_decay_makes_one_group() -> None:
    assert [g["weight_decay"] for g in decay.groups(Timm(), 0.0)] == [0.0]


def test_what_no_rule_catches_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"no rule catches parameter 'weight' of shape \(2, 3\); end the rules"):
        decay.groups(nn.Linear(3, 2), 0.1, rules=decay.RULES[:3])


@pytest.mark.parametrize("bad", [-0.1, float("inf"), float("nan")])
def test_a_bad_strength_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="weight_decay must be a finite number >= 0, got"):
        decay.groups(nn.Linear(2, 2), bad)
    with pytest.raises(ValueError, match="rule 'x': factor must be a finite number >= 0, got"):
        decay.Rule("x", lambda leaf: True, bad)


def test_models_that_cannot_be_grouped_are_refused() -> None:
    with pytest.raises(ValueError, match="'weight' is lazy and has no shape yet; run one batch"):
        decay.groups(nn.LazyLinear(2), 0.1)
    with pytest.raises(ValueError, match="no trainable parameter"):
        decay.groups(nn.Linear(2, 2).requires_grad_(False), 0.1)


def test_two_parameters_on_one_memory_are_refused() -> None:
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    model[1].weight = nn.Parameter(model[0].weight.data)
    with pytest.raises(ValueError, match=r"'0.weight' and '1.weight' are two Parameters on the same memory"):
        decay.groups(model, 0.1)


def test_flattened_parameters_are_refused() -> None:
    class FlatParameter(nn.Parameter):
        """Stands for FSDP's class of this name, which cannot be built without a process group."""

    model = nn.Module()
    model.register_parameter("flat", FlatParameter(torch.zeros(9)))
    with pytest.raises(ValueError, match=r"'flat' was flattened by FSDP.*use_orig_params=True"):
        decay.groups(model, 0.1)


def test_the_order_is_the_same_every_time_and_in_every_copy() -> None:
    first, second = Timm(), Timm()
    one, other = (decay.groups(model, 0.1, names=True) for model in (first, second))
    assert [g["param_names"] for g in one] == [g["param_names"] for g in other]


def test_compiled_models_are_grouped_like_plain_ones() -> None:
    plain = Timm()
    wrapped = torch.compile(plain, backend="eager")
    expected = {f"_orig_mod.{row.name}": row.decay for row in decay.account(plain, 0.1)}
    assert {row.name: row.decay for row in decay.account(wrapped, 0.1)} == expected
