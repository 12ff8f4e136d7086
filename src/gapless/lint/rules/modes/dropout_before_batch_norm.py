from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise

from gapless.lint.reading.models import BATCH_NORMS, DROPOUTS, NN, sequential
from gapless.lint.reading.program import Program
from gapless.lint.reading.values import number
from gapless.lint.rule import Hit, reads


@reads(
    level="warning",
    title="dropout directly before batch norm",
    effect="dropout raises the variance that batch norm learns and is gone in evaluation, so batch norm divides by "
    "too much: inputs without a mean have 1 - p of the variance, and we measured ratios of 0.30 to 0.38 at p "
    "= 0.5 on digits (where accuracy did not suffer)",
    fix="put dropout behind the last batch norm, or measure it: gapless.batchnorm.dropout_shift(model, loader)",
    source="Li et al. 2018, Understanding the Disharmony between Dropout and Batch Normalization by Variance Shift",
    broken="""
from torch import nn

model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Dropout(0.5), nn.BatchNorm1d(32), nn.Linear(32, 10))
""",
    healthy="""
from torch import nn

model = nn.Sequential(nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 10))
""",
)
def dropout_before_batch_norm(program: Program) -> Iterator[Hit]:
    for call in program.calls_of(NN + "Sequential"):
        layers = sequential(program, call) or []
        for first, second in pairwise([] if _inner(program, call) else layers):
            if isinstance(first, ast.Call) and isinstance(second, ast.Call):
                names = program.qualified(first.func), program.qualified(second.func)
                if names[0] in DROPOUTS and names[1] in BATCH_NORMS and _drops(program, first):
                    dropout, norm = (name.rpartition(".")[2] for name in names)
                    yield Hit(second, f"{norm} directly behind {dropout}")


def _drops(program: Program, call: ast.Call) -> bool:
    rate = call.args[0] if call.args else next((k.value for k in call.keywords if k.arg == "p"), None)
    return number(program, rate) != 0


def _inner(program: Program, call: ast.Call) -> bool:
    """Whether the Sequential stands directly in another one, which is looked at as a whole."""
    parent = program.parents[call]
    return isinstance(parent, ast.Call) and program.qualified(parent.func) == NN + "Sequential"
