"""Small tasks for the tests of training and search, and models with something in them to go wrong."""

from dataclasses import replace
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from gapless.data import Rows, Task
from gapless.data.readers.builtin import digits
from gapless.data.readers.texts import as_array
from gapless.data.splits import complete
from gapless.models import ModelOptions, choose


def with_model(task: Task, word: str | None = None, width: int | None = None) -> Task:
    """The task with a built-in model."""
    name, build = choose(word, task.kind, task.shape, task.outputs, task.categories, ModelOptions(width))
    return replace(task, model=build, model_name=name)


@cache
def _digits(rows: int, seed: int) -> Task:
    return complete(digits(), rows, seed)


def pictures(rows: int = 80, word: str = "cnn", width: int | None = 4, seed: int = 0) -> Task:
    """Digits, a stratified subset; the others are confirm."""
    return with_model(_digits(rows, seed), word, width)


def table(rows: int = 90, outputs: int = 3, word: str = "mlp", seed: int = 0) -> Task:
    """Three numeric columns and one of five categories; classes, or a regression with outputs=0."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2 * rows, 4)).astype(np.float32)
    x[:, 1] = rng.integers(0, 5, 2 * rows)
    effect = np.array([-1.0, 0.5, 0.0, 1.0, -0.5])[x[:, 1].astype(int)]
    target = 2 * x[:, 0] - x[:, 2] + effect + 0.3 * rng.standard_normal(2 * rows)
    if outputs:
        y = np.digitize(target, np.quantile(target, np.linspace(0, 1, outputs + 1)[1:-1])).astype(np.int64)
    else:
        y = (50 + 10 * target).astype(np.float32)
    task = Task(
        "table",
        Rows(x[:rows], y[:rows]),
        Rows(x[rows:], y[rows:]),
        classes=tuple("abcdefgh"[:outputs]),
        categories=(0, 5, 0, 0),
        features=("one", "colour", "two", "three"),
    )
    return with_model(task, word, 16)


def texts(rows: int = 80, outputs: int = 2, word: str = "text-bag", width: int | None = 8, seed: int = 0) -> Task:
    """Sentences whose adjective decides, among words that say nothing; classes, or a regression with outputs=0."""
    rng = np.random.default_rng(seed)
    says = ("awful", "dull", "nice", "splendid")
    filler = ("the", "film", "was", "really", "a", "bit", "of", "story", "about", "people", "and", "it", "in", "town")
    y = rng.integers(0, 4, 2 * rows)
    found = [
        " ".join(rng.permutation([*rng.choice(filler, rng.integers(3, 12)), says[value]])).capitalize() + "."
        for value in y
    ]
    labels = (y // 2).astype(np.int64) if outputs else (y + 0.5).astype(np.float32)
    task = Task(
        "sentences",
        Rows(as_array(found[:rows]), labels[:rows]),
        Rows(as_array(found[rows:]), labels[rows:]),
        classes=("bad", "good") if outputs else (),
    )
    return with_model(task, word, width)


class Drops(nn.Module):
    """A small convolutional net with dropout and batch norm of its own, for pictures of one channel."""

    def __init__(self, outputs: int = 10):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.deep = nn.Conv2d(6, 8, 3, padding=1)
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(8, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.conv(x)))
        return self.head(self.drop(torch.relu(self.deep(x)).mean((2, 3))))
