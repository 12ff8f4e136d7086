from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gapless.lint.rule import Fault, checks

if TYPE_CHECKING:
    from gapless.lint.setup import Batch


@checks(
    level="warning",
    title="weights that forget within a tenth of an epoch",
    effect="with decoupled decay the weights are a moving average of the updates over 1 / (lr * decay) steps: far "
    "below one epoch they forget rows that they have just seen",
    fix="choose the epochs it remembers: gapless.decay.weight_decay_for(epochs, lr, steps_per_epoch)",
    source="Wang & Aitchison, How to set AdamW's weight decay, arXiv 2405.13698, section 2",
    broken="""
import torch
from torch import nn
from gapless.lint import Setup

model = nn.Linear(8, 2)
rows = [(torch.randn(4, 8), torch.randint(2, (4,)))] * 5000
setup = Setup(model, torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.5), rows, nn.CrossEntropyLoss())
""",
    healthy="""
import torch
from torch import nn
from gapless.lint import Setup

model = nn.Linear(8, 2)
rows = [(torch.randn(4, 8), torch.randint(2, (4,)))] * 5000
setup = Setup(model, torch.optim.AdamW(model.parameters(), lr=0.001, weight_decay=0.05), rows, nn.CrossEntropyLoss())
""",
)
def decay_timescale(batch: Batch) -> Iterator[Fault]:
    from torch.optim import SGD, AdamW

    from gapless.decay import timescale

    optimizer, steps = batch.setup.optimizer, batch.steps_per_epoch
    if not isinstance(optimizer, AdamW | SGD) or not steps:
        return
    for at, group in enumerate(optimizer.param_groups):
        rate, strength = float(group["lr"]), float(group["weight_decay"])
        if not rate or not strength:
            continue
        momentum = float(group.get("momentum", 0.0))
        coupling = "decoupled" if isinstance(optimizer, AdamW) else "l2"
        epochs = timescale(rate, strength, steps, coupling=coupling, momentum=momentum)
        if not math.isinf(epochs) and epochs < 0.1:
            what = f"lr {rate:g} and weight_decay {strength:g} over {steps:,} steps an epoch"
            yield Fault(
                f"param_groups[{at}]", what, f"the weights remember {epochs:.2g} epochs, {epochs * steps:.0f} steps"
            )
