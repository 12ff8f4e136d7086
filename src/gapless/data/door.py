"""The Python door to data: what the command understands, and what Python holds, as a Task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from gapless.data.options import SourceOptions
from gapless.data.readers.objects import Held, load_object
from gapless.data.source import load as load_source
from gapless.data.task import Task
from gapless.errors import UsageError


def load(
    source: Any,
    target: Any = None,
    *,
    test: Any = None,
    also: Mapping[str, Any] | None = None,
    text: str | None = None,
    train_size: int | None = None,
    seed: int = 0,
    image_size: int | None = None,
    data_dir: str | Path | None = None,
    ignore: Sequence[str] = (),
    keep: Sequence[str] = (),
    missing: Sequence[str] = (),
    task: Literal["classification", "regression"] | None = None,
    fold_case: bool = False,
    group: Any = None,
    time: Any = None,
    name: str = "data",
) -> Task:
    """A Task, as `gapless tune` makes it; the options are those of the command.

        gapless.load("customers.csv", target="churn")
        gapless.load(frame, target="churn", ignore=["notes"])   # pandas, polars, a mapping of columns, Hugging Face
        gapless.load(x, y)                                      # numpy arrays, torch tensors, a list of texts
        gapless.load(dataset)                                   # a torch Dataset of pairs (input, label)

    Args:
        source: a path or another word that the command understands; a frame with columns; inputs: pictures (N, H, W),
            (N, H, W, C) or (N, C, H, W), rows of a table (N, F), or texts; a data set.
        target: the column to predict, or the labels (N,) that belong to inputs or to a frame.
        test: data for the verdict, of the same kind as the source; for inputs a pair (x, y). None puts a share aside.
        also: further test data by name, scored once at the end, apart from the verdict.
        text: the column that holds the texts to learn from.
        train_size: develop rows, a stratified subset. seed: of the draws, from 0.
        image_size: the side of pictures in files, folders and data sets, in pixels. data_dir: of fashion-mnist.
        ignore, keep: columns to leave out, and to keep although they look like identifiers. A str is one column.
        missing: what else stands for no value, such as "-999".
        task: whether to learn classes or a quantity; None goes by the target.
        fold_case: classes that differ only by case or space are one.
        group: the column, or an array (N,), whose equal values say which rows belong together; folders: "folder" or
            "stem". time: the column or array that says when a row is from.
        name: what the run of data without a file is called.

    Raises:
        UsageError: options that do not fit the source.
        DataError: data that cannot be read or learned from; says where and what to do.
    """
    options = SourceOptions(
        None if data_dir is None else Path(data_dir),
        train_size=train_size,
        seed=seed,
        image_size=image_size,
        text=text,
        ignore=_names(ignore),
        keep=_names(keep),
        missing=_names(missing),
        task=task,
        fold_case=fold_case,
        group=group if isinstance(group, str) else None,
        time=time if isinstance(time, str) else None,
    )
    arrays = [None if isinstance(found, str) else found for found in (group, time)]
    return _loaded(name, Held(source, test, tuple((also or {}).items()), *arrays), target, options)


def _loaded(name: str, held: Held, target: Any, options: SourceOptions) -> Task:
    """The Task of what Python holds, or of what a word names."""
    source = held.data
    if not isinstance(source, str | Path):
        if options.data_dir is not None:
            raise UsageError("data_dir is for fashion-mnist; leave it out")
        return load_object(name, held, target, options)
    if held.belonging:
        raise UsageError(f"group and time of {source} must be names of columns; for arrays give the data as arrays too")
    for place in (held.test, *(place for _, place in held.also)):
        if place is not None and not isinstance(place, str | Path):
            raise UsageError(f"test data of {source} must be a path like it, got {type(place).__name__}")
    if target is not None and not isinstance(target, str):
        raise UsageError(f"target must be the name of a column of {source}, got {type(target).__name__}")
    further = tuple((word, Path(place).expanduser()) for word, place in held.also)
    given = None if held.test is None else Path(held.test).expanduser()
    return load_source(str(source), replace(options, target=target, test=given, also=further))


def _names(names: Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)
