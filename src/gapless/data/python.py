"""A Task made by a function of the user's: `module:function`."""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, cast

from gapless.data.task import Task
from gapless.errors import DataError, did_you_mean


def load_function(source: str) -> Task:
    """Imports the module from the current folder or the environment, calls the function and returns its Task.

    This runs the user's code. Whatever it raises comes back as a DataError with the type, the message and the line.
    """
    module_name, _, function_name = source.partition(":")
    with _current_folder_first():
        function = _find(source, module_name, function_name)
        _require_no_arguments(source, function)
        try:
            task = function()
        # The user's code may raise anything, and end the process on a whim.
        except (Exception, SystemExit) as error:
            _raise_wrapped(source, error)
    if not isinstance(task, Task):
        raise DataError(f"{source} must return a gapless.Task, got {_described(task)}")
    return task


def _find(source: str, module_name: str, function_name: str) -> Callable[[], object]:
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name == error.name or module_name.startswith(f"{error.name}.")):
            _raise_wrapped(source, error)
        there = [path.stem for path in Path.cwd().glob("*.py")]
        raise DataError(
            f"{source}: there is no module {error.name!r} in {Path.cwd()} or in the environment."
            f"{did_you_mean(module_name, there)}"
        ) from error
    except (Exception, SystemExit) as error:
        _raise_wrapped(source, error)
    names = {name: value for name, value in vars(module).items() if callable(value) and not name.startswith("_")}
    if function_name not in vars(module):
        raise DataError(
            f"{source}: module {module_name!r} has no {function_name!r}.{did_you_mean(function_name, names)}"
        )
    value = vars(module)[function_name]
    if not callable(value):
        raise DataError(f"{source} must be a function that returns a gapless.Task, got {_described(value)}")
    return cast("Callable[[], object]", value)


def _require_no_arguments(source: str, function: Callable[[], object]) -> None:
    try:
        inspect.signature(function).bind()
    except TypeError as error:
        raise DataError(f"{source} is called without arguments, but: {error}; give them defaults") from error


def _raise_wrapped(source: str, error: BaseException) -> NoReturn:
    if isinstance(error, SyntaxError) and error.filename:
        line = f"{error.filename} line {error.lineno}"
    else:
        # The last line of the user's: the frames above the first one outside of this file and the import machinery.
        frames = traceback.extract_tb(error.__traceback__)
        theirs = [f for f in frames if f.filename != __file__ and not f.filename.startswith("<frozen")]
        near = [f for f in theirs if Path(f.filename).is_relative_to(Path.cwd())] or theirs
        line = f"{near[-1].filename} line {near[-1].lineno}" if near else "no line known"
    raise DataError(f"{source} raised {type(error).__name__}: {error} ({line})") from error


def _described(value: object) -> str:
    return "None" if value is None else type(value).__name__


@contextmanager
def _current_folder_first() -> Generator[None]:
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)
