from __future__ import annotations

from collections.abc import Iterator

from gapless.lint.reading.program import Program
from gapless.lint.reading.training import optimizers
from gapless.lint.reading.values import flag, given, number, opaque
from gapless.lint.rule import Hit, reads


@reads(
    level="warning",
    title="Adam with a weight decay of AdamW's size",
    effect="Adam's weight_decay is an L2 term in the gradient, divided by each coordinate's gradient size: weights "
    "with large gradients hardly decay, those with small ones are swamped by it",
    fix="use AdamW, or Adam(..., decoupled_weight_decay=True); L2 for Adam is usually 1e-5 to 5e-4",
    source="Loshchilov & Hutter, Decoupled Weight Decay Regularization, arXiv 1711.05101, section 2",
    broken="""
import torch

def optimizer_of(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=0.01)
""",
    healthy="""
import torch

def optimizer_of(model):
    return torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
""",
)
def adam_l2(program: Program) -> Iterator[Hit]:
    for call, name in optimizers(program):
        if (
            name not in ("Adam", "NAdam", "RAdam")
            or opaque(call)
            or not program.qualified(call.func).startswith("torch.")
        ):
            continue
        strength = number(program, given(call, "weight_decay", 4))
        decoupled = given(call, "decoupled_weight_decay")
        if strength is not None and strength >= 0.01 and (decoupled is None or flag(program, decoupled) is False):
            yield Hit(call, f"weight_decay={strength:g} is added to {name}'s gradient")
