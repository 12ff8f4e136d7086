from __future__ import annotations

from collections.abc import Iterator

from gapless.lint.reading.models import BATCH_NORMS
from gapless.lint.reading.program import Program
from gapless.lint.reading.values import given, number
from gapless.lint.rule import Hit, reads


@reads(
    level="error",
    title="batch norm's momentum in the convention of TensorFlow",
    effect="torch's momentum is the weight of the new batch: with 0.99 the running statistics are those of the last "
    "batch, and evaluation is as noisy as a single batch",
    fix="write 1 - momentum: 0.01 for TensorFlow's 0.99",
    source="docs of torch.nn.BatchNorm2d: 'x_new = (1 - momentum) * x + momentum * x_t'",
    broken="""
from torch import nn

norm = nn.BatchNorm2d(64, eps=1e-3, momentum=0.99)
""",
    healthy="""
from torch import nn

norm = nn.BatchNorm2d(64, eps=1e-3, momentum=0.01)
""",
)
def batch_norm_keras_momentum(program: Program) -> Iterator[Hit]:
    for call in program.calls_of(*sorted(BATCH_NORMS)):
        momentum = number(program, given(call, "momentum", 2))
        if momentum is not None and 0.9 <= momentum < 1:
            yield Hit(call, f"momentum={momentum:g} gives the newest batch {momentum:.0%} of the running statistics")
