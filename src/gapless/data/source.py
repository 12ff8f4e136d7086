"""From the word on the command line to a Task."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from gapless.data import builtin
from gapless.data.arrays import load_arrays
from gapless.data.folders import TEXTS, sort_of
from gapless.data.images import load_folder
from gapless.data.options import SourceOptions
from gapless.data.python import load_function
from gapless.data.records import SUFFIXES
from gapless.data.splits import complete
from gapless.data.table import load_table
from gapless.data.task import Task
from gapless.data.texts import load_text_folder, load_texts
from gapless.errors import DataError, UsageError, did_you_mean

__all__ = ["SourceOptions", "load"]

_ACCEPTED = (
    f"a built-in name ({', '.join(builtin.NAMES)}), module:function, a folder of class folders of pictures or .txt "
    "files, a .csv or .tsv file, a .jsonl or .parquet file of texts, or a .npz file"
)
_FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_TABLES = (".csv", ".tsv")


def load(source: str, options: SourceOptions, progress: Callable[[int, int], None] | None = None) -> Task:
    """The Task that a source holds, with its confirm rows; DataError says what is wrong with it.

    Args:
        source: a built-in name, module:function, or a path, tried in this order.
        options: how to read it; an option that does not fit the source is a UsageError.
        progress: called with (done, total) pictures while a folder is decoded, from the calling thread.
    """
    path = Path(source).expanduser()
    if source in builtin.NAMES:
        return _load_builtin(source, options)
    if _FUNCTION.fullmatch(source):
        _refuse(options, source, "data_dir", "test", "target", "image_size", "text", "also")
        return complete(load_function(source), options.train_size, options.seed)
    if path.is_dir():
        _refuse(options, source, "data_dir", "target", "text")
        if sort_of(path) == TEXTS:
            _refuse(options, source, "image_size")
            return load_text_folder(path, options)
        return load_folder(path, options, progress)
    if path.suffix.lower() in SUFFIXES and path.is_file():
        _refuse(options, source, "data_dir", "image_size")
        texts = options.text is not None or path.suffix.lower() not in _TABLES
        _require_like(options, SUFFIXES if texts else _TABLES)
        return load_texts(path, options) if texts else load_table(path, options)
    if path.suffix.lower() == ".npz" and path.is_file():
        _refuse(options, source, "data_dir", "target", "image_size", "text")
        _require_like(options, (".npz",))
        return load_arrays(path, options)
    raise _unknown(source, path)


def _load_builtin(name: str, options: SourceOptions) -> Task:
    if name == "digits":
        _refuse(options, name, "data_dir", "test", "target", "image_size", "text", "also")
        task = builtin.digits()
    else:
        _refuse(options, name, "test", "target", "image_size", "text", "also")
        task = builtin.fashion_mnist(options.data_dir)
    return complete(task, options.train_size, options.seed)


_MEANT_FOR = {
    "data_dir": "fashion-mnist",
    "test": "folders, tables, texts and .npz files",
    "target": "tables and files of texts",
    "image_size": "folders of pictures",
    "text": "files of texts (.csv, .tsv, .jsonl, .parquet)",
    "also": "folders, tables, texts and .npz files",
}


def _refuse(options: SourceOptions, source: str, *names: str) -> None:
    """An option that would be ignored is an error."""
    given = {"data_dir": options.data_dir, "test": options.test, "target": options.target}
    given |= {"image_size": options.image_size, "text": options.text, "also": options.also or None}
    for name in names:
        if given[name] is not None:
            option = name.replace("_", "-")
            raise UsageError(f"--{option} is for {_MEANT_FOR[name]} and has no meaning for {source}; leave it out")


def _require_like(options: SourceOptions, suffixes: tuple[str, ...]) -> None:
    """Test data and further test data must be files like the source."""
    tests = [("--test", options.test), *((f"--also {name}", path) for name, path in options.also)]
    for option, path in tests:
        if path is not None and not (path.is_file() and path.suffix.lower() in suffixes):
            state = "is of another kind" if path.exists() else "does not exist"
            raise DataError(f"{option} must be a {_or(suffixes)} file like the source; {path} {state}")


def _or(words: tuple[str, ...]) -> str:
    return " or ".join(words) if len(words) < 3 else f"{', '.join(words[:-1])} or {words[-1]}"


def _unknown(source: str, path: Path) -> DataError:
    if path.is_file():
        return DataError(f"{source} is a file that gapless cannot read; give {_ACCEPTED}")
    folder = path.parent
    near = [str(folder / entry.name) for entry in folder.iterdir()] if folder.is_dir() else []
    suggestion = did_you_mean(source, [*builtin.NAMES, *near])
    suggestion = suggestion if "Did you mean" in suggestion else ""
    return DataError(f"there is no data {source!r}; give {_ACCEPTED}.{suggestion}")
