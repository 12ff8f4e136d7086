from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.program import Program
from gapless.lint.reading.training import calls_in, innermost, is_backward, runs, steps
from gapless.lint.reading.values import callee, method, receiver
from gapless.lint.rule import Hit, reads


@reads(
    level="error",
    title="gradients are never set to zero",
    effect="backward adds to the gradients of all batches before: each step follows the sum over the whole history, "
    "like a momentum of 1",
    fix="call optimizer.zero_grad() before loss.backward()",
    source="docs of torch.Tensor.backward: this function accumulates gradients in the leaves",
    broken="""
def train(model, loader, criterion, optimizer):
    for x, y in loader:
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
""",
    healthy="""
def train(model, loader, criterion, optimizer):
    for x, y in loader:
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
""",
)
def zero_grad_missing(program: Program) -> Iterator[Hit]:
    for loop in innermost(program):
        if any(_clears(node) for node in runs(program, loop.body)):
            continue
        function = program.function(loop)
        if function is not None and any(_clears(n) and _deferred(program, n, function) for n in ast.walk(function)):
            continue
        calls = list(calls_in(program, loop.body))
        taken = [call for call in calls if steps(program, call, "optimizer")]
        named = {ast.unparse(receiver(call)) for call in taken} | {ast.unparse(a) for c in taken for a in c.args}
        if not any(_hands_over(program, call, named) for call in calls):
            yield Hit(next(call for call in calls if is_backward(call)), "no zero_grad() in the loop that takes steps")


def _clears(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr == "zero_grad" or (node.attr == "grad" and isinstance(node.ctx, ast.Store))
    if isinstance(node, ast.Call) and method(node) in ("zero_", "fill_"):
        return "grad" in ast.unparse(receiver(node))
    return isinstance(node, ast.keyword) and node.arg == "zero_grad"


def _deferred(program: Program, node: ast.AST, function: ast.AST) -> bool:
    """Whether a node is in a function inside of this one: a closure or a hook."""
    return program.function(node) is not function


def _hands_over(program: Program, call: ast.Call, names: set[str]) -> bool:
    """Whether a call gives the optimizer to somebody who is not seen."""
    if callee(program, call) is not None or method(call) in ("step", "unscale_", "minimize"):
        return False
    return any(ast.unparse(each) in names for each in [*call.args, *(k.value for k in call.keywords)])
