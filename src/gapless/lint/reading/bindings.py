"""Which assignment a name's value comes from; where more than one can be meant the answer is None, never a guess."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from gapless.lint.reading.program import FUNCTIONS, LOOPS, SCOPES, Program, Scope

KEEPS = frozenset(
    ("to", "cuda", "cpu", "double", "float", "half", "bfloat16", "train", "eval", "requires_grad_", "apply")
)
"""Methods of a module that hand back the module."""
WRAPS = frozenset(
    ["compile", "DataParallel", "DistributedDataParallel", "DDP", "convert_sync_batchnorm", "setup", "setup_module"]
    + [f"prepare{what}" for what in ("", "_model", "_optimizer", "_data_loader")]
)
"""What takes a module, an optimizer or a loader as its first argument and hands back one that does the same."""
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True)
class Binding:
    """One place that gives a name a value.

    value: the expression, where it is one. part: of what is unpacked from `value`, the how manieth this is.
    parameter: of this function, instead.
    """

    name: str
    node: ast.stmt
    value: ast.expr | None = None
    part: int | None = None
    parameter: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | None = None


_tables: WeakKeyDictionary[Program, dict[ast.AST, dict[str, list[Binding]]]] = WeakKeyDictionary()


def bindings(program: Program, scope: Scope) -> dict[str, list[Binding]]:
    """Every binding of every name of a scope, in the order of the text."""
    tables = _tables.setdefault(program, {})
    if scope not in tables:
        table: dict[str, list[Binding]] = {}
        for binding in _bound(scope):
            table.setdefault(binding.name, []).append(binding)
        tables[scope] = table
    return tables[scope]


def _bound(scope: Scope) -> Iterator[Binding]:
    if isinstance(scope, (*FUNCTIONS, ast.Lambda)):
        at = scope if isinstance(scope, ast.stmt) else ast.Pass()
        arguments = scope.args
        for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
            yield Binding(argument.arg, at, parameter=scope)
        for argument in [arguments.vararg, arguments.kwarg]:
            if argument is not None:
                yield Binding(argument.arg, at)
    if isinstance(scope, ast.Lambda):
        return
    for statement in scope.body:
        yield from _of_statement(statement)


def _of_statement(node: ast.stmt) -> Iterator[Binding]:
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _of_target(target, node.value, node)
    elif isinstance(node, ast.AnnAssign):
        if node.value is not None:
            yield from _of_target(node.target, node.value, node)
    elif isinstance(node, ast.AugAssign | ast.For | ast.AsyncFor):
        yield from _of_target(node.target, None, node)
    elif isinstance(node, ast.With | ast.AsyncWith):
        for item in node.items:
            if item.optional_vars is not None:
                yield from _of_target(item.optional_vars, None, node)
    elif isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        yield Binding(node.name, node)
        return
    elif isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            yield Binding(alias.asname or alias.name.partition(".")[0], node)
    elif isinstance(node, ast.Global | ast.Nonlocal | ast.Delete):
        names = (
            node.names if not isinstance(node, ast.Delete) else [t.id for t in node.targets if isinstance(t, ast.Name)]
        )
        for name in names:
            yield Binding(name, node)
    yield from _inside(node)


def _inside(node: ast.AST) -> Iterator[Binding]:
    """Of the statements in a statement, and of the walruses in its expressions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield from _of_statement(child)
        elif isinstance(child, ast.ExceptHandler | ast.match_case):
            yield from _inside(child)
        elif isinstance(child, ast.expr):
            for walrus in ast.walk(child):
                if isinstance(walrus, ast.NamedExpr) and isinstance(node, ast.stmt):
                    yield Binding(walrus.target.id, node, walrus.value)


