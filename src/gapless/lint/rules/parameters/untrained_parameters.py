from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gapless.lint.rule import Fault, checks

if TYPE_CHECKING:
    from gapless.lint.setup import Batch


@checks(
    level="error",
    title="trainable parameters that the optimizer does not have",
    effect="they stay as they were drawn, while the rest of the model learns around them",
    fix="make the optimizer from all parameters, or set requires_grad=False on those that are to stay",
    source="docs of torch.optim: parameters are those handed in when the optimizer is made",
    broken="""
import torch
from torch import nn
from gapless.lint import Setup

model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model[2] = nn.Linear(8, 5)
setup = Setup(model, optimizer)
""",
    healthy="""
import torch
from torch import nn
from gapless.lint import Setup

model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
model[2] = nn.Linear(8, 5)
setup = Setup(model, torch.optim.SGD(model.parameters(), lr=0.1))
""",
)
def untrained_parameters(batch: Batch) -> Iterator[Fault]:
    optimizer = batch.setup.optimizer
    if optimizer is None:
        return
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    missing = [(name, p) for name, p in batch.model.named_parameters() if p.requires_grad and id(p) not in held]
    if missing:
        names = ", ".join(name for name, _ in missing[:3]) + (", ..." if len(missing) > 3 else "")
        values = sum(p.numel() for _, p in missing)
        yield Fault(missing[0][0], f"{len(missing)} tensors, {values:,} values, are in no group: {names}")
