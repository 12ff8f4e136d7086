from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.program import LOOPS, Program
from gapless.lint.reading.training import calls_in, loops, role, steps
from gapless.lint.reading.values import kind, method, receiver
from gapless.lint.rule import Hit, reads


@reads(
    level="error",
    title="scheduler.step() before optimizer.step()",
    effect="the first value of the schedule is skipped: with warm-up from zero or OneCycleLR every rate comes one "
    "step early, and StepLR falls one epoch too soon",
    fix="call scheduler.step() after optimizer.step()",
    source="docs of torch.optim, How to adjust learning rate: since torch 1.1 the scheduler comes after the optimizer",
    broken="""
import torch

def train(model, loader, criterion):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=30)
    for epoch in range(90):
        scheduler.step()
        for x, y in loader:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()
""",
    healthy="""
import torch

def train(model, loader, criterion):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=30)
    for epoch in range(90):
        for x, y in loader:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()
        scheduler.step()
""",
)
def scheduler_before_optimizer(program: Program) -> Iterator[Hit]:
    for loop in loops(program):
        calls = list(calls_in(program, loop.body))
        first = next((at for at, call in enumerate(calls) if steps(program, call, "optimizer")), None)
        for call in calls[:first] if first is not None else ():
            plain = method(call) == "step" and not call.args and not call.keywords and not _branched(program, call)
            if plain and scheduled(program, receiver(call)):
                yield Hit(call, "the scheduler steps first in this loop, the optimizer afterwards")


def scheduled(program: Program, thing: ast.expr) -> bool:
    """Whether a thing is certainly a scheduler of torch or transformers."""
    made = kind(program, thing)
    return made.startswith(("torch.optim.lr_scheduler.", "transformers.get_")) and role(program, thing) == "scheduler"


def _branched(program: Program, call: ast.Call) -> bool:
    for each in program.above(call):
        if isinstance(each, ast.If | ast.Try | ast.IfExp):
            return True
        if isinstance(each, (*LOOPS, ast.FunctionDef)):
            return False
    return False
