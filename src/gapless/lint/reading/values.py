"""What an expression stands for, through names, attributes and arguments: what made it, its number, its text."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from weakref import WeakKeyDictionary

from gapless.lint.reading.bindings import KEEPS, WRAPS, Binding, reaching
from gapless.lint.reading.program import FUNCTIONS, Function, Program

_DEEPEST = 12


def trace(program: Program, node: ast.expr, depth: int = 0) -> ast.expr:
    """The expression a name, self.attribute or argument stands for, as far as that is certain; else what was asked."""
    if depth > _DEEPEST:
        return node
    found: ast.expr | None = None
    if isinstance(node, ast.Name):
        binding = reaching(program, node)
        found = _bound(program, binding, depth) if binding is not None else None
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
        owner = program.owner(node)
        values = attributes(program, owner).get(node.attr, []) if owner is not None else []
        found = values[0] if len(values) == 1 else None
    elif isinstance(node, ast.Subscript):
        found = _entry(program, node, depth)
    return node if found is None else trace(program, found, depth + 1)


def _bound(program: Program, binding: Binding, depth: int) -> ast.expr | None:
    if binding.parameter is not None:
        return _argument(program, binding, depth + 3) if isinstance(binding.parameter, FUNCTIONS) else None
    if binding.part is None:
        return binding.value
    # model, optimizer = accelerator.prepare(model, optimizer)
    if isinstance(binding.value, ast.Call) and method(binding.value) in ("prepare", "setup", "initialize"):
        given = binding.value.args
        if binding.part < len(given) and not any(isinstance(each, ast.Starred) for each in given):
            return given[binding.part]
    return None


def _argument(program: Program, binding: Binding, depth: int) -> ast.expr | None:
    """What every call of a function of this file hands in for a parameter, if they all hand in the same."""
    function = binding.parameter
    assert isinstance(function, FUNCTIONS)
    given: list[ast.expr] = []
    for call in calls_to(program, function):
        passed = argument(function, call, binding.name)
        if passed is None:
            return None
        given.append(passed)
    texts = {ast.dump(trace(program, each, depth)) for each in given}
    return given[0] if len(texts) == 1 else None


_called: WeakKeyDictionary[Program, dict[ast.AST, list[ast.Call]]] = WeakKeyDictionary()


def calls_to(program: Program, function: Function) -> list[ast.Call]:
    """The calls of a function of this file by its name, or of a method as self.name()."""
    if program not in _called:
        table: dict[ast.AST, list[ast.Call]] = {}
        for call in program.calls:
            if (target := callee(program, call)) is not None:
                table.setdefault(target, []).append(call)
        _called[program] = table
    return _called[program].get(function, [])


def callee(program: Program, call: ast.Call) -> Function | None:
    """The function of this file that a call runs: by its name, or self.name() of its own class."""
    if isinstance(call.func, ast.Name):
        binding = reaching(program, call.func)
        if binding is not None and isinstance(binding.node, FUNCTIONS) and binding.node.name == call.func.id:
            return binding.node if binding.parameter is None else None
    elif (
        isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name) and call.func.value.id == "self"
    ):
        owner = program.owner(call)
        return methods(owner).get(call.func.attr) if owner is not None else None
    return None


def argument(function: Function, call: ast.Call, name: str) -> ast.expr | None:
    """What a call hands in for a parameter, or its default; None where that is not to be seen."""
    if any(isinstance(each, ast.Starred) for each in call.args) or any(k.arg is None for k in call.keywords):
        return None
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    parameters = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
    skip = 1 if parameters[:1] == ["self"] and isinstance(call.func, ast.Attribute) else 0
    if name in parameters:
        index = parameters.index(name) - skip
        if 0 <= index < len(call.args):
            return call.args[index]
        behind = len(parameters) - parameters.index(name)
        return function.args.defaults[-behind] if behind <= len(function.args.defaults) else None
    for each, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True):
        if each.arg == name:
            return default
    return None


def methods(owner: ast.ClassDef | None) -> dict[str, Function]:
    """The methods of a class by name."""
    return {} if owner is None else {each.name: each for each in owner.body if isinstance(each, FUNCTIONS)}


_attributes: WeakKeyDictionary[Program, dict[ast.AST, dict[str, list[ast.expr]]]] = WeakKeyDictionary()


def attributes(program: Program, owner: ast.ClassDef | None) -> dict[str, list[ast.expr]]:
    """Every value that a class gives to self.name, by name."""
    if owner is None:
        return {}
    tables = _attributes.setdefault(program, {})
    if owner not in tables:
        tables[owner] = {}
        for node in ast.walk(owner):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    for name, value in _stored(target, node.value):
                        tables[owner].setdefault(name, []).append(value)
            elif isinstance(node, ast.AnnAssign) and node.value is not None:
                for name, value in _stored(node.target, node.value):
                    tables[owner].setdefault(name, []).append(value)
            elif isinstance(node, ast.AugAssign):
                for name, value in _stored(node.target, node.value):
                    tables[owner].setdefault(name, []).extend([value, value])  # more than one value
    return tables[owner]


def _stored(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self":
        yield target.attr, value
    elif isinstance(target, ast.Tuple | ast.List):
        parts = value.elts if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts) else []
        for index, each in enumerate(target.elts):
            # Unpacked from a call: no expression of its own, so nothing is known of it.
            yield from _stored(each, parts[index] if parts else each)


def _entry(program: Program, node: ast.Subscript, depth: int) -> ast.expr | None:
    """config["lr"] of a dictionary that is written out and never changed."""
    if not isinstance(node.slice, ast.Constant) or not isinstance(node.value, ast.Name):
        return None
    name = node.value.id
    changed = any(
        isinstance(each, ast.Subscript) and isinstance(each.ctx, ast.Store) and _names(each.value, name)
        for each in program.nodes
    ) or any(_names(receiver(call), name) for call in program.methods_of("update", "setdefault", "pop"))
    held = trace(program, node.value, depth + 1)
    if changed or not isinstance(held, ast.Dict):
        return None
    for key, value in zip(held.keys, held.values, strict=True):
        if isinstance(key, ast.Constant) and key.value == node.slice.value:
            return value
    return None


def _names(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def method(call: ast.expr) -> str:
    """The name of the method a call calls: step of optimizer.step(); "" where it calls none."""
    return call.func.attr if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) else ""


def receiver(call: ast.Call) -> ast.expr:
    """What a method is called on."""
    assert isinstance(call.func, ast.Attribute)
    return call.func.value


def made_by(program: Program, node: ast.expr) -> ast.Call | None:
    """The call that made a thing, without .to(device), compile and the like around it."""
    for _ in range(_DEEPEST):
        found = trace(program, node)
        if not isinstance(found, ast.Call):
            return None
        if method(found) in KEEPS and not program.qualified(found.func):
            node = receiver(found)
        elif len(found.args) >= 1 and (method(found) or getattr(found.func, "id", "")) in WRAPS:
            node = found.args[0]
        else:
            return found
    return None


def kind(program: Program, node: ast.expr) -> str:
    """The full name of the class or function that made a thing; "" where that is not certain."""
    made = made_by(program, node)
    return program.qualified(made.func) if made is not None else ""


def given(call: ast.Call, name: str, position: int | None = None) -> ast.expr | None:
    """An argument of a call by its name, or by its position; None where it is not given."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    if position is None or position >= len(call.args):
        return None
    starred = any(isinstance(each, ast.Starred) for each in call.args[: position + 1])
    return None if starred else call.args[position]


