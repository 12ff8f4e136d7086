from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.program import LOOPS, Program
from gapless.lint.reading.values import method, receiver
from gapless.lint.rule import Hit, reads


@reads(
    level="error",
    title="the best weights are kept by reference",
    effect="state_dict() hands out the live tensors, which training goes on to change: what is loaded as the best "
    "epoch is the last one, and early stopping stops nothing",
    fix="keep a copy: copy.deepcopy(model.state_dict()), or write it to a file",
    source="PyTorch tutorial Saving and Loading Models: 'You must serialize best_model_state or use deepcopy'",
    broken="""
def fit(model, train, evaluate):
    best = 0.0
    for epoch in range(30):
        train(model)
        accuracy = evaluate(model)
        if accuracy > best:
            best = accuracy
            best_state = model.state_dict()
    model.load_state_dict(best_state)
""",
    healthy="""
from copy import deepcopy

def fit(model, train, evaluate):
    best = 0.0
    for epoch in range(30):
        train(model)
        accuracy = evaluate(model)
        if accuracy > best:
            best = accuracy
            best_state = deepcopy(model.state_dict())
    model.load_state_dict(best_state)
""",
)
def best_weights_not_copied(program: Program) -> Iterator[Hit]:
    for node in program.all(ast.Assign):
        target = node.targets[0]
        if not _live(node.value) or not isinstance(target, ast.Name | ast.Attribute):
            continue
        branch = next((each for each in program.above(node) if isinstance(each, ast.If)), None)
        conditional = branch is not None and ("best" in ast.unparse(target).lower() or _compares(branch.test))
        looped = any(isinstance(each, LOOPS) for each in program.above(node))
        kept = ast.unparse(target)
        named = isinstance(target, ast.Attribute) and "best" in target.attr.lower()
        if conditional and (looped or named) and _loaded(program, kept, node):
            yield Hit(node, f"{kept} is the model's own tensors, not a copy of them")


def _compares(test: ast.expr) -> bool:
    """Whether a branch asks which of two scores is better."""
    better = ast.Lt | ast.Gt | ast.LtE | ast.GtE
    return any(isinstance(each, ast.Compare) and isinstance(each.ops[0], better) for each in ast.walk(test))


def _live(value: ast.expr) -> bool:
    """model.state_dict(), and shallow copies of it."""
    if isinstance(value, ast.Call) and method(value) == "copy" and not value.args:
        return _live(receiver(value))
    if isinstance(value, ast.Call) and getattr(value.func, "id", "") == "dict" and len(value.args) == 1:
        return _live(value.args[0])
    return method(value) == "state_dict"


def _loaded(program: Program, kept: str, node: ast.stmt) -> bool:
    """Whether it is loaded back, in the same function or, kept on self, anywhere."""
    last = kept.rpartition(".")[2]
    for call in program.methods_of("load_state_dict"):
        for each in call.args:
            written = ast.unparse(each)
            near = "." in kept or program.scope(call) is program.scope(node)
            if (written == kept or ("." in kept and written.endswith(f".{last}"))) and near:
                branch = next(each for each in program.above(node) if isinstance(each, ast.If))
                return branch not in program.above(call)  # loaded there at once, it is the same weights anyway
    return False
