"""Loss functions and what is put into them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from gapless.lint.reading.models import NN, class_of, returned, sequential
from gapless.lint.reading.program import Program
from gapless.lint.reading.values import given, kind, made_by, method, methods, receiver, trace

_FUNCTIONS = {
    "torch.nn.functional.cross_entropy": "cross_entropy",
    "torch.nn.functional.nll_loss": "nll",
    "torch.nn.functional.binary_cross_entropy": "bce",
    "torch.nn.functional.binary_cross_entropy_with_logits": "bce_with_logits",
    "torch.nn.functional.mse_loss": "mse",
}
_CLASSES = {
    "torch.nn.CrossEntropyLoss": "cross_entropy",
    "torch.nn.NLLLoss": "nll",
    "torch.nn.BCELoss": "bce",
    "torch.nn.BCEWithLogitsLoss": "bce_with_logits",
    "torch.nn.MSELoss": "mse",
    "timm.loss.LabelSmoothingCrossEntropy": "cross_entropy",
    "timm.loss.SoftTargetCrossEntropy": "cross_entropy",
}
_ACTIVATIONS = {
    "torch.softmax": "softmax",
    "torch.nn.functional.softmax": "softmax",
    "torch.log_softmax": "log_softmax",
    "torch.nn.functional.log_softmax": "log_softmax",
    "torch.sigmoid": "sigmoid",
    "torch.nn.functional.sigmoid": "sigmoid",
    "torch.special.expit": "sigmoid",
}
_LAYERS = {NN + "Softmax": "softmax", NN + "LogSoftmax": "log_softmax", NN + "Sigmoid": "sigmoid"}


@dataclass(frozen=True)
class Loss:
    """One call of a loss: its kind, what is judged by what, and the call that made it, if one did."""

    call: ast.Call
    kind: str
    output: ast.expr
    target: ast.expr
    made: ast.Call | None


def losses(program: Program) -> Iterator[Loss]:
    """Every call of a loss that is known for certain."""
    for call in program.calls:
        name = program.qualified(call.func)
        made = None
        word = _FUNCTIONS.get(name)
        if word is None and not name:
            word = _CLASSES.get(kind(program, call.func))
            made = made_by(program, call.func)
        output, target = given(call, "input", 0), given(call, "target", 1)
        if word is not None and output is not None and target is not None:
            yield Loss(call, word, output, target, made)


def activation(program: Program, node: ast.expr, depth: int = 0) -> tuple[str, ast.expr] | None:
    """softmax, log_softmax or sigmoid where an expression certainly ends with one, and the place that says so."""
    found = trace(program, node)
    if not isinstance(found, ast.Call) or depth > 8:
        return None
    name = program.qualified(found.func)
    if name in _ACTIVATIONS:
        return _ACTIVATIONS[name], found
    if not name and method(found) in ("softmax", "log_softmax", "sigmoid"):
        return method(found), found
    if method(found) in ("squeeze", "view", "reshape", "flatten", "float", "unsqueeze", "contiguous") and not name:
        return activation(program, receiver(found), depth + 1)
    return None if name else _of_module(program, found, depth + 1)


def ended(program: Program, wanted: str, *words: str) -> Iterator[tuple[ast.Call, str]]:
    """The calls of a kind of loss whose input ends with one of these activations, and a phrase that says so."""
    for loss in losses(program):
        end = activation(program, loss.output) if loss.kind == wanted else None
        if end is not None and end[0] in words:
            yield loss.call, f"{end[0]} was taken in line {end[1].lineno}"


def _of_module(program: Program, call: ast.Call, depth: int) -> tuple[str, ast.expr] | None:
    """Of a call of a layer or a model."""
    layer = made_by(program, call.func)
    if layer is not None:
        full = program.qualified(layer.func)
        if full in _LAYERS:
            return _LAYERS[full], layer
        if full == NN + "Sequential":
            return _last_of(program, layer)
    owner = class_of(program, call.func)
    forward = methods(owner).get("forward") if owner is not None else None
    if forward is None:
        return None
    ends = [activation(program, each, depth) for each in returned(forward)]
    first = ends[0] if ends else None
    return first if first is not None and all(each is not None and each[0] == first[0] for each in ends) else None


def _last_of(program: Program, call: ast.Call) -> tuple[str, ast.expr] | None:
    layers = sequential(program, call)
    if not layers:
        return None
    last = layers[-1]
    name = program.qualified(last.func) if isinstance(last, ast.Call) else ""
    return (_LAYERS[name], last) if name in _LAYERS else None
