import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from gapless import decay


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.Linear(8, 2))


def step(net: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    net(torch.ones(3, 4)).square().sum().backward()
    optimizer.step()
    optimizer.zero_grad()


def test_state_and_settings_survive_and_undo_is_exact() -> None:
    net = model()
    first, *rest = (list(net[i].named_parameters(f"{i}")) for i in range(3))
    plain = [{"params": first, "lr": 0.1}, {"params": [pair for pairs in rest for pair in pairs]}]
    optimizer = torch.optim.Adam(plain, lr=0.01, betas=(0.5, 0.9))
    step(net, optimizer)
    former = [dict(group) for group in optimizer.param_groups]
    moments = {id(p): optimizer.state[p]["exp_avg"] for p in net.parameters()}

    regrouped = decay.regroup(optimizer, net, 0.3)
    assert [(g["lr"], g["weight_decay"], g["param_names"]) for g in optimizer.param_groups] == [
        (0.1, 0.3, ["0.weight"]),
        (0.1, 0.0, ["0.bias"]),
        (0.01, 0.3, ["2.weight"]),
        (0.01, 0.0, ["1.weight", "1.bias", "2.bias"]),
    ]
    assert all(g["betas"] == (0.5, 0.9) for g in optimizer.param_groups)
    assert all(optimizer.state[p]["exp_avg"] is moments[id(p)] for p in net.parameters())
    optimizer.load_state_dict(optimizer.state_dict())
    step(net, optimizer)

    regrouped.undo()
    assert [set(g) for g in optimizer.param_groups] == [set(g) for g in former]
    for group, was in zip(optimizer.param_groups, former, strict=True):
        assert [id(p) for p in group["params"]] == [id(p) for p in was["params"]]
        assert {k: v for k, v in group.items() if k != "params"} == {k: v for k, v in was.items() if k != "params"}
    step(net, optimizer)


@pytest.mark.parametrize(
    "build",
    [
        lambda o: lr_scheduler.StepLR(o, 3),
        lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=10),
        lambda o: lr_scheduler.ReduceLROnPlateau(o),
        lambda o: lr_scheduler.SequentialLR(o, [lr_scheduler.ConstantLR(o), lr_scheduler.ExponentialLR(o, 0.9)], [2]),
    ],
    ids=["step", "one_cycle", "plateau", "sequential"],
)
@pytest.mark.parametrize("touched", [False, True])
def test_a_scheduler_that_holds_the_optimizer_is_found(build, touched: bool) -> None:
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    regrouped = decay.regroup(optimizer, net, 0.1)
    scheduler = build(optimizer)
    if touched:
        assert vars(scheduler)["optimizer"] is optimizer
    with pytest.raises(ValueError, match=r"held by .*LR.*regroup first, then build the scheduler"):
        decay.regroup(optimizer, net, 0.1)
    with pytest.raises(ValueError, match="regroup first, then build the scheduler"):
        regrouped.undo()
    del scheduler


def test_traces_of_a_foreign_scheduler_count() -> None:
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    optimizer.param_groups[0]["initial_lr"] = 0.1
    with pytest.raises(ValueError, match="initial_lr stands in its groups"):
        decay.regroup(optimizer, net, 0.1)


def test_a_scheduler_of_another_optimizer_does_not_count() -> None:
    net, other = model(), model()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    kept = lr_scheduler.ReduceLROnPlateau(torch.optim.SGD(other.parameters(), lr=0.1))
    kept.neighbours = {"left": optimizer}  # type: ignore[attr-defined]  # refers to it, and does not step it
    decay.regroup(optimizer, net, 0.1)
    assert kept.optimizer is not optimizer


def test_what_cannot_be_regrouped_is_refused() -> None:
    net = model()
    with pytest.raises(ValueError, match=r"it lacks 2.weight, 2.bias and has 0 others; build it from this model"):
        decay.regroup(torch.optim.SGD([*net[0].parameters(), *net[1].parameters()], lr=0.1), net, 0.1)
    with pytest.raises(ValueError, match="it lacks none and has 2 others"):
        decay.regroup(torch.optim.SGD([*net.parameters(), *nn.Linear(2, 2).parameters()], lr=0.1), net, 0.1)
    with pytest.raises(ValueError, match="LBFGS takes one group only"):
        decay.regroup(torch.optim.LBFGS(net.parameters()), net, 0.1)
    with pytest.raises(ValueError, match=r"Rprop has no weight decay of its own.*decouple"):
        decay.regroup(torch.optim.Rprop(net.parameters()), net, 0.1)
    with pytest.raises(ValueError, match=r"optimizer must be a torch.optim.Optimizer, got Sequential"):
        decay.regroup(net, net, 0.1)  # type: ignore[arg-type]
