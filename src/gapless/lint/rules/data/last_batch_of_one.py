from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gapless.lint.rule import Fault, checks

if TYPE_CHECKING:
    from gapless.lint.setup import Batch


@checks(
    level="error",
    title="a last batch of one row for a model with batch norm",
    effect="torch raises at the end of the first epoch: expected more than 1 value per channel when training",
    fix="say drop_last=True, or choose another batch size",
    source="pytorch/pytorch#4741 and the error of torch.nn.functional.batch_norm",
    broken="""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from gapless.lint import Setup

model = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Linear(8, 2))
rows = TensorDataset(torch.randn(65, 8), torch.randint(2, (65,)))
setup = Setup(model, loader=DataLoader(rows, batch_size=16, shuffle=True))
""",
    healthy="""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from gapless.lint import Setup

model = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Linear(8, 2))
rows = TensorDataset(torch.randn(65, 8), torch.randint(2, (65,)))
setup = Setup(model, loader=DataLoader(rows, batch_size=16, shuffle=True, drop_last=True))
""",
)
def last_batch_of_one(batch: Batch) -> Iterator[Fault]:
    from torch import nn
    from torch.utils.data import DataLoader

    loader = batch.setup.loader
    flat = [norm for _, norm in batch.batch_norms if isinstance(norm, nn.BatchNorm1d) and norm.training]
    if not flat or not isinstance(loader, DataLoader) or loader.batch_size is None or loader.drop_last:
        return
    rows = batch.rows_of(loader)
    if rows is not None and loader.batch_size > 1 and rows % loader.batch_size == 1:
        yield Fault("loader", f"{rows:,} rows in batches of {loader.batch_size} leave one over")
