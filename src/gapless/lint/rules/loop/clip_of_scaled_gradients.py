from __future__ import annotations

from collections.abc import Iterator

from gapless.lint.reading.program import Program
from gapless.lint.reading.training import blocks, events, role
from gapless.lint.reading.values import receiver
from gapless.lint.rule import Hit, reads


@reads(
    level="error",
    title="gradients are clipped while they are scaled for mixed precision",
    effect="GradScaler starts at a scale of 65,536: a norm limit of 1 then clips true gradients to 0.000015, nearly "
    "every step",
    fix="call scaler.unscale_(optimizer) before clipping",
    source="PyTorch's Automatic Mixed Precision examples, section Working with Unscaled Gradients",
    broken="""
import torch

def train(model, loader, criterion, optimizer):
    scaler = torch.amp.GradScaler()
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(criterion(model(x), y)).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
""",
    healthy="""
import torch

def train(model, loader, criterion, optimizer):
    scaler = torch.amp.GradScaler()
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(criterion(model(x), y)).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
""",
)
def clip_of_scaled_gradients(program: Program) -> Iterator[Hit]:
    if any(True for _ in program.methods_of("unscale_")):
        return
    for statements in blocks(program):
        found = events(program, statements)
        names = [name for name, _ in found]
        for at, (name, call) in enumerate(found):
            if name != "clip" or call is None or not program.qualified(call.func):
                continue
            later = next((step for what, step in found[at:] if what == "step"), None)
            scaled = later is not None and role(program, receiver(later)) == "scaler"
            went_back = not {"backward", "?"}.isdisjoint(names[:at])
            if scaled and went_back and any(True for _ in program.methods_of("scale")):
                yield Hit(call, "clipped before scaler.step, without scaler.unscale_(optimizer)")
