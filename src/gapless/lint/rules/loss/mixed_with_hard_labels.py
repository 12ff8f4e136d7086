from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gapless.lint.reading.losses import losses
from gapless.lint.reading.program import Program
from gapless.lint.reading.training import is_backward
from gapless.lint.rule import Hit, reads

_LAM = re.compile(r"^(lam|lamb|lambda_|lmbda|lmb|alpha|mix|ratio)\w*$")


@reads(
    level="error",
    title="mixed pictures with the label of one of them",
    effect="a picture that is 40 % another is called 100 % its own: mixup becomes label noise, up to half of each "
    "picture",
    fix="mix the loss as well: lam * loss(output, y) + (1 - lam) * loss(output, y[order]), or the labels as one-hot",
    source="Zhang et al. 2018, mixup: Beyond Empirical Risk Minimization, section 2 (inputs and targets are mixed)",
    broken="""
import numpy as np
import torch
import torch.nn.functional as F

def train(model, loader, optimizer):
    for x, y in loader:
        lam = np.random.beta(0.2, 0.2)
        order = torch.randperm(len(x))
        x = lam * x + (1 - lam) * x[order]
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
""",
    healthy="""
import numpy as np
import torch
import torch.nn.functional as F

def train(model, loader, optimizer):
    for x, y in loader:
        lam = np.random.beta(0.2, 0.2)
        order = torch.randperm(len(x))
        x = lam * x + (1 - lam) * x[order]
        output = model(x)
        loss = lam * F.cross_entropy(output, y) + (1 - lam) * F.cross_entropy(output, y[order])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
""",
)
def mixed_with_hard_labels(program: Program) -> Iterator[Hit]:
    judged = list(losses(program))
    for node in program.all(ast.Assign):
        mix = _mixing(node.value)
        function = program.function(node)
        if mix is None or function is None:
            continue
        lam, order = mix
        others = [n for n in ast.walk(function) if n in program.parents and program.statement(n) is not node]

        uses = [n for n in others if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load) and n.id in (lam, order)]
        calls = [loss for loss in judged if program.function(loss.call) is function]
        backward = any(is_backward(n) for n in others if isinstance(n, ast.Call))
        plain = [loss for loss in calls if isinstance(loss.target, ast.Name) and loss.call.lineno > node.lineno]
        if not uses and backward and len(calls) == 1 and plain and not _assigned(others, plain[0].target, node):
            yield Hit(
                plain[0].call, f"inputs are mixed by {lam} in line {node.lineno}, {ast.unparse(plain[0].target)} is not"
            )


def _mixing(value: ast.expr) -> tuple[str, str] | None:
    """The names of lam and order in lam * x + (1 - lam) * x[order]."""
    if not (isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add)):
        return None
    left, right = value.left, value.right
    if not (isinstance(left, ast.BinOp) and isinstance(right, ast.BinOp) and isinstance(left.op, ast.Mult)):
        return None
    lam = next((n.id for n in (left.left, left.right) if isinstance(n, ast.Name) and _LAM.match(n.id.lower())), None)
    order = next(
        (n.slice.id for n in ast.walk(right) if isinstance(n, ast.Subscript) and isinstance(n.slice, ast.Name)), None
    )
    if lam is None or order is None or ast.unparse(right).find(f"1 - {lam}") < 0:
        return None
    return lam, order


def _assigned(nodes: list[ast.AST], target: ast.expr, after: ast.stmt) -> bool:
    """Whether the labels are made anew behind the mixing."""
    name = ast.unparse(target)
    stores = (n for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store) and n.id == name)
    return any(n.lineno > after.lineno for n in stores)
