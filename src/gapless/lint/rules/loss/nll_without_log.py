from __future__ import annotations

from collections.abc import Iterator

from gapless.lint.reading.losses import ended
from gapless.lint.reading.program import Program
from gapless.lint.rule import Hit, reads


@reads(
    level="error",
    title="nll_loss on probabilities instead of log-probabilities",
    effect="the loss is the mean of -p instead of -log p: it falls to -1, hardly punishes a confident mistake, and "
    "its gradient vanishes where the model is most wrong",
    fix="use log_softmax, or hand the logits to cross_entropy",
    source="docs of torch.nn.NLLLoss: 'the input is expected to contain log-probabilities'",
    broken="""
import torch.nn.functional as F

def loss_of(model, x, y):
    return F.nll_loss(F.softmax(model(x), dim=1), y)
""",
    healthy="""
import torch.nn.functional as F

def loss_of(model, x, y):
    return F.nll_loss(F.softmax(model(x), dim=1).log(), y)
""",
)
def nll_without_log(program: Program) -> Iterator[Hit]:
    for call, where in ended(program, "nll", "softmax", "sigmoid"):
        yield Hit(call, f"nll_loss gets probabilities, no log: {where}")
