"""Exchanging batch norms: what is taken over, what is refused, and the way back."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gapless.batchnorm import (
    BatchRenorm,
    Converted,
    FrozenBatchNorm,
    GhostBatchNorm,
    SplitBatchNorm,
    freeze,
    insert,
    to_batch_norm,
    to_ghost,
    to_group_norm,
    to_renorm,
    to_split,
    to_sync,
)

CONVERSIONS: dict[str, tuple[Callable[[nn.Module], Converted], type[nn.Module]]] = {
    "ghost": (lambda m: to_ghost(m, ghost_size=4), GhostBatchNorm),
    "renorm": (lambda m: to_renorm(m, r_max=2.0), BatchRenorm),
    "split": (lambda m: to_split(m, splits=4), SplitBatchNorm),
    "freeze": (freeze, FrozenBatchNorm),
    "freeze statistics": (lambda m: freeze(m, train_affine=True), FrozenBatchNorm),
    "sync": (to_sync, nn.SyncBatchNorm),
    "group": (to_group_norm, nn.GroupNorm),
}
conversions = pytest.mark.parametrize(("convert", "kind"), CONVERSIONS.values(), ids=CONVERSIONS)


def images(seed: int = 0) -> Tensor:
    return 2 * torch.randn(16, 2, 6, 6, generator=torch.Generator().manual_seed(seed)) + 1


def net() -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 8, 3), nn.BatchNorm2d(8, eps=1e-3, momentum=0.3), nn.ReLU(), nn.Flatten(),
        nn.Linear(128, 4), nn.BatchNorm1d(4, affine=False), nn.Linear(4, 2),
    )  # fmt: skip
    for step in range(3):
        model(images(step))
    nn.init.uniform_(model[1].weight)
    nn.init.normal_(model[1].bias)
    return model


def everything(model: nn.Module) -> dict[str, object]:
    state: dict[str, object] = {k: v.clone() for k, v in model.state_dict().items()}
    for path, module in model.named_modules():
        state[f"{path}|"] = (id(module), module.training, [id(p) for p in module.parameters(recurse=False)])
    return state


def same(a: dict[str, object], b: dict[str, object]) -> bool:
    return list(a) == list(b) and all(
        torch.equal(v, w) if isinstance(v, Tensor) and isinstance(w, Tensor) else v == w
        for v, w in zip(a.values(), b.values(), strict=True)
    )


@conversions
@pytest.mark.parametrize("training", [True, False])
def test_undo_restores_everything(convert: Callable[[nn.Module], Converted], kind: type, training: bool) -> None:
    model = net().train(training)
    before = everything(model)
    converted = convert(model)
    assert converted.paths == ("1", "5")
    assert isinstance(model[1], kind) and isinstance(model[5], kind)
    assert all(m.training == (training and not isinstance(m, FrozenBatchNorm)) for m in model.children())
    converted.undo()
    assert same(before, everything(model))
    converted.undo()
    assert same(before, everything(model))


@conversions
def test_eval_mode_computes_the_same(convert: Callable[[nn.Module], Converted], kind: type) -> None:
    model = net().eval()
    expected = model(images())
    convert(model)
    assert torch.equal(model(images()), expected) == (kind is not nn.GroupNorm)
    assert model[1].eps == 1e-3


@conversions
def test_an_optimizer_built_before_keeps_working(convert: Callable[[nn.Module], Converted], kind: type) -> None:
    model = net()
    weight = model[1].weight
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    convert(model)
    fixed = isinstance(model[1], FrozenBatchNorm) and not model[1].train_affine
    assert (model[1].weight is weight) != fixed
    before = {k: v.clone() for k, v in model[1].state_dict().items()}
    model.train()
    model(images()).square().sum().backward()
    optimizer.step()
    assert torch.equal(model[1].weight, before["weight"]) == fixed


@conversions
def test_undo_after_training_keeps_what_was_learned(convert: Callable[[nn.Module], Converted], kind: type) -> None:
    model = net()
    converted = convert(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.train()
    model(images()).square().sum().backward()
    optimizer.step()
    learned = copy.deepcopy(model[1].state_dict())
    model.eval()
    converted.undo()
    assert type(model[1]) is nn.BatchNorm2d and not model[1].training
    restored = model[1].state_dict()
    assert all(torch.equal(restored[k], v) for k, v in learned.items() if not k.startswith("auxiliary"))


def test_a_stale_gradient_cannot_move_a_frozen_layer() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(images()).square().sum().backward()
    freeze(model)
    before = model[1].weight.clone()
    optimizer.step()
    assert torch.equal(model[1].weight, before)


@pytest.mark.parametrize("evaluate", [False, True])
def test_a_thawed_layer_has_the_mode_it_would_have(evaluate: bool) -> None:
    """One layer was in eval mode in a training model; it stays so unless the model's mode was changed since."""
    model = net()
    model[1].eval()
    converted = freeze(model)
    if evaluate:
        model.eval()
    converted.undo()
    assert [model[1].training, model[5].training] == [False, not evaluate]


def test_renorm_counts_from_the_batches_already_seen() -> None:
    model = net()
    to_renorm(model, start=0, r_end=3, d_end=3)
    assert [float(limit) for limit in model[1].limits()] == [3.0, 5.0]


def test_split_starts_with_copies() -> None:
    model = net().eval()
    expected = model(images())
    to_split(model, splits=3)
    for module in model[1].auxiliary:
        assert torch.equal(module.weight, model[1].weight) and module.weight is not model[1].weight
        assert torch.equal(module.running_var, model[1].running_var)
    assert torch.equal(model(images()), expected)


