from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gapless.lint.rule import Fault, checks

if TYPE_CHECKING:
    from gapless.lint.setup import Batch


@checks(
    level="warning",
    title="dropout before batch norm, with the measured shift of variance",
    effect="batch norm learns a variance that is not there in evaluation and divides by too much",
    fix="put dropout behind the last batch norm, or re-estimate the statistics: "
    "gapless.batchnorm.reestimate(model, loader)",
    source="Li et al. 2018, Understanding the Disharmony between Dropout and Batch Normalization by Variance Shift",
    broken="""
import torch
from torch import nn
from gapless.lint import Setup

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(0.5), nn.BatchNorm1d(32), nn.Linear(32, 2))
setup = Setup(model, loader=[(torch.randn(256, 8), torch.randint(2, (256,)))])
""",
    healthy="""
import torch
from torch import nn
from gapless.lint import Setup

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 2))
setup = Setup(model, loader=[(torch.randn(256, 8), torch.randint(2, (256,)))])
""",
)
def dropout_shifts_variance(batch: Batch) -> Iterator[Fault]:
    if not batch.has_statistics or batch.first is None or batch.rows < 16:
        return
    from gapless.batchnorm import dropout_shift

    shifts = dropout_shift(batch.model, [batch.first], feed=batch.feed)
    shifted = [shift for shift in shifts if shift.ratio < 0.6]
    if shifted:
        worst = min(shifted, key=lambda shift: shift.ratio)
        said = f"measured: without dropout its input has {worst.ratio:.2f} of the variance it has with it"
        others = f", and {len(shifted) - 1} more" if len(shifted) > 1 else ""
        yield Fault(worst.path, f"dropout reaches {worst.path}{others}", said)
