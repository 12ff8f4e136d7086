"""Decoupled decay by hooks: closures, scalers, schedules, failures."""

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn, optim

from gapless import decay


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)).double()


X = torch.linspace(-1, 1, 12, dtype=torch.float64).reshape(3, 4)


def train(net: nn.Module, optimizer: optim.Optimizer, steps: int = 5, closure: bool = False) -> list[Tensor]:
    def loss() -> Tensor:
        optimizer.zero_grad()
        value = (net(X) - 1).square().sum()
        value.backward()
        return value

    for _ in range(steps):
        if closure:
            assert optimizer.step(loss) > 0
        else:
            loss()
            optimizer.step()
    return [p.detach().clone() for p in net.parameters()]


@pytest.mark.parametrize("settings", [{}, {"foreach": True}, {"fused": True}, {"amsgrad": True}])
@pytest.mark.parametrize("closure", [False, True])
def test_decoupled_adam_is_torchs_adamw(settings: dict[str, Any], closure: bool) -> None:
    ours, theirs = model(), model()
    optimizer = optim.Adam(decay.groups(ours, 0.3), lr=0.01, **settings)
    decay.decouple(optimizer)
    got = train(ours, optimizer, closure=closure)
    expected = train(theirs, optim.AdamW(decay.groups(theirs, 0.3), lr=0.01, **settings), closure=closure)
    for a, b in zip(got, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=0)


@pytest.mark.parametrize("fused", [False, True])
def test_cautious_decay_is_the_same_with_a_closure(fused: bool) -> None:
    results: list[list[Tensor]] = []
    for closure in (False, True):
        net = model()
        optimizer = optim.AdamW(decay.groups(net, 0.5), lr=0.01, fused=fused)
        decay.decouple(optimizer, cautious=True)
        results.append(train(net, optimizer, 3, closure=closure))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_sgdw_is_the_papers_algorithm_one() -> None:
    ours, by_hand = model(), model()
    optimizer = optim.SGD(decay.groups(ours, 0.3), lr=0.05, momentum=0.9)
    decay.decouple(optimizer)
    train(ours, optimizer)
    buffers = {name: torch.zeros_like(p) for name, p in by_hand.named_parameters()}
    for _ in range(5):
        by_hand.zero_grad()
        (by_hand(X) - 1).square().sum().backward()
        with torch.no_grad():
            for name, p in by_hand.named_parameters():
                buffers[name] = 0.9 * buffers[name] + 0.05 * p.grad
                p -= buffers[name] + 0.05 * (0.3 if name.endswith("weight") else 0.0) * p
    for a, b in zip(ours.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=0)


def test_independent_decay_follows_the_schedule_and_not_the_learning_rate() -> None:
    def left(peak: float, coupling: Any) -> float:
        net = nn.Linear(2, 2, bias=False)
        optimizer = optim.SGD(decay.groups(net, 0.1), lr=peak)
        scheduler = optim.lr_scheduler.LambdaLR(optimizer, lambda step: [0.25, 0.5, 1.0, 0.0][min(step, 3)])
        decay.decouple(optimizer, coupling)
        start = net.weight.detach().clone()
        for _ in range(4):
            net.weight.grad = torch.zeros(2, 2)
            optimizer.step()
            scheduler.step()
        return (net.weight / start).mean().item()

    for peak in (1.0, 0.01):
        assert left(peak, "independent") == pytest.approx((1 - 0.025) * (1 - 0.05) * (1 - 0.1), rel=1e-6)
        assert left(peak, "constant") == pytest.approx(0.9**4, rel=1e-6)
        corrected = [1 - 0.1 * peak * s**2 for s in (0.25, 0.5, 1.0)]
        assert left(peak, "corrected") == pytest.approx(corrected[0] * corrected[1] * corrected[2], rel=1e-6)


