import pytest
import torch
from torch import nn, optim

from gapless import decay


def optimizer(strength: float = 0.4) -> optim.Optimizer:
    net = nn.Linear(2, 2)
    return optim.AdamW(decay.groups(net, strength), lr=0.1)


def values(o: optim.Optimizer, steps: int) -> list[list[float]]:
    seen: list[list[float]] = []
    for _ in range(steps):
        seen.append([g["weight_decay"] for g in o.param_groups])
        for group in o.param_groups:
            for p in group["params"]:
                p.grad = torch.zeros_like(p)
        o.step()
    return seen


def test_each_step_sees_its_value_and_groups_without_decay_stay_without() -> None:
    o = optimizer()
    decay.DecaySchedule(o, decay.Linear(), 4)
    seen = values(o, 6)
    assert [first for first, _ in seen] == pytest.approx([0.4, 0.3, 0.2, 0.1, 0.0, 0.0])
    assert {second for _, second in seen} == {0.0}


def test_the_optimizer_uses_what_is_written() -> None:
    net = nn.Linear(2, 2, bias=False)
    o = optim.AdamW(decay.groups(net, 0.4), lr=0.1, fused=True)
    decay.DecaySchedule(o, decay.Linear(), 4)
    start = net.weight.detach().clone()
    values(o, 5)
    left = (1 - 0.04) * (1 - 0.03) * (1 - 0.02) * (1 - 0.01)
    torch.testing.assert_close(net.weight.detach(), start * left)


@pytest.mark.parametrize("order", ["load, then schedule", "schedule, then load"])
def test_resume_goes_on_where_it_stopped(order: str) -> None:
    """By the optimizer's state_dict alone, which is what trainers save."""
    whole, first, second = optimizer(), optimizer(), optimizer(0.123)
    decay.DecaySchedule(whole, decay.Cosine(), 7)
    expected = values(whole, 7)
    decay.DecaySchedule(first, decay.Cosine(), 7)
    seen = values(first, 3)
    if order == "load, then schedule":
        second.load_state_dict(first.state_dict())
        resumed = decay.DecaySchedule(second, decay.Cosine(), 7)
    else:
        resumed = decay.DecaySchedule(second, decay.Cosine(), 7)
        second.load_state_dict(first.state_dict())
    assert resumed.step_count == 3
    assert resumed.factor() == pytest.approx(expected[3][0] / 0.4)
    assert seen + values(second, 4) == expected


def test_resume_at_the_very_end_where_nothing_decays_any_more() -> None:
    first, second = optimizer(), optimizer()
    decay.DecaySchedule(first, decay.Linear(), 2)
    values(first, 2)
    second.load_state_dict(first.state_dict())
    schedule = decay.DecaySchedule(second, decay.Linear(), 2)
    assert values(second, 1) == [[0.0, 0.0]]
    schedule.undo()
    assert values(second, 1) == [[0.4, 0.0]]


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("decoupled", [True, False])
def test_a_step_that_the_scaler_skips_does_not_count(fused: bool, decoupled: bool) -> None:
    net = nn.Linear(2, 2, bias=False)
    o = optim.AdamW(decay.groups(net, 0.4), lr=0.1, fused=fused)
    if decoupled:
        decay.decouple(o)
    schedule = decay.DecaySchedule(o, decay.Linear(), 4)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    steps: list[int] = []
    for size in (1.0, float("inf"), 1.0):
        o.zero_grad()
        scaler.scale((net.weight * size).sum()).backward()
        scaler.step(o)
        scaler.update()
        steps.append(schedule.step_count)
    assert steps == [1, 1, 2]
    assert o.param_groups[0]["weight_decay"] == pytest.approx(0.2)


def test_undo_gives_the_base_back() -> None:
    o = optimizer()
    schedule = decay.DecaySchedule(o, decay.Linear(), 4)
    values(o, 2)
    schedule.undo()
    assert values(o, 2) == [[0.4, 0.0], [0.4, 0.0]]
    assert not any({"initial_weight_decay", "decay_step"} & set(g) for g in o.param_groups)


def test_what_cannot_be_scheduled_is_refused() -> None:
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        decay.DecaySchedule(optimizer(), decay.Linear(), 0)
    with pytest.raises(ValueError, match="no group of the optimizer has a weight_decay > 0"):
        decay.DecaySchedule(optimizer(0.0), decay.Linear(), 5)
    with pytest.raises(ValueError, match="finite factor >= 0, got -1 at step 0"):
        decay.DecaySchedule(optimizer(), lambda t: -1, 5)
    o = optimizer()
    decay.DecaySchedule(o, decay.Linear(), 5)
    with pytest.raises(ValueError, match=r"has a DecaySchedule already; undo\(\) that one first"):
        decay.DecaySchedule(o, decay.Linear(), 5)
