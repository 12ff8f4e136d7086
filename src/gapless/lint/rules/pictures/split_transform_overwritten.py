from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.program import Program
from gapless.lint.rule import Hit, reads


@reads(
    level="error",
    title="the transform of one part of a random_split is overwritten",
    effect="the parts of random_split share one dataset: setting val_set.dataset.transform changes the training "
    "part, too, and its augmentation is gone",
    fix="make the dataset twice, with and without random steps, and take Subset of each by the same indices",
    source="source of torch.utils.data.random_split: every Subset holds the same dataset",
    broken="""
from torch.utils.data import random_split
from torchvision import datasets, transforms

def parts(varied, plain):
    dataset = datasets.ImageFolder("photos", transform=varied)
    train_set, val_set = random_split(dataset, [0.8, 0.2])
    val_set.dataset.transform = plain
    return train_set, val_set
""",
    healthy="""
from copy import copy
from torch.utils.data import random_split
from torchvision import datasets, transforms

def parts(varied, plain):
    dataset = datasets.ImageFolder("photos", transform=varied)
    train_set, val_set = random_split(dataset, [0.8, 0.2])
    val_set.dataset = copy(dataset)
    val_set.dataset.transform = plain
    return train_set, val_set
""",
)
def split_transform_overwritten(program: Program) -> Iterator[Hit]:
    for node in program.all(ast.Assign):
        target = node.targets[0]
        if not (isinstance(target, ast.Attribute) and target.attr in ("transform", "transforms")):
            continue
        held = target.value
        if not (isinstance(held, ast.Attribute) and held.attr == "dataset" and isinstance(held.value, ast.Name)):
            continue
        parts = _parts_of_split(program, held.value.id, node)
        if parts and not any(_own_dataset(program, each) for each in parts):
            yield Hit(node, f"{ast.unparse(held)} is the dataset of the other part, too")


def _parts_of_split(program: Program, part: str, node: ast.stmt) -> list[str]:
    """The names that one random_split gives to its parts, this one among them."""
    for each in program.all(ast.Assign):
        target, call = each.targets[0], each.value
        if isinstance(target, ast.Tuple) and isinstance(call, ast.Call):
            names = [ast.unparse(name) for name in target.elts]
            split = program.qualified(call.func) == "torch.utils.data.random_split"
            if part in names and split and program.scope(each) is program.scope(node):
                return names
    return []


def _own_dataset(program: Program, part: str) -> bool:
    """Whether the part is given a dataset of its own before."""
    stores = (n for n in program.all(ast.Attribute) if isinstance(n.ctx, ast.Store) and n.attr == "dataset")
    return any(isinstance(n.value, ast.Name) and n.value.id == part for n in stores)
