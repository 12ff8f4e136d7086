"""Cautious weight decay's mask."""

import pytest
import torch
from torch import nn, optim

from gapless import decay
from gapless.decay.decoupled import decay_where_agreed

TABLE = [  # sign of the update u, sign of the weight w, does it decay
    (1, 1, True),
    (-1, -1, True),
    (1, -1, False),
    (-1, 1, False),
    (0, 1, True),
    (0, -1, True),
    (1, 0, True),
    (-1, 0, True),
    (0, 0, True),
]


@pytest.mark.parametrize(("u", "w", "decays"), TABLE)
@pytest.mark.parametrize("size", [1.0, 1e-30])
def test_the_mask_table(u: int, w: int, decays: bool, size: float) -> None:
    """Also for values whose product is 0 in float32, on the path in chunks and on the path of whole tensors."""
    before = torch.full((2, 3, 4, 5), w * size)
    for memory in (torch.contiguous_format, torch.channels_last):
        after = (before - u * size / 8).contiguous(memory_format=memory)
        expected = after - 0.25 * decays * before
        decay_where_agreed([after], [before.contiguous(memory_format=memory)], 0.25)
        assert torch.equal(after, expected)


def test_more_values_than_one_chunk() -> None:
    generator = torch.Generator().manual_seed(0)
    before, step = torch.randn(2, 3, 50_001, generator=generator)
    after = before - 0.1 * step
    expected = after - 0.25 * ((before - after) * before >= 0) * before
    decay_where_agreed([after], [before], 0.25)
    torch.testing.assert_close(after, expected)


@pytest.mark.parametrize(("u", "w", "decays"), TABLE)
@pytest.mark.parametrize("fused", [False, True])
def test_the_mask_table_through_an_optimizer(u: int, w: int, decays: bool, fused: bool) -> None:
    """Plain SGD: the update u is the gradient, and w' = w - lr * (u + wd * mask * w)."""
    net = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        net.weight.fill_(float(w))
    optimizer = optim.SGD(decay.groups(net, 0.5), lr=0.1, fused=fused)
    decay.decouple(optimizer, cautious=True)
    net.weight.grad = torch.full((1, 1), float(u))
    optimizer.step()
    assert net.weight.item() == pytest.approx(w - 0.1 * (u + 0.5 * decays * w), abs=1e-7)


def test_the_momentum_decides_and_not_the_gradient() -> None:
    net = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        net.weight.fill_(1.0)
    optimizer = optim.SGD(decay.groups(net, 0.5), lr=0.01, momentum=0.9)
    decay.decouple(optimizer, cautious=True)
    w, buffer = 1.0, 0.0
    for gradient in (1.0, -0.5, -0.5):  # the buffer is 1, 0.4, -0.14: it disagrees with the second gradient
        net.weight.grad = torch.full((1, 1), gradient)
        optimizer.step()
        buffer = 0.9 * buffer + gradient
        w -= 0.01 * (buffer + 0.5 * (buffer * w >= 0) * w)
        assert net.weight.item() == pytest.approx(w, rel=1e-6)


def test_at_a_minimum_of_the_loss_it_rests_where_decoupled_decay_is_biased() -> None:
    """loss (w - 1)^2 / 2: decoupled decay settles at 1/(1 + wd); cautious decay leaves the loss's own minimum alone."""

    def settle(cautious: bool) -> float:
        net = nn.Linear(1, 1, bias=False)
        with torch.no_grad():
            net.weight.fill_(3.0)
        optimizer = optim.SGD(decay.groups(net, 0.5), lr=1e-2)
        decay.decouple(optimizer, cautious=cautious)
        for _ in range(2000):
            net.weight.grad = net.weight.detach() - 1
            optimizer.step()
        return net.weight.item()

    assert settle(False) == pytest.approx(1 / 1.5, abs=5e-3)
    assert settle(True) == pytest.approx(1.0, abs=5e-3)
