"""Texts in a file of records, or in class folders of .txt files, as a Task."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gapless.data.delimited import Sheet
from gapless.data.duplicates import group_numbers
from gapless.data.encodings import decoded
from gapless.data.folders import TEXTS, Found, find_files, list_folder
from gapless.data.labels import Labels, labels_from_cells, match_cells
from gapless.data.options import SourceOptions
from gapless.data.records import read_records
from gapless.data.splits import checked, divide, require_two
from gapless.data.targets import labelled, target_of
from gapless.data.task import Array, Rows, Skipped, Task
from gapless.errors import DataError, did_you_mean

LONGEST = 50_000
"""Characters of a text that are kept, about 8,000 words."""
_READABLE = 50_000_000  # characters of a cell, before it is cut
_TEXTS = ("text", "sentence", "review", "content", "document", "body")


@dataclass
class _Part:
    """Texts with their labels, and what was left out or changed on the way."""

    texts: list[str] = field(default_factory=list[str])
    kept: list[int] = field(default_factory=list[int])
    skipped: list[Skipped] = field(default_factory=list[Skipped])
    cut: int = 0

    def take(self, number: int, text: str, where: str) -> None:
        """A text and its number in the source; one without a letter is left out, a very long one is cut."""
        text = text.strip()
        if not text:
            self.skipped.append(Skipped(where, "no text"))
            return
        self.cut += len(text) > LONGEST
        self.texts.append(text[:LONGEST])
        self.kept.append(number)

    @property
    def x(self) -> Array:
        return as_array(self.texts)

    def notes(self, name: str) -> list[str]:
        if not self.cut:
            return []
        are = "1 text is" if self.cut == 1 else f"{self.cut:,} texts are"
        return [f"{name}: {are} longer than {LONGEST:,} characters and cut there."]


def as_array(texts: Iterable[str]) -> Array:
    """Texts as rows of a Task: an object array (N,)."""
    found = list(texts)
    x = np.empty(len(found), dtype=object)
    x[:] = found
    return x


# ── files of records ──


def load_texts(path: Path, options: SourceOptions) -> Task:
    """A Task from a .csv, .tsv, .jsonl or .parquet file, and from further ones as test data.

    Rows without a target or without a text are left out and listed; copies of a text stay in one part. Every other
    column is left alone.
    """
    sheet = read_records(path, _READABLE)
    text, text_note = _text_column(sheet.path, list(sheet.columns), options)
    target, target_note = target_of(sheet, options.target, text)
    if target == text:
        raise DataError(f"{path}: --text and --target both name {text!r}; the target must be another column")
    labels = labels_from_cells(sheet.columns[target], target)
    rows, part = _texts_of(sheet, text, target, labels)
    others = [name for name in sheet.columns if name not in (text, target)]
    notes = [*sheet.notes, *text_note, *target_note, labels.note, *part.notes(path.name)]
    if others:
        notes.append(f"{_named(others)} not used: the model reads {text!r} alone.")
    confirm, also = None, list[tuple[str, Rows]]()
    skipped = [*part.skipped]
    further = [("", options.test)] if options.test is not None else []
    for name, file in [*further, *options.also]:
        found, test = _test_rows(file, text, target, labels)
        notes += [*test.notes(file.name)]
        skipped += test.skipped
        if name:
            also.append((name, found))
        else:
            confirm = found
    return _task(path.name, rows, confirm, labels, also, notes, skipped, options)


def _text_column(path: Path, names: list[str], options: SourceOptions) -> tuple[str, tuple[str, ...]]:
    if options.text is not None:
        if options.text not in names:
            raise DataError(f"{path}: there is no column {options.text!r} of texts.{did_you_mean(options.text, names)}")
        return options.text, ()
    usual = {name.casefold(): name for name in reversed(names)}
    for word in _TEXTS:
        if word in usual:
            return usual[word], (f"The texts are column {usual[word]!r}; --text names another.",)
    raise DataError(f"{path}: none of the columns {', '.join(names[:10])} is called text; name it with --text")


def _texts_of(sheet: Sheet, text: str, target: str, labels: Labels) -> tuple[Rows, _Part]:
    """The rows that have a text and a label; where most of them lack one, a DataError."""
    rows = labelled(sheet, target, labels.y, labels.missing)
    part = _Part(skipped=list(rows.skipped))
    for place, row in enumerate(rows.rows.tolist()):
        part.take(place, sheet.columns[text][row], sheet.where(row))
    _require_texts(f"{sheet.path} (column {text!r})", part, len(rows.rows))
    return Rows(part.x, rows.y[part.kept]), part


def _test_rows(path: Path, text: str, target: str, labels: Labels) -> tuple[Rows, _Part]:
    sheet = read_records(path, _READABLE)
    for name in (text, target):
        if name not in sheet.columns:
            raise DataError(
                f"{path}: test data must have the columns of the source, {name!r} is missing."
                f"{did_you_mean(name, sheet.columns)}"
            )
    y = match_cells(sheet.columns[target], labels.classes, str(path))
    return _texts_of(sheet, text, target, Labels(y, labels.classes, ""))


def _named(names: list[str]) -> str:
    listed = ", ".join(repr(name) for name in names[:5])
    rest = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
    return f"Column {listed} is" if len(names) == 1 else f"Columns {listed}{rest} are"


# ── folders ──


def load_text_folder(root: Path, options: SourceOptions) -> Task:
    """A Task from class folders of .txt files: UTF-8, UTF-16 with its mark, or Windows-1252, each file by itself."""
    if options.test is not None and not options.test.is_dir():
        raise DataError(f"--test must be a folder of class folders like the source, got {options.test}")
    listing = list_folder(root, options.test, TEXTS)
    require_two(str(root), listing.classes, listing.counts())
    number = {name: i for i, name in enumerate(listing.classes)}
    notes, skipped = list(listing.notes), list(listing.skipped)

    def read(found: Found, where: str) -> Rows:
        part, encodings = _read_files(found)
        _require_texts(where, part, len(found.files))
        notes.extend([*encodings, *part.notes(where)])
        skipped.extend(part.skipped)
        y = np.array([number[found.files[i].label] for i in part.kept], dtype=np.int64)
        return Rows(part.x, y)

    develop = read(Found(listing.develop), root.name)
    confirm = None if listing.confirm is None else read(Found(listing.confirm), str(options.test or root.name))
    also = [(name, read(find_files(folder, TEXTS, listing.classes), name)) for name, folder in options.also]
    labels = Labels(develop.y, listing.classes, "")
    return _task(root.resolve().name or str(root), develop, confirm, labels, also, notes, skipped, options)


def _read_files(found: Found) -> tuple[_Part, list[str]]:
    part, other, damaged = _Part(), 0, 0
    for number, file in enumerate(found.files):
        try:
            text, encoding = decoded(file.path.read_bytes())
        except OSError as error:
            part.skipped.append(Skipped(file.where, f"cannot be read ({error.strerror})"))
            continue
        if "\0" in text:
            part.skipped.append(Skipped(file.where, "holds zero bytes: not a text"))
            continue
        other += encoding.name == "cp1252"
        damaged += encoding.errors == "replace" and encoding.name != "cp1252"
        part.take(number, text, file.where)
    notes: list[str] = []
    if other:
        notes.append(f"{_files(other)} not UTF-8 and read as Windows-1252; check letters with accents.")
    if damaged:
        notes.append(f"{_files(damaged)} damaged: what could not be decoded stands as \ufffd.")
    return part, notes


def _files(number: int) -> str:
    return "1 file is" if number == 1 else f"{number:,} files are"


# ── both ──


def _task(
    name: str,
    rows: Rows,
    confirm: Rows | None,
    labels: Labels,
    also: list[tuple[str, Rows]],
    notes: list[str],
    skipped: list[Skipped],
    options: SourceOptions,
) -> Task:
    groups = group_numbers(rows.x)
    develop, aside = divide(rows.y, options.train_size, confirm is not None, options.seed, groups)
    task = Task(
        name,
        rows.take(develop),
        confirm or rows.take(aside),
        classes=labels.classes,
        notes=tuple(notes),
        skipped=tuple(skipped),
        also=tuple(also),
    )
    return checked(task)


def _require_texts(where: str, part: _Part, total: int) -> None:
    missing = total - len(part.texts)
    if 2 * missing > total or not part.texts:
        first = f", the first is {part.skipped[0].where} ({part.skipped[0].reason})" if part.skipped else ""
        raise DataError(f"{where}: {missing:,} of {total:,} texts are empty or cannot be read, more than half{first}")
