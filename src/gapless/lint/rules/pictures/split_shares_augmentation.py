from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.pictures import judges, lower_name, random_steps, transform_of
from gapless.lint.reading.program import Program
from gapless.lint.reading.values import made_by
from gapless.lint.rule import Hit, reads


@reads(
    level="error",
    title="random_split of a dataset that is augmented",
    effect="both parts read through one dataset and its transform: validation pictures are varied at random, too",
    fix="make the dataset twice, with and without random steps, and take Subset of each by the same indices",
    source="source of torch.utils.data.random_split: every Subset holds the same dataset, and it alone has a transform",
    broken="""
from torch.utils.data import random_split
from torchvision import datasets, transforms

transform = transforms.Compose([transforms.RandomResizedCrop(224), transforms.ToTensor()])
dataset = datasets.ImageFolder("photos", transform=transform)
train_set, val_set = random_split(dataset, [0.8, 0.2])
""",
    healthy="""
import torch
from torch.utils.data import Subset
from torchvision import datasets, transforms

varied = transforms.Compose([transforms.RandomResizedCrop(224), transforms.ToTensor()])
plain = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor()])
train_all = datasets.ImageFolder("photos", transform=varied)
val_all = datasets.ImageFolder("photos", transform=plain)
order = torch.randperm(len(train_all)).tolist()
train_set, val_set = Subset(train_all, order[100:]), Subset(val_all, order[:100])
""",
)
def split_shares_augmentation(program: Program) -> Iterator[Hit]:
    for node in program.all(ast.Assign):
        target, call = node.targets[0], node.value
        if not isinstance(target, ast.Tuple) or not isinstance(call, ast.Call) or not call.args:
            continue
        if program.qualified(call.func) != "torch.utils.data.random_split" or _overwritten(program, target):
            continue
        dataset = made_by(program, call.args[0])
        transform = transform_of(program, dataset) if dataset is not None else None
        named = [each for each in target.elts if judges(lower_name(each))]
        steps = random_steps(program, transform) if transform is not None else []
        if named and steps:
            step = ast.unparse(steps[0].func).rpartition(".")[2]
            yield Hit(call, f"{ast.unparse(named[0])} is varied by {step}, like the training part")


def _overwritten(program: Program, target: ast.Tuple) -> bool:
    """Whether a part's transform is set afterwards, or it is wrapped: other rules judge that."""
    names = {ast.unparse(each) for each in target.elts}
    stores = (n for n in program.all(ast.Attribute) if isinstance(n.ctx, ast.Store) and "transform" in n.attr)
    return any(ast.unparse(n.value).split(".")[0] in names for n in stores)
