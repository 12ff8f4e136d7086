from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gapless.lint.rule import Fault, checks

if TYPE_CHECKING:
    from gapless.lint.setup import Batch


@checks(
    level="error",
    title="predictions and targets of different shapes in a regression loss",
    effect="(B, 1) against (B,) broadcasts to B x B: every prediction is held against every target, and the model "
    "learns the mean",
    fix="bring both to one shape: model(x).squeeze(1), or targets.unsqueeze(1)",
    source="the warning of torch.nn.functional.mse_loss: 'Using a target size that is different to the input size'",
    broken="""
import torch
from torch import nn
from gapless.lint import Setup

setup = Setup(nn.Linear(8, 1), loader=[(torch.randn(16, 8), torch.randn(16))], loss=nn.MSELoss())
""",
    healthy="""
import torch
from torch import nn
from gapless.lint import Setup

setup = Setup(nn.Linear(8, 1), loader=[(torch.randn(16, 8), torch.randn(16, 1))], loss=nn.MSELoss())
""",
)
def loss_broadcasts(batch: Batch) -> Iterator[Fault]:
    import torch
    from torch import nn

    outputs, targets, loss = batch.outputs, batch.targets, batch.setup.loss
    elementwise = (nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss)
    if outputs is None or not isinstance(targets, torch.Tensor) or not isinstance(loss, elementwise):
        return
    if outputs.shape != targets.shape and outputs.numel() == targets.numel():
        matched = float(loss(outputs.reshape(targets.shape), targets))
        with batch.silence():
            taken = float(loss(outputs, targets))
        shapes = f"{tuple(outputs.shape)} and {tuple(targets.shape)}"
        yield Fault(
            "loss", f"outputs and targets are {shapes}", f"measured: the loss is {taken:.3g}, row by row {matched:.3g}"
        )