def _of_target(target: ast.expr, value: ast.expr | None, node: ast.stmt) -> Iterator[Binding]:
    if isinstance(target, ast.Name):
        yield Binding(target.id, node, value)
    elif isinstance(target, ast.Tuple | ast.List):
        parts = value.elts if isinstance(value, ast.Tuple | ast.List) else []
        starred = any(isinstance(each, ast.Starred) for each in (*parts, *target.elts))
        for index, each in enumerate(target.elts):
            if len(parts) == len(target.elts) and not starred:
                yield from _of_target(each, parts[index], node)
            elif isinstance(each, ast.Name) and not starred and value is not None and not parts:
                yield Binding(each.id, node, value, index)
            else:
                yield from _of_target(each, None, node)
    elif isinstance(target, ast.Starred):
        yield from _of_target(target.value, None, node)


def reaching(program: Program, name: ast.Name) -> Binding | None:
    """The one binding whose value a name has where it is read; None where that is not certain."""
    if _comprehends(program, name):
        return None
    scope: Scope | None = program.scope(name)
    inner = scope
    while scope is not None:
        found = [each for each in bindings(program, scope).get(name.id, []) if not _hands_back(each)]
        if found and not (isinstance(scope, ast.ClassDef) and scope is not inner):
            if any(isinstance(each.node, ast.Global | ast.Nonlocal) for each in found):
                return None
            # Read in a function that runs at some other time: only a name that is bound once is certain.
            return _last(program, found, name) if scope is inner else found[0] if len(found) == 1 else None
        scope = None if isinstance(scope, ast.Module) else _around(program, scope)
    return None


def _around(program: Program, scope: ast.AST) -> Scope:
    return next(each for each in program.above(scope) if isinstance(each, SCOPES))


def _comprehends(program: Program, name: ast.Name) -> bool:
    """Whether the name belongs to a comprehension around it."""
    for each in program.above(name):
        if isinstance(each, _COMPREHENSIONS):
            targets = (n for generator in each.generators for n in ast.walk(generator.target))
            if any(isinstance(n, ast.Name) and n.id == name.id for n in targets):
                return True
    return False


def _hands_back(binding: Binding) -> bool:
    """model = model.to(device), model = DDP(model): the same thing afterwards, whether or not the line was run."""
    call = binding.value
    if not isinstance(call, ast.Call):
        return False
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if isinstance(call.func, ast.Attribute) and name in KEEPS and _is(call.func.value, binding.name):
        return True
    if name in WRAPS:
        return len(call.args) > (binding.part or 0) and _is(call.args[binding.part or 0], binding.name)
    return False


def _is(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _last(program: Program, found: list[Binding], name: ast.Name) -> Binding | None:
    use = program.statement(name)
    before = [each for each in found if each.parameter is not None or _precedes(each.node, use)]
    if not before:
        return None
    chosen = before[-1]
    if chosen.parameter is None and not dominates(program, chosen.node, use):
        return None
    for loop in program.above(name):
        if isinstance(loop, SCOPES):
            break
        if isinstance(loop, LOOPS) and (chosen.parameter is not None or loop not in program.above(chosen.node)):
            inside = [each for each in found if each is not chosen and loop in (each.node, *program.above(each.node))]
            if inside:  # a later turn of the loop may see another value
                return None
    return chosen


def _precedes(first: ast.stmt, second: ast.stmt) -> bool:
    """Whether a statement has begun when the second one is evaluated; so has a loop or `with` around the second."""
    if first is second:
        return False
    return (first.lineno, first.col_offset) < (second.lineno, second.col_offset)


def dominates(program: Program, first: ast.stmt, use: ast.stmt) -> bool:
    """Whether every way to the use leads through the first statement; `with` is no branch."""
    if first in program.above(use):
        return not isinstance(first, LOOPS) or use not in first.orelse
    block = program.parents[first]
    while isinstance(block, ast.With | ast.AsyncWith):
        first, block = block, program.parents[block]
    if isinstance(block, SCOPES):
        return True
    for field in ("body", "orelse", "finalbody"):
        statements: list[ast.stmt] = getattr(block, field, [])
        if first in statements:
            return any(each in statements for each in (use, *program.above(use)))
    return False
