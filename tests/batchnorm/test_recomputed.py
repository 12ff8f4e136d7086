"""Batch norm in blocks that torch.utils.checkpoint runs twice: statistics move once, gradients are the plain ones."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from gapless.batchnorm import GhostBatchNorm, insert


def inserted() -> nn.Sequential:
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2))
    insert(model)
    return model


def ghost() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 6), GhostBatchNorm(6, ghost_size=3), nn.ReLU(), nn.Linear(6, 2))


@pytest.mark.parametrize("build", [inserted, ghost])
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
