from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.losses import losses
from gapless.lint.reading.program import Program
from gapless.lint.reading.training import is_backward
from gapless.lint.reading.values import given, number, trace
from gapless.lint.rule import Hit, reads


@reads(
    level="warning",
    title="labels are smoothed twice",
    effect="smoothing 0.1 twice takes 19 % of a label instead of 10 %, and the lowest loss there can be rises",
    fix="smooth in one place: in the loss (label_smoothing) or in the targets (Mixup(label_smoothing=...))",
    source="timm.data.Mixup and torch.nn.CrossEntropyLoss both smooth; Szegedy et al. 2016, section 7 (the formula)",
    broken="""
from timm.data import Mixup
from torch import nn

mixup = Mixup(mixup_alpha=0.2, label_smoothing=0.1, num_classes=10)
criterion = nn.CrossEntropyLoss(label_smoothing=0.1)

def step(model, optimizer, x, y):
    x, y = mixup(x, y)
    loss = criterion(model(x), y)
    loss.backward()
""",
    healthy="""
from timm.data import Mixup
from torch import nn

mixup = Mixup(mixup_alpha=0.2, label_smoothing=0.1, num_classes=10)
criterion = nn.CrossEntropyLoss()

def step(model, optimizer, x, y):
    x, y = mixup(x, y)
    loss = criterion(model(x), y)
    loss.backward()
""",
)
def smoothed_twice(program: Program) -> Iterator[Hit]:
    mixes = [c for c in program.calls_of("timm.data.Mixup", "timm.data.FastCollateMixup") if _smooths(program, c, 0.1)]
    backward = any(is_backward(call) for call in program.calls)
    for loss in losses(program):
        smoothing = given(loss.made or loss.call, "label_smoothing")
        if loss.kind != "cross_entropy" or not number(program, smoothing) or smoothing is None:
            continue
        if mixes and backward and len({ast.unparse(c) for c in mixes}) == 1:
            yield Hit(smoothing, f"targets are smoothed in line {mixes[0].lineno} and again by the loss")
        elif (place := _smoothed(program, loss.target)) is not None:
            yield Hit(smoothing, f"targets are smoothed in line {place.lineno} and again by the loss")


def _smooths(program: Program, call: ast.Call, default: float) -> bool:
    """timm's Mixup smooths by 0.1 where nothing else is said."""
    said = given(call, "label_smoothing")
    return bool(default if said is None else number(program, said))


def _smoothed(program: Program, target: ast.expr) -> ast.expr | None:
    """onehot * (1 - eps) + eps / classes, where the target certainly is that."""
    found = trace(program, target)
    if not (isinstance(found, ast.BinOp) and isinstance(found.op, ast.Add)):
        return None
    sides = (found.left, found.right)
    products = [s for s in sides if isinstance(s, ast.BinOp) and isinstance(s.op, ast.Mult) and "1" in ast.unparse(s)]
    shares = [s for s in sides if isinstance(s, ast.BinOp) and isinstance(s.op, ast.Div)]
    if len(products) == 1 and len(shares) == 1:
        name = ast.unparse(shares[0].left)
        return (
            found if f"1 - {name}" in ast.unparse(products[0]) or f"1.0 - {name}" in ast.unparse(products[0]) else None
        )
    return None
