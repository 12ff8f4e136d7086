"""Groups, decoupled and cautious decay with every optimizer that torch has."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn, optim

from gapless import decay

Build = Callable[[list[dict[str, Any]]], optim.Optimizer]

OPTIMIZERS: dict[str, Build] = {
    "ASGD": lambda g: optim.ASGD(g, lr=0.01, lambd=0.0),  # lambd is a decay of ASGD's own
    "Adadelta": lambda g: optim.Adadelta(g, lr=0.01),
    "Adafactor": lambda g: optim.Adafactor(g, lr=0.01),
    "Adagrad": lambda g: optim.Adagrad(g, lr=0.01),
    "Adagrad fused": lambda g: optim.Adagrad(g, lr=0.01, fused=True),
    "Adam": lambda g: optim.Adam(g, lr=0.01),
    "Adam amsgrad": lambda g: optim.Adam(g, lr=0.01, amsgrad=True),
    "Adam fused": lambda g: optim.Adam(g, lr=0.01, fused=True),
    "AdamW": lambda g: optim.AdamW(g, lr=0.01),
    "AdamW foreach": lambda g: optim.AdamW(g, lr=0.01, foreach=True),
    "AdamW fused": lambda g: optim.AdamW(g, lr=0.01, fused=True),
    "Adamax": lambda g: optim.Adamax(g, lr=0.01),
    "Muon": lambda g: optim.Muon(g, lr=0.01),
    "NAdam": lambda g: optim.NAdam(g, lr=0.01),
    "RAdam": lambda g: optim.RAdam(g, lr=0.01),
    "RMSprop": lambda g: optim.RMSprop(g, lr=0.01),
    "Rprop": lambda g: optim.Rprop(g, lr=0.01),
    "SGD": lambda g: optim.SGD(g, lr=0.01),
    "SGD nesterov": lambda g: optim.SGD(g, lr=0.01, momentum=0.9, nesterov=True, maximize=True),
    "SGD fused": lambda g: optim.SGD(g, lr=0.01, momentum=0.9, fused=True),
    "SparseAdam": lambda g: optim.SparseAdam(g, lr=0.01),
}
WITHOUT_OWN_DECAY = {"Rprop", "SparseAdam"}
MATRICES_ONLY = {"Muon"}


def test_the_table_has_every_optimizer_of_torch() -> None:
    known = {name.split()[0] for name in OPTIMIZERS} | {"LBFGS", "Optimizer"}  # LBFGS takes one group only
    assert known == {
        name for name, kind in inspect.getmembers(optim, inspect.isclass) if issubclass(kind, optim.Optimizer)
    }


def small(name: str) -> nn.Module:
    torch.manual_seed(0)
    if name.split()[0] in MATRICES_ONLY:
        return nn.Sequential(nn.Linear(6, 8, bias=False), nn.Embedding(5, 8))
    return nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.Linear(8, 2), nn.Embedding(5, 8))


def gradients(model: nn.Module, name: str, size: float, step: int = 0) -> None:
    """The same gradients whatever the weights are, so that a decay cannot act through them."""
    generator = torch.Generator().manual_seed(step)
    for p in model.parameters():
        grad = size * torch.randn(p.shape, generator=generator)
        p.grad = grad.to_sparse() if name == "SparseAdam" else grad


def copies(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def decayed_names(model: nn.Module) -> set[str]:
    return {row.name for row in decay.account(model, 1.0) if row.decay > 0}


def run(name: str, strength: float, size: float, attach: Callable[[optim.Optimizer], object] = id) -> dict[str, Tensor]:
    model = small(name)
    optimizer = OPTIMIZERS[name](decay.groups(model, strength))
    attach(optimizer)
    for step in range(4):
        gradients(model, name, size, step)
        optimizer.step()
    assert [g["weight_decay"] for g in optimizer.param_groups] == [strength, 0.0][: len(optimizer.param_groups)]
    return copies(model)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_optimizers_own_decay_reaches_exactly_the_decayed_group(name: str) -> None:
    without, with_decay = run(name, 0.0, 1.0), run(name, 0.5, 1.0)
    changed = {key for key in without if not torch.equal(without[key], with_decay[key])}
    assert changed == (set() if name in WITHOUT_OWN_DECAY else decayed_names(small(name)))


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("cautious", [False, True])
@pytest.mark.parametrize(
    ("coupling", "left"),
    [
        ("decoupled", 1 - 0.01 * 0.5),
        ("independent", 1 - 0.01 / 0.02 * 0.5),
        ("constant", 0.5),
        ("corrected", 1 - 0.0025),
    ],
)
def test_zero_gradients_leave_the_decay_alone(name: str, cautious: bool, coupling: Any, left: float) -> None:
    start = copies(small(name))
    done = run(name, 0.5, 0.0, lambda o: decay.decouple(o, coupling, cautious=cautious, peak_lr=0.02))
    for key, value in done.items():
        torch.testing.assert_close(
            value, start[key] * (left**4 if key in decayed_names(small(name)) else 1), rtol=1e-6, atol=0
        )


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("cautious", [False, True])
def test_each_step_is_the_plain_step_and_then_the_formula(name: str, cautious: bool) -> None:
    """Decoupled: w' = plain((1 - lr*wd) * w). Cautious: w' = plain(w) - lr*wd * 1[u*w >= 0] * w, u = w - plain(w)."""
    model, twin = small(name), small(name)
    optimizer, plain = (OPTIMIZERS[name](decay.groups(m, s)) for m, s in ((model, 0.5), (twin, 0.0)))
    decay.decouple(optimizer, cautious=cautious)
    for step in range(4):
        before = copies(model)
        twin.load_state_dict(model.state_dict())
        if not cautious:  # the weights shrink first, and the step starts from there
            with torch.no_grad():
                for key, p in twin.named_parameters():
                    p.mul_(1 - 0.01 * 0.5 if key in decayed_names(model) else 1)
        for net, one in ((model, optimizer), (twin, plain)):
            gradients(net, name, 1.0, step)
            one.step()
        for key, value in copies(model).items():
            w, expected = before[key], copies(twin)[key]
            if cautious and key in decayed_names(model):
                u = w - expected
                expected = expected - 0.01 * 0.5 * (u.sign() * w.sign() >= 0) * w
            torch.testing.assert_close(value, expected, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_undo_gives_the_optimizer_its_own_decay_back(name: str) -> None:
    assert all(
        torch.equal(a, b)
        for a, b in zip(
            run(name, 0.5, 1.0).values(), run(name, 0.5, 1.0, lambda o: decay.decouple(o).undo()).values(), strict=True
        )
    )


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_state_dict_round_trip_in_the_middle(name: str) -> None:
    expected = run(name, 0.5, 1.0, lambda o: decay.decouple(o, cautious=True))
    model = small(name)
    optimizer = OPTIMIZERS[name](decay.groups(model, 0.5))
    for step in range(4):
        if step in (0, 2):
            saved = optimizer.state_dict()
            optimizer = OPTIMIZERS[name](decay.groups(model, 0.1))
            optimizer.load_state_dict(saved)
            decay.decouple(optimizer, cautious=True)
        gradients(model, name, 1.0, step)
        optimizer.step()
    for key, value in copies(model).items():
        assert torch.equal(value, expected[key]), key
