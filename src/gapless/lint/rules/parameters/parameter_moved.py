from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.models import is_module
from gapless.lint.reading.program import Program
from gapless.lint.reading.values import receiver
from gapless.lint.rule import Hit, reads

_COPIES = ("to", "cuda", "double", "half", "bfloat16")


@reads(
    level="error",
    title="a parameter that was moved when it was made",
    effect="on another device or in another type .to() hands back an ordinary tensor that is no Parameter: it is not"
    " in model.parameters() and never trained",
    fix="move the tensor first, nn.Parameter(tensor.to(device)), or the whole model afterwards",
    source="docs of torch.nn.Parameter: only Parameters assigned as attributes are registered",
    broken="""
import torch
from torch import nn

class Scale(nn.Module):
    def __init__(self, width, device):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width)).to(device)

    def forward(self, x):
        return self.gain * x
""",
    healthy="""
import torch
from torch import nn

class Scale(nn.Module):
    def __init__(self, width, device):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width).to(device))

    def forward(self, x):
        return self.gain * x
""",
)
def parameter_moved(program: Program) -> Iterator[Hit]:
    for node in program.all(ast.Assign):
        value, target = node.value, node.targets[0]
        if not (isinstance(target, ast.Attribute) and isinstance(value, ast.Call)):
            continue
        if isinstance(value.func, ast.Attribute) and value.func.attr in _COPIES:
            made = receiver(value)
            direct = isinstance(made, ast.Call) and program.qualified(made.func) == "torch.nn.Parameter"
            if direct and is_module(program, program.owner(node)):
                yield Hit(value, f"{ast.unparse(target)} is what .{value.func.attr}() hands back, no Parameter")
