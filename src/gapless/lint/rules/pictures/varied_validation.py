from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gapless.lint.rule import Fault, checks

if TYPE_CHECKING:
    from gapless.lint.setup import Batch


@checks(
    level="error",
    title="validation rows that are another each time they are read",
    effect="the score is of other inputs in each run, and early stopping follows the draw",
    fix="give validation data a transform without random steps",
    source="ultralytics/yolov5#7017 and #1879, MIC-DKFZ/nnUNet#2715 (losses that differ by augmentation)",
    broken="""
import torch
from torch import nn
from torch.utils.data import Dataset
from gapless.lint import Setup

class Rows(Dataset):
    def __len__(self):
        return 32

    def __getitem__(self, index):
        return torch.ones(8) + 0.1 * torch.randn(8), 0

setup = Setup(nn.Linear(8, 2), validation=Rows())
""",
    healthy="""
import torch
from torch import nn
from torch.utils.data import Dataset
from gapless.lint import Setup

class Rows(Dataset):
    def __len__(self):
        return 32

    def __getitem__(self, index):
        return torch.ones(8), 0

setup = Setup(nn.Linear(8, 2), validation=Rows())
""",
)
def varied_validation(batch: Batch) -> Iterator[Fault]:
    import random

    import numpy as np
    import torch
    from torch.utils.data import IterableDataset

    from gapless.lint.setup import tensors_of, undisturbed

    validation = batch.setup.validation
    dataset: Any = getattr(validation, "dataset", validation)
    if dataset is None or isinstance(dataset, IterableDataset | list | tuple) or not hasattr(dataset, "__getitem__"):
        return
    seen: list[list[torch.Tensor]] = []
    with undisturbed(None):
        for seed in (1, 2):
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002  # the user's dataset may draw from it
            torch.manual_seed(seed)
            seen.append([tensor for row in range(min(4, len(dataset))) for tensor in tensors_of(dataset[row])])
    pairs = [(a, b) for a, b in zip(*seen, strict=False) if a.shape == b.shape and a.is_floating_point()]
    shapes = any(a.shape != b.shape for a, b in zip(*seen, strict=False))
    apart = max((float((a - b).abs().max()) for a, b in pairs), default=0.0)
    if apart > 1e-6 or shapes:
        said = f"measured: two readings of the first rows differ by up to {apart:.2g}"
        yield Fault("validation", "the same rows differ when they are read twice", said)
