from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from gapless.lint.reading.program import Program
from gapless.lint.reading.training import blocks, events
from gapless.lint.rule import Hit, reads


@reads(
    level="error",
    title="gradients are clipped when there is nothing to clip",
    effect="the step is taken with unclipped gradients; the call has no effect at all",
    fix="clip between loss.backward() and optimizer.step()",
    source="docs of torch.nn.utils.clip_grad_norm_: gradients are modified in-place",
    broken="""
from torch.nn.utils import clip_grad_norm_

def train(model, loader, criterion, optimizer):
    for x, y in loader:
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step()
        clip_grad_norm_(model.parameters(), 1.0)
""",
    healthy="""
from torch.nn.utils import clip_grad_norm_

def train(model, loader, criterion, optimizer):
    for x, y in loader:
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
""",
)
def clip_without_effect(program: Program) -> Iterator[Hit]:
    for statements in blocks(program):
        found = [each for each in events(program, statements) if each[0] not in ("schedule", "unscale")]
        names = [name for name, _ in found]
        for before, (name, call) in pairwise(found):
            if name != "clip" or call is None or "backward" not in names:
                continue
            if before[0] == "step":
                yield Hit(call, "clipped after the step was taken")
            elif before[0] == "zero_grad":
                yield Hit(call, "clipped between zero_grad and backward")
