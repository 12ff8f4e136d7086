from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.program import Program
from gapless.lint.reading.training import optimizers
from gapless.lint.reading.values import method, receiver, trace
from gapless.lint.rule import Hit, reads


@reads(
    level="error",
    title="parameters that an optimizer gets twice",
    effect="in one group each step, decay included, is taken twice (torch only warns); in two groups torch raises",
    fix="leave the part's parameters out of the whole: collect them by name, or by id",
    source="torch.optim.Optimizer.add_param_group: 'optimizer contains a parameter group with duplicate parameters'",
    broken="""
import torch

def optimizer_of(model):
    return torch.optim.SGD(list(model.parameters()) + list(model.head.parameters()), lr=0.1)
""",
    healthy="""
import torch

def optimizer_of(model):
    return torch.optim.SGD(list(model.body.parameters()) + list(model.head.parameters()), lr=0.1)
""",
)
def parameters_twice(program: Program) -> Iterator[Hit]:
    for call, _ in optimizers(program):
        if not call.args:
            continue
        found = list(_whole(trace(program, call.args[0])))
        names = [ast.unparse(receiver(each)) for each in found]
        for at, name in enumerate(names):
            others = names[:at] + names[at + 1 :]
            if any(name == other or name.startswith(f"{other}.") for other in others):
                yield Hit(found[at], f"{name}.parameters() is given beside a part or a whole that holds them, too")
                break


def _whole(node: ast.expr) -> Iterator[ast.Call]:
    """The calls of .parameters() that are taken as they are: not those that a comprehension picks from."""
    if isinstance(node, ast.Call) and method(node) == "parameters" and not node.args:
        yield node
    elif isinstance(node, ast.Call) and (method(node) == "chain" or getattr(node.func, "id", "") in ("list", "chain")):
        for each in node.args:
            yield from _whole(each)
    elif isinstance(node, ast.BinOp):
        yield from _whole(node.left)
        yield from _whole(node.right)
    elif isinstance(node, ast.List | ast.Tuple):
        for each in node.elts:
            if isinstance(each, ast.Starred):
                yield from _whole(each.value)
            elif isinstance(each, ast.Dict):
                for key, value in zip(each.keys, each.values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == "params":
                        yield from _whole(value)
