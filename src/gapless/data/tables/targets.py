"""Which column of a sheet is the target, which ones say what belongs together, and which rows have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gapless.data.duplicates import row_hashes
from gapless.data.labels import Labels, SeveralLabelsError, labels_from_cells
from gapless.data.options import SourceOptions
from gapless.data.splits import Index, Moments, numbered
from gapless.data.tables import amounts, dates
from gapless.data.tables.missing import MISSING
from gapless.data.tables.reading import names_rows
from gapless.data.tables.sheet import Cells, Sheet, as_texts
from gapless.data.task import Array, Rows, Skipped
from gapless.errors import DataError, UsageError, did_you_mean

_TARGETS = ("target", "label", "class", "y")


@dataclass(frozen=True)
class Belonging:
    """The columns that say which rows belong together, and when each is from; None where there is none.

    form: how the moments are written, where they are no numbers. names: the number of each group seen so far.
    """

    group: str | None = None
    time: str | None = None
    form: dates.Format | None = None
    names: dict[str, int] = field(default_factory=dict[str, int])

    def says(self, column: str) -> Literal["group", "moment"] | None:
        """What a column tells of the rows besides their target."""
        return "group" if column == self.group else "moment" if column == self.time else None


@dataclass(frozen=True)
class Labelled:
    """The rows of a sheet that have a target, a group and a moment: their numbers, labels, groups and moments."""

    sheet: Sheet
    rows: NDArray[np.int64]
    y: Array
    skipped: tuple[Skipped, ...]
    group: Index | None = None
    time: Moments | None = None

    def of(self, x: Array, index: Index, origin: bool = False) -> Rows:
        """Some of the rows, x being what is learned from them; origin: whether they are to know what they were."""
        group, time = self.group, self.time
        return Rows(
            x,
            self.y[index],
            None if group is None else group[index],
            None if time is None else time[index],
            self._hashes(index) if origin else None,
        )

    def _hashes(self, index: Index) -> NDArray[np.uint64]:
        """A hash of the cells of each row, whatever is learned from them."""
        rows, columns = self.rows[index], [*self.sheet.columns.items()]
        texts = [
            as_texts(cells[rows]) if isinstance(cells, np.ndarray) else [cells[row] for row in rows.tolist()]
            for _, cells in columns
        ]
        names = "\x1e".join(name for name, _ in columns)
        whole = ["\x1f".join((names, *cells)) for cells in zip(*texts, strict=True)]
        return row_hashes(np.array(whole, dtype=object))


def belonging(sheet: Sheet, options: SourceOptions, target: str) -> Belonging:
    """The columns of --group and --time; UsageError where they are not there, DataError where one holds no moments."""
    for option, name in (("--group", options.group), ("--time", options.time)):
        if name is not None and name not in sheet.columns:
            raise UsageError(f"{option} {name}: {sheet.path} has no such column.{did_you_mean(name, sheet.columns)}")
        if name == target:
            raise UsageError(f"{option} {name}: it is the target; give another column")
    if options.time is None:
        return Belonging(options.group)
    cells = sheet.columns[options.time]
    form = None if isinstance(cells, np.ndarray) or _numbers(cells) is not None else dates.find_format(cells)
    if not isinstance(cells, np.ndarray) and (form is None or form.clock) and (form or _numbers(cells) is None):
        some = next((repr(cell[:40]) for cell in cells if cell), "nothing")
        raise DataError(
            f"{sheet.path}: --time {options.time}: the column holds neither dates nor numbers, but {some}; give the "
            "column that says when a row is from"
        )
    return Belonging(options.group, options.time, form)


def _numbers(cells: Sequence[str]) -> Moments | None:
    found = amounts.read(cells)
    return None if found is None or not found.style.plain else found.values


def _moments(cells: Cells, form: dates.Format | None) -> Moments:
    """Seconds or numbers, NaN where there is none."""
    if isinstance(cells, np.ndarray):
        if cells.dtype.kind != "M":
            return np.where(np.isfinite(cells), cells, np.nan).astype(np.float64)
        moments = cells.astype("datetime64[s]")
    elif form is None:
        found = _numbers(cells)
        return np.full(len(cells), np.nan) if found is None else found
    else:
        moments = dates.read(cells, form)[0]
    return np.where(np.isnat(moments), np.nan, moments.astype(np.int64).astype(np.float64))


def target_of(sheet: Sheet, options: SourceOptions, text: str | None = None) -> tuple[str, Labels, tuple[str, ...]]:
    """The target column, its labels, and a note where it was guessed.

    A guess takes the usual names, else the last column that is not `text` and can be predicted: no date, identifier or
    single value.
    """
    names = [name for name in sheet.columns if name != text]
    if options.target is not None and options.target in sheet.unread:
        why = sheet.unread[options.target]
        raise DataError(f"{sheet.path}: column {options.target!r} cannot be predicted: {why}; choose another --target")
    if options.target is not None:
        if options.target not in names:
            known = did_you_mean(options.target, names)
            raise DataError(f"{sheet.path}: there is no column {options.target!r} to predict.{known}")
        return options.target, _labels(sheet, options.target, options), ()
    usual = {name.casefold(): name for name in reversed(names)}
    guesses = [usual[word] for word in _TARGETS if word in usual]
    candidates = guesses[:1] or [
        name for name in reversed(names) if name not in (*options.ignore, options.group, options.time)
    ]
    failed: list[DataError] = []
    for name in candidates:
        try:
            labels = _labels(sheet, name, options, guess=True)
        except SeveralLabelsError:
            raise
        except DataError as error:
            failed.append(error)
            continue
        last = "" if name in guesses else ", the last one" + (" that can be predicted" if failed else "")
        return name, labels, (f"The target is column {name!r}{last}; --target names another.",)
    raise failed[0]


def _labels(sheet: Sheet, name: str, options: SourceOptions, guess: bool = False) -> Labels:
    cells = sheet.texts(name)
    if guess and (_is_identifier(name, cells) or dates.find_format(cells) is not None):
        raise DataError(
            f"{sheet.path}: column {name!r} holds dates or identifiers; choose what to predict with --target"
        )
    try:
        labels = labels_from_cells(cells, name, options.task, options.fold_case)
        _require_most(name, labels)
        return labels
    except DataError as error:
        raise type(error)(f"{sheet.path}: {error}") from error


def _is_identifier(name: str, cells: Sequence[str]) -> bool:
    return names_rows(name) and len(set(cells)) == len(cells)


def _require_most(target: str, labels: Labels) -> None:
    without = int(labels.missing.sum())
    if 2 * without > len(labels.y):
        raise DataError(
            f"{without:,} of {len(labels.y):,} rows have no value in the target column {target!r}, more than half; "
            "fill it or choose another with --target"
        )


def labelled(sheet: Sheet, target: str, labels: Labels, belongs: Belonging | None = None) -> Labelled:
    """Leaves out the rows without a target, or without a group or a moment where these are asked for; lists them."""
    belongs = belongs or Belonging()
    try:
        _require_most(target, labels)
    except DataError as error:  # of test rows
        raise DataError(f"{sheet.path}: {error}") from error
    cells = sheet.texts(target)

    def reason(cell: str) -> str:
        return f"the only row of class {cell!r}" if cell in labels.rare else f"no target: {target!r} is {cell!r}"

    reasons = {row: reason(cells[row]) for row in np.flatnonzero(labels.missing).tolist()}
    names = None if belongs.group is None else _texts(sheet, belongs.group)
    time = None if belongs.time is None else _moments(sheet.columns[belongs.time], belongs.form)
    for column, without in (
        (belongs.group, [] if names is None else [row for row, name in enumerate(names) if name in MISSING]),
        (belongs.time, [] if time is None else np.flatnonzero(np.isnan(time)).tolist()),
    ):
        if 2 * len(without) > len(cells):
            raise DataError(f"{sheet.path}: column {column!r} has no value in more than half of the rows; fill it")
        reasons = dict.fromkeys(without, f"no value in column {column!r}") | reasons
    left_out = tuple(Skipped(sheet.where(row), reasons[row]) for row in sorted(reasons))
    rows = np.setdiff1d(np.arange(len(cells)), sorted(reasons))
    group = None if names is None else numbered([names[row] for row in rows.tolist()], belongs.names)
    return Labelled(
        sheet, rows, labels.y[rows], (*sheet.skipped, *left_out), group, None if time is None else time[rows]
    )


def _texts(sheet: Sheet, column: str) -> list[str]:
    if column not in sheet.columns:
        raise DataError(f"{sheet.path}: test data must have the columns of the source, {column!r} is missing")
    return sheet.texts(column)
