from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gapless.lint.rule import Fault, checks

if TYPE_CHECKING:
    from gapless.lint.setup import Batch


@checks(
    level="error",
    title="cross-entropy over a single output",
    effect="softmax of one number is 1: the loss is 0 and so is every gradient",
    fix="give the model two outputs, or use BCEWithLogitsLoss",
    source="docs of torch.nn.CrossEntropyLoss: the input is (N, C) with C the number of classes",
    broken="""
import torch
from torch import nn
from gapless.lint import Setup

setup = Setup(nn.Linear(8, 1), loader=[(torch.randn(16, 8), torch.zeros(16).long())], loss=nn.CrossEntropyLoss())
""",
    healthy="""
import torch
from torch import nn
from gapless.lint import Setup

setup = Setup(nn.Linear(8, 2), loader=[(torch.randn(16, 8), torch.zeros(16).long())], loss=nn.CrossEntropyLoss())
""",
)
def single_output(batch: Batch) -> Iterator[Fault]:
    from torch import nn

    outputs = batch.outputs
    if outputs is None or not isinstance(batch.setup.loss, nn.CrossEntropyLoss):
        return
    if outputs.ndim >= 2 and outputs.shape[1] == 1:
        yield Fault("outputs", f"the model hands out {tuple(outputs.shape)}: one class")
