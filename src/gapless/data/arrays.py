"""A .npz file with arrays x and y, read without pickle."""

from __future__ import annotations

import os
import zipfile
import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from gapless.data.columns import Column, Numbers, fit
from gapless.data.labels import Labels, labels_from_array, match_array
from gapless.data.options import SourceOptions
from gapless.data.splits import checked, complete, divide
from gapless.data.task import Array, Rows, Task
from gapless.errors import DataError

_CHANNELS = (1, 3, 4)
_NAMES = {  # what an array may be called; the second spelling is that of Keras's sets
    "x": ("x", "x_train"),
    "y": ("y", "y_train"),
    "x_test": ("x_test",),
    "y_test": ("y_test",),
}


@dataclass(frozen=True)
class _Part:
    """One pair of arrays as they stand in a file."""

    where: str
    x: Array
    y: Array


def load_arrays(path: Path, options: SourceOptions) -> Task:
    """A Task from x, y (and x_test, y_test, or those of a second file given as test data).

    x: images uint8 (N, H, W), (N, H, W, C) or (N, C, H, W) with 1, 3 or 4 channels, or floats in [0, 1] of these
    shapes; tables (N, F) of any numbers, NaN where a value is missing. y: integers, strings, or floats (a regression).
    """
    arrays = _read(path, ("x_test", "y_test") if options.test is None else ())
    develop = _part(path, arrays, "x", "y")
    confirm = None
    if options.test is not None:
        confirm = _part(options.test, _read(options.test), "x", "y")
    elif "x_test" in arrays or "y_test" in arrays:
        confirm = _part(path, arrays, "x_test", "y_test")
    labels = labels_from_array(develop.y, develop.where)
    _require_labels(labels, develop.where)
    confirm_y = None if confirm is None else _test_labels(confirm, labels.classes)
    also = [(name, _part(file, _read(file), "x", "y")) for name, file in options.also]
    if develop.x.ndim == 2:
        return _table(path.name, develop, labels, confirm, confirm_y, also, options)
    pixels, note = _pixels(develop)
    task = Task(
        path.name,
        Rows(pixels, labels.y),
        None if confirm is None or confirm_y is None else Rows(_pixels(confirm)[0], confirm_y),
        classes=labels.classes,
        notes=(labels.note, *note),
        also=tuple((name, Rows(_pixels(part)[0], _test_labels(part, labels.classes))) for name, part in also),
    )
    return complete(task, options.train_size, options.seed)


def _table(
    name: str,
    part: _Part,
    labels: Labels,
    confirm: _Part | None,
    confirm_y: Array | None,
    also: list[tuple[str, _Part]],
    options: SourceOptions,
) -> Task:
    columns = _columns(part)
    develop, aside = divide(labels.y, options.train_size, confirm is not None, options.seed)
    encoder = fit(list(columns.values()), develop, part.where)

    def rows(test: _Part, y: Array) -> Rows:
        if test.x.shape[1:] != part.x.shape[1:]:
            raise DataError(f"{test.where}: x must have {part.x.shape[1]} columns like x, got {test.x.shape}")
        return Rows(encoder.encode(_columns(test), np.arange(len(test.x))), y)

    if confirm is None or confirm_y is None:
        confirm_rows = Rows(encoder.encode(columns, aside), labels.y[aside])
    else:
        confirm_rows = rows(confirm, confirm_y)
    task = Task(
        name,
        Rows(encoder.encode(columns, develop), labels.y[develop]),
        confirm_rows,
        classes=labels.classes,
        categories=encoder.categories,
        features=encoder.features,
        notes=(labels.note, *encoder.notes),
        also=tuple((name, rows(test, _test_labels(test, labels.classes))) for name, test in also),
    )
    return checked(task)


def _columns(part: _Part) -> dict[str, Column]:
    if part.x.ndim != 2 or part.x.dtype.kind not in "iubf":
        raise DataError(f"{part.where}: a table must be numbers (N, F), got {part.x.dtype} {part.x.shape}")
    values = part.x.astype(np.float64)
    values[~np.isfinite(values)] = np.nan
    names = [f"column {i}" for i in range(values.shape[1])]
    return {name: Numbers(name, values[:, i]) for i, name in enumerate(names)}


def _pixels(part: _Part) -> tuple[Array, tuple[str, ...]]:
    """Images as uint8 (N, H, W, C), and what was done to get there."""
    x, where = part.x, part.where
    if x.ndim not in (3, 4) or x.dtype.kind not in "iuf":
        raise DataError(
            f"{where}: x must be images (N, H, W), (N, H, W, C) or (N, C, H, W), or a table (N, F), "
            f"got {x.dtype} {x.shape}"
        )
    notes: list[str] = []
    if x.ndim == 3:
        x = x[..., None]
    elif x.shape[3] not in _CHANNELS and x.shape[1] in _CHANNELS:
        x = x.transpose(0, 2, 3, 1)
        notes.append(f"The pictures stand channels first, {part.x.shape}; they were turned to channels last.")
    if x.shape[3] not in _CHANNELS:
        raise DataError(f"{where}: images must have 1, 3 or 4 channels, got shape {part.x.shape}")
    if min(x.shape[1:3]) < 2:
        raise DataError(f"{where}: images must be at least 2x2, got shape {part.x.shape}")
    if x.dtype != np.uint8 and x.size:
        x, note = _as_bytes(x, where)
        notes.append(note)
    return np.ascontiguousarray(x), tuple(notes)


