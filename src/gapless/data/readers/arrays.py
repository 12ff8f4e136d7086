"""A .npz file with arrays x and y, read without pickle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gapless.data.duplicates import row_hashes
from gapless.data.inputs.arrays import pixels_of, read_npz
from gapless.data.inputs.tables import ArrayInputs, columns_of
from gapless.data.labels import Labels, class_texts, labels_from_array, match_array
from gapless.data.options import SourceOptions
from gapless.data.splits import Moments, checked, complete, divide, numbered
from gapless.data.tables.columns import Column, fit
from gapless.data.task import Array, Rows, Task
from gapless.errors import DataError

_NAMES = {  # what an array may be called; the second spelling is that of Keras's sets
    "x": ("x", "x_train"),
    "y": ("y", "y_train"),
    "x_test": ("x_test",),
    "y_test": ("y_test",),
}


@dataclass(frozen=True)
class Part:
    """One pair of arrays, and where they are from."""

    where: str
    x: Array
    y: Array
    group: Array | None = None
    time: Array | None = None

    def __post_init__(self) -> None:
        for kind, found in (("group", self.group), ("time", self.time)):
            if found is not None and found.shape != self.y.shape:
                raise DataError(f"{self.where}: {kind} must have one value a row, {self.y.shape}, got {found.shape}")

    def take(self, rows: NDArray[np.bool_]) -> Part:
        group, time = (None if found is None else found[rows] for found in (self.group, self.time))
        return Part(self.where, self.x[rows], self.y[rows], group, time)


def load_arrays(path: Path, options: SourceOptions) -> Task:
    """A Task from x, y (and x_test, y_test, or those of a second file given as test data).

    x: images uint8 (N, H, W), (N, H, W, C) or (N, C, H, W) with 1, 3 or 4 channels, or floats in [0, 1] of these
    shapes; tables (N, F) of any numbers, NaN where a value is missing. y: integers, strings, or floats (a regression).
    """
    own = tuple(name for name in (options.group, options.time) if name is not None)
    arrays = _read(path, (*own, *(("x_test", "y_test", *(f"{n}_test" for n in own)) if options.test is None else ())))
    develop = _part(path, arrays, "", options)
    confirm = None
    if options.test is not None:
        confirm = _part(options.test, _read(options.test, own), "", options)
    elif "x_test" in arrays or "y_test" in arrays:
        confirm = _part(path, arrays, "_test", options)
    also = [(name, _part(file, _read(file, own), "", options)) for name, file in options.also]
    return arrays_task(path.name, develop, confirm, also, options)


def arrays_task(
    name: str, develop: Part, confirm: Part | None, also: list[tuple[str, Part]], options: SourceOptions
) -> Task:
    """A Task from one pair of arrays, and from further ones as test data."""
    labels = labels_from_array(develop.y, develop.where, options.task)
    _require_labels(labels, develop)
    if labels.rare:
        develop, labels = develop.take(~labels.missing), labels.take(~labels.missing)
    confirm, confirm_y = (None, None) if confirm is None else _test_labels(confirm, labels)
    if develop.x.ndim == 2:
        return _table(name, develop, labels, confirm, confirm_y, also, options)
    pixels, note = pixels_of(develop.x, develop.where)
    further = [(name, _test_labels(part, labels)) for name, part in also]
    names: dict[str, int] = {}
    task = Task(
        name,
        _rows(pixels, labels.y, develop, names),
        None
        if confirm is None or confirm_y is None
        else _rows(pixels_of(confirm.x, confirm.where)[0], confirm_y, confirm, names),
        classes=labels.classes,
        notes=(labels.note, *note),
        also=tuple((name, _rows(pixels_of(part.x, part.where)[0], y, part, names)) for name, (part, y) in further),
        group=options.group or "group",
        time=options.time or "time",
    )
    return complete(task, options.train_size, options.seed)


def _rows(x: Array, y: Array, part: Part, names: dict[str, int]) -> Rows:
    """Rows with the groups and moments of their part; names: the numbers of groups seen so far."""
    group = None if part.group is None else numbered([str(value) for value in part.group.tolist()], names)
    return Rows(x, y, group, None if part.time is None else _moments(part.time, part.where))


def _moments(time: Array, where: str) -> Moments:
    found = time.astype("datetime64[s]").astype(np.int64) if time.dtype.kind == "M" else time
    if (
        found.dtype.kind not in "iuf"
        or not np.isfinite(found).all()
        or (time.dtype.kind == "M" and np.isnat(time).any())
    ):
        raise DataError(f"{where}: time must be one number or date a row, none of them missing, got {time.dtype}")
    return found.astype(np.float64)


def _table(
    name: str,
    part: Part,
    labels: Labels,
    confirm: Part | None,
    confirm_y: Array | None,
    also: list[tuple[str, Part]],
    options: SourceOptions,
) -> Task:
    columns, names = _columns(part), dict[str, int]()
    every = _rows(part.x, labels.y, part, names)
    develop, aside = divide(
        every.y, options.train_size, confirm is not None, options.seed, None, every.group, every.time
    )
    encoder = fit(list(columns.values()), develop, part.where)

    def rows(test: Part, y: Array) -> Rows:
        if test.x.shape[1:] != part.x.shape[1:]:
            raise DataError(f"{test.where}: x must have {part.x.shape[1]} columns like x, got {test.x.shape}")
        found = _rows(encoder.encode(_columns(test), np.arange(len(test.x))), y, test, names)
        return replace(found, origin=row_hashes(test.x))

    if confirm is None or confirm_y is None:
        confirm_rows = replace(every.take(aside), x=encoder.encode(columns, aside), origin=row_hashes(part.x[aside]))
    else:
        confirm_rows = rows(confirm, confirm_y)
    task = Task(
        name,
        replace(every.take(develop), x=encoder.encode(columns, develop)),
        confirm_rows,
        classes=labels.classes,
        categories=encoder.categories,
        features=encoder.features,
        inputs=ArrayInputs(part.x.shape[1], encoder),
        notes=(labels.note, *encoder.notes),
        also=tuple((name, rows(*_test_labels(test, labels))) for name, test in also),
        group=options.group or "group",
        time=options.time or "time",
    )
    return checked(task)


def _columns(part: Part) -> dict[str, Column]:
    if part.x.ndim != 2 or part.x.dtype.kind not in "iubf":
        raise DataError(f"{part.where}: a table must be numbers (N, F), got {part.x.dtype} {part.x.shape}")
    return columns_of(part.x)


def _part(path: Path, arrays: dict[str, Array], test: str, options: SourceOptions) -> Part:
    """The arrays of one part; `test` is what their names end in."""
    names = {"x": f"x{test}", "y": f"y{test}"}
    names |= {kind: f"{n}{test}" for kind, n in (("group", options.group), ("time", options.time)) if n is not None}
    for kind, name in names.items():
        if name not in arrays:
            why = "test data needs x_test and y_test" if kind in ("x", "y") else f"--{kind} is for an array one a row"
            raise DataError(f"{path}: has {', '.join(arrays)}, but no {name}; {why}")
    x, y = names["x"], names["y"]
    found = pair(f"{path} ({x}, {y})", arrays[x], arrays[y], x, y)
    return replace(found, **{kind: arrays[name] for kind, name in names.items() if kind in ("group", "time")})


def pair(where: str, x: Array, y: Array, x_name: str = "x", y_name: str = "y") -> Part:
    """Inputs and labels that belong together; one-hot labels become the numbers of their classes."""
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    elif y.ndim == 2 and y.dtype.kind in "iubf" and len(y) and set(np.unique(y).tolist()) == {0, 1}:
        if bool((y.sum(axis=1) != 1).any()):
            raise DataError(
                f"{where}: {y_name} holds several labels a row (flags {y.shape}), and gapless trains on one label a "
                f"row; give one of its columns, such as {y_name}[:, 0]"
            )
        y = y.argmax(axis=1)
    if y.ndim != 1:
        raise DataError(f"{where}: {y_name} must have one label a row, shape (N,), got {y.shape}")
    if x.ndim == 0 or len(x) != len(y):
        rows = f"{len(x):,} rows" if x.ndim else "a single number"
        raise DataError(f"{where}: {x_name} has {rows}, {y_name} has {len(y):,}; they must be equally long")
    if not len(x):
        raise DataError(f"{where}: there are no rows")
    return Part(where, x, y)


def _require_labels(labels: Labels, part: Part) -> None:
    single = np.isin(class_texts(part.y), sorted(labels.rare)) if labels.rare else False
    missing = int((labels.missing & ~np.asarray(single)).sum())
    if missing:
        raise DataError(f"{part.where}: {missing:,} of {len(labels.y):,} labels are NaN or missing; remove these rows")


def _test_labels(part: Part, labels: Labels) -> tuple[Part, Array]:
    """The rows whose class is learned, and their labels."""
    found = match_array(part.y, labels, part.where)
    _require_labels(found, part)
    kept = ~found.missing
    return (part.take(kept), found.y[kept]) if labels.rare else (part, found.y)


def _read(path: Path, optional: tuple[str, ...] = ()) -> dict[str, Array]:
    """The arrays x and y, and the optional ones where they are there."""
    wanted = ("x", "y", *optional)
    return read_npz(path, {name: _NAMES.get(name, (name,)) for name in wanted}, ("x", "y"))
