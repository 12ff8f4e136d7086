from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.models import holds
from gapless.lint.reading.program import Program
from gapless.lint.reading.training import optimizers
from gapless.lint.reading.values import given, method, number, opaque, receiver, trace
from gapless.lint.rule import Hit, reads

_POSITIONS = {"SGD": 4, "Adam": 4, "AdamW": 4, "NAdam": 4, "RAdam": 4, "Adamax": 4, "RMSprop": 4, "Adagrad": 3}


@reads(
    level="warning",
    title="strong weight decay on norms, biases and embeddings, too",
    effect="decay pulls a norm's gain and each bias towards zero, which regularizes nothing: with AdamW at lr 1e-3 "
    "and decay 0.05, 20,000 steps without gradient leave 37 % of a gain",
    fix="use torch.optim.AdamW(gapless.decay.groups(model, 0.05), lr=1e-3), which leaves them out",
    source="pytorch/pytorch#1402; huggingface/transformers#35927 (RMSNorm was decayed); He et al. 2019, Bag of "
    "Tricks, section 3.1",
    broken="""
import torch
from torch import nn

model = nn.Sequential(nn.Embedding(1000, 64), nn.LayerNorm(64), nn.Linear(64, 64))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
""",
    healthy="""
import torch
from torch import nn
from gapless import decay

model = nn.Sequential(nn.Embedding(1000, 64), nn.LayerNorm(64), nn.Linear(64, 64))
optimizer = torch.optim.AdamW(decay.groups(model, 0.05), lr=1e-3)
""",
)
def decay_on_norms(program: Program) -> Iterator[Hit]:
    for call, name in optimizers(program):
        strength = number(program, given(call, "weight_decay", _POSITIONS.get(name)))
        if strength is None or strength < 0.01 or not call.args or opaque(call):
            continue
        model = _whole_model(program, call.args[0])
        if model is None:
            continue
        held = holds(program, model)
        kinds = [word for word, there in (("norms", held.norm), ("embeddings", held.embedding)) if there]
        if kinds:
            yield Hit(
                call,
                f"weight_decay={strength:g} acts on all of {ast.unparse(model)}, its {' and '.join(kinds)} included",
            )


def _whole_model(program: Program, node: ast.expr) -> ast.expr | None:
    """model of model.parameters() and of filter(lambda p: p.requires_grad, model.parameters())."""
    found = trace(program, node)
    if isinstance(found, ast.Call) and method(found) == "parameters" and not found.args:
        return receiver(found)
    if isinstance(found, ast.Call) and getattr(found.func, "id", "") in ("filter", "list") and found.args:
        inner = found.args[-1]
        return receiver(inner) if isinstance(inner, ast.Call) and method(inner) == "parameters" else None
    return None
