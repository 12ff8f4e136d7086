from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gapless.lint.reading.models import class_of, holds
from gapless.lint.reading.program import LOOPS, Program
from gapless.lint.reading.training import innermost, optimizers, same_thing, trained, without_gradient
from gapless.lint.reading.values import kind
from gapless.lint.rule import Hit, reads

_JUDGES = re.compile(r"(^|_)(val|valid|validation|test|eval|dev|holdout)(_|$|[a-z]*loader|set|data)")


@reads(
    level="error",
    title="validation without model.eval()",
    effect="dropout stays on and batch norm normalises by the validation batch (and learns from it): the score is "
    "noisy, depends on the batch size, and is not that of the model that will be used",
    fix="call model.eval() before validation and model.train() before training goes on",
    source="docs of torch.nn.Module.eval; chemprop/chemprop#607 and pytorch/pytorch#4741 are about the two modes",
    broken="""
import torch
from torch import nn

def main(train_loader, val_loader):
    model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(10):
        for x, y in train_loader:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()
        with torch.no_grad():
            for x, y in val_loader:
                print(criterion(model(x), y).item())
""",
    healthy="""
import torch
from torch import nn

def main(train_loader, val_loader):
    model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(10):
        model.train()
        for x, y in train_loader:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            for x, y in val_loader:
                print(criterion(model(x), y).item())
""",
)
def eval_missing(program: Program) -> Iterator[Hit]:
    switches = any(True for _ in program.methods_of("eval", "inference")) or any(
        call.args or call.keywords for call in program.methods_of("train")
    )
    if switches or not any(True for _ in innermost(program)):
        return
    models = [model for call, _ in optimizers(program) for model in trained(program, call)]
    for call in program.calls:
        if not isinstance(call.func, ast.Name | ast.Attribute) or not _judges(program, call):
            continue
        if any(same_thing(program, call.func, model) for model in models) and _starts_training(program, call.func):
            yield Hit(call, f"{ast.unparse(call.func)} is judged in training mode: nothing here calls eval()")


def _judges(program: Program, call: ast.Call) -> bool:
    """Whether a call is in a loop over validation data, without gradients."""
    if not without_gradient(program, call):
        return False
    for each in program.above(call):
        if isinstance(each, LOOPS) and not isinstance(each, ast.While):
            return any(_JUDGES.search(n.id.lower()) for n in ast.walk(each.iter) if isinstance(n, ast.Name)) or any(
                _JUDGES.search(n.name.lower()) for n in program.above(each) if isinstance(n, ast.FunctionDef)
            )
    return False


def _starts_training(program: Program, model: ast.expr) -> bool:
    """Whether a model certainly computes something else in training, and is made in training mode."""
    ours = class_of(program, model) is not None or not kind(program, model).startswith("transformers.")
    return ours and holds(program, model).modal
