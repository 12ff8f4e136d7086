"""Small tables written and read."""

from pathlib import Path

import numpy as np

from gapless.data import Task
from gapless.data.source import SourceOptions, load

ROWS = 600


def table(folder: Path, header: str, rows: list[str], name: str = "t.csv") -> Path:
    (folder / name).write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return folder / name


def read(path: Path | str, **options: object) -> Task:
    return load(str(path), SourceOptions(**options))  # pyright: ignore[reportArgumentType]  # each test its own


def made(task: Task) -> dict[str, tuple[str, str]]:
    """Kind and fate of every column."""
    return {one.column: (one.kind, one.became) for one in task.account}


def noted(task: Task, *words: str) -> bool:
    return any(all(word in note for word in words) for note in task.notes)


def values(task: Task, name: str) -> list[float]:
    """The distinct values of a column, in order, scaled so that the least is 0 and the greatest 1."""
    assert task.confirm is not None
    both = np.concatenate([task.develop.x, task.confirm.x])[:, task.features.index(name)]
    found = np.unique(np.round(both.astype(np.float64), 4))
    return ((found - found[0]) / (found[-1] - found[0])).tolist()
