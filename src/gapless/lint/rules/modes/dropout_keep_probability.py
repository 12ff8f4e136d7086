from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.models import DROPOUTS
from gapless.lint.reading.program import Program
from gapless.lint.reading.values import given, trace
from gapless.lint.rule import Hit, reads

_FUNCTIONS = tuple(f"torch.nn.functional.{name}" for name in ("dropout", "dropout1d", "dropout2d", "dropout3d"))


@reads(
    level="error",
    title="a probability of keeping where torch wants that of dropping",
    effect="torch's p is the probability of dropping: a keep probability of 0.8 drops 80 %",
    fix="write nn.Dropout(1 - keep_prob)",
    source="docs of torch.nn.Dropout: 'p: probability of an element to be zeroed'",
    broken="""
from torch import nn

keep_prob = 0.8
dropout = nn.Dropout(keep_prob)
""",
    healthy="""
from torch import nn

keep_prob = 0.8
dropout = nn.Dropout(1 - keep_prob)
""",
)
def dropout_keep_probability(program: Program) -> Iterator[Hit]:
    for call in program.calls_of(*sorted(DROPOUTS), *_FUNCTIONS):
        functional = program.qualified(call.func) in _FUNCTIONS
        rate = given(call, "p", 1 if functional else 0)
        for each in (rate, trace(program, rate)) if rate is not None else ():
            name = each.attr if isinstance(each, ast.Attribute) else each.id if isinstance(each, ast.Name) else ""
            if name.lower() in ("keep_prob", "keep_probability", "keep_rate", "p_keep", "dropout_keep_prob"):
                yield Hit(call, f"p={name} is a probability of keeping")
                break
