from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.models import is_dataset
from gapless.lint.reading.pictures import loaders
from gapless.lint.reading.program import Program
from gapless.lint.reading.values import attributes, flag, given, made_by, methods, number
from gapless.lint.rule import Hit, reads

_MAKERS = ("numpy.random.default_rng", "numpy.random.RandomState", "random.Random", "numpy.random.Generator")


@reads(
    level="error",
    title="a random generator kept in a dataset that worker processes copy",
    effect="each worker gets the same copy and draws the same numbers, and without persistent workers each epoch "
    "starts from the same state: torch seeds numpy and random per worker, not generators of your own",
    fix="draw from torch or numpy.random, make the generator in worker_init_fn from torch.initial_seed(), or key "
    "it by epoch and row",
    source="pytorch/pytorch#5059; torch.utils.data._utils.worker seeds random, torch and numpy.random only",
    broken="""
import numpy as np
from torch.utils.data import DataLoader, Dataset

class Pictures(Dataset):
    def __init__(self, pictures):
        self.pictures = pictures
        self.rng = np.random.default_rng(0)

    def __getitem__(self, index):
        return self.pictures[index] + self.rng.normal(0, 0.1)

loader = DataLoader(Pictures([]), batch_size=64, shuffle=True, num_workers=4)
""",
    healthy="""
import numpy as np
from torch.utils.data import DataLoader, Dataset

class Pictures(Dataset):
    def __init__(self, pictures):
        self.pictures = pictures
        self.rng = np.random.default_rng(0)

    def __getitem__(self, index):
        return self.pictures[index] + np.random.normal(0, 0.1)

loader = DataLoader(Pictures([]), batch_size=64, shuffle=True, num_workers=4)
""",
)
def generator_kept_in_dataset(program: Program) -> Iterator[Hit]:
    for call in loaders(program):
        workers = number(program, given(call, "num_workers", 5))
        dataset = made_by(program, call.args[0]) if call.args else None
        if not workers or given(call, "worker_init_fn") is not None or dataset is None:
            continue
        owner = program.classes.get(dataset.func.id) if isinstance(dataset.func, ast.Name) else None
        if owner is None or not is_dataset(program, owner) or flag(program, given(call, "shuffle", 2)) is False:
            continue
        for name in _kept(program, owner):
            yield Hit(attributes(program, owner)[name][0], f"self.{name} is copied into each of {workers:g} workers")


def _kept(program: Program, owner: ast.ClassDef) -> list[str]:
    """Names of generators made once in __init__ and drawn from in __getitem__."""
    item = methods(owner)["__getitem__"]
    drawn = {
        ast.unparse(n.func.value)
        for n in ast.walk(item)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)
    }
    return [
        name
        for name, values in attributes(program, owner).items()
        if len(values) == 1
        and f"self.{name}" in drawn
        and isinstance(values[0], ast.Call)
        and program.qualified(values[0].func) in _MAKERS
    ]
