from __future__ import annotations

import re
from collections.abc import Iterator

from gapless.lint.reading.pictures import random_steps, transform_of, vision_dataset
from gapless.lint.reading.program import Program
from gapless.lint.reading.values import given, number
from gapless.lint.rule import Hit, reads

_SIGNS = re.compile(r"^(MNIST|EMNIST|QMNIST|KMNIST|SVHN|USPS|GTSRB)$")


@reads(
    level="warning",
    title="mirrored or half-turned digits, letters and signs",
    effect="a mirrored 2 is no digit and a turned 6 is a 9: the model is taught wrong pictures, and labels of some "
    "are false",
    fix="leave the flip out and turn by 15 degrees at most; gapless augment check measures what an operation does"
    " to labels",
    source="Shorten & Khoshgoftaar 2019, A survey on Image Data Augmentation, on the safety of flips for digits",
    broken="""
from torchvision import datasets, transforms

transform = transforms.Compose([transforms.RandomHorizontalFlip(), transforms.ToTensor()])
train_set = datasets.SVHN("data", split="train", transform=transform)
""",
    healthy="""
from torchvision import datasets, transforms

transform = transforms.Compose([transforms.RandomRotation(10), transforms.ToTensor()])
train_set = datasets.SVHN("data", split="train", transform=transform)
""",
)
def flip_changes_label(program: Program) -> Iterator[Hit]:
    for call in program.calls:
        name = vision_dataset(program, call)
        transform = transform_of(program, call)
        if not _SIGNS.match(name) or transform is None:
            continue
        for step in random_steps(program, transform):
            last = program.qualified(step.func).rpartition(".")[2]
            turn = number(program, given(step, "degrees", 0)) if last == "RandomRotation" else None
            if last in ("RandomHorizontalFlip", "RandomVerticalFlip") or (turn is not None and turn >= 90):
                yield Hit(step, f"{last} on {name}")
