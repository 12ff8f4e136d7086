"""Datasets, loaders and the transforms they are made with."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gapless.lint.reading.program import Program
from gapless.lint.reading.values import flag, given, kind, made_by, number, trace

JUDGING = re.compile(r"(^|_)(val|valid|validation|test|eval|dev|holdout)(_|\d|$|set|loader|data|ds|dl)")
TRAINING = re.compile(r"(^|_)(train|training|trn)(_|\d|$|set|loader|data|ds|dl)")

_VISION = "torchvision.transforms."
_RANDOM = re.compile(r"^(Random\w+|ColorJitter|AutoAugment|RandAugment|TrivialAugmentWide|AugMix|ElasticTransform)$")
_WRAPPERS = ("Compose", "RandomApply", "RandomChoice", "RandomOrder", "Sequential")
_ALBUMENTATIONS_PLAIN = re.compile(
    r"^(Compose|Sequential|Normalize|Resize|CenterCrop|ToTensorV2|ToFloat|PadIfNeeded|LongestMaxSize|SmallestMaxSize|"
    r"Crop|NoOp|Lambda|FromFloat|BboxParams|KeypointParams|OneOf|SomeOf|ToGray|CLAHE)$"
)


def lower_name(node: ast.expr) -> str:
    """The last name of what is assigned to or read, in small letters: self.val_set -> val_set."""
    if isinstance(node, ast.Attribute):
        return node.attr.lower()
    return node.id.lower() if isinstance(node, ast.Name) else ""


def judges(name: str) -> bool:
    """Whether a name is that of data to judge by, and not also of data to train on."""
    return JUDGING.search(name) is not None and TRAINING.search(name) is None


def trains_on(name: str) -> bool:
    """Whether a name is that of data to train on, and not also of data to judge by."""
    return TRAINING.search(name) is not None and JUDGING.search(name) is None


def random_steps(program: Program, transform: ast.expr) -> list[ast.Call]:
    """The steps of a transform that certainly draw at random; what is given to Compose is looked through."""
    made = made_by(program, transform)
    if made is None:
        return []
    name = program.qualified(made.func)
    last = name.rpartition(".")[2]
    if name.startswith(_VISION):
        if last in _WRAPPERS:
            return [call for step in _elements(program, made) for call in random_steps(program, step)]
        return [made] if _RANDOM.match(last) and number(program, given(made, "p")) != 0 else []
    if name.startswith("albumentations."):
        if last in ("Compose", "Sequential", "OneOf", "SomeOf"):
            return [call for step in _elements(program, made) for call in random_steps(program, step)]
        return [] if _ALBUMENTATIONS_PLAIN.match(last) or number(program, given(made, "p")) == 0 else [made]
    if name in ("timm.data.create_transform", "timm.data.transforms_factory.create_transform"):
        return [made] if flag(program, given(made, "is_training", 1)) is True else []
    return []


def _elements(program: Program, made: ast.Call) -> list[ast.expr]:
    if not made.args:
        return []
    found = trace(program, made.args[0])
    if isinstance(found, ast.List | ast.Tuple):
        return [each for each in found.elts if not isinstance(each, ast.Starred)]
    if isinstance(found, ast.BinOp) and isinstance(found.op, ast.Add):
        sides = (trace(program, found.left), trace(program, found.right))
        return [each for side in sides if isinstance(side, ast.List) for each in side.elts]
    return []


def step_of(program: Program, transform: ast.expr, last_name: str) -> ast.Call | None:
    """The step of this class in a Compose of torchvision; None where there is none or not all is seen."""
    made = made_by(program, transform)
    if made is None or program.qualified(made.func) != _VISION + "Compose":
        return None
    for each in _elements(program, made):
        found = made_by(program, each)
        if found is not None and program.qualified(found.func) == _VISION + last_name:
            return found
    return None


def wholly_seen(program: Program, transform: ast.expr) -> bool:
    """Whether every step of a Compose is one that is known by name."""
    made = made_by(program, transform)
    if made is None or not made.args or program.qualified(made.func) != _VISION + "Compose":
        return False
    found = trace(program, made.args[0])
    return isinstance(found, ast.List) and all(kind(program, each).startswith(_VISION) for each in found.elts)


def transform_of(program: Program, dataset: ast.Call) -> ast.expr | None:
    """What a call that makes a dataset gives it as transform."""
    return given(dataset, "transform") or given(dataset, "transforms")


def vision_dataset(program: Program, call: ast.Call) -> str:
    """The name of the dataset of torchvision that a call makes; "" where it makes none."""
    name = program.qualified(call.func)
    return name.rpartition(".")[2] if name.startswith("torchvision.datasets.") else ""


def assigned(program: Program) -> Iterator[tuple[ast.expr, ast.expr, ast.stmt]]:
    """Every target with the value it is given, tuples taken apart where both sides are written out."""
    for node in program.all(ast.stmt):
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                if len(target.elts) == len(node.value.elts):
                    yield from ((t, v, node) for t, v in zip(target.elts, node.value.elts, strict=True))
            else:
                yield target, node.value, node


def loaders(program: Program) -> Iterator[ast.Call]:
    """The calls that make a torch DataLoader."""
    yield from program.calls_of("torch.utils.data.DataLoader")
