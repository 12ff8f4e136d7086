from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.program import Program
from gapless.lint.reading.training import innermost
from gapless.lint.reading.values import flag, given
from gapless.lint.rule import Hit, reads


@reads(
    level="error",
    title="DistributedSampler without set_epoch",
    effect="the order of the rows is the same in every epoch, and each process sees the same batches again and again",
    fix="call sampler.set_epoch(epoch) at the start of each epoch",
    source="docs of torch.utils.data.distributed.DistributedSampler: 'Otherwise, the same ordering will be always "
    "used'",
    broken="""
from torch.utils.data import DataLoader
from torch.utils.data.distributed import DistributedSampler

def train(model, dataset, criterion, optimizer):
    sampler = DistributedSampler(dataset)
    loader = DataLoader(dataset, batch_size=64, sampler=sampler)
    for epoch in range(10):
        for x, y in loader:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()
""",
    healthy="""
from torch.utils.data import DataLoader
from torch.utils.data.distributed import DistributedSampler

def train(model, dataset, criterion, optimizer):
    sampler = DistributedSampler(dataset)
    loader = DataLoader(dataset, batch_size=64, sampler=sampler)
    for epoch in range(10):
        sampler.set_epoch(epoch)
        for x, y in loader:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()
""",
)
def sampler_without_set_epoch(program: Program) -> Iterator[Hit]:
    handled = (
        any(True for _ in program.methods_of("set_epoch")) or program.uses("lightning") or program.uses("accelerate")
    )
    if handled or not any(True for _ in innermost(program)):
        return
    names = ("torch.utils.data.distributed.DistributedSampler", "torch.utils.data.DistributedSampler")
    for call in program.calls_of(*names):
        statement = program.statement(call)
        target = ast.unparse(statement.targets[0]) if isinstance(statement, ast.Assign) else ""
        judged = any(word in target.lower() for word in ("val", "test", "eval"))
        if flag(program, given(call, "shuffle", 3)) is not False and not judged:
            yield Hit(call, "nothing calls set_epoch() of this sampler")
