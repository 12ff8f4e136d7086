"""How a script trains: its loops, what runs inside of them (functions of the file included), and who takes a step."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import cast
from weakref import WeakKeyDictionary

from gapless.lint.reading.program import FUNCTIONS, LOOPS, Function, Program
from gapless.lint.reading.values import callee, kind, made_by, method, receiver, trace

Loop = ast.For | ast.AsyncFor | ast.While


_run: WeakKeyDictionary[Program, dict[tuple[ast.stmt, ...], list[ast.AST]]] = WeakKeyDictionary()


def runs(program: Program, statements: list[ast.stmt]) -> list[ast.AST]:
    """Every node that runs in these statements, in the order of the text, with the functions of the file they call."""
    known = _run.setdefault(program, {})
    key = tuple(statements)
    if key not in known:
        found: list[ast.AST] = []
        _collect(program, statements, found, set())
        known[key] = found
    return known[key]


def _collect(program: Program, nodes: Iterable[ast.AST], found: list[ast.AST], seen: set[ast.AST]) -> None:
    """Depth first, so that a call comes behind its arguments; each function once."""
    for node in nodes:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.Lambda)):
            continue
        _collect(program, ast.iter_child_nodes(node), found, seen)
        found.append(node)
        target = callee(program, node) if isinstance(node, ast.Call) else None
        if target is not None and target not in seen:
            seen.add(target)
            _collect(program, target.body, found, seen)


def calls_in(program: Program, statements: list[ast.stmt]) -> Iterator[ast.Call]:
    """The calls that run in these statements."""
    for node in runs(program, statements):
        if isinstance(node, ast.Call):
            yield node


def is_backward(call: ast.Call) -> bool:
    """loss.backward(), accelerator.backward(loss) and their like."""
    return method(call) in ("backward", "manual_backward")


def loops(program: Program) -> Iterator[Loop]:
    """Every loop, the outer ones first."""
    for node in program.nodes:
        if isinstance(node, LOOPS):
            yield node


def inner_loop(program: Program, node: ast.AST) -> Loop | None:
    """The nearest loop around a node in its own function."""
    for each in program.above(node):
        if isinstance(each, LOOPS):
            return each
        if isinstance(each, FUNCTIONS):
            return None
    return None


def role(program: Program, thing: ast.expr) -> str:
    """optimizer, scheduler or scaler, by what made it, else by its name; "" where neither tells."""
    made = kind(program, thing)
    last = made.rpartition(".")[2]
    if made.startswith(("torch.optim.lr_scheduler.", "transformers.get_")):
        return "scheduler"
    if last == "GradScaler":
        return "scaler"
    if made.startswith(OPTIMIZERS):
        return "optimizer"
    name = _last_name(thing).lower()
    for word, meaning in (("sched", "scheduler"), ("scaler", "scaler"), ("optim", "optimizer"), ("opt", "optimizer")):
        if word in name:
            return meaning
    return ""


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript):
        return _last_name(node.value)
    return node.id if isinstance(node, ast.Name) else ""


def steps(program: Program, call: ast.Call, wanted: str) -> bool:
    """Whether a call is the step of an optimizer or scheduler; scaler.step(optimizer) is the optimizer's."""
    if method(call) != "step":
        return False
    found = role(program, receiver(call))
    return found == wanted or (found == "scaler" and wanted == "optimizer")


def trains(program: Program, statements: list[ast.stmt]) -> bool:
    """Whether these statements go backward and take a step of an optimizer."""
    calls = list(calls_in(program, statements))
    return any(is_backward(call) for call in calls) and any(steps(program, call, "optimizer") for call in calls)


def without_gradient(program: Program, node: ast.AST) -> bool:
    """Whether a node is under torch.no_grad or inference_mode, as a block or a decorator."""
    names = ("torch.no_grad", "torch.inference_mode", "torch.autograd.no_grad", "torch.autograd.inference_mode")

    def switches(each: ast.expr) -> bool:
        return program.qualified(each.func if isinstance(each, ast.Call) else each) in names

    for each in program.above(node):
        if isinstance(each, ast.With) and any(switches(item.context_expr) for item in each.items):
            return True
        if isinstance(each, FUNCTIONS):
            return any(switches(decorator) for decorator in each.decorator_list)
    return False


def evaluates(program: Program, function: Function) -> bool:
    """Whether a function runs without gradients, as a whole or in a block."""
    return any(without_gradient(program, node) for node in ast.walk(function) if isinstance(node, ast.Call))