@pytest.mark.parametrize("order", ["schedule first", "decouple first"])
def test_a_decay_schedule_and_decouple_work_in_either_order(order: str) -> None:
    net = nn.Linear(2, 2, bias=False)
    optimizer = optim.SGD(decay.groups(net, 0.5), lr=0.1)
    curve = decay.Linear(1.0, 0.0)
    if order == "schedule first":
        decay.DecaySchedule(optimizer, curve, 2)
        decay.decouple(optimizer)
    else:
        decay.decouple(optimizer)
        decay.DecaySchedule(optimizer, curve, 2)
    start, expected = net.weight.detach().clone(), 1.0
    for factor in (1.0, 0.5, 0.0, 0.0):
        assert optimizer.param_groups[0]["weight_decay"] == 0.5 * factor
        net.weight.grad = torch.zeros(2, 2)
        optimizer.step()
        expected *= 1 - 0.1 * 0.5 * factor
        torch.testing.assert_close(net.weight.detach(), start * expected)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("cautious", [False, True])
def test_a_step_that_the_scaler_skips_does_not_decay(fused: bool, cautious: bool) -> None:
    net = nn.Linear(4, 4)
    optimizer = optim.AdamW(decay.groups(net, 0.5), lr=0.1, fused=fused)
    decay.decouple(optimizer, cautious=cautious)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    start = copy.deepcopy(net.state_dict())
    for bad in (True, False):
        optimizer.zero_grad()
        scaler.scale(net(torch.ones(1, 4)).sum() * (float("inf") if bad else 1.0)).backward()
        scaler.step(optimizer)
        scaler.update()
        assert all(torch.equal(p, start[name]) for name, p in net.named_parameters()) is bad


def test_parameters_without_a_gradient_do_not_decay() -> None:
    for cautious in (False, True):
        net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
        optimizer = optim.SGD(decay.groups(net, 0.5), lr=0.1)
        decay.decouple(optimizer, cautious=cautious)
        start = copy.deepcopy(net.state_dict())
        net[0].weight.grad = torch.zeros(2, 2)
        optimizer.step()
        assert not torch.equal(net[0].weight, start["0.weight"]) and torch.equal(net[1].weight, start["1.weight"])
        optimizer.zero_grad()
        first = net[0].weight
        optimizer.step(lambda first=first: first.sum().mul(0).backward())
        assert torch.equal(net[1].weight, start["1.weight"])


def test_a_step_that_raises_leaves_the_strength_for_the_next_one() -> None:
    net = nn.Linear(2, 2, bias=False)
    optimizer = optim.SGD(decay.groups(net, 0.5), lr=0.1)
    attached = decay.decouple(optimizer)

    def broken() -> float:
        raise RuntimeError("no data")

    with pytest.raises(RuntimeError, match="no data"):
        optimizer.step(broken)
    start = net.weight.detach().clone()
    net.weight.grad = torch.zeros(2, 2)
    optimizer.step()
    torch.testing.assert_close(net.weight.detach(), start * 0.95)
    with pytest.raises(RuntimeError, match="no data"):
        optimizer.step(broken)
    attached.undo()
    assert optimizer.param_groups[0]["weight_decay"] == 0.5


def test_groups_that_come_later_decay_too() -> None:
    net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    optimizer = optim.SGD(decay.groups(net[0], 0.5), lr=0.1)
    decay.decouple(optimizer, "independent")
    optimizer.add_param_group({"params": [net[1].weight], "weight_decay": 0.25, "lr": 7.0})
    start = copy.deepcopy(net.state_dict())
    for p in net.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    torch.testing.assert_close(net[0].weight.detach(), start["0.weight"] * 0.5)
    torch.testing.assert_close(net[1].weight.detach(), start["1.weight"] * 0.75)


