"""From the word on the command line to a Task."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from gapless.data.images import load_folder
from gapless.data.options import SourceOptions
from gapless.data.readers import builtin
from gapless.data.readers.arrays import load_arrays
from gapless.data.readers.databases import is_database
from gapless.data.readers.folders import TEXTS, sort_of
from gapless.data.readers.python import load_function
from gapless.data.readers.records import SUFFIXES, TEXT, is_records, read_records
from gapless.data.readers.texts import READABLE, load_text_folder, text_column, texts_task
from gapless.data.splits import complete
from gapless.data.tables.table import table_task
from gapless.data.task import Task
from gapless.errors import DataError, UsageError, did_you_mean

__all__ = ["SourceOptions", "load"]

_ACCEPTED = (
    f"a built-in name ({', '.join(builtin.NAMES)}), module:function, a folder of class folders of pictures or .txt "
    "files, a table or texts in a .csv, .tsv, .json, .jsonl, .parquet, .feather, .xlsx or .ods file or in "
    "sqlite:FILE?table=NAME, or a .npz file"
)
_FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_SOUNDS, _VIDEOS = (".wav", ".mp3", ".flac", ".ogg"), (".mp4", ".avi", ".mov", ".mkv", ".webm")
_LAYOUT_ALONE = ("target", "text", "ignore", "keep", "missing", "task", "fold_case")


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
    if _FUNCTION.fullmatch(source) and not is_database(source):
        _refuse(options, source, "data_dir", "test", "image_size", "also", "group", "time", *_LAYOUT_ALONE)
        return complete(load_function(source), options.train_size, options.seed)
    if path.is_dir():
        _refuse(options, source, "data_dir", "time", *_LAYOUT_ALONE)
        _refuse_recordings(path)
        if sort_of(path) == TEXTS:
            _refuse(options, source, "image_size")
            return load_text_folder(path, options)
        return load_folder(path, options, progress)
    if is_records(source):
        _refuse(options, source, "data_dir", "image_size")
        return _load_records(source if is_database(source) else str(path), options)
    if path.suffix.lower() == ".npz" and path.is_file():
        _refuse(options, source, "data_dir", "target", "image_size", "text", "ignore", "keep", "missing", "fold_case")
        _require_like(options, (".npz",))
        return load_arrays(path, options)
    raise _unknown(source, path)


def _load_records(source: str, options: SourceOptions) -> Task:
    """A file of texts where --text says so, or where a file of records has a column that is called so; else a table."""
    path = Path(source)
    _require_like(options, SUFFIXES)
    longest = READABLE if options.text is not None else None
    sheet = read_records(path, longest)
    test = None if options.test is None else read_records(options.test, longest)
    also = [(name, read_records(file, longest)) for name, file in options.also]
    if options.text is not None or (path.suffix.lower() not in TEXT and not is_database(source)):
        text, note = text_column(sheet, options)
        if text:
            _refuse(options, source, "ignore", "keep")
            return texts_task(path.name, sheet, test, also, options, text, note)
    return table_task(path.name, sheet, test, also, options)


def _refuse_recordings(folder: Path) -> None:
    """A folder of videos or of sound: what it is, and what can be done."""
    for kind, endings in (("videos", _VIDEOS), ("sound", _SOUNDS)):
        found = next((path for path in folder.rglob("*") if path.suffix.lower() in endings), None)
        if found is not None:
            advice = "take a picture of each" if kind == "videos" else "take a picture of each spectrum"
            raise DataError(
                f"{folder}: holds {kind} ({found.name}), for which gapless has no model; {advice} into class folders, "
                "or give module:function returning a gapless.Task with a model of your own"
            )


def _load_builtin(name: str, options: SourceOptions) -> Task:
    if name == "digits":
        _refuse(options, name, "data_dir", "test", "image_size", "also", "group", "time", *_LAYOUT_ALONE)
        task = builtin.digits()
    else:
        _refuse(options, name, "test", "image_size", "also", "group", "time", *_LAYOUT_ALONE)
        task = builtin.fashion_mnist(options.data_dir)
    return complete(task, options.train_size, options.seed)


_MEANT_FOR = {
    "data_dir": "fashion-mnist",
    "test": "folders, tables, texts and .npz files",
    "target": "tables and files of texts",
    "image_size": "folders of pictures",
    "text": "files of texts (.csv, .tsv, .jsonl, .parquet ...)",
    "ignore": "tables",
    "keep": "tables",
    "missing": "tables and files of texts",
    "task": "tables, texts and .npz files",
    "fold_case": "tables and files of texts",
    "also": "folders, tables, texts and .npz files",
    "group": "folders, tables, texts and .npz files (a Task has Rows(..., group=))",
    "time": "tables, texts and .npz files (a Task has Rows(..., time=))",
}


def _refuse(options: SourceOptions, source: str, *names: str) -> None:
    """An option that would be ignored is an error."""
    given = {"data_dir": options.data_dir, "test": options.test, "target": options.target}
    given |= {"image_size": options.image_size, "text": options.text, "also": options.also or None}
    given |= {"ignore": options.ignore or None, "keep": options.keep or None, "missing": options.missing or None}
    given |= {"task": options.task, "fold_case": options.fold_case or None}
    given |= {"group": options.group, "time": options.time}
    for name in names:
        if given[name] is not None:
            option = name.replace("_", "-")
            raise UsageError(f"--{option} is for {_MEANT_FOR[name]} and has no meaning for {source}; leave it out")


def _require_like(options: SourceOptions, suffixes: tuple[str, ...]) -> None:
    """Test data and further test data must be files like the source."""
    tests = [("--test", options.test), *((f"--also {name}", path) for name, path in options.also)]
    for option, path in tests:
        if path is not None and is_database(str(path)) and suffixes == SUFFIXES:
            continue
        if path is not None and not (path.is_file() and path.suffix.lower() in suffixes):
            state = "is of another kind" if path.exists() else "does not exist"
            kind = "a table or a file of texts" if suffixes == SUFFIXES else f"a {_or(suffixes)} file"
            raise DataError(f"{option} must be {kind} like the source; {path} {state}")


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
