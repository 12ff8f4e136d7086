"""Data that Python holds: frames, arrays, tensors, lists of texts, datasets of torch and of Hugging Face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gapless.data.decode import Pixels, square_of, widened
from gapless.data.images import chosen_side
from gapless.data.inputs.arrays import array_of
from gapless.data.options import SourceOptions
from gapless.data.readers.arrays import Part, arrays_task, pair
from gapless.data.readers.texts import text_column, texts_task
from gapless.data.tables.frames import cells_of, column_names, column_of, is_frame, labels_column, sheet_of_frame
from gapless.data.tables.sheet import Sheet
from gapless.data.tables.table import table_task
from gapless.data.task import Task
from gapless.errors import DataError, UsageError

_TEXT, _TARGET = "text", "target"  # what the columns are called that a list of texts and its labels make
_GROUP, _TIME = "group", "time"  # likewise


@dataclass(frozen=True)
class Held:
    """Data that Python holds, test data of the same kind, and further test data by name."""

    data: Any
    test: Any | None
    also: tuple[tuple[str, Any], ...]
    group: Any = None
    time: Any = None

    @property
    def belonging(self) -> dict[str, Any]:
        """The arrays of groups and moments, where they were given apart from the data."""
        return {name: found for name, found in ((_GROUP, self.group), (_TIME, self.time)) if found is not None}


def load_object(name: str, held: Held, target: Any, options: SourceOptions) -> Task:
    """A Task from any of them; UsageError or DataError says what does not fit."""
    first = held.data
    options = replace(options, **{name: name for name in held.belonging})
    if held.belonging and (held.test is not None or held.also):
        raise UsageError("test data has no groups and moments beside it; give frames with columns of them, or a Task")
    if is_frame(first):
        return _from_frames(name, held, target, options)
    if target is None and _is_dataset(first):
        parts = [_of_dataset(one) for one in (first, held.test) if one is not None]
        further = [(word, _of_dataset(one)) for word, one in held.also]
    elif target is None or isinstance(target, str):
        raise UsageError(f"arrays need their labels: load(x, y); got {type(first).__name__} with target {target!r}")
    else:
        parts = [(first, target), *([_pair_of("test", held.test)] if held.test is not None else [])]
        further = [(word, _pair_of(f"also {word}", one)) for word, one in held.also]
    if _are_texts(parts[0][0]):
        sheets = [_text_sheet(name, x, y) for x, y in parts]
        given = {name: cells_of(np.array(array_of(found), dtype=object)) for name, found in held.belonging.items()}
        sheets[0] = replace(sheets[0], columns={**sheets[0].columns, **given})
        also = [(word, _text_sheet(word, x, y)) for word, (x, y) in further]
        test = sheets[1] if len(sheets) > 1 else None
        return texts_task(name, sheets[0], test, also, replace(options, target=_TARGET), _TEXT)
    return _from_arrays(name, parts, further, options, [{k: array_of(v) for k, v in held.belonging.items()}])


# ── frames ──


def _from_frames(name: str, held: Held, target: Any, options: SourceOptions) -> Task:
    if target is not None and not isinstance(target, str):
        held = replace(held, data=_with_column(held.data, target, _TARGET))
        target = _TARGET
    for column, values in held.belonging.items():
        held = replace(held, data=_with_column(held.data, values, column))
    options = replace(options, target=target)
    pictures = _picture_column(held.data)
    if pictures is not None:
        label = target or next((n for n in column_names(held.data) or () if n != pictures), None)
        if label is None:
            raise DataError(f"{name}: the pictures have no column of labels beside them; name it with target=")
        parts = [
            (column_of(one, pictures), labels_column(one, label)) for one in (held.data, held.test) if one is not None
        ]
        further = [(word, (column_of(one, pictures), labels_column(one, label))) for word, one in held.also]
        told = {_GROUP: options.group, _TIME: options.time}
        own = [
            {k: labels_column(one, column) for k, column in told.items() if column}
            for one in (held.data, held.test)
            if one is not None
        ]
        return _from_arrays(name, parts, further, options, own)
    sheet = sheet_of_frame(held.data, name)
    test = None if held.test is None else sheet_of_frame(held.test, "test")
    also = [(word, sheet_of_frame(one, word)) for word, one in held.also]
    if options.text is not None:
        text, note = text_column(sheet, options)
        return texts_task(name, sheet, test, also, options, text, note)
    return table_task(name, sheet, test, also, options)


def _with_column(frame: Any, values: Any, column: str) -> dict[str, Any]:
    names = list(frame) if isinstance(frame, Mapping) else list(column_names(frame) or ())
    if column in names:
        raise UsageError(f"the frame has a column {column!r} already; give its name as {column}, or rename it")
    return {**{name: frame[name] for name in names}, column: array_of(values)}


def _picture_column(data: Any) -> str | None:
    if isinstance(data, Mapping) or not hasattr(data, "column_names") or not len(data):
        return None
    first = data[0]
    return next((name for name in column_names(data) or () if isinstance(first[name], Image.Image)), None)


# ── arrays and datasets ──


def _is_dataset(data: Any) -> bool:
    """Torch's map-style data sets: a length and rows by number, and no array."""
    return hasattr(data, "__len__") and hasattr(data, "__getitem__") and not hasattr(data, "__array__")


