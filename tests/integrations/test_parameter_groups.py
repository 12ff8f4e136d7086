"""A recipe's decay in optimizers that exist already, with their schedulers."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler
from trained_digits import network

from gapless import UsageError
from gapless.integrations.groups import regularize
from gapless.recipe import Decay


def step(model: nn.Module, optimizer: Any) -> None:
    optimizer.zero_grad()
    sum((p**2).sum() for p in model.parameters()).backward()
    optimizer.step()


SCHEDULERS = {
    "lambda": lambda o: lr_scheduler.LambdaLR(o, lambda t: 0.5**t),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, 10),
    "one cycle": lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=10),
    "cyclic": lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1),
    "plateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=0),
    "sequence": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.1, total_iters=2), lr_scheduler.ExponentialLR(o, 0.9)], [2]
    ),
    "chain": lambda o: lr_scheduler.ChainedScheduler([lr_scheduler.ConstantLR(o, 0.5, 2), lr_scheduler.StepLR(o, 1)]),
}


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_scheduler_goes_on_for_every_group(name: str) -> None:
    """Beside one that was never touched: the same rates, at each step, in each group."""
    rates: list[list[float]] = []
    for part in (None, Decay(strength=0.05)):
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        scheduler = SCHEDULERS[name](optimizer)
        if part is not None:
            regularize(optimizer, part, model, [scheduler])
            assert [group["weight_decay"] for group in optimizer.param_groups] == [0.05, 0]
        found: list[float] = []
        for _ in range(5):
            step(model, optimizer)
            scheduler.step(*([1.0] if name == "plateau" else []))
            assert len({group["lr"] for group in optimizer.param_groups}) == 1
            found.append(optimizer.param_groups[-1]["lr"])
        rates.append(found)
    assert rates[0] == pytest.approx(rates[1])


def test_groups_of_ones_own_stay_and_a_second_time_changes_nothing() -> None:
    model = network()
    heads = [{"params": model[6].parameters(), "lr": 0.1}, {"params": [*model[0].parameters(), *model[4].parameters()]}]
    optimizer = torch.optim.AdamW(heads, lr=0.01, weight_decay=0.3)
    for _ in range(2):
        regularize(optimizer, Decay(strength=0.05), model)
        found = [(g["lr"], g["weight_decay"], len(g["params"])) for g in optimizer.param_groups]
        assert found == [(0.1, 0.05, 1), (0.01, 0.05, 2), (0.1, 0, 1), (0.01, 0, 2)]
    regularize(optimizer, Decay(), model)
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0}
    optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(2))]})


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam, torch.optim.RMSprop, torch.optim.AdamW])
def test_decay_is_what_the_recipe_says_in_any_optimizer(kind: Any) -> None:
    model = nn.Linear(4, 4)
    before, optimizer = model.weight.detach().clone(), kind(model.parameters(), lr=0.1)
    regularize(optimizer, Decay(strength=0.5), model)
    for _ in range(5):
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
    assert torch.allclose(model.weight, before * (1 - 0.05) ** 5)


def test_new_parameters_join_and_what_cannot_decay_is_refused() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.append(nn.BatchNorm1d(10))
    regularize(optimizer, Decay(strength=0.1), model, new=model[7].parameters())
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in model.parameters()}
    memory = torch.optim.LBFGS(network().parameters())
    regularize(memory, Decay(), network())
    with pytest.raises(UsageError, match="LBFGS"):
        regularize(memory, Decay(strength=0.1), network())
