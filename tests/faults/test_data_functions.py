"""A user's function that fails, and how the error names the place."""

import sys
from pathlib import Path

import pytest

from gapless.data import Task
from gapless.data.source import SourceOptions, load
from gapless.errors import DataError

HEAD = "import numpy as np\nfrom gapless import Rows, Task\n"
BODY = """
def make(n=40):
    x = np.arange(n * 16, dtype=np.uint8).reshape(n, 4, 4, 1)
    return Task("mine", Rows(x, np.arange(n) % 2), classes=("a", "b"))
"""
counter = iter(range(1000))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(here: Path, code: str, function: str = "make") -> Task:
    """Loads from a module with a new name: Python keeps a module once it is imported."""
    name = f"mine_{next(counter)}"
    (here / f"{name}.py").write_text(code)
    before = list(sys.path)
    try:
        return load(f"{name}:{function}", SourceOptions(train_size=10))
    finally:
        assert sys.path == before


def test_a_task_from_the_current_folder(here: Path) -> None:
    task = run(here, HEAD + BODY)
    assert task.confirm is not None
    assert (task.name, len(task.develop), len(task.confirm)) == ("mine", 10, 30)


def test_a_module_in_a_package(here: Path) -> None:
    (here / "package_of_mine").mkdir()
    (here / "package_of_mine" / "data.py").write_text(HEAD + BODY)
    assert load("package_of_mine.data:make", SourceOptions()).name == "mine"


def test_a_class_may_make_the_task(here: Path) -> None:
    code = HEAD + BODY + "class Maker:\n    def __call__(self):\n        return make()\nmaker = Maker()\n"
    assert run(here, code, "maker").name == "mine"


@pytest.mark.parametrize(
    ("code", "function", "message"),
    [
        ("def make():\n    return 7\n", "make", r"must return a gapless\.Task, got int"),
        ("def make():\n    pass\n", "make", r"must return a gapless\.Task, got None"),
        ("make = 7\n", "make", r"must be a function that returns a gapless\.Task, got int"),
        (
            "def make(path):\n    pass\n",
            "make",
            "is called without arguments, but: missing a required argument: 'path'",
        ),
        ("def make():\n    pass\n", "mkae", r"has no 'mkae'\. Did you mean 'make'\?"),
        (
            "def make():\n    x = 1\n    return x / 0\n",
            "make",
            r"raised ZeroDivisionError: division by zero \(.*py line 3\)",
        ),
        ("def f():\n    raise KeyError('k')\ndef make():\n    f()\n", "make", r"raised KeyError: 'k' \(.*py line 2\)"),
        ("raise OSError('no file')\n", "make", r"raised OSError: no file \(.*py line 1\)"),
        ("def make(:\n    pass\n", "make", r"raised SyntaxError: .*\(.*py line 1\)"),
        (
            "import not_installed_at_all\n",
            "make",
            r"raised ModuleNotFoundError: No module named 'not_inst.*py line 1\)",
        ),
        ("import sys\nsys.exit('bye')\n", "make", r"raised SystemExit: bye \(.*py line 2\)"),
        ("def make():\n    raise SystemExit(3)\n", "make", r"raised SystemExit: 3 \(.*py line 2\)"),
        (
            HEAD + "def make():\n    return Task('t', Rows(np.zeros(3), np.zeros(3)), classes=('a', 'b'))\n",
            "make",
            r"raised DataError: t: develop: x must be pictures, uint8 .*py line 4\)",
        ),
        (
            HEAD + "def make():\n    y = np.array([0] * 40 + [1])\n"
            "    return Task('t', Rows(np.zeros((41, 2), np.float32), y), classes=('a', 'b'))\n",
            "make",
            "t: class 'b' has a single row to develop with",
        ),
    ],
)
def test_what_goes_wrong_in_it(here: Path, code: str, function: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        run(here, code, function)


def test_an_error_inside_a_library_names_the_users_line(here: Path) -> None:
    with pytest.raises(DataError, match=r"raised ValueError: .* \(.*mine_\d+\.py line 4\)"):
        run(here, HEAD + "def make():\n    return np.zeros(3).reshape(7)\n")


def test_a_module_that_does_not_exist(here: Path) -> None:
    (here / "my_data.py").write_text("")
    with pytest.raises(DataError, match=r"no module 'my_dta' in .* or in the environment\. Did you mean 'my_data'\?"):
        load("my_dta:make", SourceOptions())
    with pytest.raises(DataError, match=r"there is no module 'my_data\.more'|no module 'my_dataa'"):
        load("my_dataa.more:make", SourceOptions())


def test_the_keyboard_still_stops_it(here: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(here, "def make():\n    raise KeyboardInterrupt\n")
