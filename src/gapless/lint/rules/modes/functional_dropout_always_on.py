from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.program import Program
from gapless.lint.reading.values import given, number, opaque
from gapless.lint.rule import Hit, reads

_ON_BY_DEFAULT = tuple(f"torch.nn.functional.{name}" for name in ("dropout", "dropout1d", "dropout2d", "dropout3d"))


@reads(
    level="error",
    title="functional dropout without training=",
    effect="F.dropout has training=True by default, so model.eval() does not switch it off: predictions are random "
    "and validation is as noisy as training",
    fix="write F.dropout(x, p, training=self.training), or use nn.Dropout",
    source="signature of torch.nn.functional.dropout(input, p=0.5, training=True)",
    broken="""
from torch import nn
import torch.nn.functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden, self.out = nn.Linear(64, 32), nn.Linear(32, 10)

    def forward(self, x):
        return self.out(F.dropout(self.hidden(x).relu(), p=0.5))
""",
    healthy="""
from torch import nn
import torch.nn.functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden, self.out = nn.Linear(64, 32), nn.Linear(32, 10)

    def forward(self, x):
        return self.out(F.dropout(self.hidden(x).relu(), p=0.5, training=self.training))
""",
)
def functional_dropout_always_on(program: Program) -> Iterator[Hit]:
    for call in program.calls_of(*_ON_BY_DEFAULT):
        if opaque(call) or given(call, "training", 2) is not None or gated(program, call):
            continue
        if number(program, given(call, "p", 1)) != 0 and program.function(call) is not None:
            yield Hit(call, f"{ast.unparse(call.func)} is on in evaluation, too: training= is missing")


def gated(program: Program, node: ast.AST) -> bool:
    """Whether an `if` around a node, or one that returned before it, asks for the mode, or only training comes here."""
    for each in program.above(node):
        if isinstance(each, ast.If | ast.IfExp) and _asks(each.test):
            return True
        if isinstance(each, ast.FunctionDef):
            if "train" in each.name:
                return True
            if program.function(each) is not None:
                continue
            return any(
                isinstance(s, ast.If) and _asks(s.test) and isinstance(s.body[-1], ast.Return) for s in each.body
            )
    return False


def _asks(test: ast.expr) -> bool:
    return "train" in ast.unparse(test) or "eval" in ast.unparse(test)
