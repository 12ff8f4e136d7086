import pytest
import torch
from test_architectures import built
from torch import nn

from gapless import decay


def expected_levels(key: str, by_prefix: dict[str, int]) -> None:
    """Every parameter has the level of its longest prefix in a table written by hand."""
    levels = decay.levels_of(built(key))
    for name, level in levels.items():
        prefix = max((p for p in by_prefix if name.startswith(p)), key=len)
        assert level == by_prefix[prefix], name


@pytest.mark.parametrize(
    ("key", "by_prefix"),
    [
        ("bert", {"bert.embeddings": 0, "bert.encoder.layer.0": 1, "bert.encoder.layer.1": 2, "cls": 3}),
        ("vit", {"vit.embeddings": 0, "vit.layers.0": 1, "vit.layers.1": 2, "vit.layernorm": 3, "classifier": 3}),
        ("llama", {"model.embed": 0, "model.layers.0": 1, "model.layers.1": 2, "model.norm": 3, "lm_head": 3}),
        (
            "t5",
            {"shared": 0, "encoder.block.0": 1, "encoder.block.1": 2, "encoder.final": 2}
            | {"decoder.block.0": 3, "decoder.block.1": 4, "decoder.final": 5},
        ),
        (
            "resnet",
            {"conv1": 0, "bn1": 0, "layer1.0": 1, "layer1.1": 2, "layer2.0": 3, "layer2.1": 4, "fc": 5},
        ),
        ("mlp_batchnorm", {"0.": 0, "1.": 0, "2.": 0, "3.": 1, "4.": 1, "5.": 2}),
        ("lstm", {"words": 0, "lstm": 1, "cell": 2, "out": 3}),
    ],
)
def test_levels_follow_the_blocks(key: str, by_prefix: dict[str, int]) -> None:
    expected_levels(key, by_prefix)


def test_learning_rates_fall_towards_the_input_and_decay_stays() -> None:
    model = built("vit")
    made = decay.layerwise(model, 1e-3, 0.05, layer_decay=0.5, names=True)
    lr_of = {name: group["lr"] for group in made for name in group["param_names"]}
    assert lr_of["classifier.weight"] == 1e-3
    assert lr_of["vit.layers.1.mlp.fc1.bias"] == pytest.approx(5e-4)
    assert lr_of["vit.layers.0.mlp.fc1.bias"] == pytest.approx(2.5e-4)
    assert lr_of["vit.embeddings.cls_token"] == pytest.approx(1.25e-4)
    plain = {name: g["weight_decay"] for g in decay.groups(model, 0.05, names=True) for name in g["param_names"]}
    assert {name: g["weight_decay"] for g in made for name in g["param_names"]} == plain
    optimizer = torch.optim.AdamW(made, lr=123.0, fused=True)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 0.1)
    assert scheduler.base_lrs == [group["lr"] for group in made] or max(scheduler.base_lrs) == 1e-3
    assert max(group["lr"] for group in optimizer.param_groups) == pytest.approx(1e-4)


def test_levels_can_be_named_and_the_scale_has_a_floor() -> None:
    model = nn.ModuleDict({"head": nn.Linear(2, 2), "stem": nn.Linear(2, 2), "mid": nn.Linear(2, 2)})
    made = decay.layerwise(model, 1.0, 0.1, layer_decay=0.1, min_scale=0.05, levels=("stem", "mid", "head"), names=True)
    lr_of = {name: group["lr"] for group in made for name in group["param_names"]}
    assert [lr_of[f"{name}.weight"] for name in ("stem", "mid", "head")] == pytest.approx([0.05, 0.1, 1.0])
    nested = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)))
    made = decay.layerwise(nested, 1.0, 0.1, layer_decay=0.1, levels=("0", "1", "1.1"), names=True)
    lr_of = {name: group["lr"] for group in made for name in group["param_names"]}
    assert [lr_of[f"{name}.weight"] for name in ("0", "1.0", "1.1")] == pytest.approx([0.01, 0.1, 1.0])
    with pytest.raises(ValueError, match=r"'head.weight' is under none of the levels \('stem', 'mid'\)"):
        decay.layerwise(model, 1.0, 0.1, levels=("stem", "mid"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"layer_decay": 0.0}, r"layer_decay must be in \(0, 1\], got 0.0"),
        ({"layer_decay": 1.5}, r"layer_decay must be in \(0, 1\], got 1.5"),
        ({"min_scale": 2.0}, r"min_scale must be in \[0, 1\], got 2.0"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        decay.layerwise(nn.Linear(2, 2), 1.0, 0.1, **settings)
    with pytest.raises(ValueError, match="lr must be a finite number > 0, got -1"):
        decay.layerwise(nn.Linear(2, 2), -1, 0.1)
