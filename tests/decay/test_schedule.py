import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn, optim

from gapless import decay

CURVES = {
    "constant": (decay.Constant(), {0: 1, 0.5: 1, 1: 1}),
    "linear": (decay.Linear(), {0: 1, 0.25: 0.75, 1: 0}),
    "growing": (decay.Linear(0.0, 2.0), {0: 0, 0.5: 1, 1: 2}),
    "cosine": (decay.Cosine(), {0: 1, 1 / 3: 0.75, 0.5: 0.5, 1: 0}),
    "dino": (decay.Cosine(1.0, 10.0), {0: 1, 0.5: 5.5, 1: 10}),
    "flat_cosine": (decay.FlatCosine(), {0: 1, 0.5: 1, 0.75: 0.5, 1: 0}),
    "early": (decay.Early(0.25), {0: 1, 0.24: 1, 0.25: 0, 1: 0}),
    "late": (decay.Late(0.25), {0: 0, 0.24: 0, 0.25: 1, 1: 1}),
}


@pytest.mark.parametrize(("curve", "points"), CURVES.values(), ids=CURVES)
def test_curves_go_through_their_points(curve: decay.Curve, points: dict[float, float]) -> None:
    assert [curve(t) for t in points] == pytest.approx(list(points.values()), abs=1e-12)


@pytest.mark.parametrize("curve", [curve for curve, _ in CURVES.values()], ids=CURVES)
@settings(deadline=None)
@given(t=st.floats(0, 1))
def test_curves_stay_finite_and_not_negative(curve: decay.Curve, t: float) -> None:
    assert 0 <= curve(t) < math.inf


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


def test_resume_goes_on_where_it_stopped() -> None:
    whole, first = optimizer(), optimizer()
    decay.DecaySchedule(whole, decay.Cosine(), 7)
    expected = values(whole, 7)
    schedule = decay.DecaySchedule(first, decay.Cosine(), 7)
    seen = values(first, 3)
    second = optimizer(0.123)
    second.load_state_dict(first.state_dict())
    resumed = decay.DecaySchedule(second, decay.Cosine(), 7)
    resumed.load_state_dict(schedule.state_dict())
    assert seen + values(second, 4) == expected


def test_undo_gives_the_base_back() -> None:
    o = optimizer()
    schedule = decay.DecaySchedule(o, decay.Linear(), 4)
    values(o, 2)
    schedule.undo()
    assert values(o, 2) == [[0.4, 0.0], [0.4, 0.0]]
    assert not any("initial_weight_decay" in g for g in o.param_groups)


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


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: decay.Linear(-1.0), "start must be a finite number >= 0, got -1.0"),
        (lambda: decay.Cosine(1.0, math.inf), "end must be a finite number >= 0, got inf"),
        (lambda: decay.FlatCosine(1.0), r"flat must be in \[0, 1\), got 1.0"),
        (lambda: decay.Early(1.5), r"until must be in \[0, 1\], got 1.5"),
        (lambda: decay.Late(-0.5), r"since must be in \[0, 1\], got -0.5"),
    ],
)
def test_bad_curves_are_refused(build, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        build()
