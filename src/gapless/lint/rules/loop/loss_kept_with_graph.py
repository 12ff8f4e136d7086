from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.bindings import reaching
from gapless.lint.reading.program import Program
from gapless.lint.reading.training import inner_loop, is_backward, without_gradient
from gapless.lint.reading.values import method, receiver
from gapless.lint.rule import Hit, reads


@reads(
    level="warning",
    title="losses are added up with their graphs",
    effect="the sum holds on to the graph of every batch, so memory grows with each one until the epoch ends",
    fix="add loss.item(), or loss.detach() where the device should not be waited for",
    source="PyTorch FAQ: 'Don't accumulate history across your training loop'",
    broken="""
def train(model, loader, criterion, optimizer):
    total = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss
    return total / len(loader)
""",
    healthy="""
def train(model, loader, criterion, optimizer):
    total = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(loader)
""",
)
def loss_kept_with_graph(program: Program) -> Iterator[Hit]:
    backward = [call for call in program.calls if is_backward(call)]
    judged = [each for call in backward for each in (receiver(call), *call.args)]  # accelerator.backward(loss), too
    names = [each for each in judged if isinstance(each, ast.Name)]
    for node, kept, target in _kept(program):
        loop = inner_loop(program, node)
        if loop is None or without_gradient(program, node) or target in {n.id for n in names}:
            continue
        origin = reaching(program, kept)
        for name in names:
            here = name.id == kept.id and inner_loop(program, name) is loop
            if here and origin is not None and reaching(program, name) == origin:
                yield Hit(node, f"{target} keeps the graph of every {kept.id}")


def _kept(program: Program) -> Iterator[tuple[ast.stmt, ast.Name, str]]:
    """total += loss, total = total + loss, losses.append(loss)."""
    for node in program.all(ast.stmt):
        if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
            added = _parts(node.value)
            yield from ((node, name, ast.unparse(node.target)) for name in added)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp) and isinstance(node.value.op, ast.Add):
            target = ast.unparse(node.targets[0])
            if ast.unparse(node.value.left) == target:
                yield from ((node, name, target) for name in _parts(node.value.right))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and method(node.value) == "append":
            names = [each for each in node.value.args if isinstance(each, ast.Name)]
            yield from ((node, name, ast.unparse(receiver(node.value))) for name in names)


def _parts(node: ast.expr) -> list[ast.Name]:
    """loss of loss, loss * n and loss / n."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        return [*_parts(node.left), *(_parts(node.right) if isinstance(node.op, ast.Mult) else [])]
    return [node] if isinstance(node, ast.Name) else []
