from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gapless.lint.rule import Fault, checks

if TYPE_CHECKING:
    from gapless.lint.setup import Batch


@checks(
    level="error",
    title="a model that answers at random in evaluation mode",
    effect="two evaluations of the same rows differ, so no score of it is the score",
    fix="give functional dropout training=self.training, and make dropouts in __init__",
    source="signature of torch.nn.functional.dropout(input, p=0.5, training=True); pytorch/pytorch#124464",
    broken="""
import torch
from torch import nn
import torch.nn.functional as F
from gapless.lint import Setup

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(8, 2)

    def forward(self, x):
        return self.out(F.dropout(x, 0.5))

setup = Setup(Net(), loader=[(torch.randn(16, 8), torch.randint(2, (16,)))])
""",
    healthy="""
import torch
from torch import nn
import torch.nn.functional as F
from gapless.lint import Setup

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(8, 2)

    def forward(self, x):
        return self.out(F.dropout(x, 0.5, self.training))

setup = Setup(Net(), loader=[(torch.randn(16, 8), torch.randint(2, (16,)))])
""",
)
def random_in_evaluation(batch: Batch) -> Iterator[Fault]:
    import torch

    from gapless.lint.setup import tensor_of

    first = batch.outputs
    if first is None or not first.is_floating_point():
        return
    with batch.mode(training=False), torch.no_grad():
        torch.manual_seed(1)
        second = tensor_of(batch.run())
        torch.manual_seed(2)
        third = tensor_of(batch.run())
    if second is None or third is None or second.shape != third.shape:
        return
    spread = float((second - third).float().square().mean().sqrt())
    scale = float(second.float().std()) if second.numel() > 1 else 0.0
    if spread > 1e-3 * max(scale, 1e-6):
        said = (
            f"measured: two passes over the first batch differ by {spread:.2g}, where the outputs vary by {scale:.2g}"
        )
        yield Fault(type(batch.model).__name__, "two passes in evaluation mode differ", said)
