"""The source as a tree of modules: their files, what they import, the functions they define."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "gapless"

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules(source: Path = SOURCE) -> list[Path]:
    return sorted(source.rglob("*.py"))


def name_of(path: Path, source: Path = SOURCE) -> str:
    parts = ("gapless", *path.relative_to(source).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module: str) -> str:
    """`gapless.train.loop` -> `train`; `gapless` -> `__init__`."""
    return (*module.split("."), "__init__")[1]


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of a file that does not change while the tests run."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path, source: Path = SOURCE) -> Iterator[tuple[int, str, str]]:
    """Line, module and name of every import, also inside of functions and under TYPE_CHECKING.

    The name is that of `from module import name`, and empty for `import module`.
    """
    package = name_of(path, source) if path.name == "__init__.py" else name_of(path, source).rpartition(".")[0]
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            home = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, home, alias.name) for alias in node.names)
        elif isinstance(node, ast.Call) and _called(node) == "import_module" and isinstance(node.args[0], ast.Constant):
            yield node.lineno, str(node.args[0].value), ""


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def import_graph(source: Path = SOURCE) -> dict[str, set[str]]:
    """Every module of the package with the modules of the package that it imports."""
    paths = {name_of(path, source): path for path in modules(source)}
    graph: dict[str, set[str]] = {}
    for name, path in paths.items():
        wanted = [(f"{home}.{what}" if f"{home}.{what}" in paths else home) for _, home, what in imported(path, source)]
        graph[name] = {module for module in wanted if module in paths} - {name}
    return graph


def circles(graph: Mapping[str, Iterable[str]]) -> set[frozenset[str]]:
    """The sets of modules that reach each other, directly or through others (Tarjan's algorithm)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_: list[str] = []
    found: set[frozenset[str]] = set()

    def visit(module: str) -> None:
        order[module] = lowest[module] = len(order)
        open_.append(module)
        for other in graph[module]:
            if other not in order:
                visit(other)
                lowest[module] = min(lowest[module], lowest[other])
            elif other in open_:
                lowest[module] = min(lowest[module], order[other])
        if lowest[module] == order[module]:
            start = open_.index(module)
            if len(open_) - start > 1:
                found.add(frozenset(open_[start:]))
            del open_[start:]

    for module in graph:
        if module not in order:
            visit(module)
    return found


def functions(path: Path) -> Iterator[tuple[str, Function]]:
    """Every function and method of a file with its name, those inside of functions included."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, Function):
            yield node.name, node


def length(node: Function) -> int:
    """Lines from `def` to the last statement, docstring included."""
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1
