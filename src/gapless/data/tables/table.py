"""A sheet becomes a Task: columns are read, encoded by what the develop rows hold, and accounted for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gapless.data.inputs.tables import TableInputs
from gapless.data.labels import Labels, match_cells
from gapless.data.options import SourceOptions
from gapless.data.readers.texts import texts_task
from gapless.data.splits import checked, divide
from gapless.data.tables.account import ColumnAccount
from gapless.data.tables.columns import Codes, Column, Encoder, Scale, Terms, fit
from gapless.data.tables.notice import may_group, noticed
from gapless.data.tables.reading import Reading, decide
from gapless.data.tables.sheet import Cells, Sheet
from gapless.data.tables.targets import Belonging, Labelled, belonging, labelled, target_of
from gapless.data.task import Rows, Skipped, Task
from gapless.errors import DataError, UsageError, did_you_mean

_NAMED = 5  # columns named in a note


@dataclass(frozen=True)
class _Known:
    """What the source decided, for its test rows."""

    labels: Labels
    inputs: TableInputs
    belongs: Belonging


def table_task(
    name: str, sheet: Sheet, test: Sheet | None, also: Sequence[tuple[str, Sheet]], options: SourceOptions
) -> Task:
    """A Task from a sheet, and from further ones as test data.

    Numbers are standardised and words numbered by what the develop rows hold; confirm rows are encoded by the same.
    A table whose only feature is a column of text becomes a Task of texts.
    """
    _require_columns(sheet, options)
    sheet = sheet.without(options.missing)
    target, labels, target_note = target_of(sheet, options)
    belongs = belonging(sheet, options, target)
    rows = labelled(sheet, target, labels, belongs)
    readings = tuple(_reading(rows, column, belongs, options) for column in sheet.columns if column != target)
    unread = tuple(ColumnAccount(column, "unread", "left out", why) for column, why in sheet.unread.items())
    used = [reading for reading in readings if reading.way != "left out"]
    if len(used) == 1 and used[0].way == "text":
        return texts_task(name, sheet, test, also, options, used[0].name)
    develop, aside = divide(rows.y, options.train_size, test is not None, options.seed, None, rows.group, rows.time)
    columns, odd_notes = _columns(rows, readings)
    if not columns:
        raise DataError(f"{sheet.path}: no column is left to learn from; {_reasons(readings)}; --keep COLUMN keeps one")
    encoder = fit(list(columns.values()), develop, str(sheet.path))
    known = _Known(labels, TableInputs(target, readings, encoder, options.missing), belongs)
    notes = [*sheet.notes, *target_note, labels.note, *_left_out(readings, unread), *odd_notes, *encoder.notes]
    cells = {r.name: _cells(rows, r.name) for r in readings}
    notes += noticed(rows, labels, cells, readings, columns, develop, belongs)
    maybe = {name: group[develop] for name, group in may_group(rows, labels, cells, readings, belongs).items()}
    skipped = rows.skipped
    confirm = rows.of(encoder.encode(columns, aside), aside, origin=True) if test is None else None
    further: list[tuple[str, Rows]] = []
    for part, more in [*([("", test)] if test is not None else []), *also]:
        found, test_notes, test_skipped = _test_rows(more.without(options.missing), known)
        notes, skipped = [*notes, *test_notes], (*skipped, *test_skipped)
        if part:
            further.append((part, found))
        else:
            confirm = found
    task = Task(
        name,
        replace(rows.of(encoder.encode(columns, develop), develop), maybe=maybe),
        confirm,
        classes=labels.classes,
        categories=encoder.categories,
        features=encoder.features,
        inputs=known.inputs,
        notes=tuple(notes),
        skipped=skipped,
        account=(*(_account(reading, encoder) for reading in readings), *unread, _target_account(target, labels)),
        also=tuple(further),
        group=belongs.group or "group",
        time=belongs.time or "time",
    )
    return checked(task)


def _reading(rows: Labelled, column: str, belongs: Belonging, options: SourceOptions) -> Reading:
    """What a column is; what says which rows belong together is not learned from unless it is kept."""
    told = belongs.says(column)
    if told and column not in options.keep:
        says = "which rows belong together" if told == "group" else "when a row is from"
        return Reading(column, "left out", told, f"it says {says}; --keep {column} has it learned from as well")
    return decide(rows.sheet, column, _cells(rows, column), options.ignore, options.keep)


def _require_columns(sheet: Sheet, options: SourceOptions) -> None:
    for option, names in (("--ignore", options.ignore), ("--keep", options.keep)):
        for name in names:
            if name not in sheet.columns:
                raise UsageError(
                    f"{option} {name}: {sheet.path} has no such column.{did_you_mean(name, sheet.columns)}"
                )
            if name == options.target:
                raise UsageError(f"{option} {name}: it is the target; leave the option out")
    if both := set(options.ignore) & set(options.keep):
        raise UsageError(f"--ignore and --keep both name {min(both)}; leave one out")
    if len(sheet.columns) < 2:
        raise DataError(f"{sheet.path}: a table needs a target and at least one more column, this one has one column")


def _cells(rows: Labelled, name: str) -> Cells:
    cells = rows.sheet.columns[name]
    return cells[rows.rows] if isinstance(cells, np.ndarray) else [cells[row] for row in rows.rows.tolist()]


def _columns(rows: Labelled, readings: Sequence[Reading]) -> tuple[dict[str, Column], list[str]]:
    found = {column.name: column for r in readings for column in r.columns(_cells(rows, r.name))[0]}
    return found, [note for reading in readings for note in reading.notes]


def _left_out(readings: Sequence[Reading], unread: Sequence[ColumnAccount]) -> list[str]:
    """One note for all columns that are left out for one reason."""
    notes = [
        f"Column {r.name!r} left out: {r.why}."
        for r in readings
        if r.way == "left out" and r.why.startswith("it numbers")
    ]
    others = [
        r for r in readings if r.way == "left out" and r.kind == "identifier" and not r.why.startswith("it numbers")
    ]
    if others:
        listed = ", ".join(repr(reading.name) for reading in others[:_NAMED])
        more = f" and {len(others) - _NAMED:,} more" if len(others) > _NAMED else ""
        are = "Column" if len(others) == 1 else f"{len(others):,} columns"
        tell = "it tells" if len(others) == 1 else "they tell"
        first = others[0]
        notes.append(
            f"{are} {listed}{more} left out: {tell} one case from another ({first.name!r}: {first.why}). "
            "--keep COLUMN keeps one."
        )
    return notes + [f"Column {one.column!r} left out: {one.why}." for one in unread]


def _reasons(readings: Sequence[Reading]) -> str:
    return "; ".join(f"{reading.name!r}: {reading.why}" for reading in readings[:3])


def _account(reading: Reading, encoder: Encoder) -> ColumnAccount:
    if reading.way == "left out":
        return ColumnAccount(reading.name, reading.kind, "left out", reading.why)
    own = (reading.name, *(f"{reading.name} ({part})" for part in reading.parts))
    became = [_became(part, reading) for part in (*encoder.scales, *encoder.terms, *encoder.codes) if part.name in own]
    if not became:
        empty = bool(set(own) & set(encoder.empty))
        why = "the develop rows hold no value" if empty else "the develop rows hold one value alone"
        return ColumnAccount(reading.name, "empty" if empty else "constant", "left out", why)
    return ColumnAccount(reading.name, reading.kind, ", ".join(became), reading.why)


_OF_DATES = {"days": "elapsed days", "year": "year", "hour": "hour", "month": "month", "weekday": "weekday"}


def _became(part: Scale | Terms | Codes, reading: Reading) -> str:
    of_date = _OF_DATES[part.name.rpartition(" (")[2].rstrip(")")] if reading.way == "date" else ""
    if isinstance(part, Scale):
        missing = "whether it is missing" if part.indicated else ""
        return ", ".join(said for said in ((of_date or "a number") if part.sd is not None else "", missing) if said)
    if isinstance(part, Terms):
        return f"the tf-idf of {len(part.features):,} of its words"
    return of_date or f"{len(part.words):,} categories"


def _target_account(target: str, labels: Labels) -> ColumnAccount:
    became = f"{len(labels.classes):,} classes" if labels.classes else "a quantity"
    return ColumnAccount(target, "target", became, labels.note.partition(". ")[0].rstrip("."))


def _test_rows(sheet: Sheet, known: _Known) -> tuple[Rows, list[str], tuple[Skipped, ...]]:
    known.inputs.require_columns(sheet, "test data", known.inputs.target)
    labels = match_cells(sheet.texts(known.inputs.target), known.labels, str(sheet.path))
    rows = labelled(sheet, known.inputs.target, labels, known.belongs)
    if not len(rows.rows):
        raise DataError(f"{sheet.path}: there are no rows with a target")
    x, notes = known.inputs.encoded(sheet, lambda name: _cells(rows, name), len(rows.rows))
    return rows.of(x, np.arange(len(rows.rows)), origin=True), [*sheet.notes, *notes], rows.skipped