def _as_bytes(x: Array, where: str) -> tuple[Array, str]:
    bad = int(np.count_nonzero(~np.isfinite(x)))
    if bad:
        raise DataError(f"{where}: images must not hold NaN or infinite values, there are {bad:,}; remove those rows")
    low, high = float(x.min()), float(x.max())
    if x.dtype.kind == "f" and low >= 0 and high <= 1:
        return np.round(np.multiply(x, 255, dtype=np.float64)).astype(
            np.uint8
        ), "The pictures are floats in [0, 1]; they were taken times 255 as uint8."
    if low >= 0 and high <= 255 and bool((x == np.floor(x)).all()):
        return x.astype(
            np.uint8
        ), f"The pictures are whole numbers up to {high:g} in {x.dtype}; they were taken as uint8."
    raise DataError(
        f"{where}: images must be uint8, or floats in [0, 1], got {x.dtype} from {low:g} to {high:g}; "
        "undo a standardisation, or scale the values to 0 .. 255 and store uint8"
    )


def _part(path: Path, arrays: dict[str, Array], x_name: str, y_name: str) -> _Part:
    where = f"{path} ({x_name}, {y_name})"
    for name in (x_name, y_name):
        if name not in arrays:
            raise DataError(f"{path}: has {', '.join(arrays)}, but no {name}; test data needs x_test and y_test")
    x, y = arrays[x_name], arrays[y_name]
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        advice = "; take y.argmax(1) of one-hot labels" if y.ndim == 2 else ""
        raise DataError(f"{where}: {y_name} must have one label a row, shape (N,), got {y.shape}{advice}")
    if x.ndim == 0 or len(x) != len(y):
        rows = f"{len(x):,} rows" if x.ndim else "a single number"
        raise DataError(f"{where}: {x_name} has {rows}, {y_name} has {len(y):,}; they must be equally long")
    if not len(x):
        raise DataError(f"{where}: there are no rows")
    return _Part(where, x, y)


def _require_labels(labels: Labels, where: str) -> None:
    missing = int(labels.missing.sum())
    if missing:
        raise DataError(f"{where}: {missing:,} of {len(labels.y):,} labels are NaN or missing; remove these rows")


def _test_labels(part: _Part, classes: tuple[str, ...]) -> Array:
    y = match_array(part.y, classes, part.where)
    _require_labels(Labels(y, classes, ""), part.where)
    return y


def _read(path: Path, optional: tuple[str, ...] = ()) -> dict[str, Array]:
    """The arrays x and y, and the optional ones where they are there."""
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path}: is not a .npz file (a zip of arrays); save with np.savez(path, x=..., y=...)")
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            wanted = ("x", "y", *optional)
            found = {name: members[spelling] for name in wanted for spelling in _NAMES[name] if spelling in members}
            for name in ("x", "y"):
                if name not in found:
                    there = ", ".join(sorted(members)) or "none"
                    raise DataError(
                        f"{path}: needs an array {name!r}, its arrays are: {there}; "
                        "save with np.savez(path, x=..., y=...)"
                    )
            _require_memory(path, sum(info.file_size for info in found.values()))
            return {name: _read_member(path, archive, info) for name, info in found.items()}
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{path}: cannot be read ({error}); save it again") from error


def _read_member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Array:
    """One array, after its header was found to be plain numbers or text and to declare the bytes that are there."""
    with archive.open(info) as stream:
        try:
            version = npy.read_magic(stream)
            read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, dtype = read_header(stream)
        except ValueError as error:
            raise DataError(f"{path}: {info.filename} is not a numpy array ({error})") from error
        if dtype.hasobject:
            raise DataError(
                f"{path}: {info.filename} holds Python objects, which can run code when read, so it is refused; "
                "store numbers or strings: np.array(values.tolist())"
            )
        declared, there = prod(shape) * dtype.itemsize, info.file_size - stream.tell()
        if declared != there:
            raise DataError(f"{path}: {info.filename} declares {declared:,} bytes and has {there:,}; save it again")
    with archive.open(info) as stream:
        return npy.read_array(stream, allow_pickle=False)


def _require_memory(path: Path, needed: int) -> None:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory:
        raise DataError(
            f"{path}: its arrays need {needed / 1e9:.1f} GB of memory, this machine has {memory / 1e9:.1f}; "
            "store images as uint8, or as a folder of class folders, which is mapped from disk"
        )
