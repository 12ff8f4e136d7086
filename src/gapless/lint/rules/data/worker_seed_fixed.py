from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.pictures import judges, loaders, lower_name
from gapless.lint.reading.program import Program
from gapless.lint.reading.values import flag, given
from gapless.lint.rule import Hit, reads
from gapless.lint.rules.data.seed_in_getitem import SEEDS


@reads(
    level="error",
    title="a worker_init_fn that sets the same seeds in every epoch",
    effect="workers are started anew for each epoch and draw the same numbers each time: the augmentation of the "
    "first epoch is repeated in all",
    fix="derive the seed from torch.initial_seed(), which differs by worker and epoch, or leave worker_init_fn "
    "out: torch seeds numpy by itself",
    source="PyTorch notes on reproducibility, DataLoader: seed_worker uses torch.initial_seed(); pytorch/pytorch#5059",
    broken="""
import numpy as np
from torch.utils.data import DataLoader

def seed_worker(worker_id):
    np.random.seed(42 + worker_id)

def loader_of(dataset):
    return DataLoader(dataset, batch_size=64, shuffle=True, num_workers=4, worker_init_fn=seed_worker)
""",
    healthy="""
import numpy as np
import torch
from torch.utils.data import DataLoader

def seed_worker(worker_id):
    np.random.seed(torch.initial_seed() % 2**32)

def loader_of(dataset):
    return DataLoader(dataset, batch_size=64, shuffle=True, num_workers=4, worker_init_fn=seed_worker)
""",
)
def worker_seed_fixed(program: Program) -> Iterator[Hit]:
    for call in loaders(program):
        start = given(call, "worker_init_fn")
        if start is None or flag(program, given(call, "persistent_workers")) is True or not _shuffled(program, call):
            continue
        calls, parameter = _body(program, start)
        for each in calls:
            seeds = program.qualified(each.func) in SEEDS and len(each.args) == 1
            if seeds and _is_fixed(each.args[0], parameter):
                yield Hit(each, f"{ast.unparse(each)} is the same in every epoch")


def _shuffled(program: Program, call: ast.Call) -> bool:
    """Training data: validation may well repeat its draws."""
    statement = program.statement(call)
    named = statement.targets[0] if isinstance(statement, ast.Assign) else None
    return flag(program, given(call, "shuffle", 2)) is not False and not (
        named is not None and judges(lower_name(named))
    )


def _body(program: Program, start: ast.expr) -> tuple[list[ast.Call], str]:
    if isinstance(start, ast.Lambda):
        held, arguments = start.body, start.args
    elif isinstance(start, ast.Name) and start.id in program.functions:
        held, arguments = program.functions[start.id], program.functions[start.id].args
    else:
        return [], ""
    name = arguments.args[0].arg if arguments.args else ""
    return [node for node in ast.walk(held) if isinstance(node, ast.Call)], name


def _is_fixed(seed: ast.expr, parameter: str) -> bool:
    """Made of numbers, the worker's own and nothing that is called."""
    nodes = list(ast.walk(seed))
    names = {n.id for n in nodes if isinstance(n, ast.Name)}
    settings = {name for name in names if name.isupper() or "seed" in name.lower()}
    return not any(isinstance(n, ast.Call | ast.Attribute) for n in nodes) and names <= {parameter} | settings
