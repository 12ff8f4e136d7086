from __future__ import annotations

from collections.abc import Iterator

from gapless.lint.reading.losses import ended
from gapless.lint.reading.program import Program
from gapless.lint.rule import Hit, reads


@reads(
    level="error",
    title="sigmoid, then BCEWithLogits, which takes its own",
    effect="sigmoid of a probability lies between 0.50 and 0.73: no answer below 0.5 exists, and the loss of a "
    "perfect model stays at 0.69 for negatives and 0.31 for positives",
    fix="hand the logits to BCEWithLogitsLoss, or keep the sigmoid and use BCELoss",
    source="docs of torch.nn.BCEWithLogitsLoss: 'combines a Sigmoid layer and the BCELoss in one single class'",
    broken="""
from torch import nn

model = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 1), nn.Sigmoid())
criterion = nn.BCEWithLogitsLoss()

def loss_of(x, y):
    return criterion(model(x), y)
""",
    healthy="""
from torch import nn

model = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 1), nn.Sigmoid())
criterion = nn.BCELoss()

def loss_of(x, y):
    return criterion(model(x), y)
""",
)
def sigmoid_before_bce_with_logits(program: Program) -> Iterator[Hit]:
    for call, where in ended(program, "bce_with_logits", "sigmoid", "softmax"):
        yield Hit(call, f"BCE with logits gets probabilities: {where}")
