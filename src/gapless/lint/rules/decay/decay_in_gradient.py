from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gapless.lint.rule import Fault, checks

if TYPE_CHECKING:
    from gapless.lint.setup import Batch


@checks(
    level="warning",
    title="an Adam whose weight decay drowns the gradient",
    effect="Adam divides loss gradient and decay by one common size: where decay is the larger, a weight goes to "
    "zero at full speed whatever the data say",
    fix="use AdamW, or Adam(..., decoupled_weight_decay=True)",
    source="Loshchilov & Hutter, Decoupled Weight Decay Regularization, arXiv 1711.05101, section 2",
    broken="""
import torch
from torch import nn
from gapless.lint import Setup

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 2))
rows = [(torch.randn(32, 8), torch.randint(2, (32,)))]
setup = Setup(model, torch.optim.Adam(model.parameters(), weight_decay=0.1), rows, nn.CrossEntropyLoss())
""",
    healthy="""
import torch
from torch import nn
from gapless.lint import Setup

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 2))
rows = [(torch.randn(32, 8), torch.randint(2, (32,)))]
setup = Setup(model, torch.optim.Adam(model.parameters(), weight_decay=1e-4), rows, nn.CrossEntropyLoss())
""",
)
def decay_in_gradient(batch: Batch) -> Iterator[Fault]:
    import torch

    optimizer = batch.setup.optimizer
    kinds = (torch.optim.Adam, torch.optim.NAdam, torch.optim.RAdam)
    if optimizer is None or not isinstance(optimizer, kinds) or isinstance(optimizer, torch.optim.AdamW):
        return
    gradients = batch.gradients
    for at, group in enumerate(optimizer.param_groups):
        strength = float(group.get("weight_decay", 0.0))
        if not strength or group.get("decoupled_weight_decay", False):
            continue
        drowned = total = 0
        for p in group["params"]:
            gradient = gradients.get(id(p))
            if gradient is not None:
                alive = gradient != 0
                drowned += int(((strength * p.detach()).abs() > gradient.abs())[alive].sum())
                total += int(alive.sum())
        share = drowned / total if total else 0.0
        if share > 0.25:
            said = f"measured on the first batch: in {share:.0%} of the coordinates decay is larger than the gradient"
            yield Fault(f"param_groups[{at}]", f"{type(optimizer).__name__} with weight_decay={strength:g} as L2", said)
