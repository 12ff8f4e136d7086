from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.models import holds
from gapless.lint.reading.program import Program
from gapless.lint.reading.values import flag, given, made_by
from gapless.lint.rule import Hit, reads


@reads(
    level="error",
    title="averaged weights with the batch statistics of a model that does not exist",
    effect="AveragedModel averages weights, not running means and variances: its batch norms still have those of the"
    " first model that was averaged, and accuracy can fall to chance",
    fix="call torch.optim.swa_utils.update_bn(loader, averaged), gapless.batchnorm.reestimate, or "
    "AveragedModel(use_buffers=True)",
    source="Izmailov et al. 2018, Averaging Weights Leads to Wider Optima, section 3.2; docs of "
    "torch.optim.swa_utils.update_bn",
    broken="""
import torch
from torch import nn

def main(loader, batches):
    model = nn.Sequential(nn.Linear(20, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 2))
    averaged = torch.optim.swa_utils.AveragedModel(model)
    for x, y in loader:
        averaged.update_parameters(model)
    return [averaged(x) for x in batches]
""",
    healthy="""
import torch
from torch import nn

def main(loader, batches):
    model = nn.Sequential(nn.Linear(20, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 2))
    averaged = torch.optim.swa_utils.AveragedModel(model)
    for x, y in loader:
        averaged.update_parameters(model)
    torch.optim.swa_utils.update_bn(loader, averaged)
    return [averaged(x) for x in batches]
""",
)
def averaged_without_statistics(program: Program) -> Iterator[Hit]:
    renewed = any(program.qualified(call.func).endswith((".update_bn", ".reestimate")) for call in program.calls)
    if renewed:
        return
    for call in program.calls_of("torch.optim.swa_utils.AveragedModel"):
        if not call.args or flag(program, given(call, "use_buffers", 4)) is not None:
            continue
        used = any(made_by(program, each.func) is call for each in program.calls if isinstance(each.func, ast.Name))
        if used and holds(program, call.args[0]).batchnorm:
            yield Hit(call, "its batch norms are never given statistics of their own")
