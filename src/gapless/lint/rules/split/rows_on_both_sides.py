from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gapless.lint.rule import Fault, checks

if TYPE_CHECKING:
    from gapless.lint.setup import Batch

_MOST = 20_000
"""Rows a side that are compared; more would take seconds."""


@checks(
    level="error",
    title="the same rows in training and in validation",
    effect="these rows are recalled, not recognised: the gap is measured too small by their share",
    fix="split by row, and copies of one row to one side; gapless.tune reports exact duplicates across parts",
    source="Barz & Denzler 2020, Do We Train on Test Data? (3.3 % of CIFAR-10's and 10 % of CIFAR-100's test pictures)",
    broken="""
import torch
from torch import nn
from torch.utils.data import DataLoader, Subset, TensorDataset
from gapless.lint import Setup

rows = TensorDataset(torch.randn(100, 8), torch.randint(2, (100,)))
train, val = Subset(rows, range(0, 80)), Subset(rows, range(70, 100))
setup = Setup(nn.Linear(8, 2), loader=DataLoader(train, 16, shuffle=True), validation=DataLoader(val, 16))
""",
    healthy="""
import torch
from torch import nn
from torch.utils.data import DataLoader, Subset, TensorDataset
from gapless.lint import Setup

rows = TensorDataset(torch.randn(100, 8), torch.randint(2, (100,)))
train, val = Subset(rows, range(0, 80)), Subset(rows, range(80, 100))
setup = Setup(nn.Linear(8, 2), loader=DataLoader(train, 16, shuffle=True), validation=DataLoader(val, 16))
""",
)
def rows_on_both_sides(batch: Batch) -> Iterator[Fault]:
    from torch.utils.data import Subset, TensorDataset

    train = getattr(batch.setup.loader, "dataset", None)
    judged = getattr(batch.setup.validation, "dataset", batch.setup.validation)
    if train is None or judged is None:
        return
    if train is judged:
        yield Fault("validation", "it reads the very dataset that is trained on")
    elif isinstance(train, Subset) and isinstance(judged, Subset) and train.dataset is judged.dataset:
        both = set(train.indices) & set(judged.indices)
        if both:
            yield Fault(
                "validation", f"{len(both):,} of its {len(judged):,} rows are trained on, row {min(both)} among them"
            )
    elif isinstance(train, TensorDataset) and isinstance(judged, TensorDataset):
        ours = {row.numpy().tobytes() for row in train.tensors[0][:_MOST].cpu()}
        both = [at for at, row in enumerate(judged.tensors[0][:_MOST].cpu()) if row.numpy().tobytes() in ours]
        if both:
            yield Fault(
                "validation",
                f"{len(both):,} of its {len(judged):,} rows are equal to rows of training, row {both[0]} among them",
            )
