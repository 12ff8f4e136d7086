from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.models import is_module
from gapless.lint.reading.program import Program
from gapless.lint.reading.values import attributes, given, number, trace
from gapless.lint.rule import Hit, reads
from gapless.lint.rules.modes.functional_dropout_always_on import gated


@reads(
    level="error",
    title="attention dropout that evaluation does not switch off",
    effect="scaled_dot_product_attention knows nothing of model.eval(): a dropout_p above 0 drops attention weights "
    "in every call, so predictions are random",
    fix="write dropout_p=self.dropout if self.training else 0.0",
    source="docs of torch.nn.functional.scaled_dot_product_attention: 'dropout_p ... always applies dropout'; "
    "pytorch/pytorch#124464",
    broken="""
from torch import nn
import torch.nn.functional as F

class Attention(nn.Module):
    def __init__(self, dropout=0.1):
        super().__init__()
        self.dropout = dropout

    def forward(self, q, k, v):
        return F.scaled_dot_product_attention(q, k, v, dropout_p=self.dropout)
""",
    healthy="""
from torch import nn
import torch.nn.functional as F

class Attention(nn.Module):
    def __init__(self, dropout=0.1):
        super().__init__()
        self.dropout = dropout

    def forward(self, q, k, v):
        return F.scaled_dot_product_attention(q, k, v, dropout_p=self.dropout if self.training else 0.0)
""",
)
def attention_dropout_always_on(program: Program) -> Iterator[Hit]:
    for call in program.calls_of("torch.nn.functional.scaled_dot_product_attention"):
        rate, owner = given(call, "dropout_p", 4), program.owner(call)
        if rate is None or owner is None or not is_module(program, owner) or gated(program, call):
            continue
        known = number(program, rate)
        if (known is not None and known > 0) or (known is None and _plain_rate(program, owner, rate)):
            yield Hit(call, f"dropout_p={ast.unparse(rate)} does not ask for the training mode")


def _plain_rate(program: Program, owner: ast.ClassDef, rate: ast.expr) -> bool:
    """self.dropout, set once from an argument, or self.dropout.p of a layer."""
    found = trace(program, rate)
    if isinstance(rate, ast.Attribute) and rate.attr == "p":
        return isinstance(rate.value, ast.Attribute)
    if not (isinstance(rate, ast.Attribute) and isinstance(rate.value, ast.Name) and rate.value.id == "self"):
        return False
    values = attributes(program, owner).get(rate.attr, [])
    return len(values) == 1 and isinstance(found, ast.Name | ast.Attribute) and "train" not in ast.unparse(values[0])
