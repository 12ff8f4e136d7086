from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.models import is_dataset
from gapless.lint.reading.program import Program
from gapless.lint.reading.training import calls_in
from gapless.lint.reading.values import methods
from gapless.lint.rule import Hit, reads

SEEDS = ("torch.manual_seed", "random.seed", "numpy.random.seed", "lightning.seed_everything", "transformers.set_seed")


@reads(
    level="error",
    title="a dataset that sets the seed in __getitem__",
    effect="every row gets the same draw in every epoch, so augmentation adds one fixed version instead of new ones;"
    " torch's own draws (dropout, shuffling) are reset with it",
    fix="key a generator of its own by epoch and row, as gapless.data.Loader does, or leave seeding to the workers",
    source="pytorch/pytorch#5059; Lightning-AI/pytorch-lightning#20412 (the same augmentations each epoch)",
    broken="""
import random
from torch.utils.data import Dataset

class Pictures(Dataset):
    def __init__(self, pictures, seed):
        self.pictures, self.seed = pictures, seed

    def __getitem__(self, index):
        random.seed(self.seed)
        picture = self.pictures[index]
        return picture.flip(-1) if random.random() < 0.5 else picture
""",
    healthy="""
import random
from torch.utils.data import Dataset

class Pictures(Dataset):
    def __init__(self, pictures, seed):
        self.pictures, self.seed = pictures, seed

    def __getitem__(self, index):
        picture = self.pictures[index]
        return picture.flip(-1) if random.random() < 0.5 else picture
""",
)
def seed_in_getitem(program: Program) -> Iterator[Hit]:
    for owner in program.all(ast.ClassDef):
        item = methods(owner).get("__getitem__")
        if item is None or not is_dataset(program, owner):
            continue
        for call in calls_in(program, item.body):
            fixed = program.qualified(call.func) in SEEDS and len(call.args) == 1
            always = not any(isinstance(each, ast.If) for each in program.above(call))
            if fixed and always and not _changes(call.args[0]) and not _repeats(item):
                yield Hit(call, f"{ast.unparse(call)} runs for every row of every epoch")


def _changes(seed: ast.expr) -> bool:
    """Whether the seed may differ from epoch to epoch: it is drawn, or it names an epoch or a step."""
    names = {
        n.id if isinstance(n, ast.Name) else n.attr for n in ast.walk(seed) if isinstance(n, ast.Name | ast.Attribute)
    }
    return any("epoch" in name or "step" in name for name in names) or any(
        isinstance(n, ast.Call) for n in ast.walk(seed)
    )


def _repeats(item: ast.AST) -> bool:
    """Whether one drawn seed is set more than once, to move picture and mask alike."""
    written = ast.unparse(item)
    return written.count("seed(") > 1
