from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gapless.lint.rule import Fault, checks

if TYPE_CHECKING:
    from gapless.lint.setup import Batch


@checks(
    level="error",
    title="a model that hands out probabilities to a loss that takes logits",
    effect="softmax or sigmoid is taken twice: no answer can be sure, and the loss has a floor",
    fix="hand out logits",
    source="docs of torch.nn.CrossEntropyLoss and torch.nn.BCEWithLogitsLoss",
    broken="""
import torch
from torch import nn
from gapless.lint import Setup

model = nn.Sequential(nn.Linear(8, 5), nn.Softmax(dim=1))
setup = Setup(model, loader=[(torch.randn(16, 8), torch.randint(5, (16,)))], loss=nn.CrossEntropyLoss())
""",
    healthy="""
import torch
from torch import nn
from gapless.lint import Setup

model = nn.Sequential(nn.Linear(8, 5))
setup = Setup(model, loader=[(torch.randn(16, 8), torch.randint(5, (16,)))], loss=nn.CrossEntropyLoss())
""",
)
def probabilities_into_loss(batch: Batch) -> Iterator[Fault]:
    import math

    import torch
    from torch import nn

    loss, outputs = batch.setup.loss, batch.outputs
    if outputs is None or outputs.ndim < 1 or not outputs.is_floating_point():
        return
    positive = bool((outputs >= 0).all()) and bool((outputs <= 1).all())
    if isinstance(loss, nn.CrossEntropyLoss) and outputs.ndim >= 2 and outputs.shape[1] > 1 and len(outputs) > 1:
        classes, sums = outputs.shape[1], outputs.float().sum(1)
        if positive and bool(torch.isclose(sums, torch.ones_like(sums), atol=1e-3).all()):
            floor = math.log(math.e + classes - 1) - 1
            yield Fault(
                "outputs", "each row sums to 1", f"with {classes} classes the loss cannot fall below {floor:.2f}"
            )
    elif isinstance(loss, nn.BCEWithLogitsLoss) and positive:
        last = [module for module in batch.model.modules() if not list(module.children())][-1:]
        if last and isinstance(last[0], nn.Sigmoid):
            yield Fault("outputs", "all of them lie in [0, 1], behind a Sigmoid", "no answer can fall below 0.5")
