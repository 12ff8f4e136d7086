from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.pictures import assigned, judges, lower_name, trains_on, vision_dataset
from gapless.lint.reading.program import Program
from gapless.lint.reading.values import flag, given, opaque
from gapless.lint.rule import Hit, reads


@reads(
    level="error",
    title="validation on the training data",
    effect="the gap is measured as zero: what is called validation is the data the model has seen",
    fix="hand in the held-out data",
    source="the definition of the generalization gap: accuracy on training data minus accuracy on new data",
    broken="""
from torch.utils.data import DataLoader

def loaders(train_set, val_set):
    train_loader = DataLoader(train_set, batch_size=64, shuffle=True)
    val_loader = DataLoader(train_set, batch_size=64)
    return train_loader, val_loader
""",
    healthy="""
from torch.utils.data import DataLoader

def loaders(train_set, val_set):
    train_loader = DataLoader(train_set, batch_size=64, shuffle=True)
    val_loader = DataLoader(val_set, batch_size=64)
    return train_loader, val_loader
""",
)
def validation_is_training(program: Program) -> Iterator[Hit]:
    for target, value, _ in assigned(program):
        if not isinstance(value, ast.Call) or not judges(lower_name(target)) or opaque(value):
            continue
        if program.qualified(value.func) == "torch.utils.data.DataLoader" and value.args:
            source = value.args[0]
            picked = any(given(value, name) is not None for name in ("sampler", "batch_sampler"))
            if isinstance(source, ast.Name | ast.Attribute) and trains_on(lower_name(source)) and not picked:
                yield Hit(value, f"{ast.unparse(target)} reads {ast.unparse(source)}")
        elif _is_training_part(program, value) and not _divided(program, lower_name(target)):
            yield Hit(value, f"{ast.unparse(target)} is the training part: train=True")


def _is_training_part(program: Program, call: ast.Call) -> bool:
    return bool(vision_dataset(program, call)) and flag(program, given(call, "train", 1)) is True


def _divided(program: Program, name: str) -> bool:
    """Whether rows are picked from it, by Subset, a sampler or an index: then it may be a held-out share."""
    for call in program.calls:
        last = program.qualified(call.func).rpartition(".")[2] or ast.unparse(call.func).rpartition(".")[2]
        written = [*call.args, *(k.value for k in call.keywords)]
        holds = any(lower_name(each) == name for each in written)
        sampled = any(k.arg in ("sampler", "batch_sampler") for k in call.keywords)
        if holds and (last in ("Subset", "random_split") or sampled):
            return True
        if holds and last != "DataLoader" and last not in ("len", "print"):
            return True  # somebody who is not seen gets it
    return any(isinstance(n, ast.Subscript) and lower_name(n.value) == name for n in program.nodes) or any(
        isinstance(n.ctx, ast.Store) and lower_name(n.value) == name for n in program.all(ast.Attribute)
    )