def test_a_shared_layer_stays_shared() -> None:
    norm = nn.BatchNorm1d(3)
    model = nn.Sequential(nn.Linear(3, 3), norm, nn.Sequential(norm, nn.Linear(3, 1)))
    converted = to_ghost(model)
    assert model[1] is model[2][0] and isinstance(model[1], GhostBatchNorm)
    assert converted.paths == ("1",)
    converted.undo()
    assert model[1] is norm and model[2][0] is norm


def test_inserted_batch_norms_are_converted_and_still_apply() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    inserted = insert(model)
    assert to_ghost(model, ghost_size=4).paths == ("0.batchnorm",)
    x = torch.randn(8, 3)
    y = model[0](x)
    for part in (y[:4], y[4:]):
        torch.testing.assert_close(part.mean(0), torch.zeros(4), atol=1e-5, rtol=0)
    inserted.undo()
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]


@pytest.mark.parametrize(
    ("features", "groups"), [(1, 1), (7, 1), (16, 1), (24, 2), (32, 2), (40, 2), (64, 4), (96, 6), (512, 32)]
)
def test_groups_are_about_sixteen_channels_wide(features: int, groups: int) -> None:
    model = nn.Sequential(nn.BatchNorm2d(features))
    to_group_norm(model)
    assert model[0].num_groups == groups
    assert abs(features / groups - 16) == min(
        abs(features / g - 16) for g in range(1, features + 1) if features % g == 0
    )


def test_group_norm_takes_and_gives_the_affine_part() -> None:
    model = net()
    weight, bias = model[1].weight, model[1].bias
    to_group_norm(model, channels=2)
    assert model[1].num_groups == 4 and model[1].weight is weight and model[1].bias is bias and model[1].eps == 1e-3
    pictures = nn.Sequential(nn.Conv2d(2, 8, 3), model[1])
    back = to_batch_norm(pictures, dims=2, momentum=0.2)
    assert type(pictures[1]) is nn.BatchNorm2d and pictures[1].weight is weight and pictures[1].momentum == 0.2
    assert float(pictures[1].running_var.mean()) == 1
    back.undo()
    assert isinstance(pictures[1], nn.GroupNorm) and pictures[1].weight is weight


def test_other_layers_are_left_and_named() -> None:
    model = net()
    to_ghost(model)
    frozen = freeze(model)
    assert frozen.paths == ("1", "5")
    again = to_ghost(model)
    assert again.paths == ()
    assert str(again).splitlines()[0] == "1: nothing (FrozenBatchNorm is not one of those exchanged)"
    assert to_sync(model).paths == ()


def test_freezing_a_split_layer_keeps_its_main_part() -> None:
    model = net()
    to_split(model)
    main = model[1].running_mean.clone()
    converted = freeze(model)
    assert converted.paths == ("1", "5")
    assert torch.equal(model[1].running_mean, main)
    converted.undo()
    assert isinstance(model[1], SplitBatchNorm) and type(model[1].auxiliary[0]).__name__ == "BatchNorm"


def test_sync_keeps_the_settings_and_trains_in_one_process() -> None:
    model, plain = net(), net()
    to_sync(model)
    assert model[1].momentum == 0.3 and model[5].affine is False
    assert torch.equal(model.train()(images()), plain.train()(images()))
    assert torch.equal(model[1].running_mean, plain[1].running_mean)


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (nn.BatchNorm1d(3), "the model itself is a BatchNorm1d, which cannot be exchanged in place"),
        (nn.Sequential(nn.BatchNorm1d(3, track_running_stats=False)), "0: BatchNorm1d has no running statistics"),
        (torch.compile(nn.Sequential(nn.BatchNorm1d(3)), backend="eager"), "has already gone through torch.compile"),
    ],
)
def test_what_cannot_be_exchanged(model: nn.Module, text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        freeze(model)


def test_hooks_are_not_lost_and_an_error_changes_nothing() -> None:
    model = net()
    model[5].register_forward_hook(lambda m, a, y: y)
    before = everything(model)
    with pytest.raises(ValueError, match="5: BatchNorm1d carries hooks that would be lost"):
        to_ghost(model)
    assert same(before, everything(model))


@pytest.mark.parametrize(
    ("convert", "text"),
    [
        (lambda m: to_ghost(m, ghost_size=0), "ghost_size must be at least 2 rows, got 0"),
        (lambda m: to_split(m, splits=1), "splits must be at least 2, got 1"),
        (lambda m: to_renorm(m, r_max=0.0), "r_max must be at least 1"),
        (lambda m: to_group_norm(m, channels=0), "channels must be at least 1, got 0"),
        (lambda m: to_batch_norm(m, dims=4), "dims must be 1, 2 or 3, got 4"),
        (lambda m: to_batch_norm(m, dims=2, momentum=2), "momentum must be in [0, 1], got 2"),
    ],
)
def test_bad_arguments(convert: Callable[[nn.Module], object], text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        convert(net())


@pytest.mark.parametrize("convert", [to_ghost, to_renorm, to_split, freeze])
def test_statistics_that_were_frozen_by_their_flag_stay(convert: Callable[[nn.Module], Converted]) -> None:
    """Lightning's BaseFinetuning.freeze(train_bn=False) keeps the statistics and sets track_running_stats to False."""
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6))
    model(torch.randn(8, 4))
    norm = model[1]
    assert isinstance(norm, nn.BatchNorm1d) and norm.running_mean is not None
    norm.track_running_stats = False
    before = norm.running_mean.clone()
    convert(model)
    model.train()(torch.randn(40, 4))
    assert torch.equal(model[1].get_buffer("running_mean"), before)
