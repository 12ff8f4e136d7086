from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gapless.lint.rule import Fault, checks

if TYPE_CHECKING:
    from gapless.lint.setup import Batch


@checks(
    level="warning",
    title="batch norms whose weights are frozen and whose statistics still move",
    effect="requires_grad=False stops the weights only: in training mode the running statistics follow the new data,"
    " and the frozen features change",
    fix="freeze both: gapless.batchnorm.freeze(model), or keep these layers in eval() after each model.train()",
    source="huggingface/pytorch-image-models#1254 and #1633; Lightning-AI/pytorch-lightning#18930",
    broken="""
from torch import nn
from gapless.lint import Setup

body = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU())
body.requires_grad_(False)
setup = Setup(nn.Sequential(body, nn.Linear(8, 2)).train())
""",
    healthy="""
from torch import nn
from gapless.lint import Setup

body = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU())
body.requires_grad_(False)
model = nn.Sequential(body, nn.Linear(8, 2)).train()
body.eval()
setup = Setup(model)
""",
)
def frozen_batch_norm_moves(batch: Batch) -> Iterator[Fault]:
    if not any(p.requires_grad for p in batch.model.parameters()):
        return
    moving = [
        path
        for path, norm in batch.batch_norms
        if norm.training and norm.weight is not None and not norm.weight.requires_grad and norm.track_running_stats
    ]
    if moving:
        yield Fault(moving[0], f"{len(moving)} frozen batch norms are in training mode: {', '.join(moving[:3])}")
