from __future__ import annotations

from collections.abc import Iterator

from gapless.lint.reading.losses import ended
from gapless.lint.reading.program import Program
from gapless.lint.rule import Hit, reads


@reads(
    level="note",
    title="log_softmax, then a cross-entropy that takes it again",
    effect="none on the result, since log_softmax of log-probabilities is the same again; it costs time and memory, "
    "and whoever takes the output for logits (temperature, distillation) is misled",
    fix="hand the logits to cross_entropy, or keep log_softmax and use nll_loss",
    source="docs of torch.nn.CrossEntropyLoss: equal to LogSoftmax followed by NLLLoss",
    broken="""
import torch.nn.functional as F

def loss_of(model, x, y):
    output = F.log_softmax(model(x), dim=1)
    return F.cross_entropy(output, y)
""",
    healthy="""
import torch.nn.functional as F

def loss_of(model, x, y):
    output = F.log_softmax(model(x), dim=1)
    return F.nll_loss(output, y)
""",
)
def log_softmax_twice(program: Program) -> Iterator[Hit]:
    for call, where in ended(program, "cross_entropy", "log_softmax"):
        yield Hit(call, f"cross-entropy gets log-probabilities: {where}")
