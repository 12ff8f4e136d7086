"""Penalties: values, gradients, what they act on, what they keep, what they refuse."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gapless import decay
from gapless.decay.penalty import as_matrix, by_unit


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Linear(4, 3)).double()


def value_and_gradients(net: nn.Module, kind: Any) -> tuple[float, dict[str, Tensor]]:
    net.zero_grad()
    value = decay.penalty(net, kind)()
    value.backward()
    return value.item(), {name: p.grad for name, p in net.named_parameters() if p.grad is not None}


def gram_gradient(w: Tensor) -> Tensor:
    """d/dW ||WW' - I||^2 = 4 (WW' - I) W for a wide matrix."""
    return 4 * (w @ w.mT - torch.eye(len(w), dtype=w.dtype)) @ w


CLOSED: dict[str, tuple[Any, Any, Any]] = {
    "l2": (decay.L2(0.3), lambda w: 0.3 * (w * w).sum(), lambda w: 0.6 * w),
    "l1": (decay.L1(0.3), lambda w: 0.3 * w.abs().sum(), lambda w: 0.3 * w.sign()),
    "elastic": (
        decay.ElasticNet(0.3, 0.2),
        lambda w: 0.3 * (0.2 * w.abs().sum() + 0.4 * (w * w).sum()),
        lambda w: 0.3 * (0.2 * w.sign() + 0.8 * w),
    ),
    "spectral": (
        decay.Spectral(0.3),
        lambda w: 0.15 * torch.linalg.svdvals(w)[0] ** 2,
        lambda w: 0.3 * (lambda u, s, v: s[0] * torch.outer(u[:, 0], v[0]))(*torch.linalg.svd(w)),
    ),
    "orthogonal": (
        decay.Orthogonal(0.3),
        lambda w: 0.3 * ((torch.linalg.svdvals(w) ** 2 - 1) ** 2).sum(),
        lambda w: 0.3 * gram_gradient(w),
    ),
}


@pytest.mark.parametrize(("kind", "value", "gradient"), CLOSED.values(), ids=CLOSED)
def test_value_and_gradient_have_their_closed_form_on_the_decayed_parameters(
    kind: Any, value: Any, gradient: Any
) -> None:
    net = model()
    got, gradients = value_and_gradients(net, kind)
    weights = {name: p.detach() for name, p in net.named_parameters() if name in ("0.weight", "2.weight")}
    assert got == pytest.approx(sum(value(w).item() for w in weights.values()), rel=1e-10)
    assert set(gradients) == set(weights)
    for name, w in weights.items():
        torch.testing.assert_close(gradients[name], gradient(w), rtol=1e-8, atol=1e-12)


def test_l2_sp_pulls_known_weights_to_their_start_and_new_ones_to_zero() -> None:
    net = model()
    start = net.state_dict()
    kind = decay.L2SP({name: t for name, t in start.items() if not name.startswith("2.")}, alpha=0.4, beta=0.1)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(1.0)
    value, gradients = value_and_gradients(net, kind)
    head = net[2].weight.detach()
    assert value == pytest.approx(0.2 * 20 + 0.05 * head.square().sum().item(), rel=1e-12)
    torch.testing.assert_close(gradients["0.weight"], torch.full((4, 5), 0.4, dtype=torch.float64))
    torch.testing.assert_close(gradients["2.weight"], 0.1 * head)


def test_l2_sp_finds_a_tied_weight_under_either_name() -> None:
    net = nn.ModuleDict({"a": nn.Linear(3, 3, bias=False), "b": nn.Linear(3, 3, bias=False)})
    net["b"].weight = net["a"].weight
    start = {"b.weight": net["a"].weight.detach() - 1}
    assert value_and_gradients(net, decay.L2SP(start, alpha=2.0))[0] == pytest.approx(9)


def walk(net: nn.Module, pull: decay.Penalty, steps: int) -> None:
    """Gradient descent on the penalty with a little noise on the first layer."""
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
    for step in range(steps):
        optimizer.zero_grad()
        noise = torch.sin(torch.arange(20.0, dtype=torch.float64) + step).reshape(4, 5)
        (pull() + (net[0].weight * noise).sum()).backward()
        optimizer.step()


def spectral_error(refresh: int) -> float:
    net = model()
    pull = decay.penalty(net, decay.Spectral(2.0, refresh=refresh))
    walk(net, pull, 200)
    exact = sum(torch.linalg.svdvals(net[i].weight.detach())[0].item() ** 2 for i in (0, 2))
    return abs(pull().item() / exact - 1)


def test_the_largest_singular_value_is_found_again_after_the_penalty_made_another_one_largest() -> None:
    assert spectral_error(refresh=50) < 0.05
    assert spectral_error(refresh=10**6) > 0.2  # the iteration alone stays with the direction it has made small


def test_power_iteration_resumes_bit_for_bit() -> None:
    net = model()
    pull = decay.penalty(net, decay.Spectral(2.0, refresh=7))
    walk(net, pull, 10)
    saved, weights = copy.deepcopy(pull.state_dict()), copy.deepcopy(net.state_dict())
    walk(net, pull, 10)
    expected = copy.deepcopy(net.state_dict())
    net.load_state_dict(weights)
    again = decay.penalty(net, decay.Spectral(2.0, refresh=7))
    again.load_state_dict(saved)
    walk(net, again, 10)
    assert all(torch.equal(value, expected[name]) for name, value in net.state_dict().items())


def test_a_rules_factor_weighs_the_penalty() -> None:
    net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    rules = (decay.Rule("half", lambda leaf: leaf.name == "0.weight", 0.5), *decay.RULES)
    expected = 0.5 * net[0].weight.square().sum() + net[1].weight.square().sum()
    torch.testing.assert_close(decay.penalty(net, decay.L2(1.0), rules=rules)(), expected)


def test_everything_may_be_penalized_and_vectors_have_no_spectrum() -> None:
    net = nn.Linear(3, 2)
    for kind in (decay.Spectral(1.0), decay.Orthogonal(1.0)):
        torch.testing.assert_close(
            decay.penalty(net, kind, rules=decay.EVERYTHING)(), decay.penalty(net, kind)(), rtol=1e-6, atol=1e-6
        )
    assert decay.penalty(net, decay.L1(1.0), rules=decay.EVERYTHING)() > decay.penalty(net, decay.L1(1.0))()


LAYERS: list[tuple[nn.Module, tuple[int, ...]]] = [
    (nn.Linear(4, 6), (4,)),
    (nn.Bilinear(4, 4, 6), (4,)),
    (nn.Conv1d(4, 6, 3), (4, 9)),
    (nn.Conv2d(4, 6, 3, groups=2), (4, 5, 5)),
    (nn.Conv3d(4, 6, 1), (4, 2, 2, 2)),
    (nn.ConvTranspose1d(4, 6, 3), (4, 9)),
    (nn.ConvTranspose2d(4, 6, 3, groups=2), (4, 5, 5)),
    (nn.ConvTranspose3d(4, 8, 2, groups=4), (4, 2, 2, 2)),
]


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=lambda x: type(x).__name__ if isinstance(x, nn.Module) else "")
def test_a_units_weights_are_those_its_output_depends_on(layer: nn.Module, shape: tuple[int, ...]) -> None:
    leaf = next(one for one in decay.leaves(layer) if one.name == "weight")
    x = torch.rand(2, *shape) + 1
    out = layer(x, x) if isinstance(layer, nn.Bilinear) else layer(x)
    matrix = as_matrix(leaf)
    assert len(matrix) == out.shape[1]
    for unit in range(out.shape[1]):
        (reach,) = torch.autograd.grad(out[:, unit].sum(), leaf.tensor, retain_graph=True)
        marked = torch.zeros_like(leaf.tensor)
        view, dims = by_unit(decay.Leaf(leaf.names, marked, leaf.uses))
        index = [slice(None)] * view.ndim
        for dim, i in zip(dims, torch.unravel_index(torch.tensor(unit), [view.shape[d] for d in dims]), strict=True):
            index[dim] = int(i)
        view[tuple(index)] = 1
        assert torch.equal(reach != 0, marked != 0)
        torch.testing.assert_close(matrix[unit].sort().values, leaf.tensor[marked != 0].sort().values)


def test_max_norm_bounds_every_unit_and_touches_no_other() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(6, 2))
    with torch.no_grad():
        net[0].weight[:3] *= 10
        net[0].weight[5] = 0
    optimizer = torch.optim.SGD(net.parameters(), lr=0.0)
    held = decay.constrain(optimizer, net, decay.MaxNorm(1.5))
    before = copy.deepcopy(net.state_dict())
    for p in net.parameters():
        p.grad = torch.ones_like(p)
    optimizer.step()
    norms = before["0.weight"].norm(dim=1)
    assert (norms > 1.5).sum() == 3
    for unit, norm in enumerate(norms):
        row, was = net[0].weight[unit].detach(), before["0.weight"][unit]
        torch.testing.assert_close(row, was * (1.5 / norm) if norm > 1.5 else was)
    assert all(torch.equal(net.state_dict()[key], before[key]) for key in before if key != "0.weight")
    held.undo()
    with torch.no_grad():
        net[0].weight *= 10
    optimizer.step()
    assert net[0].weight.norm(dim=1).max() > 10


def test_soft_threshold_makes_exact_zeros_with_each_groups_learning_rate() -> None:
    net = nn.Sequential(nn.Linear(3, 1, bias=False), nn.Linear(1, 3, bias=False))
    start = torch.tensor([0.5, -0.02, 0.1])
    with torch.no_grad():
        net[0].weight.copy_(start[None])
        net[1].weight.copy_(start[:, None])
    groups = [{"params": net[0].parameters(), "lr": 0.1}, {"params": net[1].parameters(), "lr": 1.0}]
    optimizer = torch.optim.SGD(groups, lr=9.0)
    decay.constrain(optimizer, net, decay.SoftThreshold(0.3))
    optimizer.step()
    torch.testing.assert_close(net[0].weight.detach()[0], torch.tensor([0.47, 0.0, 0.07]))
    torch.testing.assert_close(net[1].weight.detach()[:, 0], torch.tensor([0.2, 0.0, 0.0]))
    assert (net[1].weight == 0).sum() == 2
    decay.constrain(optimizer, net, decay.SoftThreshold(0.2), rules=(decay.Rule("half", lambda leaf: True, 0.5),))
    optimizer.step()
    torch.testing.assert_close(net[0].weight.detach()[0], torch.tensor([0.43, 0.0, 0.03]))


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: decay.L2(-1.0), "strength must be a finite number >= 0, got -1.0"),
        (lambda: decay.L1(float("nan")), "strength must be a finite number >= 0, got nan"),
        (lambda: decay.ElasticNet(0.1, 1.5), r"l1_ratio must be in \[0, 1\], got 1.5"),
        (lambda: decay.Spectral(0.1, 0), "iterations must be at least 1, got 0"),
        (lambda: decay.Spectral(0.1, refresh=0), "refresh must be at least 1, got 0"),
        (lambda: decay.Orthogonal(-0.1), "strength must be a finite number >= 0, got -0.1"),
        (lambda: decay.L2SP({}, 0.1), "start holds no tensor; hand in the pre-trained state_dict"),
        (lambda: decay.L2SP({"a": torch.zeros(1)}, -0.1), "alpha must be a finite number >= 0, got -0.1"),
        (lambda: decay.MaxNorm(0.0), "limit must be a finite number > 0, got 0.0"),
        (lambda: decay.SoftThreshold(-1.0), "strength must be a finite number >= 0, got -1.0"),
        (lambda: decay.penalty(nn.LayerNorm(3), decay.L1(1.0)), "these rules let no parameter of the model decay"),
        (
            lambda: decay.penalty(nn.Linear(3, 2), decay.L2SP({"weight": torch.zeros(5, 3)}, 0.1))(),
            r"start\['weight'\] has shape \(5, 3\), the model's \(2, 3\); leave a replaced layer out of start",
        ),
        (
            lambda: decay.constrain(torch.optim.SGD(nn.Linear(2, 2).parameters()), nn.Linear(2, 2), decay.MaxNorm(1.0)),
            "the optimizer does not train weight; hand in the model it was built from",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(build: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        build()
