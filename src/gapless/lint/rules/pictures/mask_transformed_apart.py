from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gapless.lint.reading.models import is_dataset
from gapless.lint.reading.pictures import random_steps
from gapless.lint.reading.program import Program
from gapless.lint.reading.values import argument, attributes, methods
from gapless.lint.rule import Hit, reads

_MASK = re.compile(r"mask|label|target|segm|annot|gt")
_MOVES = re.compile(r"Flip|Rotation|Crop|Affine|Perspective|Elastic")


@reads(
    level="error",
    title="picture and mask are moved by separate draws",
    effect="each call draws anew: half of the pictures are flipped without their mask, so the model learns from "
    "masks of other places",
    fix="transform both in one call, as torchvision.transforms.v2 and albumentations do, or gapless.augment.image"
    " with targets",
    source="pytorch/vision#9215 and clovaai/CutMix-PyTorch#28 are about masks; docs of torchvision.transforms.v2",
    broken="""
from torch.utils.data import Dataset
from torchvision import transforms

class Cells(Dataset):
    def __init__(self, pairs, transform):
        self.pairs, self.transform = pairs, transform

    def __getitem__(self, index):
        image, mask = self.pairs[index]
        return self.transform(image), self.transform(mask)

cells = Cells([], transform=transforms.Compose([transforms.RandomHorizontalFlip(), transforms.ToTensor()]))
""",
    healthy="""
from torch.utils.data import Dataset
from torchvision.transforms import v2

class Cells(Dataset):
    def __init__(self, pairs, transform):
        self.pairs, self.transform = pairs, transform

    def __getitem__(self, index):
        image, mask = self.pairs[index]
        image, mask = self.transform(image, mask)
        return image, mask

cells = Cells([], transform=v2.Compose([v2.RandomHorizontalFlip(), v2.ToDtype(None)]))
""",
)
def mask_transformed_apart(program: Program) -> Iterator[Hit]:
    for owner in program.all(ast.ClassDef):
        item = methods(owner).get("__getitem__")
        if item is None or not is_dataset(program, owner) or _seeds(item):
            continue
        calls = [n for n in ast.walk(item) if isinstance(n, ast.Call) and ast.unparse(n.func).startswith("self.")]
        for call in calls:
            given = [n for n in call.args if isinstance(n, ast.Name)]
            masked = len(given) == 1 and _MASK.search(given[0].id.lower())
            twin = any(c is not call and ast.unparse(c.func) == ast.unparse(call.func) for c in calls)
            if masked and twin and isinstance(call.func, ast.Attribute) and _moves(program, owner, call.func.attr):
                yield Hit(call, f"{ast.unparse(call.func)} draws anew for {given[0].id}")


def _seeds(item: ast.AST) -> bool:
    """Whether the draws are repeated on purpose, by setting a seed or a random state."""
    written = ast.unparse(item)
    return "seed(" in written or "set_rng_state" in written or "setstate" in written


def _moves(program: Program, owner: ast.ClassDef, name: str) -> bool:
    """Whether self.name certainly moves pictures at random, as every maker of the dataset hands it in."""
    values = attributes(program, owner).get(name, [])
    start = methods(owner).get("__init__")
    if len(values) != 1:
        return False
    transforms = [values[0]]
    if isinstance(values[0], ast.Name) and start is not None:
        made = [c for c in program.calls if isinstance(c.func, ast.Name) and c.func.id == owner.name]
        transforms = [found for c in made if (found := _handed(start, c, values[0].id)) is not None]
    found = [step for each in transforms for step in random_steps(program, each)]
    return any(_MOVES.search(ast.unparse(step.func)) for step in found)


def _handed(start: ast.FunctionDef | ast.AsyncFunctionDef, call: ast.Call, name: str) -> ast.expr | None:
    """What a call of the class hands in for a parameter of __init__, whose first is self."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    parameters = [each.arg for each in start.args.args][1:]
    at = parameters.index(name) if name in parameters else len(call.args)
    return call.args[at] if at < len(call.args) else argument(start, call, name)