def opaque(call: ast.Call) -> bool:
    """Whether a call hands on *args or **kwargs, so that nobody sees what it gets."""
    return any(isinstance(each, ast.Starred) for each in call.args) or any(k.arg is None for k in call.keywords)


def number(program: Program, node: ast.expr | None, depth: int = 0) -> float | None:
    """The number an expression stands for; None where it is none or not certain."""
    if node is None or depth > _DEEPEST:
        return None
    node = trace(program, node)
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = number(program, node.operand, depth + 1)
        return None if value is None else -value
    if isinstance(node, ast.BinOp):
        left, right = number(program, node.left, depth + 1), number(program, node.right, depth + 1)
        if left is None or right is None:
            return None
        return _computed(node.op, left, right)
    return None


def _computed(op: ast.operator, left: float, right: float) -> float | None:
    if isinstance(op, ast.Add):
        return left + right
    if isinstance(op, ast.Sub):
        return left - right
    if isinstance(op, ast.Mult):
        return left * right
    if isinstance(op, ast.Div) and right:
        return left / right
    if isinstance(op, ast.Pow) and left > 0 and abs(right) < 64:
        return left**right
    return None


def text(program: Program, node: ast.expr | None) -> str | None:
    """The string an expression stands for; None where it is none or not certain."""
    if node is None:
        return None
    node = trace(program, node)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def flag(program: Program, node: ast.expr | None) -> bool | None:
    """True or False, where an expression is one of them for certain."""
    if node is None:
        return None
    node = trace(program, node)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, bool) else None


def same(first: ast.expr, second: ast.expr) -> bool:
    """Whether two expressions are written alike."""
    return ast.unparse(first) == ast.unparse(second)


def mentions(node: ast.AST, name: str) -> bool:
    """Whether a name, or an attribute of that name, is read anywhere in a node."""
    return any(
        (isinstance(each, ast.Name) and each.id == name) or (isinstance(each, ast.Attribute) and each.attr == name)
        for each in ast.walk(node)
    )
