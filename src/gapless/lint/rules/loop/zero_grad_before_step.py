from __future__ import annotations

from collections.abc import Iterator

from gapless.lint.reading.program import Program
from gapless.lint.reading.training import blocks, events
from gapless.lint.rule import Hit, reads


@reads(
    level="error",
    title="gradients are set to zero between backward and step",
    effect="the optimizer sees no gradients: nothing is learned, and with weight decay and momentum the weights only"
    " shrink",
    fix="call optimizer.zero_grad() before loss.backward() or after optimizer.step()",
    source="docs of torch.optim: zero_grad, backward, step, in this order",
    broken="""
def train(model, loader, criterion, optimizer):
    for x, y in loader:
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.zero_grad()
        optimizer.step()
""",
    healthy="""
def train(model, loader, criterion, optimizer):
    for x, y in loader:
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
""",
)
def zero_grad_before_step(program: Program) -> Iterator[Hit]:
    for statements in blocks(program):
        found = [each for each in events(program, statements) if each[0] not in ("clip", "unscale", "schedule")]
        for first, second, third in zip(found, found[1:], found[2:], strict=False):
            if (first[0], second[0], third[0]) == ("backward", "zero_grad", "step") and second[1] is not None:
                yield Hit(second[1], "the gradients of the backward above are gone before the step below")
