"""A table in a text file: which column is the target, which columns are numbers, words, text or identifiers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gapless.data.columns import Column, Encoder, Numbers, Words, fit
from gapless.data.delimited import Sheet, read_sheet
from gapless.data.labels import MISSING, labels_from_cells, match_cells, number
from gapless.data.options import SourceOptions
from gapless.data.splits import checked, divide
from gapless.data.task import Array, Rows, Skipped, Task
from gapless.errors import DataError, did_you_mean

_TARGETS = ("target", "label", "class", "y")
_NUMERIC = 0.95  # share of cells that must be numbers
_WORDS, _WORDS_SHARE = 20, 0.05  # distinct words of a categorical column, at most, or as a share of the rows
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+")


@dataclass(frozen=True)
class _Reading:
    """How the cells of a column are read."""

    numeric: bool
    decimal_comma: bool = False


@dataclass(frozen=True)
class _Labelled:
    """The rows of a sheet that have a target."""

    sheet: Sheet
    rows: NDArray[np.int64]
    y: Array
    skipped: tuple[Skipped, ...]


def load_table(path: Path, options: SourceOptions) -> Task:
    """A Task from a .csv or .tsv file, and from a second one as test data.

    Numbers are standardised and words numbered by what the develop rows hold; confirm rows are encoded by the same.
    """
    sheet = read_sheet(path)
    name, target_note = _target(sheet, options.target)
    labels = labels_from_cells(sheet.columns[name], name)
    rows = _labelled(sheet, name, labels.y, labels.missing)
    readings, columns, notes = _columns(rows, name)
    develop, aside = divide(rows.y, options.train_size, options.test is not None, options.seed)
    encoder = fit(columns, develop, str(path))
    by_name = {column.name: column for column in columns}
    skipped = rows.skipped
    if options.test is None:
        confirm = Rows(encoder.encode(by_name, aside), rows.y[aside])
    else:
        confirm, test_notes, test_skipped = _test_rows(options.test, name, labels.classes, readings, encoder)
        notes, skipped = (*notes, *test_notes), (*skipped, *test_skipped)
    task = Task(
        path.name,
        Rows(encoder.encode(by_name, develop), rows.y[develop]),
        confirm,
        classes=labels.classes,
        categories=encoder.categories,
        features=encoder.features,
        notes=(*sheet.notes, *target_note, labels.note, *notes, *encoder.notes),
        skipped=skipped,
    )
    return checked(task)


def _target(sheet: Sheet, target: str | None) -> tuple[str, tuple[str, ...]]:
    names = list(sheet.columns)
    if target is not None:
        if target not in names:
            raise DataError(f"{sheet.path}: there is no column {target!r} to predict.{did_you_mean(target, names)}")
        return target, ()
    usual = {name.casefold(): name for name in reversed(names)}
    for word in _TARGETS:
        if word in usual:
            return usual[word], (f"The target is column {usual[word]!r}; --target names another.",)
    return names[-1], (f"The target is column {names[-1]!r}, the last one; --target names another.",)


def _labelled(sheet: Sheet, target: str, y: Array, missing: NDArray[np.bool_]) -> _Labelled:
    """Leaves out the rows without a target and lists them."""
    without = np.flatnonzero(missing)
    if 2 * len(without) > len(y):
        raise DataError(
            f"{sheet.path}: {len(without):,} of {len(y):,} rows have no value in the target column {target!r}, more "
            "than half; fill it or choose another with --target"
        )
    cells = sheet.columns[target]
    left_out = tuple(
        Skipped(f"{sheet.path.name} line {sheet.lines[row]}", f"no target: {target!r} is {cells[row]!r}")
        for row in without
    )
    rows = np.flatnonzero(~missing)
    return _Labelled(sheet, rows, y[rows], (*sheet.skipped, *left_out))


def _columns(rows: _Labelled, target: str) -> tuple[dict[str, _Reading], list[Column], tuple[str, ...]]:
    """The feature columns with how they were read; DataError when some hold text."""
    readings: dict[str, _Reading] = {}
    columns: list[Column] = []
    notes: list[str] = []
    texts: list[str] = []
    most = max(_WORDS, _WORDS_SHARE * len(rows.rows))
    for name in rows.sheet.columns:
        if name == target:
            continue
        cells = _cells(rows, name)
        reading = _reading(cells, rows.sheet.separator)
        column, note = _column(name, cells, reading)
        if isinstance(column, Words) and len(column.words) > most:
            texts.append(f"{name!r} ({len(column.words):,} distinct values such as {column.words[0][:40]!r})")
        elif isinstance(column, Numbers) and _is_identifier(rows.sheet, column):
            notes.append(f"Column {name!r} left out: it numbers the rows.")
        else:
            readings[name] = reading
            columns.append(column)
            notes.extend(note)
    if texts:
        raise DataError(
            f"{rows.sheet.path}: text or identifiers cannot be learned from here: {', '.join(texts)}; remove "
            f"{'this column' if len(texts) == 1 else 'these columns'} from the file, or replace by numbers or at most "
            f"{int(most)} categories"
        )
    return readings, columns, tuple(notes)


def _cells(rows: _Labelled, name: str) -> list[str]:
    cells = rows.sheet.columns[name]
    return [cells[row] for row in rows.rows.tolist()]


def _reading(cells: Sequence[str], separator: str) -> _Reading:
    present = [cell for cell in cells if cell not in MISSING]
    comma = separator != "," and _has_decimal_commas(present)
    numeric = sum(_number(cell, comma) is not None for cell in present)
    return _Reading(numeric >= _NUMERIC * len(present), comma)


def _has_decimal_commas(present: Sequence[str]) -> bool:
    """Whether a comma is the decimal point: some cell with one cannot be grouped thousands, and no cell has a point."""
    commas = [cell for cell in present if "," in cell]
    return any(not _THOUSANDS.fullmatch(cell) and _number(cell, True) is not None for cell in commas) and not any(
        "." in cell for cell in present
    )


def _number(cell: str, decimal_comma: bool) -> float | None:
    return number(cell.replace(",", ".", 1) if decimal_comma else cell)


def _column(name: str, cells: Sequence[str], reading: _Reading) -> tuple[Column, tuple[str, ...]]:
    if not reading.numeric:
        words = tuple(sorted(set(cells) - MISSING))
        place = {word: i for i, word in enumerate(words)} | dict.fromkeys(MISSING, -1)
        return Words(name, np.array([place[cell] for cell in cells], dtype=np.int64), words), ()
    values = np.full(len(cells), np.nan)
    other: list[str] = []
    for i, cell in enumerate(cells):
        if cell not in MISSING:
            value = _number(cell, reading.decimal_comma)
            if value is None:
                other.append(cell)
            else:
                values[i] = value
    notes: list[str] = []
    if reading.decimal_comma:
        notes.append(f"Column {name!r} is read with decimal commas.")
    if other:
        are = "1 cell is" if len(other) == 1 else f"{len(other):,} cells are"
        notes.append(f"Column {name!r}: {are} not numbers, such as {other[0][:40]!r}, and taken as missing.")
    return Numbers(name, values), tuple(notes)


def _is_identifier(sheet: Sheet, column: Numbers) -> bool:
    """Whole numbers that only rise or only fall, under a name such as id, index, PassengerId, customer_id, or none."""
    if not _names_rows(sheet, column.name) or len(column.values) < 3 or np.isnan(column.values).any():
        return False
    steps = np.diff(column.values)
    return bool((column.values == np.floor(column.values)).all() and ((steps > 0).all() or (steps < 0).all()))


def _names_rows(sheet: Sheet, name: str) -> bool:
    if name == f"column {list(sheet.columns).index(name) + 1}" or name.casefold().startswith("unnamed"):
        return True
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return bool(parts) and parts[-1].casefold() in {"id", "index", "idx", "rowid", "row"}


def _test_rows(
    path: Path, target: str, classes: tuple[str, ...], readings: dict[str, _Reading], encoder: Encoder
) -> tuple[Rows, tuple[str, ...], tuple[Skipped, ...]]:
    sheet = read_sheet(path)
    used = {scale.name for scale in encoder.scales} | {code.name for code in encoder.codes}
    for name in (target, *(name for name in readings if name in used)):
        if name not in sheet.columns:
            raise DataError(
                f"{path}: test data must have the columns of the source, {name!r} is missing."
                f"{did_you_mean(name, sheet.columns)}"
            )
    y = match_cells(sheet.columns[target], classes, str(path))
    rows = _labelled(sheet, target, y, np.equal(y, -1) if classes else np.isnan(y))
    columns: dict[str, Column] = {}
    notes: list[str] = list(sheet.notes)
    for name, reading in readings.items():
        if name in used:
            columns[name], found = _column(name, _cells(rows, name), reading)
            notes.extend(f"{path.name}: {note}" for note in found if "not numbers" in note)
    for code in encoder.codes:
        column = columns[code.name]
        if isinstance(column, Words) and (unknown := sorted(set(column.words) - set(code.words))):
            are = f"{len(unknown):,} categories of column {code.name!r}, such as {unknown[0][:40]!r}, do"
            notes.append(f"{path.name}: {are} not stand in the develop rows and are taken as unknown.")
    if not len(rows.rows):
        raise DataError(f"{path}: there are no rows with a target")
    return Rows(encoder.encode(columns, np.arange(len(rows.rows))), rows.y), tuple(notes), rows.skipped
