from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gapless.lint.rule import Fault, checks

if TYPE_CHECKING:
    from gapless.lint.setup import Batch


@checks(
    level="error",
    title="parameters that are twice in a group of the optimizer",
    effect="each step, decay included, is taken twice: twice the learning rate",
    fix="hand each parameter in once",
    source="torch.optim.Optimizer.add_param_group: 'optimizer contains a parameter group with duplicate parameters'",
    broken="""
import warnings
import torch
from torch import nn
from gapless.lint import Setup

model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 2))
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    optimizer = torch.optim.SGD([*model.parameters(), *model[1].parameters()], lr=0.1)
setup = Setup(model, optimizer)
""",
    healthy="""
import torch
from torch import nn
from gapless.lint import Setup

model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 2))
setup = Setup(model, torch.optim.SGD([*model[0].parameters(), *model[1].parameters()], lr=0.1))
""",
)
def repeated_parameters(batch: Batch) -> Iterator[Fault]:
    optimizer = batch.setup.optimizer
    if optimizer is None:
        return
    counted = Counter(id(p) for group in optimizer.param_groups for p in group["params"])
    twice = [name for name, p in batch.model.named_parameters() if counted[id(p)] > 1]
    if twice:
        yield Fault(twice[0], f"{len(twice)} tensors are handed in more than once: {', '.join(twice[:3])}")
