"""Formulas that a reader types: read as arithmetic and nothing else, and compared by their values."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping

_TWO: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b if b else math.nan,
    ast.Pow: lambda a, b: _power(a, b),
}
_ONE: Mapping[str, Callable[[float], float]] = {
    "sqrt": lambda a: math.sqrt(a) if a >= 0 else math.nan,
    "exp": lambda a: math.exp(min(a, 700)),
    "log": lambda a: math.log(a) if a > 0 else math.nan,
    "cos": math.cos,
    "sin": math.sin,
}
POINTS = 7
"""At so many points two formulas must agree."""
LONGEST = 200


def worth(text: str, values: Mapping[str, float], unclear: type[ValueError] = ValueError) -> float:
    """What a formula is worth: numbers, these names, + - * / ^ and sqrt, exp, log, cos, sin.

    Raises:
        ValueError, or `unclear`: it is anything else.
    """
    try:
        tree = ast.parse(text.strip()[:LONGEST].replace("^", "**"), mode="eval")
        return _value(tree.body, values)
    except (SyntaxError, KeyError, RecursionError, MemoryError, OverflowError):
        names = ", ".join(values)
        raise unclear(f"answer with a formula in {names}, such as 2 * {next(iter(values))}") from None


def same(text: str, right: str, variables: Mapping[str, tuple[float, float]]) -> bool:
    """Whether two formulas have the same values all over these ranges."""
    for point in range(POINTS):
        # each variable goes through its range in another order, so that they do not move together
        shares = [((point * (2 * i + 1) + i) % POINTS + 0.5) / POINTS for i in range(len(variables))]
        values = {n: low + s * (high - low) for (n, (low, high)), s in zip(variables.items(), shares, strict=True)}
        if not math.isclose(worth(text, values), worth(right, values), rel_tol=1e-6, abs_tol=1e-9):
            return False
    return True


def _power(a: float, b: float) -> float:
    found = a**b if a > 0 or (float(b).is_integer() and (a or b >= 0)) else math.nan
    return float(found)


def _value(node: ast.expr, values: Mapping[str, float]) -> float:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return float(node.value)  # pyright: ignore[reportArgumentType]  # the line above says so
    if isinstance(node, ast.Name):
        return values[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        inner = _value(node.operand, values)
        return -inner if isinstance(node.op, ast.USub) else inner
    if isinstance(node, ast.BinOp) and type(node.op) in _TWO:
        return _TWO[type(node.op)](_value(node.left, values), _value(node.right, values))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 1 and not node.keywords:
        return _ONE[node.func.id](_value(node.args[0], values))
    raise KeyError(type(node).__name__)
