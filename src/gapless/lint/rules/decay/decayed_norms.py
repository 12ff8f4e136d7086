from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gapless.lint.rule import Fault, checks

if TYPE_CHECKING:
    from gapless.lint.setup import Batch


@checks(
    level="warning",
    title="an optimizer that decays norms, biases or embeddings",
    effect="decay pulls a norm's gain and each bias towards zero, which regularizes nothing",
    fix="hand gapless.decay.groups(model, weight_decay) to the optimizer",
    source="pytorch/pytorch#1402; huggingface/transformers#35927 (RMSNorm was decayed); He et al. 2019, Bag of "
    "Tricks, section 3.1",
    broken="""
import torch
from torch import nn
from gapless.lint import Setup

model = nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 2))
setup = Setup(model, torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05))
""",
    healthy="""
import torch
from torch import nn
from gapless import decay
from gapless.lint import Setup

model = nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 2))
setup = Setup(model, torch.optim.AdamW(decay.groups(model, 0.05), lr=1e-3))
""",
)
def decayed_norms(batch: Batch) -> Iterator[Fault]:
    optimizer = batch.setup.optimizer
    if optimizer is None:
        return
    from gapless.decay import account

    strengths = {
        id(p): (group.get("weight_decay", 0.0), group["lr"])
        for group in optimizer.param_groups
        for p in group["params"]
    }
    spared = [row for row in account(batch.model, 1.0) if row.decay == 0 and row.rule in ("norm", "bias", "embedding")]
    decayed = [(row, *strengths.get(id(batch.model.get_parameter(row.name)), (0.0, 0.0))) for row in spared]
    found = [(row, strength, rate) for row, strength, rate in decayed if strength >= 0.01]
    if not found or not any(row.rule in ("norm", "embedding") for row, *_ in found):
        return
    row, strength, rate = max(found, key=lambda each: each[1] * each[2])
    steps = batch.steps or 1000
    left = (1 - rate * strength) ** steps
    names = ", ".join(each.name for each, *_ in found[:3]) + (", ..." if len(found) > 3 else "")
    effect = (
        f"without a gradient {row.name} would keep {left:.1%} of its size over {steps:,} steps at this learning rate"
    )
    yield Fault(row.name, f"{len(found)} tensors decay at {strength:g}: {names}", effect)
