from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.bindings import bindings, dominates
from gapless.lint.reading.program import LOOPS, SCOPES, Program
from gapless.lint.reading.values import method
from gapless.lint.rule import Hit, reads


@reads(
    level="error",
    title="model.parameters() is kept and used a second time",
    effect="it is a generator and empty after its first use: what comes second, often clip_grad_norm_, gets no "
    "parameters and does nothing, without an error",
    fix="keep a list: parameters = list(model.parameters())",
    source="docs of torch.nn.Module.parameters: returns an iterator",
    broken="""
import torch

def train(model, loader, criterion):
    parameters = model.parameters()
    optimizer = torch.optim.AdamW(parameters, lr=1e-3)
    for x, y in loader:
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
""",
    healthy="""
import torch

def train(model, loader, criterion):
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=1e-3)
    for x, y in loader:
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
""",
)
def parameters_used_up(program: Program) -> Iterator[Hit]:
    for scope in (node for node in program.nodes if isinstance(node, SCOPES) and not isinstance(node, ast.Lambda)):
        for name, found in bindings(program, scope).items():
            value = found[0].value
            if len(found) != 1 or found[0].part is not None or value is None or not _generates(program, value):
                continue
            reads = [n for n in program.all(ast.Name) if n.id == name and isinstance(n.ctx, ast.Load)]
            reads = [n for n in reads if program.scope(n) is scope and _consumed(program, n)]
            for at, use in enumerate(reads):
                before = [program.statement(each) for each in reads[:at]]
                again = any(dominates(program, each, program.statement(use)) for each in before)
                looped = any(isinstance(n, LOOPS) and n not in program.above(found[0].node) for n in program.above(use))
                if again or (looped and not _iterates(program, use)):
                    yield Hit(use, f"{name} is a generator and empty after its first use")
                    break


def _generates(program: Program, value: ast.expr) -> bool:
    """model.parameters(), filter(..., model.parameters()), (p for p in model.parameters())."""
    if isinstance(value, ast.GeneratorExp):
        return _generates(program, value.generators[0].iter)
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "filter":
        return len(value.args) == 2 and _generates(program, value.args[1])
    return method(value) in ("parameters", "named_parameters")


def _consumed(program: Program, name: ast.Name) -> bool:
    parent = program.parents[name]
    if isinstance(parent, ast.keyword):
        return True
    return (isinstance(parent, ast.Call) and name in parent.args) or _iterates(program, name)


def _iterates(program: Program, name: ast.Name) -> bool:
    parent = program.parents[name]
    return isinstance(parent, ast.For | ast.comprehension) and parent.iter is name