def _of_dataset(data: Any) -> tuple[list[Any], list[Any]]:
    if not _is_dataset(data) or isinstance(data, str | bytes):
        raise UsageError(
            f"cannot read {type(data).__name__} as data; give a path, a frame, arrays x and y, or a data set"
        )
    if not len(data):
        raise DataError("the data set has no rows")
    x: list[Any] = []
    y: list[Any] = []
    for row in range(len(data)):
        item = data[row]
        if not isinstance(item, tuple | list) or len(cast(Sequence[Any], item)) != 2:
            raise DataError(f"row {row} of the data set must be a pair (input, label), got {type(item).__name__}")
        x.append(item[0])
        y.append(item[1])
    return x, y


def _pair_of(where: str, data: Any) -> tuple[Any, Any]:
    if not isinstance(data, tuple) or len(cast(tuple[Any, ...], data)) != 2:
        raise UsageError(f"{where} must be a pair of arrays (x, y) like the data, got {type(data).__name__}")
    return cast(tuple[Any, Any], data)


def _are_texts(x: Any) -> bool:
    return (not hasattr(x, "ndim") and len(x) > 0 and isinstance(x[0], str)) or (
        hasattr(x, "dtype") and getattr(x.dtype, "kind", "") in "OU" and len(x) > 0 and isinstance(x[0], str)
    )


def _text_sheet(name: str, x: Any, y: Any) -> Sheet:
    texts, labels = np.array([str(text) for text in x], dtype=object), array_of(y)
    if len(texts) != len(labels):
        raise DataError(f"{name}: {len(texts):,} texts and {len(labels):,} labels; they must be equally many")
    return Sheet(Path(name), "", {_TEXT: cells_of(texts), _TARGET: cells_of(labels)}, range(len(texts)), (), ())


def _from_arrays(
    name: str,
    parts: list[tuple[Any, Any]],
    further: list[tuple[str, tuple[Any, Any]]],
    options: SourceOptions,
    belonging: list[dict[str, NDArray[Any]]],
) -> Task:
    """A Task from pairs of inputs and labels; belonging: the groups and moments of each pair."""
    for option in ("ignore", "keep", "missing", "text"):
        if getattr(options, option):
            raise UsageError(
                f"{option} is for frames and files with columns and has no meaning for arrays; leave it out"
            )
    side, notes = _side([x for x, _ in parts], options)
    found = [replace(_part(name, x, y, side), **own) for (x, y), own in zip(parts, belonging, strict=False)]
    found += [_part(name, x, y, side) for x, y in parts[len(belonging) :]]
    also = [(word, _part(word, x, y, side)) for word, (x, y) in further]
    channels = max(part.x.shape[-1] for part in (*found, *(part for _, part in also))) if side else 0
    found, also = [_wide(part, channels) for part in found], [(word, _wide(part, channels)) for word, part in also]
    task = arrays_task(name, found[0], found[1] if len(found) > 1 else None, also, options)
    return replace(task, notes=(*notes, *task.notes))


def _side(inputs: list[Any], options: SourceOptions) -> tuple[int, tuple[str, ...]]:
    """The side that Pillow's pictures are brought to; 0 where there are none, or where they are small and all alike."""
    if not isinstance(inputs[0][0], Image.Image):
        if options.image_size is not None:
            raise UsageError("image_size is for pictures of Pillow and for folders; resize arrays before")
        return 0, ()
    if options.image_size is not None:
        return options.image_size, ()
    side, note = chosen_side([min(picture.size) for picture in inputs[0]])
    return side, (note.replace("--image-size", "image_size"),)


def _part(name: str, x: Any, y: Any, side: int) -> Part:
    if side:
        squares = [square_of(picture, side) for picture in x]
        channels = max(square.shape[2] for square in squares)
        return pair(name, np.stack([widened(square, channels) for square in squares]), array_of(y))
    if isinstance(x, list) and x:
        shapes = {tuple(getattr(row, "shape", ())) for row in cast(list[Any], x)}
        if len(shapes) > 1:
            raise DataError(
                f"{name}: the inputs have different shapes, such as {sorted(shapes)[:3]}; bring them to one"
            )
    return pair(name, array_of(x), array_of(y))


def _wide(part: Part, channels: int) -> Part:
    if not channels or part.x.shape[-1] == channels:
        return part
    rows: list[Pixels] = [widened(cast(Pixels, row), channels) for row in part.x]
    return replace(part, x=np.stack(rows))
