from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.models import holds
from gapless.lint.reading.pictures import loaders, lower_name, trains_on
from gapless.lint.reading.program import Program
from gapless.lint.reading.training import innermost, optimizers, trained
from gapless.lint.reading.values import given, made_by, number
from gapless.lint.rule import Hit, reads


@reads(
    level="warning",
    title="batch norm in batches of four or fewer",
    effect="the mean of four values is off by half a standard deviation, and each picture is normalised by it; "
    "gradient accumulation does not help, since each small batch is normalised by itself",
    fix="use larger batches, group norm (gapless.batchnorm.to_group_norm), or freeze the statistics "
    "(gapless.batchnorm.freeze)",
    source="Wu & He 2018, Group Normalization, figure 1 (the error of batch norm by batch size); pytorch/pytorch#5406",
    broken="""
import torch
from torch.utils.data import DataLoader
from torchvision.models import resnet18

def train(dataset, criterion):
    model = resnet18(num_classes=4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for x, y in DataLoader(dataset, batch_size=2, shuffle=True):
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step()
""",
    healthy="""
import torch
from torch.utils.data import DataLoader
from torchvision.models import resnet18

def train(dataset, criterion):
    model = resnet18(num_classes=4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for x, y in DataLoader(dataset, batch_size=32, shuffle=True):
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step()
""",
)
def batch_norm_tiny_batch(program: Program) -> Iterator[Hit]:
    models = [model for call, _ in optimizers(program) for model in trained(program, call)]
    if not any(holds(program, model).batchnorm for model in models) or _cared_for(program):
        return
    training = [loop for loop in innermost(program) if isinstance(loop, ast.For)]
    for call in loaders(program):
        size = number(program, given(call, "batch_size", 1))
        if size is None or size > 4 or given(call, "batch_sampler") is not None:
            continue
        iterated = any(made_by(program, each) is call for loop in training for each in _iterated(loop.iter))
        statement = program.statement(call)
        named = isinstance(statement, ast.Assign) and trains_on(lower_name(statement.targets[0]))
        if iterated or named:
            yield Hit(call, f"batch_size={size:g} for a model with batch norm")


def _iterated(node: ast.expr) -> list[ast.expr]:
    """loader of enumerate(loader), tqdm(loader)."""
    return [node, *(node.args[:1] if isinstance(node, ast.Call) else [])]


def _cared_for(program: Program) -> bool:
    """Whether the file converts, freezes or synchronises its batch norms."""
    written = program.text
    words = ("SyncBatchNorm", "GroupNorm", "FrozenBatchNorm", "to_group_norm", "to_ghost", "freeze", "track_running")
    return any(each in written for each in words)
