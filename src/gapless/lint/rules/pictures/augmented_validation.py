from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.pictures import assigned, judges, lower_name, random_steps, transform_of, vision_dataset
from gapless.lint.reading.program import Program
from gapless.lint.reading.values import flag, given
from gapless.lint.rule import Hit, reads


@reads(
    level="error",
    title="random augmentation on validation or test data",
    effect="the score is of other pictures in each run, usually lower than the model's, and early stopping follows "
    "the draw: crops and colours change what is judged",
    fix="give validation data a transform of its own, without random steps: Resize, CenterCrop, ToTensor, Normalize",
    source="ultralytics/yolov5#7017 and #1879, MIC-DKFZ/nnUNet#2715 (losses that differ by augmentation)",
    broken="""
from torchvision import datasets, transforms

transform = transforms.Compose([transforms.RandomHorizontalFlip(), transforms.ToTensor()])
train_set = datasets.CIFAR10("data", train=True, transform=transform)
test_set = datasets.CIFAR10("data", train=False, transform=transform)
""",
    healthy="""
from torchvision import datasets, transforms

transform = transforms.Compose([transforms.RandomHorizontalFlip(), transforms.ToTensor()])
train_set = datasets.CIFAR10("data", train=True, transform=transform)
test_set = datasets.CIFAR10("data", train=False, transform=transforms.ToTensor())
""",
)
def augmented_validation(program: Program) -> Iterator[Hit]:
    for target, value, _ in assigned(program):
        if not isinstance(value, ast.Call):
            continue
        transform = transform_of(program, value)
        name = lower_name(target)
        judged = judges(name) or _is_test_part(program, value)
        if transform is None or not judged or "tta" in name or _averaged(program):
            continue
        steps = random_steps(program, transform)
        if steps:
            words = ", ".join(dict.fromkeys(ast.unparse(step.func).rpartition(".")[2] for step in steps))
            yield Hit(value, f"{ast.unparse(target)} is varied at random: {words}")


def _is_test_part(program: Program, call: ast.Call) -> bool:
    """CIFAR10(train=False): the part to test on, whatever its name."""
    return bool(vision_dataset(program, call)) and flag(program, given(call, "train", 1)) is False


def _averaged(program: Program) -> bool:
    """Whether the file averages over draws at test time, which is what random steps there are for."""
    return any("tta" in name.lower() or "test_time" in name.lower() for name in _names(program))


def _names(program: Program) -> Iterator[str]:
    for node in program.nodes:
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
