from __future__ import annotations

import ast
from collections.abc import Iterator

from gapless.lint.reading.models import NN, is_module, module_classes
from gapless.lint.reading.program import Program
from gapless.lint.reading.values import attributes, method, receiver
from gapless.lint.rule import Hit, reads

_NOT_LAYERS = ("torch.nn.Parameter", "torch.nn.functional", "torch.nn.init", "torch.nn.utils")


@reads(
    level="error",
    title="layers in a plain list or dict",
    effect="torch does not see them: they are not in model.parameters(), so the optimizer never trains them, and "
    "neither .to(device), eval() nor state_dict() reaches them",
    fix="use nn.ModuleList or nn.ModuleDict",
    source="docs of torch.nn.ModuleList: modules it contains are properly registered",
    broken="""
from torch import nn

class Net(nn.Module):
    def __init__(self, depth):
        super().__init__()
        self.blocks = [nn.Linear(64, 64) for _ in range(depth)]
        self.out = nn.Linear(64, 10)

    def forward(self, x):
        for block in self.blocks:
            x = block(x).relu()
        return self.out(x)
""",
    healthy="""
from torch import nn

class Net(nn.Module):
    def __init__(self, depth):
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(64, 64) for _ in range(depth)])
        self.out = nn.Linear(64, 10)

    def forward(self, x):
        for block in self.blocks:
            x = block(x).relu()
        return self.out(x)
""",
)
def layers_in_a_list(program: Program) -> Iterator[Hit]:
    for owner in module_classes(program):
        registers = any(method(call) in ("add_module", "register_module") for call in _calls(owner))
        for name, values in attributes(program, owner).items():
            if registers or len(values) != 1 or _registered(owner, name):
                continue
            value = values[0]
            filled = [call.args[0] for call in _calls(owner) if _appends(call, name)]
            held = [*_elements(value), *(filled if isinstance(value, ast.List) else [])]
            if held and all(_is_layer(program, each) for each in held):
                yield Hit(value, f"self.{name} holds layers that {owner.name} does not register")


def _calls(owner: ast.ClassDef) -> list[ast.Call]:
    return [node for node in ast.walk(owner) if isinstance(node, ast.Call)]


def _appends(call: ast.Call, name: str) -> bool:
    return method(call) == "append" and len(call.args) == 1 and ast.unparse(receiver(call)) == f"self.{name}"


def _elements(value: ast.expr) -> list[ast.expr]:
    if isinstance(value, ast.List | ast.Tuple):
        return value.elts
    if isinstance(value, ast.ListComp):
        return [value.elt]
    if isinstance(value, ast.Dict):
        return value.values
    return [value.value] if isinstance(value, ast.DictComp) else []


def _is_layer(program: Program, node: ast.expr) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = program.qualified(node.func)
    if name.startswith(NN) and not name.startswith(_NOT_LAYERS):
        return not name.endswith("Loss")
    made = program.classes.get(node.func.id) if isinstance(node.func, ast.Name) else None
    return made is not None and is_module(program, made)


def _registered(owner: ast.ClassDef, name: str) -> bool:
    """Whether the list is handed on, to nn.Sequential(*self.layers) or the like: then somebody may register them."""
    for call in _calls(owner):
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        whole = (each.value if isinstance(each, ast.Starred) else each for each in given)
        if any(ast.unparse(each) == f"self.{name}" for each in whole) and ast.unparse(call.func) not in _READERS:
            return True
    return False


_READERS = ("len", "enumerate", "zip", "reversed", "range", "print", "iter")
