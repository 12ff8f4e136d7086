from __future__ import annotations

from collections.abc import Iterator

from gapless.lint.reading.models import holds
from gapless.lint.reading.program import Program
from gapless.lint.reading.training import calls_in, loops, optimizers, same_thing, trained, trains
from gapless.lint.reading.values import method, receiver
from gapless.lint.rule import Hit, reads


@reads(
    level="error",
    title="model.eval() in the loop, and no way back to training mode",
    effect="from the second epoch on the model trains without dropout and with frozen batch statistics: the "
    "regularization is gone, silently",
    fix="call model.train() at the start of each epoch",
    source="docs of torch.nn.Module.train; Lightning-AI/pytorch-lightning#2551 and #18930 are about modes left behind",
    broken="""
import torch
from torch import nn

def main(train_loader, val_loader):
    model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    criterion = nn.CrossEntropyLoss()
    model.train()
    for epoch in range(10):
        for x, y in train_loader:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()
        model.eval()
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
def train_missing(program: Program) -> Iterator[Hit]:
    models = [model for call, _ in optimizers(program) for model in trained(program, call)]
    for loop in loops(program):
        if not trains(program, loop.body):
            continue
        calls = list(calls_in(program, loop.body))
        if any(method(call) == "train" for call in calls):
            continue
        for call in calls:
            if method(call) == "eval" and not call.args and not call.keywords:
                model = receiver(call)
                known = holds(program, model).modal and any(same_thing(program, model, each) for each in models)
                if known:
                    yield Hit(call, "the next turn of the loop trains in evaluation mode: no train() in it")
