"""The house stands: imports point down, names say what they hold, files are short, the public names are the list's."""

import ast
import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "gapless"
PILLARS = ("dropout", "batchnorm", "decay", "augment")
MAY_IMPORT = {
    # part: the other parts it may import; every part may import itself and the errors
    "errors": (),
    "functions": (),
    "models": ("functions",),
    **dict.fromkeys(PILLARS, ()),
    "recipe": PILLARS,
    "data": ("functions", "models", "augment"),
    "train": ("functions", "models", *PILLARS, "recipe", "data"),
    "search": ("functions", "models", *PILLARS, "recipe", "data", "train"),
    "diagnose": ("functions", "models", *PILLARS, "recipe", "data", "train"),
    "report": (*PILLARS, "recipe", "data", "train", "search", "diagnose"),
}
ROOF = ("cli", "cli_augment", "__init__", "__main__")
"""These may import everything."""


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = ("gapless", *path.relative_to(SOURCE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module: str) -> str:
    """`gapless.train.loop` -> `train`; `gapless` -> `__init__`."""
    return (*module.split("."), "__init__")[1]


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of every import, also inside of functions and under TYPE_CHECKING."""
    package = name_of(path) if path.name == "__init__.py" else name_of(path).rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            home = ".".join([*above, *([node.module] if node.module else [])])
            if home == "gapless":  # `from gapless import dropout` imports a part
                yield from ((node.lineno, f"gapless.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, home


def test_the_parts_are_known() -> None:
    parts = {part_of(name_of(path)) for path in modules()}
    assert parts <= {*MAY_IMPORT, *ROOF}, parts - {*MAY_IMPORT, *ROOF}
    assert {*PILLARS, "recipe", "data", "train", "search", "report", "models"} <= parts


@pytest.mark.parametrize("path", modules(), ids=lambda p: name_of(p))
def test_imports_point_down(path: Path) -> None:
    part = part_of(name_of(path))
    if part in ROOF:
        return
    allowed = {part, "errors", *MAY_IMPORT[part]}
    for line, module in imported(path):
        if module == "gapless" or module.startswith("gapless."):
            assert part_of(module) in allowed, f"{path.relative_to(ROOT)} line {line} imports {module}"


def test_the_walk_sees_every_kind_of_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail: each way of writing an import is found."""
    monkeypatch.setitem(globals(), "SOURCE", tmp_path)
    (tmp_path / "train").mkdir()
    path = tmp_path / "train" / "x.py"
    path.write_text(
        "import gapless.search\nimport os, gapless.report as r\nfrom gapless import cli\n"
        "from gapless.search.run import Run\nfrom . import loop\nfrom .loop import Plan\nfrom ..search import race\n"
        "def f():\n    from gapless.report import html\n"
    )
    assert [module for _, module in sorted(imported(path))] == [
        "gapless.search",
        "gapless.report",
        "os",
        "gapless.cli",
        "gapless.search.run",
        "gapless.train",
        "gapless.train.loop",
        "gapless.search",
        "gapless.report",
    ]


@pytest.mark.parametrize("path", modules(), ids=lambda p: name_of(p))
def test_names_say_what_a_file_holds(path: Path) -> None:
    assert not {"utils", "util", "base", "common", "helpers", "helper", "misc"} & set(name_of(path).split("."))


@pytest.mark.parametrize("folder", ["src", "tests", "examples"])
def test_files_are_short(folder: str) -> None:
    most = 150 if folder == "examples" else 400
    lengths = {
        p.relative_to(ROOT): len(p.read_text(encoding="utf-8").splitlines()) for p in (ROOT / folder).rglob("*.py")
    }
    assert lengths
    assert {str(path): n for path, n in lengths.items() if n > most} == {}


# ── what an import brings with it ──


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "program",
    [
        "import gapless",
        "import gapless; dir(gapless); gapless.__version__",
        "import gapless.cli",
        "from gapless import UsageError",
        "import gapless.errors",
    ],
)
def test_what_is_light_stays_light(program: str) -> None:
    """No torch, no numpy, nothing heavy until it is used."""
    heavy = ("torch", "numpy", "numba", "optuna", "sklearn", "scipy", "altair", "pydantic", "PIL", "jinja2")
    found = run(f"{program}\nimport sys; print(*[m for m in {heavy!r} if m in sys.modules])")
    assert found.split() == []


def test_lazy_names_work_and_wrong_ones_do_not() -> None:
    said = run("import gapless; print(gapless.Recipe.__name__, gapless.dropout.__name__, gapless.Task.__name__)")
    assert said.split() == ["Recipe", "gapless.dropout", "Task"]
    import gapless

    with pytest.raises(AttributeError, match="module 'gapless' has no attribute 'Recipes'"):
        _ = gapless.Recipes  # pyright: ignore[reportAttributeAccessIssue]  # the name is wrong on purpose


# ── public names ──

LIST = Path(__file__).with_name("public_names.json")
PUBLIC = ("gapless", *(f"gapless.{p}" for p in PILLARS), "gapless.augment.image", "gapless.recipe", "gapless.data")


def public_names() -> dict[str, list[str]]:
    return {name: sorted(getattr(import_module(name), "__all__", [])) for name in PUBLIC}


def test_public_names_are_those_of_the_list() -> None:
    """A new public name is a decision: run `python tests/layers/test_imports.py` and look at the difference."""
    assert public_names() == json.loads(LIST.read_text())


@pytest.mark.parametrize("path", modules(), ids=lambda p: name_of(p))
def test_every_name_of_all_resolves(path: Path) -> None:
    module = import_module(name_of(path)) if path.name != "__main__.py" else None
    names = getattr(module, "__all__", [])
    assert len(set(names)) == len(names)
    for name in names:
        assert getattr(module, name) is not None, f"{name_of(path)}.{name}"


PASSES_ON = {"gapless.dropout.weight.WeightDrop.forward"}
"""Takes whatever the module it wraps takes."""


@pytest.mark.parametrize("path", modules(), ids=lambda p: name_of(p))
def test_no_keyword_bags_in_public_signatures(path: Path) -> None:
    """`**kwargs` hides what a function takes; private functions that pass on what a hook gets may have it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for function, owner in functions(tree, ""):
        public = not any(
            part.startswith("_") and part != "__init__" for part in [*owner.split("."), function.name] if part
        )
        bag = public and function.args.kwarg and f"{name_of(path)}{owner}.{function.name}" not in PASSES_ON
        assert not bag, f"{path.relative_to(ROOT)} line {function.lineno}: {function.name}"


def functions(node: ast.AST, owner: str) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, str]]:
    """Functions and methods, with the names of the classes that hold them; not those inside of functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child, owner
        elif isinstance(child, ast.ClassDef):
            yield from functions(child, f"{owner}.{child.name}")
        elif isinstance(child, ast.If | ast.Try | ast.With):
            yield from functions(child, owner)


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_documented(name: str) -> None:
    module = import_module(name)
    for public in getattr(module, "__all__", []):
        value = getattr(module, public)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert (value.__doc__ or "").strip(), f"{name}.{public} has no docstring"


@pytest.mark.parametrize("folder", ["src", "tests", "examples", "bench"])
def test_nothing_names_this_machine(folder: str) -> None:
    """No absolute path of a machine it was written on."""
    places = ["/" + "work/", "/" + "root/", "/" + "home/"]
    for path in (ROOT / folder).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not [place for place in places if place in text], path


if __name__ == "__main__":
    LIST.write_text(json.dumps(public_names(), indent=1) + "\n")
