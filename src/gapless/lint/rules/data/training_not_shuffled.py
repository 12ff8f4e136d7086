from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.losses import losses
from gapless.lint.reading.pictures import loaders, lower_name, trains_on, vision_dataset
from gapless.lint.reading.program import Program
from gapless.lint.reading.values import flag, given, made_by, opaque
from gapless.lint.rule import Hit, reads


@reads(
    level="error",
    title="training pictures that are read class by class",
    effect="ImageFolder lists its pictures by class: unshuffled, each batch holds one class, and batch norm and the "
    "last layer follow whichever class came last",
    fix="say shuffle=True for the training loader",
    source="docs of torch.utils.data.DataLoader (shuffle is False by default) and torchvision.datasets.ImageFolder",
    broken="""
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

train_set = datasets.ImageFolder("photos/train", transform=transforms.ToTensor())
train_loader = DataLoader(train_set, batch_size=64)
""",
    healthy="""
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

train_set = datasets.ImageFolder("photos/train", transform=transforms.ToTensor())
train_loader = DataLoader(train_set, batch_size=64, shuffle=True)
""",
)
def training_not_shuffled(program: Program) -> Iterator[Hit]:
    kinds = {loss.kind for loss in losses(program)}
    if kinds and kinds <= {"mse"}:  # labels play no part: a style, a reconstruction
        return
    for call in loaders(program):
        statement = program.statement(call)
        target = statement.targets[0] if isinstance(statement, ast.Assign) and statement.value is call else None
        if target is None or not trains_on(lower_name(target)) or opaque(call) or not call.args:
            continue
        given_order = any(given(call, name) is not None for name in ("sampler", "batch_sampler"))
        shuffle = given(call, "shuffle", 2)
        dataset = made_by(program, call.args[0])
        if given_order or dataset is None or (shuffle is not None and flag(program, shuffle) is not False):
            continue
        if vision_dataset(program, dataset) in ("ImageFolder", "DatasetFolder") and not _features(lower_name(target)):
            yield Hit(call, f"{ast.unparse(target)} reads {ast.unparse(call.args[0])} in the order of its classes")


def _features(name: str) -> bool:
    """Loaders that only go over the training data to look at it."""
    return any(word in name for word in ("eval", "feature", "stat", "embed", "ordered", "noshuffle", "no_shuffle"))
