"""A function of the user's, named on the command line as `module:function`."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from gapless.errors import DataError, did_you_mean

OURS = {__file__, str(Path(__file__).parent / "data" / "readers" / "python.py")}
"""Files of gapless that stand between the user's code and its error."""


def find(source: str, returns: str) -> Callable[[], Any]:
    """The function that `module:function` names, in the current folder or the environment; it takes no arguments.

    This runs the module. Whatever it raises comes back as a DataError with the type, the message and the line.

    Args:
        returns: what the function is for, for the errors: "a gapless.Task".
    """
    module_name, _, function_name = source.partition(":")
    with current_folder_first(), folder_kept():
        function = _imported(source, module_name, function_name, returns)
    try:
        inspect.signature(function).bind()
    except TypeError as error:
        raise DataError(f"{source} is called without arguments, but: {error}; give them defaults") from error
    except ValueError:  # a builtin without a signature: the call will tell
        pass
    return function


def _imported(source: str, module_name: str, function_name: str, returns: str) -> Callable[[], Any]:
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name == error.name or module_name.startswith(f"{error.name}.")):
            blame(source, error)
        there = [path.stem for path in Path.cwd().glob("*.py")]
        raise DataError(
            f"{source}: there is no module {error.name!r} in {Path.cwd()} or in the environment."
            f"{did_you_mean(module_name, there)}"
        ) from error
    except (Exception, SystemExit) as error:
        blame(source, error)
    names = {name: value for name, value in vars(module).items() if callable(value) and not name.startswith("_")}
    if function_name not in vars(module):
        raise DataError(
            f"{source}: module {module_name!r} has no {function_name!r}.{did_you_mean(function_name, names)}"
        )
    value = vars(module)[function_name]
    if not callable(value):
        raise DataError(f"{source} must be a function that returns {returns}, got {described(value)}")
    return value


def blame(source: str, error: BaseException) -> NoReturn:
    """Raises a DataError that names what the user's code raised, and the line."""
    if isinstance(error, SyntaxError) and error.filename:
        line = f"{error.filename} line {error.lineno}"
    else:
        # The last line of the user's: the frames above the first one outside of this file and the import machinery.
        frames = traceback.extract_tb(error.__traceback__)
        theirs = [f for f in frames if f.filename not in OURS and not f.filename.startswith("<frozen")]
        near = [f for f in theirs if Path(f.filename).is_relative_to(Path.cwd())] or theirs
        line = f"{near[-1].filename} line {near[-1].lineno}" if near else "no line known"
    raise DataError(f"{source} raised {type(error).__name__}: {error} ({line})") from error


def described(value: object) -> str:
    """The type of a value, for errors."""
    return "None" if value is None else type(value).__name__


@contextmanager
def current_folder_first() -> Generator[None]:
    """The current folder is where imports look first, for as long as this lasts."""
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


@contextmanager
def folder_kept() -> Generator[None]:
    """The user's code may change the current folder; at the end it is what it was."""
    try:
        folder = Path.cwd()
    except OSError:  # it has been removed, and there is nothing to go back to
        yield
        return
    try:
        yield
    finally:
        os.chdir(folder)


def output_apart() -> int | None:
    """From here on what is printed past Python, and by programs that are started, goes to standard error.

    Returns:
        The descriptor of what was standard output; None, and nothing is changed, where one of the two is not there.
    """
    try:
        os.fstat(2)
        output = os.dup(1)
    except OSError:
        return None
    os.dup2(2, 1)
    return output
