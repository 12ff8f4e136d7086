from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.program import Program
from gapless.lint.reading.training import innermost, loops, runs, trains
from gapless.lint.reading.values import callee, number
from gapless.lint.rule import Hit, reads
from gapless.lint.rules.data.seed_in_getitem import SEEDS


@reads(
    level="error",
    title="the same seed is set again in each epoch",
    effect="every epoch repeats the order, the augmentation and the dropout masks of the first: an epoch is one pass"
    " over the same noise",
    fix="set the seed once before the loop, or seed + epoch in it",
    source="docs of torch.manual_seed; Lightning-AI/pytorch-lightning#20412 (the same augmentations each epoch)",
    broken="""
import torch

def train(model, loader, criterion, optimizer):
    for epoch in range(10):
        torch.manual_seed(0)
        for x, y in loader:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()
""",
    healthy="""
import torch

def train(model, loader, criterion, optimizer):
    torch.manual_seed(0)
    for epoch in range(10):
        for x, y in loader:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()
""",
)
def seed_in_epoch_loop(program: Program) -> Iterator[Hit]:
    batches = list(innermost(program))
    for loop in loops(program):
        if not trains(program, loop.body):
            continue
        inside = set(runs(program, loop.body))
        epochs = loop not in batches and any(each in inside for each in batches)
        for node in runs(program, loop.body) if epochs else ():
            seeds = isinstance(node, ast.Call) and program.qualified(node.func) in SEEDS and len(node.args) == 1
            if not seeds or not isinstance(node, ast.Call) or number(program, node.args[0]) is None:
                continue
            if not _starts_a_run(program, loop):
                yield Hit(node, f"{ast.unparse(node)} is set again in each turn of the loop over epochs")


def _starts_a_run(program: Program, loop: ast.For | ast.AsyncFor | ast.While) -> bool:
    """Whether a turn of the loop trains from scratch, over folds or settings: it makes its model or optimizer anew."""
    for node in runs(program, loop.body):
        if isinstance(node, ast.Call):
            name = program.qualified(node.func)
            local = isinstance(node.func, ast.Name) and node.func.id in program.classes
            if name.startswith("torch.optim.") or (local and callee(program, node) is None):
                return True
    return False
