"""A loader's last batch of one row, in a model with inserted batch norms."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from gapless.batchnorm import insert
from gapless.errors import UsageError


@pytest.mark.parametrize(
    ("build", "shape"),
    [
        (lambda: nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 2)), (4,)),
        (lambda: nn.Sequential(nn.Conv2d(3, 6, 4), nn.Flatten(), nn.Linear(6, 2)), (3, 4, 4)),
    ],
)
def test_a_last_batch_of_one_row_goes_by_the_batches_before_it(
    build: Callable[[], nn.Module], shape: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    model = build()
    insert(model)
    with pytest.raises(UsageError, match="more than one value per channel"):
        model(torch.randn(1, *shape))  # nothing has been seen
    model(torch.randn(16, *shape))
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    one = torch.randn(1, *shape)
    output = model(one)
    output.sum().backward()
    assert torch.equal(output, model.eval()(one))
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.named_buffers())
    assert all(parameter.grad is not None for parameter in model.parameters())
