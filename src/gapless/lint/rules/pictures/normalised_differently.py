from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.pictures import assigned, judges, lower_name, step_of, trains_on, wholly_seen
from gapless.lint.reading.program import Program
from gapless.lint.reading.values import trace
from gapless.lint.rule import Hit, reads


@reads(
    level="error",
    title="training and validation pictures are normalised differently",
    effect="the model is judged on inputs of another scale than it was trained on: without Normalize they are off by"
    " the mean and a factor of about four",
    fix="give both transforms the same Normalize(mean, std), computed on training data",
    source="docs of torchvision.transforms.Normalize; recipes of torchvision/references/classification (one mean and"
    " std)",
    broken="""
from torchvision import transforms

train_tf = transforms.Compose([
    transforms.RandomHorizontalFlip(), transforms.ToTensor(), transforms.Normalize([0.5], [0.25]),
])
test_tf = transforms.Compose([transforms.ToTensor()])
""",
    healthy="""
from torchvision import transforms

train_tf = transforms.Compose([
    transforms.RandomHorizontalFlip(), transforms.ToTensor(), transforms.Normalize([0.5], [0.25]),
])
test_tf = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.5], [0.25])])
""",
)
def normalised_differently(program: Program) -> Iterator[Hit]:
    named = [(lower_name(target), value, node) for target, value, node in assigned(program)]
    seen = [each for each in named if wholly_seen(program, each[1])]
    trained = [each for each in seen if trains_on(each[0])]
    judged = [each for each in seen if judges(each[0])]
    if len(trained) != 1 or len({ast.dump(value) for _, value, _ in judged}) != 1:
        return
    ours, theirs = (step_of(program, each[1], "Normalize") for each in (trained[0], judged[0]))
    if ours is None and theirs is None:
        return
    if _later(program):
        return
    if ours is None or theirs is None:
        yield Hit(judged[0][1], f"Normalize is in {'the training' if theirs is None else 'this'} transform only")
    elif _constants(program, ours) != _constants(program, theirs) and None not in (
        _constants(program, ours),
        _constants(program, theirs),
    ):
        yield Hit(theirs, f"another mean or std than in line {ours.lineno}")


def _later(program: Program) -> bool:
    """Whether somebody normalises on the device or in the model, which would be for one of the two."""
    names = ("torchvision.transforms.functional.normalize", "torchvision.transforms.v2.functional.normalize")
    return any(True for _ in program.calls_of(*names))


def _constants(program: Program, step: ast.Call) -> str | None:
    """Mean and std as they are written; None where they are not written out."""
    values = [trace(program, each) for each in (*step.args, *(k.value for k in step.keywords))]
    written = all(isinstance(n, ast.List | ast.Tuple) for n in values)
    elements = [e for n in values if isinstance(n, ast.List | ast.Tuple) for e in n.elts]
    known = written and all(isinstance(e, ast.Constant) for e in elements)
    return repr([getattr(e, "value", None) for e in elements]) if known else None