@pytest.mark.parametrize("order", ["load, then decouple", "decouple, then load"])
def test_the_peak_is_saved_with_the_groups_and_carried_through_a_regrouping(order: str) -> None:
    def step(net: nn.Module, o: optim.Optimizer, expected: float) -> None:
        start = net[0].weight.detach().clone()
        for p in net.parameters():
            p.grad = torch.zeros_like(p)
        o.step()
        torch.testing.assert_close(net[0].weight.detach(), start * expected)

    net = model()
    optimizer = optim.SGD(net.parameters(), lr=0.8, weight_decay=0.0)
    attached = decay.decouple(optimizer, "independent")
    decay.regroup(optimizer, net, 0.5)
    step(net, optimizer, 0.5)
    for group in optimizer.param_groups:
        group["lr"] = 0.2
    step(net, optimizer, 1 - 0.25 * 0.5)
    resumed = optim.SGD(decay.groups(net, 0.5), lr=123.0)
    if order == "load, then decouple":
        resumed.load_state_dict(optimizer.state_dict())
        decay.decouple(resumed, "independent")
    else:
        decay.decouple(resumed, "independent")
        resumed.load_state_dict(optimizer.state_dict())
    step(net, resumed, 1 - 0.25 * 0.5)
    attached.undo()
    assert not any("peak_lr" in group for group in optimizer.param_groups)


def test_one_cycle_says_its_own_peak() -> None:
    net = nn.Linear(2, 2, bias=False)
    optimizer = optim.SGD(decay.groups(net, 0.5), lr=0.1, momentum=0.9)
    optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10, div_factor=4)
    decay.decouple(optimizer, "independent")
    start = net.weight.detach().clone()
    net.weight.grad = torch.zeros(2, 2)
    optimizer.step()
    torch.testing.assert_close(net.weight.detach(), start * (1 - 0.25 * 0.5))


def test_a_tensor_learning_rate_works() -> None:
    ours, theirs = model(), model()
    optimizer = optim.Adam(decay.groups(ours, 0.3), lr=torch.tensor(0.01, dtype=torch.float64), fused=True)
    decay.decouple(optimizer)
    expected = train(theirs, optim.AdamW(decay.groups(theirs, 0.3), lr=0.01, fused=True))
    for a, b in zip(train(ours, optimizer), expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=0)


@pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated:DeprecationWarning")  # torch's own compiler
def test_a_compiled_step_decays_alike() -> None:
    plain, compiled = model(), model()
    results: list[list[Tensor]] = []
    for net in (plain, compiled):
        optimizer = optim.SGD(decay.groups(net, 0.5), lr=0.1, momentum=0.9)
        decay.decouple(optimizer)
        decay.DecaySchedule(optimizer, decay.Linear(), 10)
        step = torch.compile(optimizer.step, backend="eager") if net is compiled else optimizer.step
        for _ in range(4):
            optimizer.zero_grad()
            (net(X) - 1).square().sum().backward()
            step()
        results.append([p.detach() for p in net.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_hooks_do_not_travel_with_a_copy_and_can_be_attached_to_it_again() -> None:
    net = model()
    optimizer = optim.SGD(decay.groups(net, 0.5), lr=0.1)
    decay.decouple(optimizer)
    for other in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        assert [g["weight_decay"] for g in other.param_groups] == [0.5, 0.0]
        decay.decouple(other)
    with pytest.raises(ValueError, match="decoupled already"):
        decay.decouple(optimizer)


def test_cautious_decay_keeps_one_copy_of_the_decayed_weights_and_gives_it_back() -> None:
    net = model()
    optimizer = optim.SGD(decay.groups(net, 0.5), lr=0.1)
    attached = decay.decouple(optimizer, cautious=True)
    train(net, optimizer, 3)
    held = list(attached._before.items())
    assert {id(p) for p, _ in held} == {id(net[0].weight), id(net[2].weight)}
    train(net, optimizer, 3)
    assert all(attached._before[p] is memory for p, memory in held)
    attached.undo()
    assert not attached._before


def test_what_cannot_be_decoupled_is_refused() -> None:
    net = model()
    sgd = optim.SGD(net.parameters(), lr=0.1, weight_decay=0.1)
    for coupling in ("l2", "textbook"):
        with pytest.raises(ValueError, match=rf"{coupling} is what the optimizer does by itself; .*convert\(\)"):
            decay.decouple(sgd, coupling)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"no coupling 'decopled'. Did you mean 'decoupled'\?"):
        decay.decouple(sgd, "decopled")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="peak_lr must be > 0, got 0"):
        decay.decouple(sgd, peak_lr=0)
    with pytest.raises(ValueError, match="LBFGS evaluates the loss many times"):
        decay.decouple(optim.LBFGS(net.parameters()))
    with pytest.raises(ValueError, match=r"Rprop has groups without weight_decay; build it from gapless.decay.groups"):
        decay.decouple(optim.Rprop(net.parameters()))
    with pytest.raises(ValueError, match=r"optimizer must be a torch.optim.Optimizer, got Sequential"):
        decay.decouple(net)  # type: ignore[arg-type]
    decay.decouple(sgd)
    with pytest.raises(ValueError, match=r"decoupled already and would decay twice; undo\(\) the first one"):
        decay.decouple(sgd, cautious=True)


