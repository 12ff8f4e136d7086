from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.models import NN
from gapless.lint.reading.program import Program
from gapless.lint.reading.training import optimizers, trained
from gapless.lint.rule import Hit, reads


@reads(
    level="error",
    title="a layer that is exchanged after the optimizer was made",
    effect="the optimizer holds the parameters of the old layer; the new one stays as it was drawn",
    fix="exchange the layer first, then make the optimizer, or add_param_group the new parameters",
    source="docs of torch.optim: parameters are those handed in when the optimizer is made",
    broken="""
import torch
from torch import nn
from torchvision.models import resnet18

model = resnet18()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
model.fc = nn.Linear(512, 5)
""",
    healthy="""
import torch
from torch import nn
from torchvision.models import resnet18

model = resnet18()
model.fc = nn.Linear(512, 5)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
""",
)
def head_after_optimizer(program: Program) -> Iterator[Hit]:
    made = [(call, ast.unparse(model)) for call, _ in optimizers(program) for model in trained(program, call)]
    added = any(True for _ in program.methods_of("add_param_group"))
    for node in program.all(ast.Assign):
        target = node.targets[0]
        if added or not isinstance(target, ast.Attribute | ast.Subscript) or not _is_layer(program, node.value):
            continue
        written = ast.unparse(target)
        same = [
            call
            for call, model in made
            if written.startswith((f"{model}.", f"{model}[")) and program.scope(call) is program.scope(node)
        ]
        branches = [each for each in program.above(node) if isinstance(each, ast.If | ast.Try)]
        if same and all(_before(call, node) for call in same) and not branches:
            yield Hit(node, f"{written} is new, and the optimizer of line {same[0].lineno} does not know it")


def _before(call: ast.Call, node: ast.stmt) -> bool:
    return call.lineno < node.lineno


def _is_layer(program: Program, value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and program.qualified(value.func) in {
        NN + name for name in ("Linear", "Sequential", "Conv2d", "Embedding", "LazyLinear")
    }
