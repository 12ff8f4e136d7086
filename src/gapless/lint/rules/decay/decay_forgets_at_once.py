from __future__ import annotations

from collections.abc import Iterator

from gapless.lint.reading.program import Program
from gapless.lint.reading.training import optimizers
from gapless.lint.reading.values import given, number, opaque
from gapless.lint.rule import Hit, reads


@reads(
    level="error",
    title="learning rate times weight decay so large that weights forget at once",
    effect="the weights are a moving average over the last 1 / (lr * decay) updates: with fewer than a hundred the "
    "model holds less than most epochs show it",
    fix="choose the time it remembers: gapless.decay.weight_decay_for(epochs, lr, steps_per_epoch)",
    source="Wang & Aitchison, How to set AdamW's weight decay, arXiv 2405.13698, section 2",
    broken="""
import torch

def optimizer_of(model):
    return torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.5)
""",
    healthy="""
import torch

def optimizer_of(model):
    return torch.optim.AdamW(model.parameters(), lr=0.001, weight_decay=0.5)
""",
)
def decay_forgets_at_once(program: Program) -> Iterator[Hit]:
    for call, name in optimizers(program):
        if name not in ("AdamW", "SGD") or opaque(call):
            continue
        rate, strength = number(program, given(call, "lr", 1)), number(program, given(call, "weight_decay", 4))
        momentum = number(program, given(call, "momentum", 2)) or 0.0 if name == "SGD" else 0.0
        if rate is None or not strength or not 0 <= momentum < 1:
            continue
        shrink = rate * strength / (1 - momentum)
        if shrink > 0.01:
            yield Hit(call, f"each step takes {shrink:.0%} of the weights away: they remember {1 / shrink:.0f} steps")