def block(program: Program, statement: ast.stmt) -> list[ast.stmt]:
    """The list of statements that a statement stands in; a `with` around it alone is looked through."""
    parent = program.parents[statement]
    while isinstance(parent, ast.With | ast.AsyncWith):
        statement, parent = parent, program.parents[parent]
    for field in ("body", "orelse", "finalbody"):
        statements: list[ast.stmt] = getattr(parent, field, [])
        if statement in statements:
            return statements
    return []


def flat(statements: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements one after the other, those of a `with` or a plain `if` in their place."""
    for each in statements:
        if isinstance(each, ast.With | ast.AsyncWith):
            yield from flat(each.body)
        else:
            yield each


OPTIMIZERS = ("torch.optim.", "timm.optim.", "bitsandbytes.optim.", "apex.optimizers.")


def optimizers(program: Program) -> Iterator[tuple[ast.Call, str]]:
    """The calls that make an optimizer, with its class: AdamW."""
    for call in program.calls:
        name = program.qualified(call.func)
        last = name.rpartition(".")[2]
        if name.startswith(OPTIMIZERS) and "lr_scheduler" not in name and last[:1].isupper():
            yield call, last


def trained(program: Program, optimizer: ast.Call) -> list[ast.expr]:
    """The models whose parameters an optimizer is made with: of X.parameters() and X.named_parameters()."""
    given = [*optimizer.args[:1], *(k.value for k in optimizer.keywords if k.arg == "params")]
    found: list[ast.expr] = []
    for each in given:
        whole = list(ast.walk(trace(program, each)))
        # Groups are often made by comprehensions over a list of (name, parameter): look through its name.
        named = [
            trace(program, node) for node in whole if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        ]
        for node in (*whole, *(inner for value in named for inner in ast.walk(value))):
            if isinstance(node, ast.Call) and method(node) in ("parameters", "named_parameters"):
                found.append(receiver(node))
    return found


def same_thing(program: Program, first: ast.expr, second: ast.expr) -> bool:
    """Whether two expressions certainly stand for one thing: made by one call, or one name in one function."""
    made = made_by(program, first)
    if made is not None and made is made_by(program, second):
        return True
    return ast.unparse(first) == ast.unparse(second) and program.scope(first) is program.scope(second)


def blocks(program: Program) -> Iterator[list[ast.stmt]]:
    """Every list of statements of the program."""
    for node in program.nodes:
        for field in ("body", "orelse", "finalbody"):
            statements = getattr(node, field, None)
            if isinstance(statements, list) and statements and isinstance(statements[0], ast.stmt):
                yield cast("list[ast.stmt]", statements)


_CLIPS = ("torch.nn.utils.clip_grad_norm_", "torch.nn.utils.clip_grad_value_")


def event(program: Program, call: ast.Call) -> str:
    """What a call is in a training step: backward, step, zero_grad, clip, unscale, schedule; "" for all else."""
    if is_backward(call):
        return "backward"
    if method(call) == "zero_grad":
        return "zero_grad"
    if program.qualified(call.func) in _CLIPS or method(call) in ("clip_grad_norm_", "clip_grad_value_"):
        return "clip"
    if method(call) == "unscale_":
        return "unscale"
    if method(call) == "step":
        found = role(program, receiver(call))
        return {"optimizer": "step", "scaler": "step", "scheduler": "schedule"}.get(found, "")
    return ""


def events(program: Program, statements: list[ast.stmt]) -> list[tuple[str, ast.Call | None]]:
    """The events of a block one after the other; "?" where a branch or loop in it has some."""
    found: list[tuple[str, ast.Call | None]] = []
    if not any(is_backward(call) for call in program.calls):
        return found
    for statement in flat(statements):
        calls = [(event(program, call), call) for call in calls_in(program, [statement])]
        named = [(what, call) for what, call in calls if what]
        if isinstance(statement, ast.Expr | ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Return):
            found.extend(named)
        elif named:
            found.append(("?", None))
    return found


def innermost(program: Program) -> Iterator[Loop]:
    """The loops that take training steps and hold (or call) no other loop that does."""
    training = [loop for loop in loops(program) if trains(program, loop.body)]
    for loop in training:
        inside = set(runs(program, loop.body))
        if not any(other in inside for other in training if other is not loop):
            yield loop
