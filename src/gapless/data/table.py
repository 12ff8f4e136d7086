"""A table in a text file: which column is the target, which columns are numbers, words, text or identifiers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gapless.data.columns import Column, Encoder, Numbers, Words, fit
from gapless.data.delimited import Sheet, read_sheet
from gapless.data.labels import MISSING, labels_from_cells, match_cells, number
from gapless.data.options import SourceOptions
from gapless.data.splits import checked, divide
from gapless.data.targets import Labelled, labelled, target_of
from gapless.data.task import Rows, Skipped, Task
from gapless.errors import DataError, did_you_mean

_NUMERIC = 0.95  # share of cells that must be numbers
_WORDS, _WORDS_SHARE = 20, 0.05  # distinct words of a categorical column, at most, or as a share of the rows
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+")


@dataclass(frozen=True)
class _Read:
    """A column, whether its decimal point is a comma, and what was odd about its cells."""

    column: Column
    decimal_comma: bool
    notes: tuple[str, ...]


def load_table(path: Path, options: SourceOptions) -> Task:
    """A Task from a .csv or .tsv file, and from a second one as test data.

    Numbers are standardised and words numbered by what the develop rows hold; confirm rows are encoded by the same.
    """
    sheet = read_sheet(path)
    name, target_note = target_of(sheet, options.target)
    labels = labels_from_cells(sheet.columns[name], name)
    rows = labelled(sheet, name, labels.y, labels.missing)
    reads, notes = _without_identifiers(sheet, _columns(rows, name))
    columns = [read.column for read in reads]
    develop, aside = divide(rows.y, options.train_size, options.test is not None, options.seed)
    encoder = fit(columns, develop, str(path))
    by_name = {column.name: column for column in columns}
    skipped = rows.skipped
    if options.test is None:
        confirm = Rows(encoder.encode(by_name, aside), rows.y[aside])
    else:
        confirm, test_notes, test_skipped = _test_rows(options.test, name, labels.classes, reads, encoder)
        notes, skipped = (*notes, *test_notes), (*skipped, *test_skipped)
    also: list[tuple[str, Rows]] = []
    for further, file in options.also:
        found, test_notes, test_skipped = _test_rows(file, name, labels.classes, reads, encoder)
        also.append((further, found))
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
        also=tuple(also),
    )
    return checked(task)


def _columns(rows: Labelled, target: str) -> list[_Read]:
    """The feature columns as they were read; DataError when some hold text."""
    reads: list[_Read] = []
    texts: list[str] = []
    most = max(_WORDS, _WORDS_SHARE * len(rows.rows))
    for name in rows.sheet.columns:
        if name == target:
            continue
        cells = _cells(rows, name)
        read = _column(name, cells, rows.sheet.separator != "," and _has_decimal_commas(cells), None)
        column = read.column
        if isinstance(column, Words) and len(column.words) > most:
            texts.append(f"{name!r} ({len(column.words):,} distinct values such as {column.words[0][:40]!r})")
        else:
            reads.append(read)
    if texts:
        raise DataError(
            f"{rows.sheet.path}: text or identifiers cannot be learned from here: {', '.join(texts)}; remove "
            f"{'this column' if len(texts) == 1 else 'these columns'} from the file, or replace by numbers or at most "
            f"{int(most)} categories; or learn from a column of texts: --text {texts[0].partition(' (')[0]}"
        )
    return reads


def _cells(rows: Labelled, name: str) -> list[str]:
    cells = rows.sheet.columns[name]
    return [cells[row] for row in rows.rows.tolist()]


def _has_decimal_commas(cells: Sequence[str]) -> bool:
    """Whether a comma is the decimal point: some cell with one cannot be grouped thousands, and no cell has a point."""
    commas = [cell for cell in cells if "," in cell]
    return any(not _THOUSANDS.fullmatch(cell) and _number(cell, True) is not None for cell in commas) and not any(
        "." in cell for cell in cells
    )


def _number(cell: str, decimal_comma: bool) -> float | None:
    return number(cell.replace(",", ".", 1) if decimal_comma else cell)


def _column(name: str, cells: Sequence[str], decimal_comma: bool, known: type[Column] | None) -> _Read:
    """Reads the cells as numbers or words: as `known` says, or as 95 % of them are."""
    present = [cell not in MISSING for cell in cells]
    values = [_number(cell, decimal_comma) if there else None for cell, there in zip(cells, present, strict=True)]
    numeric = len(values) - values.count(None)
    if known is Words or (known is None and numeric < _NUMERIC * sum(present)):
        words = tuple(sorted(set(cells) - MISSING))
        place = {word: i for i, word in enumerate(words)} | dict.fromkeys(MISSING, -1)
        return _Read(Words(name, np.array([place[cell] for cell in cells], dtype=np.int64), words), False, ())
    notes: list[str] = []
    if decimal_comma:
        notes.append(f"Column {name!r} is read with decimal commas.")
    other = [cell for cell, there, value in zip(cells, present, values, strict=True) if there and value is None]
    if other:
        are = "1 cell is" if len(other) == 1 else f"{len(other):,} cells are"
        notes.append(f"Column {name!r}: {are} not numbers, such as {other[0][:40]!r}, and taken as missing.")
    return _Read(Numbers(name, np.array(values, dtype=np.float64)), decimal_comma, tuple(notes))


def _without_identifiers(sheet: Sheet, reads: Sequence[_Read]) -> tuple[list[_Read], tuple[str, ...]]:
    """The columns that do not number the rows, and notes about those that do and about what was odd in the others."""
    left_out = {read.column.name for read in reads if _is_identifier(sheet, read.column)}
    kept = [read for read in reads if read.column.name not in left_out]
    notes = [f"Column {name!r} left out: it numbers the rows." for name in sorted(left_out)]
    return kept, (*notes, *(note for read in kept for note in read.notes))


def _is_identifier(sheet: Sheet, column: Column) -> bool:
    """Whole numbers that only rise or only fall, under a name such as id, index, PassengerId, customer_id, or none."""
    if not isinstance(column, Numbers) or not _names_rows(sheet, column.name):
        return False
    if len(column.values) < 3 or np.isnan(column.values).any():
        return False
    steps = np.diff(column.values)
    return bool((column.values == np.floor(column.values)).all() and ((steps > 0).all() or (steps < 0).all()))


def _names_rows(sheet: Sheet, name: str) -> bool:
    if name == f"column {list(sheet.columns).index(name) + 1}" or name.casefold().startswith("unnamed"):
        return True
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return bool(parts) and parts[-1].casefold() in {"id", "index", "idx", "rowid", "row"}


def _test_rows(
    path: Path, target: str, classes: tuple[str, ...], reads: Sequence[_Read], encoder: Encoder
) -> tuple[Rows, tuple[str, ...], tuple[Skipped, ...]]:
    sheet = read_sheet(path)
    used = {scale.name for scale in encoder.scales} | {code.name for code in encoder.codes}
    reads = [read for read in reads if read.column.name in used]
    for name in (target, *(read.column.name for read in reads)):
        if name not in sheet.columns:
            raise DataError(
                f"{path}: test data must have the columns of the source, {name!r} is missing."
                f"{did_you_mean(name, sheet.columns)}"
            )
    y = match_cells(sheet.columns[target], classes, str(path))
    rows = labelled(sheet, target, y, np.equal(y, -1) if classes else np.isnan(y))
    columns: dict[str, Column] = {}
    notes: list[str] = list(sheet.notes)
    for read in reads:
        name = read.column.name
        found = _column(name, _cells(rows, name), read.decimal_comma, type(read.column))
        columns[name] = found.column
        notes.extend(f"{path.name}: {note}" for note in found.notes if note not in read.notes)
    for code in encoder.codes:
        column = columns[code.name]
        if isinstance(column, Words) and (unknown := sorted(set(column.words) - set(code.words))):
            are = f"{len(unknown):,} categories of column {code.name!r}, such as {unknown[0][:40]!r}, do"
            notes.append(f"{path.name}: {are} not stand in the develop rows and are taken as unknown.")
    if not len(rows.rows):
        raise DataError(f"{path}: there are no rows with a target")
    return Rows(encoder.encode(columns, np.arange(len(rows.rows))), rows.y), tuple(notes), rows.skipped
