"""The mathematics of weight decay: closed forms, equivalences, and one difference."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn, optim

from gapless import decay

X = torch.linspace(-1, 1, 24, dtype=torch.float64).reshape(6, 4).sin()
Y = torch.linspace(1, -2, 18, dtype=torch.float64).reshape(6, 3).cos()


def model() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.LayerNorm(8), nn.Linear(8, 3)).double()


def trained(optimizer: optim.Optimizer, net: nn.Module, pull: Any = None, steps: int = 30) -> Tensor:
    for _ in range(steps):
        optimizer.zero_grad()
        loss = (net(X) - Y).square().mean()
        (loss if pull is None else loss + pull()).backward()
        optimizer.step()
    return torch.cat([p.detach().flatten() for p in net.parameters()])


def distance(a: Tensor, b: Tensor) -> float:
    return ((a - b).norm() / b.norm()).item()


# --- zero gradient -----------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    lrs=st.lists(st.floats(1e-5, 0.5), min_size=1, max_size=12),
    strength=st.floats(1e-4, 1.0),
    how=st.sampled_from(["AdamW", "AdamW fused", "SGDW", "SGD l2"]),
)
def test_zero_gradient_leaves_the_product_of_one_minus_lr_wd(lrs: list[float], strength: float, how: str) -> None:
    """w_t = w_0 * prod(1 - lr_t * wd), to 1e-6, with the lr of every step its own."""
    net = nn.Linear(4, 4)
    start = net.weight.detach().clone(), net.bias.detach().clone()
    made = decay.groups(net, strength)
    if "AdamW" in how:
        optimizer: optim.Optimizer = optim.AdamW(made, lr=1.0, fused="fused" in how)
    else:
        optimizer = optim.SGD(made, lr=1.0)
    if how == "SGDW":
        decay.decouple(optimizer)
    for lr in lrs:
        for group in optimizer.param_groups:
            group["lr"] = lr
        net.weight.grad, net.bias.grad = torch.zeros(4, 4), torch.zeros(4)
        optimizer.step()
    left = math.prod(1 - lr * strength for lr in lrs)
    torch.testing.assert_close(net.weight.detach(), start[0] * left, rtol=2e-6, atol=0)
    assert torch.equal(net.bias.detach(), start[1])


# --- L2, textbook, decoupled ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["SGD", "SGD momentum", "Adam", "RMSprop"])
def test_the_textbooks_lambda_is_torchs_weight_decay_of_twice_that(kind: str) -> None:
    """L + lambda * sum(w^2) in the loss, and weight_decay = 2 lambda in the optimizer, walk the same way."""

    def optimizer(net: nn.Module, strength: float) -> optim.Optimizer:
        made = decay.groups(net, strength)
        if kind.startswith("SGD"):
            return optim.SGD(made, lr=0.1, momentum=0.9 * (kind != "SGD"))
        return optim.Adam(made, lr=0.01) if kind == "Adam" else optim.RMSprop(made, lr=0.01)

    lam = 0.02
    in_loss, in_group = model(), model()
    penalized = trained(optimizer(in_loss, 0.0), in_loss, decay.penalty(in_loss, decay.L2(lam)))
    grouped = trained(optimizer(in_group, decay.convert(lam, "textbook", "l2")), in_group)
    assert distance(penalized, grouped) < 1e-9
    other = model()
    assert distance(trained(optimizer(other, lam), other), grouped) > 1e-4  # without the factor 2 it is another path


def sgd(strength: float, coupling: Any, momentum: float = 0.0, lr: float = 0.1, steps: int = 30) -> Tensor:
    net = model()
    optimizer = optim.SGD(decay.groups(net, strength), lr=lr, momentum=momentum)
    if coupling != "l2":
        decay.decouple(optimizer, coupling)
    return trained(optimizer, net, steps=steps)


@pytest.mark.parametrize("coupling", ["decoupled", "independent", "constant", "corrected"])
def test_l2_in_sgd_is_decoupled_decay_after_rescaling(coupling: Any) -> None:
    """Exactly, at a constant learning rate without momentum, for each of the decoupled conventions."""
    converted = decay.convert(0.05, "l2", coupling, peak_lr=0.1)
    assert distance(sgd(converted, coupling), sgd(0.05, "l2")) < 1e-12


def test_with_momentum_the_rescaling_holds_to_first_order() -> None:
    """1/(1 - mu) brings the paths together; the factor left out keeps them ten times farther apart."""
    l2 = sgd(0.02, "l2", momentum=0.9, lr=0.01, steps=150)
    right = decay.convert(0.02, "l2", "decoupled", momentum=0.9)
    assert right == pytest.approx(0.2)
    error = distance(sgd(right, "decoupled", momentum=0.9, lr=0.01, steps=150), l2)
    unscaled = distance(sgd(0.02, "decoupled", momentum=0.9, lr=0.01, steps=150), l2)
    assert error < 0.1 * unscaled


def test_in_adam_no_rescaling_turns_l2_into_decoupled_decay() -> None:
    """Over six decades of strengths the nearest decoupled path stays far from the L2 path, and convert() refuses."""

    def adam(strength: float, kind: type[optim.Optimizer]) -> Tensor:
        net = model()
        return trained(kind(decay.groups(net, strength), lr=0.01), net, steps=50)

    l2, plain = adam(0.05, optim.Adam), adam(0.0, optim.Adam)
    nearest = min(distance(adam(10.0**e, optim.AdamW), l2) for e in torch.arange(-4, 2.01, 0.5).tolist())
    assert distance(l2, plain) > 0.1
    assert nearest > 0.05
    with pytest.raises(ValueError, match="no factor converts l2 to decoupled"):
        decay.convert(0.05, "l2", "decoupled", adaptive=True)


COUPLING = st.sampled_from(decay.COUPLINGS)


@settings(deadline=None)
@given(s=st.floats(0, 10), a=COUPLING, b=COUPLING, c=COUPLING, peak=st.floats(1e-6, 10), mu=st.floats(0, 0.99))
def test_conversions_compose_and_invert(s: float, a: Any, b: Any, c: Any, peak: float, mu: float) -> None:
    def via(strength: float, source: Any, target: Any) -> float:
        return decay.convert(strength, source, target, peak_lr=peak, momentum=mu)

    assert via(via(s, a, b), b, c) == pytest.approx(via(s, a, c), rel=1e-9)
    assert via(via(s, a, b), b, a) == pytest.approx(s, rel=1e-9)


# --- timescale -------------------------------------------------------------------------------------------------------


def test_after_one_timescale_the_start_is_worth_one_over_e() -> None:
    """Weights under AdamW are a moving average: an update of constant direction takes tau to be believed."""
    net = nn.Linear(2, 2, bias=False).double()
    lr, strength, per_epoch = 1e-2, 0.2, 5
    epochs = decay.timescale(lr, strength, per_epoch)
    assert epochs == pytest.approx(100)
    optimizer = optim.AdamW(decay.groups(net, strength), lr=lr)
    start, goal = net.weight.detach().clone(), -1 / strength  # updates of size 1 settle at -1 / wd
    for _ in range(round(epochs) * per_epoch):
        net.weight.grad = torch.ones(2, 2, dtype=torch.float64)
        optimizer.step()
    torch.testing.assert_close(
        (net.weight.detach() - goal) / (start - goal), torch.full((2, 2), 1 / math.e).double(), rtol=2e-3, atol=0
    )


# --- closed forms of the penalized optimum -------------------------------------------------------------------------


def regression() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    design = torch.linalg.qr(torch.randn(12, 5, generator=generator, dtype=torch.float64)).Q
    return design, torch.randn(12, generator=generator, dtype=torch.float64)


def settle(pull: Any, target: Any = None, steps: int = 400) -> Tensor:
    """argmin of 1/2 ||Xw - y||^2 + penalty by gradient descent, with orthonormal columns in X."""
    design, y = regression()
    net = nn.Linear(5, 1, bias=False).double()
    optimizer = optim.SGD(net.parameters(), lr=0.2)
    if target is not None:
        decay.constrain(optimizer, net, target)
    extra = decay.penalty(net, pull) if pull is not None else None
    for _ in range(steps):
        optimizer.zero_grad()
        loss = 0.5 * (net(design)[:, 0] - y).square().sum()
        (loss if extra is None else loss + extra()).backward()
        optimizer.step()
    return net.weight.detach()[0]


def test_ridge_has_its_closed_form() -> None:
    design, y = regression()
    torch.testing.assert_close(settle(decay.L2(0.35)), design.T @ y / (1 + 2 * 0.35))


def test_lasso_by_soft_threshold_has_its_closed_form_and_true_zeros() -> None:
    design, y = regression()
    free = design.T @ y
    strength = free.abs().median().item()  # two of the five columns must vanish, one sits on the edge
    expected = free.sign() * (free.abs() - strength).clamp(min=0)
    got = settle(None, decay.SoftThreshold(strength))
    torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-9)
    assert (got == 0).sum() >= 2


def test_elastic_net_has_its_closed_form() -> None:
    """Zou & Hastie: soft threshold, then division by 1 + lambda * (1 - rho); and far from zero descent finds it."""
    design, y = regression()
    free = design.T @ y
    strength, rho = 0.5 * free.abs().min().item(), 0.8
    expected = free.sign() * (free.abs() - strength * rho) / (1 + strength * (1 - rho))
    torch.testing.assert_close(settle(decay.ElasticNet(strength, rho)), expected)


def test_l2_sp_lies_between_the_start_and_the_data() -> None:
    design, y = regression()
    start = torch.arange(5.0, dtype=torch.float64)
    got = settle(decay.L2SP({"weight": start[None]}, alpha=3.0))
    torch.testing.assert_close(got, (design.T @ y + 3 * start) / 4)


def test_orthogonal_penalty_alone_leads_to_orthonormal_rows() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.ConvTranspose2d(6, 2, 2, groups=2, bias=False)).double()
    pull = decay.penalty(net, decay.Orthogonal(0.1))
    optimizer = optim.SGD(net.parameters(), lr=0.5)
    for _ in range(600):
        optimizer.zero_grad()
        pull().backward()
        optimizer.step()
    rows = net[0].weight.detach().flatten(1)
    torch.testing.assert_close(rows @ rows.T, torch.eye(4, dtype=torch.float64), rtol=0, atol=1e-6)
    assert pull().item() < 1e-10


def test_max_norm_is_the_nearest_point_of_the_ball() -> None:
    """A quadratic loss with its minimum outside settles where the projection onto the ball is."""
    net = nn.Linear(2, 1, bias=False).double()
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    decay.constrain(optimizer, net, decay.MaxNorm(2.0))
    goal = torch.tensor([[3.0, 4.0]], dtype=torch.float64)
    for _ in range(500):
        net.weight.grad = net.weight.detach() - goal
        optimizer.step()
    torch.testing.assert_close(net.weight.detach(), goal * 2 / 5)
