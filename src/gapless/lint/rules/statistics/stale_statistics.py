from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gapless.lint.rule import Fault, checks

if TYPE_CHECKING:
    from gapless.lint.setup import Batch


@checks(
    level="warning",
    title="running statistics that are not those of the data",
    effect="in evaluation batch norm shifts and scales by statistics that the layer's inputs do not have",
    fix="re-estimate them: gapless.batchnorm.reestimate(model, loader)",
    source="Wu & Johnson 2021, Rethinking Batch in BatchNorm, section 3; chemprop/chemprop#607; pytorch/pytorch#4741",
    broken="""
import torch
from torch import nn
from gapless.lint import Setup

torch.manual_seed(0)
model = nn.Sequential(nn.BatchNorm1d(8, momentum=0.001), nn.Linear(8, 2))
rows = torch.randn(256, 8) * 5 + 20
model(rows)
setup = Setup(model, loader=[(rows, torch.randint(2, (256,)))])
""",
    healthy="""
import torch
from torch import nn
from gapless.lint import Setup

torch.manual_seed(0)
model = nn.Sequential(nn.BatchNorm1d(8, momentum=None), nn.Linear(8, 2))
rows = torch.randn(256, 8) * 5 + 20
model(rows)
setup = Setup(model, loader=[(rows, torch.randint(2, (256,)))])
""",
)
def stale_statistics(batch: Batch) -> Iterator[Fault]:
    if not batch.has_statistics or batch.first is None or batch.rows < 64:
        return
    trained = [norm for _, norm in batch.batch_norms if int(norm.num_batches_tracked or 0) > 0]
    if not trained:  # nothing was learned yet: the statistics are those of a new layer
        return
    from gapless.batchnorm import drift

    drifts = drift(batch.model, [batch.first], feed=batch.feed)
    # One batch is a sample: a shift of two deviations or a factor of four is no chance with 64 rows.
    off = [each for each in drifts if each.mean_shift > 2 or not 0.25 < each.var_ratio < 4]
    if off:
        worst = max(off, key=lambda each: each.mean_shift)
        said = (
            f"the mean is off by {worst.mean_shift:.1f} deviations, the variance by a factor of {worst.var_ratio:.2g}"
        )
        yield Fault(
            worst.path, f"{len(off)} of {len(drifts)} batch norms are far from the first batch", f"measured: {said}"
        )
