from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.bindings import reaching
from gapless.lint.reading.program import Program
from gapless.lint.reading.training import is_backward
from gapless.lint.reading.values import flag, given, method, receiver, trace
from gapless.lint.rule import Hit, reads


@reads(
    level="error",
    title="a loss that was cut off from the model",
    effect="backward ends at the new leaf: no parameter gets a gradient, and the model stays as it was drawn",
    fix="call backward on the loss as it came out of the loss function; compute it from tensors, without .item() "
    "or numpy",
    source="docs of torch.tensor: it copies data and makes a leaf without history",
    broken="""
import torch

def train(model, loader, criterion, optimizer):
    for x, y in loader:
        optimizer.zero_grad()
        loss = torch.tensor(criterion(model(x), y).item(), requires_grad=True)
        loss.backward()
        optimizer.step()
""",
    healthy="""
import torch

def train(model, loader, criterion, optimizer):
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
""",
)
def loss_cut_from_graph(program: Program) -> Iterator[Hit]:
    for call in program.calls:
        if not is_backward(call) or not isinstance(receiver(call), ast.Name):
            continue
        loss = receiver(call)
        made = trace(program, loss)
        names = ("torch.tensor", "torch.autograd.Variable", "torch.as_tensor", "torch.FloatTensor")
        if isinstance(made, ast.Call) and program.qualified(made.func) in names and _asks_for_gradients(program, made):
            yield Hit(made, f"{ast.unparse(loss)} is a new leaf without history")
        for node in _forced(program, loss):
            yield Hit(
                node, f"{ast.unparse(loss)} is made to require gradients, which it only needs if it has no history"
            )


def _asks_for_gradients(program: Program, made: ast.Call) -> bool:
    constant = all(isinstance(each, ast.Constant) for each in made.args)
    return flag(program, given(made, "requires_grad")) is True and not constant


def _forced(program: Program, loss: ast.expr) -> Iterator[ast.stmt]:
    """loss.requires_grad = True, loss.requires_grad_(): of the very loss that backward is called on."""
    assert isinstance(loss, ast.Name)
    origin = reaching(program, loss)
    if origin is None or origin.parameter is not None or not isinstance(origin.value, ast.Call):
        return
    for node in program.all(ast.stmt):
        held: ast.expr | None = None
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute):
            held = node.targets[0].value if node.targets[0].attr == "requires_grad" else None
        elif isinstance(node, ast.Expr) and method(node.value) == "requires_grad_" and isinstance(node.value, ast.Call):
            held = receiver(node.value)
        if isinstance(held, ast.Name) and held.id == loss.id and reaching(program, held) == origin:
            yield node
