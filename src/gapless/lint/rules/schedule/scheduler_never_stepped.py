from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.program import Program
from gapless.lint.reading.training import innermost
from gapless.lint.rule import Hit, reads


@reads(
    level="error",
    title="a scheduler that never steps",
    effect="the learning rate stays at its first value; with a warm-up from zero that is zero, and nothing is learned",
    fix="call scheduler.step() in the loop, behind optimizer.step()",
    source="docs of torch.optim, How to adjust learning rate",
    broken="""
import torch

def train(model, loader, criterion):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=30)
    for epoch in range(30):
        for x, y in loader:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()
""",
    healthy="""
import torch

def train(model, loader, criterion):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=30)
    for epoch in range(30):
        for x, y in loader:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()
        scheduler.step()
""",
)
def scheduler_never_stepped(program: Program) -> Iterator[Hit]:
    if not any(True for _ in innermost(program)):
        return
    for node in program.all(ast.Assign):
        value, target = node.value, node.targets[0]
        if not isinstance(value, ast.Call) or not isinstance(target, ast.Name):
            continue
        name = program.qualified(value.func)
        if not name.startswith(("torch.optim.lr_scheduler.", "transformers.get_")):
            continue
        if not any(n.id == target.id and isinstance(n.ctx, ast.Load) for n in program.all(ast.Name)):
            yield Hit(node, f"{target.id} is made and never used again")
