"""The house stands: imports point down, names say what they hold, the public names are those of the list."""

import ast
import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from source_tree import ROOT, Function, imported, modules, name_of, parsed, part_of

PILLARS = ("dropout", "batchnorm", "decay", "augment")
GROUND = ("functions", "draws", "files", "flow", "kinds", "metrics", "schedule", "surgery", "native")
MODELS_TRAINED = (*GROUND, "models", *PILLARS, "recipe", "data", "train")
STOREY = (*MODELS_TRAINED, "run", "evidence")
MAY_IMPORT = {
    # part: the other parts it may import; every part may import itself and the errors
    "errors": (),
    "functions": (),
    "draws": ("native",),
    "files": (),
    "flow": ("kinds", "surgery"),
    "kinds": ("surgery",),
    "metrics": (),
    "schedule": (),
    "surgery": (),
    "native": (),
    **dict.fromkeys(PILLARS, GROUND),
    "models": GROUND,
    "recipe": (*GROUND, *PILLARS),
    "data": (*GROUND, "models", "augment"),
    "lint": (*GROUND, *PILLARS, "recipe", "data"),
    "train": (*GROUND, "models", *PILLARS, "recipe", "data"),
    "integrations": (*GROUND, *PILLARS, "recipe"),
    "run": MODELS_TRAINED,
    "evidence": (*MODELS_TRAINED, "run"),
    "search": STOREY,
    "diagnose": STOREY,
    "policies": (*STOREY, "search", "diagnose"),
    "report": (*STOREY, "search", "diagnose", "policies"),
    "lab": (*STOREY, "report"),
    "quiz": (*STOREY, "report", "lab"),
    "live": (*STOREY, "search", "diagnose", "report", "lab"),
}
ROOF = ("api", "cli", "__init__", "__main__")
"""These may import everything."""


def test_the_parts_are_known() -> None:
    parts = {part_of(name_of(path)) for path in modules()}
    assert parts <= {*MAY_IMPORT, *ROOF}, parts - {*MAY_IMPORT, *ROOF}
    assert {*PILLARS, "recipe", "data", "train", "search", "report", "models"} <= parts


def test_imports_point_down() -> None:
    up: list[str] = []
    for path in modules():
        part = part_of(name_of(path))
        if part in ROOF:
            continue
        for line, home, name in imported(path):
            if home == "gapless" or home.startswith("gapless."):
                imports = name if home == "gapless" else part_of(home)  # `from gapless import dropout` imports a part
                if imports not in {part, "errors", *MAY_IMPORT[part]}:
                    up.append(f"{path.relative_to(ROOT)} line {line} imports {home} {name}")
    assert up == []


def test_the_walk_sees_every_kind_of_import(tmp_path: Path) -> None:
    """The test above can fail: each way of writing an import is found."""
    (tmp_path / "train").mkdir()
    path = tmp_path / "train" / "x.py"
    path.write_text(
        "import gapless.search\nimport os, gapless.report as r\nfrom gapless import cli\n"
        "from gapless.run.driver import Run\nfrom . import loop\nfrom .loop import Plan\nfrom ..search import race\n"
        "def f():\n    from gapless.report import html\n    import_module('gapless.lint')\n"
    )
    assert sorted(imported(path, tmp_path)) == [
        (1, "gapless.search", ""),
        (2, "gapless.report", ""),
        (2, "os", ""),
        (3, "gapless", "cli"),
        (4, "gapless.run.driver", "Run"),
        (5, "gapless.train", "loop"),
        (6, "gapless.train.loop", "Plan"),
        (7, "gapless.search", "race"),
        (9, "gapless.report", "html"),
        (10, "gapless.lint", ""),
    ]


def test_names_say_what_a_file_holds() -> None:
    vague = {"utils", "util", "base", "common", "helpers", "helper", "misc"}
    assert [name_of(path) for path in modules() if vague & set(name_of(path).split("."))] == []


# ── systems other than POSIX ──

