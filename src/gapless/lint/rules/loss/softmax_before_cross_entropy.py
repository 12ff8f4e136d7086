from __future__ import annotations

from collections.abc import Iterator

from gapless.lint.reading.losses import ended
from gapless.lint.reading.program import Program
from gapless.lint.rule import Hit, reads


@reads(
    level="error",
    title="softmax, then a cross-entropy that takes its own softmax",
    effect="probabilities lie in [0, 1], so the second softmax can never say more than e/(e + classes - 1): 23 % "
    "with ten classes; the loss cannot fall below 1.46 and the gradient of a right answer does not vanish",
    fix="hand the logits to the loss; take softmax only where probabilities are read",
    source="docs of torch.nn.CrossEntropyLoss: the input is expected to contain the unnormalized logits",
    broken="""
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(64, 10)

    def forward(self, x):
        return torch.softmax(self.out(x), dim=1)

model = Net()
criterion = nn.CrossEntropyLoss()

def loss_of(x, y):
    return criterion(model(x), y)
""",
    healthy="""
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(64, 10)

    def forward(self, x):
        return self.out(x)

model = Net()
criterion = nn.CrossEntropyLoss()

def loss_of(x, y):
    return criterion(model(x), y)
""",
)
def softmax_before_cross_entropy(program: Program) -> Iterator[Hit]:
    for call, where in ended(program, "cross_entropy", "softmax"):
        yield Hit(call, f"cross-entropy gets probabilities: {where}")
