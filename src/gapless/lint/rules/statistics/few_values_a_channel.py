from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gapless.lint.rule import Fault, checks

if TYPE_CHECKING:
    from gapless.lint.setup import Batch


@checks(
    level="warning",
    title="batch norm over a handful of values",
    effect="the mean of m independent values is off by 1/sqrt(m) standard deviations",
    fix="use larger batches, group norm (gapless.batchnorm.to_group_norm), or frozen statistics "
    "(gapless.batchnorm.freeze)",
    source="Wu & He 2018, Group Normalization, figure 1 (the error of batch norm by batch size); pytorch/pytorch#5406",
    broken="""
import torch
from torch import nn
from gapless.lint import Setup

model = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Linear(8, 2))
setup = Setup(model, loader=[(torch.randn(4, 8), torch.randint(2, (4,)))])
""",
    healthy="""
import torch
from torch import nn
from gapless.lint import Setup

model = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Linear(8, 2))
setup = Setup(model, loader=[(torch.randn(64, 8), torch.randint(2, (64,)))])
""",
)
def few_values_a_channel(batch: Batch) -> Iterator[Fault]:
    import torch

    if not batch.has_statistics or batch.first is None:
        return
    counts: dict[str, int] = {}

    def watch(path: str) -> Any:
        def hook(module: Any, args: tuple[torch.Tensor, ...]) -> None:
            counts[path] = args[0].numel() // args[0].shape[1]

        return hook

    trained = [(path, norm) for path, norm in batch.batch_norms if norm.training]
    handles = [norm.register_forward_pre_hook(watch(path)) for path, norm in trained]
    try:
        with batch.mode(training=False), torch.no_grad():
            batch.run()
    finally:
        for handle in handles:
            handle.remove()
    few = {path: count for path, count in counts.items() if count <= 8}
    if few:
        path, count = min(few.items(), key=lambda each: each[1])
        said = f"its batch mean is off by {1 / math.sqrt(count):.2f} standard deviations; so fed: {len(few)} layers"
        yield Fault(path, f"{count} values a channel in the first batch", said)
