"""Small real data, a model and a recipe that every trainer gets."""

import runpy
import sys
from functools import cache
from pathlib import Path

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from gapless import Recipe
from gapless.recipe import Augment, BatchNorm, Decay, Dropout, Op

TURNED = Augment(ops=(Op(op="rotate", strength=15.0),))
WHOLE = Recipe(
    dropout=Dropout(hidden=0.2),
    batchnorm=BatchNorm(insert=True),
    decay=Decay(strength=0.05),
    augment=Augment(ops=TURNED.ops, mixup=0.2),
)
"""Something of every pillar."""


@cache
def digits() -> tuple[Tensor, Tensor]:
    """Pictures (N, 1, 8, 8) in [0, 1] and their classes."""
    x, y = load_digits(return_X_y=True)
    return torch.tensor(x, dtype=torch.float32).view(-1, 1, 8, 8) / 16, torch.tensor(y)


def loader(first: int, rows: int, batch: int = 16, shuffle: bool = False) -> DataLoader[tuple[Tensor, ...]]:
    """Rows of digits from `first` on."""
    x, y = digits()
    part = slice(first, first + rows)
    return DataLoader(TensorDataset(x[part], y[part]), batch, shuffle=shuffle)


def network() -> nn.Sequential:
    """For digits; the same weights every time."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return nn.Sequential(
            *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
            *(nn.Linear(128, 32), nn.ReLU(), nn.Linear(32, 10)),
        )


def same(a: nn.Module, b: nn.Module) -> bool:
    """Whether both have the same state, bit for bit."""
    mine, others = a.state_dict(), b.state_dict()
    return mine.keys() == others.keys() and all(torch.equal(mine[key], others[key]) for key in mine)


def run_example(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, *arguments: object) -> None:
    """An example as it is written, in this process: its framework takes ten seconds to import."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    runpy.run_path(str(Path(__file__).parents[2] / "examples" / name), run_name="__main__")
