from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.program import Program
from gapless.lint.reading.training import Loop, calls_in, inner_loop, loops, runs, steps
from gapless.lint.reading.values import given, made_by, receiver, trace
from gapless.lint.rule import Hit, reads
from gapless.lint.rules.schedule.scheduler_before_optimizer import scheduled


@reads(
    level="error",
    title="a schedule made for steps that is stepped once an epoch, or the other way round",
    effect="made for steps and stepped by epochs, the rate hardly leaves its warm-up; made for epochs and stepped by"
    " batches, it runs through the whole curve in the first epochs and then, for a cosine, up again",
    fix="step a schedule of steps after each optimizer.step(), one of epochs at the end of each epoch",
    source="docs of torch.optim.lr_scheduler.OneCycleLR: step should be called after a batch has been used for "
    "training",
    broken="""
import torch

def train(model, loader, criterion):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=30 * len(loader))
    for epoch in range(30):
        for x, y in loader:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()
        scheduler.step()
""",
    healthy="""
import torch

def train(model, loader, criterion):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=30 * len(loader))
    for epoch in range(30):
        for x, y in loader:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()
            scheduler.step()
""",
)
def schedule_in_wrong_unit(program: Program) -> Iterator[Hit]:
    for call in program.methods_of("step"):
        if call.args or not scheduled(program, receiver(call)):
            continue
        made = made_by(program, receiver(call))
        around = inner_loop(program, call)
        if made is None or around is None:
            continue
        nested = [loop for loop in loops(program) if loop is not around and _within(program, loop, around)]
        by_epoch = any(_takes_steps(program, loop) for loop in nested)
        name = program.qualified(made.func).rpartition(".")[2]
        if by_epoch and _counts_steps(program, made, name):
            yield Hit(call, f"{name} was made for steps, but is stepped once an epoch")
        elif not by_epoch and _takes_steps(program, around) and _counts_epochs(program, made, name, around):
            yield Hit(call, f"{name} was made for epochs, but is stepped with each batch")


def _within(program: Program, loop: Loop, outer: Loop) -> bool:
    """Whether a loop runs inside of another one, in a function that it calls, too."""
    return loop in set(runs(program, outer.body))


def _takes_steps(program: Program, loop: Loop) -> bool:
    return any(steps(program, call, "optimizer") for call in calls_in(program, loop.body))


def _counts_steps(program: Program, made: ast.Call, name: str) -> bool:
    if name == "OneCycleLR":
        total = given(made, "total_steps", 2)
        return given(made, "steps_per_epoch") is not None or (total is not None and _has_length(program, total))
    if name.startswith("get_"):
        total = given(made, "num_training_steps", 2)
        return total is not None and _has_length(program, total)
    return False


def _has_length(program: Program, node: ast.expr) -> bool:
    """Whether a number is made from len(loader)."""
    found = trace(program, node)
    return any(
        isinstance(each, ast.Call) and getattr(each.func, "id", "") == "len"
        for part in ast.walk(found)
        for each in ast.walk(trace(program, part) if isinstance(part, ast.Name) else part)
    )


def _counts_epochs(program: Program, made: ast.Call, name: str, batches: Loop) -> bool:
    """Whether T_max is the number that the loop of epochs goes through."""
    total = given(made, "T_max", 1) if name == "CosineAnnealingLR" else None
    if total is None or _has_length(program, total):
        return False
    for loop in loops(program):
        over = loop.iter if isinstance(loop, ast.For) else None
        if loop is batches or not isinstance(over, ast.Call) or not _within(program, batches, loop):
            continue
        if getattr(over.func, "id", "") in ("range", "trange"):
            return ast.unparse(trace(program, total)) in [ast.unparse(trace(program, each)) for each in over.args]
    return False
