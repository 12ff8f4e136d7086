from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.bindings import dominates
from gapless.lint.reading.program import Program
from gapless.lint.reading.values import method
from gapless.lint.rule import Hit, reads

_ATTACHERS = ("gapless.dropout.attach", "gapless.batchnorm.insert", "torch.nn.SyncBatchNorm.convert_sync_batchnorm")


@reads(
    level="error",
    title="a model that is compiled or wrapped before layers are attached to it",
    effect="code that was compiled before does not run what is attached afterwards, and DDP has collected the "
    "parameters already: the new layers do nothing, or their gradients are not shared",
    fix="attach first, then move, compile and wrap: recipe.attach(model); model = torch.compile(model)",
    source="pytorch/pytorch#117758 and #138942 (hooks and compiled code); docs of "
    "torch.nn.SyncBatchNorm.convert_sync_batchnorm",
    broken="""
import torch
from gapless import Recipe

def prepare(model):
    recipe = Recipe.load("recipe.toml")
    model = torch.compile(model)
    recipe.attach(model)
    return model
""",
    healthy="""
import torch
from gapless import Recipe

def prepare(model):
    recipe = Recipe.load("recipe.toml")
    recipe.attach(model)
    model = torch.compile(model)
    return model
""",
)
def compiled_before_attach(program: Program) -> Iterator[Hit]:
    for node in program.all(ast.Assign):
        wrapped, target = node.value, node.targets[0]
        if not isinstance(wrapped, ast.Call) or not isinstance(target, ast.Name):
            continue
        name = program.qualified(wrapped.func)
        if name != "torch.compile" and not name.endswith(".DistributedDataParallel"):
            continue
        for call in program.calls:
            later = program.scope(call) is program.scope(node) and call.lineno > node.lineno
            if (
                later
                and dominates(program, node, program.statement(call))
                and _attaches(program, call, target.id)
                and not _between(program, target.id, node, call)
            ):
                yield Hit(
                    call,
                    f"{target.id} was {'compiled' if name == 'torch.compile' else 'wrapped'} in line {node.lineno}",
                )


def _attaches(program: Program, call: ast.Call, model: str) -> bool:
    ours = program.qualified(call.func) in _ATTACHERS or (method(call) == "attach" and program.uses("gapless"))
    return ours and bool(call.args) and isinstance(call.args[0], ast.Name) and call.args[0].id == model


def _between(program: Program, name: str, first: ast.stmt, last: ast.Call) -> bool:
    """Whether the name is given something else in between."""
    stored = (n for n in program.all(ast.Name) if n.id == name and isinstance(n.ctx, ast.Store))
    return any(first.lineno < n.lineno < last.lineno for n in stored)
