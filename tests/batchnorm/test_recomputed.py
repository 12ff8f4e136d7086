"""Batch norm in blocks that torch.utils.checkpoint runs twice: statistics move once, gradients are the plain ones."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from gapless.batchnorm import BatchRenorm, GhostBatchNorm, insert


def inserted() -> nn.Sequential:
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2))
    insert(model)
    return model


def ghost() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 6), GhostBatchNorm(6, ghost_size=3), nn.ReLU(), nn.Linear(6, 2))


def renorm() -> nn.Sequential:
    open_at_once = BatchRenorm(6, start=0, r_end=1, d_end=1)
    return nn.Sequential(nn.Linear(4, 6), open_at_once, nn.ReLU(), nn.Linear(6, 2))


@pytest.mark.parametrize("build", [inserted, ghost, renorm])
@pytest.mark.parametrize("reentrant", [True, False])
def test_statistics_move_once(build: Callable[[], nn.Sequential], reentrant: bool) -> None:
    torch.manual_seed(0)
    plain = build()
    model = copy.deepcopy(plain)
    for _ in range(2):
        x = torch.randn(9, 4, requires_grad=True)
        plain(x).square().sum().backward()
        checkpoint(model, x, use_reentrant=reentrant).square().sum().backward()
    state = model.state_dict()
    assert all(int(count) == 2 for key, count in state.items() if key.endswith("num_batches_tracked"))
    for key, value in plain.state_dict().items():
        assert torch.equal(value, state[key]), key
    for (name, expected), parameter in zip(plain.named_parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, expected.grad, msg=name)


@pytest.mark.parametrize("reentrant", [True, False])
def test_corrections_are_those_of_the_forward_in_whatever_order_the_backward_passes_come(reentrant: bool) -> None:
    torch.manual_seed(0)
    plain = renorm()
    model = copy.deepcopy(plain)
    batches = [3 * torch.randn(9, 4) + shift for shift in (0.0, 1.0, 2.0)]
    for batch in batches:
        plain(batch).square().sum().backward()
    losses = [checkpoint(model, b.requires_grad_(), use_reentrant=reentrant).square().sum() for b in batches]
    for loss in reversed(losses):
        loss.backward()
    for (name, expected), parameter in zip(plain.named_parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, expected.grad, msg=name)
    layer = copy.deepcopy(plain)[1]
    assert isinstance(layer, BatchRenorm) and not layer._recent  # pyright: ignore[reportPrivateUsage]
