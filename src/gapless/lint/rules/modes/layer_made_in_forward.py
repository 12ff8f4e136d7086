from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.models import BATCH_NORMS, DROPOUTS, EMBEDDINGS, NN, NORMS, is_module
from gapless.lint.reading.program import Program
from gapless.lint.reading.values import methods
from gapless.lint.rule import Hit, reads

_WEIGHTS = frozenset(NN + name for name in ("Linear", "Conv1d", "Conv2d", "Conv3d", "LSTM", "GRU", "PReLU"))


@reads(
    level="error",
    title="a layer that forward makes anew each time",
    effect="a new layer is in training mode, so dropout stays on in evaluation and batch norm normalises by the "
    "batch; its weights are drawn anew in each call, never trained and never saved",
    fix="make the layer in __init__ and call it in forward",
    source="docs of torch.nn.Module: submodules are those assigned as attributes",
    broken="""
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden, self.out = nn.Linear(64, 32), nn.Linear(32, 10)

    def forward(self, x):
        x = nn.Dropout(0.5)(self.hidden(x).relu())
        return self.out(x)
""",
    healthy="""
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden, self.out = nn.Linear(64, 32), nn.Linear(32, 10)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        x = self.dropout(self.hidden(x).relu())
        return self.out(x)
""",
)
def layer_made_in_forward(program: Program) -> Iterator[Hit]:
    for owner in program.all(ast.ClassDef):
        forward = methods(owner).get("forward")
        if forward is None or not is_module(program, owner):
            continue
        for call in (n for n in ast.walk(forward) if isinstance(n, ast.Call)):
            name = program.qualified(call.func)
            stateful = name in DROPOUTS | NORMS | BATCH_NORMS | EMBEDDINGS | _WEIGHTS
            if stateful and not _kept(program, call):
                yield Hit(call, f"forward makes a new {name.rpartition('.')[2]} in each call")


def _kept(program: Program, call: ast.Call) -> bool:
    """Built lazily and kept: `if self.x is None: self.x = nn.Linear(...)`; or made with the user's own weights."""
    statement = program.statement(call)
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    on_self = any(isinstance(target, ast.Attribute | ast.Subscript) for target in targets)
    return on_self and any(isinstance(each, ast.If) for each in program.above(call))
