"""A program as a syntax tree that knows parents, scopes and what an imported name is called where it comes from."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cached_property
from typing import TypeVar

Scope = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
Function = ast.FunctionDef | ast.AsyncFunctionDef
SCOPES = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
LOOPS = (ast.For, ast.AsyncFor, ast.While)
_N = TypeVar("_N", bound=ast.AST)

_SHORTER = tuple(
    (re.compile(pattern), short)
    for pattern, short in (
        (r"^(pytorch_lightning|lightning\.pytorch)\b", "lightning"),
        (r"^torch\.nn\.(modules|parameter|parallel)\.(\w+\.)?(?=[A-Z]\w*$)", "torch.nn."),
        (r"^torch\.nn\.utils\.clip_grad\.", "torch.nn.utils."),
        (r"^torch\.optim\.\w+\.(?=(AdamW?|SGD|NAdam|RAdam|RMSprop|Adagrad)$)", "torch.optim."),
        (r"^torch\.utils\.data\.(\w+\.)(?=\w+$)", "torch.utils.data."),
        (r"^torch\.(cuda\.)?amp\.(grad_scaler\.)?(?=GradScaler$)", "torch.amp."),
        (r"^torchvision\.transforms\.(v2|transforms)\.", "torchvision.transforms."),
        (r"^torchvision\.datasets\.\w+\.(?=[A-Z]\w*$)", "torchvision.datasets."),
        (r"^torchvision\.models\.\w+\.(?=\w+$)", "torchvision.models."),
        (r"^timm\.data\.\w+\.", "timm.data."),
        (r"^timm\.loss\.\w+\.", "timm.loss."),
        (r"^numpy\.random\.mtrand\.", "numpy.random."),
    )
)
"""The same thing under its longer names."""


class Program:
    """A Python file that was read, not run. Raises SyntaxError where it is no Python."""

    def __init__(self, path: str, text: str):
        self.path = path
        self.text = text
        self.tree = ast.parse(text, filename=path)
        self.parents: dict[ast.AST, ast.AST] = {}
        self.nodes: list[ast.AST] = []
        stack: list[ast.AST] = [self.tree]
        while stack:
            node = stack.pop()
            self.nodes.append(node)
            children = list(ast.iter_child_nodes(node))
            for child in children:
                # Operators and contexts are shared singletons of the parser and belong nowhere.
                if isinstance(child, ast.expr_context | ast.operator | ast.unaryop | ast.cmpop | ast.boolop):
                    continue
                self.parents[child] = node
            stack.extend(reversed(children))

    def all(self, kind: type[_N]) -> Iterator[_N]:
        """Every node of a kind, in the order of the text."""
        for node in self.nodes:
            if isinstance(node, kind):
                yield node

    @cached_property
    def calls(self) -> list[ast.Call]:
        return list(self.all(ast.Call))

    def calls_of(self, *names: str) -> Iterator[ast.Call]:
        """Calls of what has one of these full names, such as torch.nn.Dropout."""
        for call in self.calls:
            if self.qualified(call.func) in names:
                yield call

    def methods_of(self, *names: str, within: ast.AST | None = None) -> Iterator[ast.Call]:
        """Calls of x.name() for one of these names, whatever x is; in the whole program or inside of a node."""
        calls = self.calls if within is None else [n for n in ast.walk(within) if isinstance(n, ast.Call)]
        for call in calls:
            if isinstance(call.func, ast.Attribute) and call.func.attr in names:
                yield call

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """Its parents, the nearest first."""
        while node in self.parents:
            node = self.parents[node]
            yield node

    def statement(self, node: ast.AST) -> ast.stmt:
        """The statement a node is in, or itself."""
        for each in (node, *self.above(node)):
            if isinstance(each, ast.stmt):
                return each
        raise ValueError("the module itself is in no statement")

    def scope(self, node: ast.AST) -> Scope:
        """The function, class, lambda or module in which the node is evaluated."""
        below = node
        for each in self.above(node):
            if isinstance(each, SCOPES) and not _outside(each, below):
                return each
            below = each
        return self.tree

    def function(self, node: ast.AST) -> Function | None:
        """The nearest function around a node."""
        return next((each for each in self.above(node) if isinstance(each, FUNCTIONS)), None)

    def owner(self, node: ast.AST) -> ast.ClassDef | None:
        """The nearest class around a node."""
        return next((each for each in self.above(node) if isinstance(each, ast.ClassDef)), None)

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        """The classes at the top of the file."""
        return {node.name: node for node in self.all(ast.ClassDef) if self.parents[node] is self.tree}

    @cached_property
    def functions(self) -> dict[str, Function]:
        """The functions at the top of the file."""
        return {node.name: node for node in self.nodes if isinstance(node, FUNCTIONS) and self._top(node)}

    def _top(self, node: ast.AST) -> bool:
        return self.parents[node] is self.tree

    @cached_property
    def imports(self) -> dict[str, str]:
        """What a name stands for that an import binds, anywhere in the file: F -> torch.nn.functional."""
        found: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.partition(".")[0]
                    found[alias.asname or top] = alias.name if alias.asname else top
            elif isinstance(node, ast.ImportFrom):
                home = "." * node.level + (node.module or "")
                for alias in node.names:
                    found[alias.asname or alias.name] = f"{home}.{alias.name}"
        return found

    def uses(self, package: str) -> bool:
        """Whether anything of a package is imported."""
        return any(name == package or name.startswith(f"{package}.") for name in self.imports.values())

    def qualified(self, node: ast.AST) -> str:
        """The full name of what an expression names, through the imports: F.dropout -> torch.nn.functional.dropout.

        "" where it names nothing imported.
        """
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self.imports or self._rebound(node.id):
            return ""
        name = ".".join([self.imports[node.id], *reversed(parts)])
        for pattern, short in _SHORTER:
            name = pattern.sub(short, name)
        return name

    def _rebound(self, name: str) -> bool:
        return name in self._stored

    @cached_property
    def _stored(self) -> set[str]:
        """Names that are assigned to, are arguments, or are defined: an import of the same name proves nothing."""
        stored = {n.id for n in self.all(ast.Name) if isinstance(n.ctx, ast.Store | ast.Del)}
        stored |= {n.arg for n in self.all(ast.arg)}
        return stored | {n.name for n in self.nodes if isinstance(n, (*FUNCTIONS, ast.ClassDef))}


def _outside(scope: Scope, part: ast.AST) -> bool:
    """Whether a part of a function or class is evaluated outside of it: decorators, defaults, bases."""
    if isinstance(scope, ast.Module):
        return False
    if isinstance(scope, ast.Lambda):
        return part is not scope.body and not isinstance(part, ast.arguments)
    return part not in scope.body and not isinstance(part, ast.arguments)