@pytest.mark.parametrize("coupling", ["independent", "corrected"])
def test_a_scheduler_that_comes_after_decouple_says_the_peak(coupling: Any) -> None:
    net = nn.Linear(4, 4, bias=False)
    optimizer = optim.AdamW(decay.groups(net, 0.05), lr=1e-3)
    decay.decouple(optimizer, coupling)
    scheduler = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=60)
    left, start = 1.0, net.weight.detach().clone()
    for _ in range(59):
        lr = optimizer.param_groups[0]["lr"]
        left *= 1 - (lr / 0.1 if coupling == "independent" else lr * lr / 0.1) * 0.05
        net.weight.grad = torch.zeros(4, 4)
        optimizer.step()
        scheduler.step()
    torch.testing.assert_close(net.weight.detach(), start * left)


def test_a_rate_above_the_peak_is_refused_before_anything_moves() -> None:
    net = nn.Linear(4, 4, bias=False)
    optimizer = optim.SGD(decay.groups(net, 0.5), lr=0.1)
    decay.decouple(optimizer, "independent")
    net.weight.grad = torch.ones(4, 4)
    optimizer.step()  # 0.1 is what is known of the peak
    start = net.weight.detach().clone()
    for lr in (0.2, torch.tensor(0.2)):
        optimizer.param_groups[0]["lr"] = lr
        with pytest.raises(ValueError, match=r"the learning rate 0.2 is above peak_lr 0.1, .*peak_lr=\.\.\."):
            optimizer.step()
        assert torch.equal(net.weight, start)
        assert optimizer.param_groups[0]["weight_decay"] == 0.5
    fresh = optim.SGD(decay.groups(net, 0.5), lr=0.0)  # a warm-up by hand, from nothing
    decay.decouple(fresh, "corrected")
    with pytest.raises(ValueError, match="the learning rate is 0 in the first step, and no scheduler says"):
        fresh.step()


def test_a_state_dict_taken_within_a_step_has_the_strengths() -> None:
    net = model()
    optimizer = optim.SGD(decay.groups(net, 0.5), lr=0.1)
    decay.decouple(optimizer)
    seen: list[list[float]] = []

    def closure() -> float:
        seen.append([group["weight_decay"] for group in optimizer.state_dict()["param_groups"]])
        (net(X) - 1).square().sum().backward()
        return 0.0

    optimizer.step(closure)
    assert seen == [[0.5, 0.0]]


def test_a_later_group_without_weight_decay_does_not_decay_where_the_optimizer_has_none() -> None:
    words, late = nn.Embedding(4, 3, sparse=True), nn.Embedding(4, 3, sparse=True)
    optimizer = optim.SparseAdam(decay.groups(words, 0.5, rules=decay.EVERYTHING), lr=0.1)
    decay.decouple(optimizer)
    optimizer.add_param_group({"params": list(late.parameters())})
    start = late.weight.detach().clone()
    (words(torch.tensor([1])) + late(torch.tensor([1]))).sum().backward()
    optimizer.step()
    assert torch.equal(late.weight[[0, 2, 3]], start[[0, 2, 3]])
    assert not torch.equal(late.weight[1], start[1])