POSIX_ONLY = {"crypt", "curses", "fcntl", "grp", "nis", "posix", "pty", "pwd", "readline", "resource", "syslog"} | {
    "termios",
    "tty",
}


def at_the_top(path: Path) -> set[str]:
    """The modules that importing this file imports whatever the system: not those in functions, tries and ifs."""
    body = parsed(path).body
    names = [[alias.name for alias in node.names] for node in body if isinstance(node, ast.Import)]
    froms = [node.module or "" for node in body if isinstance(node, ast.ImportFrom) and not node.level]
    return {name.partition(".")[0] for name in [*(one for some in names for one in some), *froms]}


def test_no_module_needs_posix_to_be_imported() -> None:
    """The package starts on Windows: what only POSIX has is imported where it is used, behind a question."""
    assert [name_of(path) for path in modules() if POSIX_ONLY & at_the_top(path)] == []


def test_the_search_for_posix_sees_each_way_of_writing(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("import os, fcntl\nfrom resource import getrusage\ndef f():\n    import pwd\n")
    assert POSIX_ONLY & at_the_top(tmp_path / "x.py") == {"fcntl", "resource"}


def test_the_package_is_imported_where_posix_is_missing() -> None:
    """With the functions gone that Windows lacks, every module is imported and a default folder is found."""
    gone = {
        "os": ["fork", "getuid", "killpg", "sysconf", "WNOHANG"],
        "signal": ["pthread_sigmask", "SIGKILL", "SIGHUP"],
    }
    names = [name_of(path) for path in modules() if path.name != "__main__.py"]
    run(
        "import multiprocessing, subprocess, torch, numba, optuna, sklearn.datasets, altair, typer, rich.progress\n"
        "import accelerate, lightning.pytorch, skorch; from transformers import PreTrainedModel, Trainer\n"
        f"for module, missing in {gone!r}.items():\n"
        "    for name in missing: delattr(__import__(module), name)\n"
        "from importlib import import_module\n"
        f"for name in {names!r}: import_module(name)\n"
        "from gapless.data.cache import default_folder\nassert default_folder().name\n"
    )


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
        "import gapless.cli.main",
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
PUBLIC = (
    "gapless",
    *(f"gapless.{p}" for p in PILLARS),
    "gapless.augment.image",
    "gapless.recipe",
    "gapless.data",
    "gapless.schedule",
    "gapless.surgery",
)


def public_names() -> dict[str, list[str]]:
    return {name: sorted(getattr(import_module(name), "__all__", [])) for name in PUBLIC}


def test_public_names_are_those_of_the_list() -> None:
    """A new public name is a decision: run `python tests/layers/test_imports.py` and look at the difference."""
    assert public_names() == json.loads(LIST.read_text())


def test_every_name_of_all_resolves() -> None:
    for path in modules():
        module = import_module(name_of(path)) if path.name != "__main__.py" else None
        names = getattr(module, "__all__", [])
        assert len(set(names)) == len(names), name_of(path)
        for name in names:
            assert getattr(module, name) is not None, f"{name_of(path)}.{name}"


PASSES_ON = {"gapless.dropout.weight.WeightDrop.forward"}
"""Takes whatever the module it wraps takes."""
HOOKS = "gapless.integrations."
"""Here methods called `on_...` take whatever a trainer hands to its callbacks, which grows with its versions."""


def test_no_keyword_bags_in_public_signatures() -> None:
    """`**kwargs` hides what a function takes; private functions that pass on what a hook gets may have it."""
    bags: set[str] = set()
    for path in modules():
        for function, owner in functions(parsed(path), ""):
            names = [part for part in [*owner.split("."), function.name] if part]
            public = not any(name.startswith("_") and name != "__init__" for name in names)
            hook = name_of(path).startswith(HOOKS) and function.name.startswith("on_")
            if public and not hook and function.args.kwarg:
                bags.add(f"{name_of(path)}{owner}.{function.name}")
    assert bags == PASSES_ON


def functions(node: ast.AST, owner: str) -> Iterator[tuple[Function, str]]:
    """Functions and methods, with the names of the classes that hold them; not those inside of functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
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
