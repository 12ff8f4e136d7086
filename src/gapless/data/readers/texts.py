"""Texts in a file of records, or in class folders of .txt files, as a Task."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gapless.data.duplicates import group_numbers
from gapless.data.inputs.texts import LONGEST, USUAL, TextInputs
from gapless.data.labels import Labels, match_cells
from gapless.data.options import SourceOptions
from gapless.data.readers.encodings import decoded
from gapless.data.readers.folders import TEXTS, Found, find_files, group_notes, groups_of, list_folder, may_group
from gapless.data.splits import checked, divide, require_two
from gapless.data.tables.sheet import Sheet
from gapless.data.tables.targets import Belonging, belonging, labelled, target_of
from gapless.data.task import Array, Rows, Skipped, Task
from gapless.errors import DataError, did_you_mean

READABLE = 50_000_000  # characters of a cell, before it is cut


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


def texts_task(
    name: str,
    sheet: Sheet,
    test: Sheet | None,
    also: Sequence[tuple[str, Sheet]],
    options: SourceOptions,
    text: str,
    text_note: tuple[str, ...] = (),
) -> Task:
    """A Task from the column of texts of a sheet."""
    sheet = sheet.without(options.missing)
    if options.target == text:
        raise DataError(f"{sheet.path}: --text and --target both name {text!r}; the target must be another column")
    target, labels, target_note = target_of(sheet, options, text)
    belongs = belonging(sheet, options, target)
    rows, part = _texts_of(sheet, text, target, labels, belongs)
    others = [column for column in sheet.columns if column not in (text, target, belongs.group, belongs.time)]
    notes = [*sheet.notes, *text_note, *target_note, labels.note, *part.notes(name)]
    if others:
        notes.append(f"{_named(others)} not used: the model reads {text!r} alone.")
    confirm, further = None, list[tuple[str, Rows]]()
    skipped = [*part.skipped]
    for part_name, more in [*([("", test)] if test is not None else []), *also]:
        found, read = _test_rows(more.without(options.missing), text, target, labels, belongs)
        notes += [*read.notes(more.path.name)]
        skipped += read.skipped
        if part_name:
            further.append((part_name, found))
        else:
            confirm = found
    inputs = TextInputs(text, target)
    return _task(name, rows, confirm, labels, further, notes, skipped, options, inputs)


def text_column(sheet: Sheet, options: SourceOptions) -> tuple[str, tuple[str, ...]]:
    """The column of texts, by its name or by the usual ones, and a note where it was guessed."""
    names = list(sheet.columns)
    if options.text is not None:
        if options.text not in names:
            known = did_you_mean(options.text, names)
            raise DataError(f"{sheet.path}: there is no column {options.text!r} of texts.{known}")
        return options.text, ()
    usual = {name.casefold(): name for name in reversed(names)}
    for word in USUAL:
        if word in usual and usual[word] != options.target:
            return usual[word], (f"The texts are column {usual[word]!r}; --text names another.",)
    return "", ()


def _texts_of(sheet: Sheet, text: str, target: str, labels: Labels, belongs: Belonging) -> tuple[Rows, _Part]:
    """The rows that have a text and a label; where most of them lack one, a DataError."""
    rows = labelled(sheet, target, labels, belongs)
    part = _Part(skipped=list(rows.skipped))
    texts = sheet.texts(text)
    for place, row in enumerate(rows.rows.tolist()):
        part.take(place, texts[row], sheet.where(row))
    _require_texts(f"{sheet.path} (column {text!r})", part, len(rows.rows))
    return rows.of(part.x, np.array(part.kept, dtype=np.int64)), part


def _test_rows(sheet: Sheet, text: str, target: str, labels: Labels, belongs: Belonging) -> tuple[Rows, _Part]:
    for name in (text, target):
        if name not in sheet.columns:
            raise DataError(
                f"{sheet.path}: test data must have the columns of the source, {name!r} is missing."
                f"{did_you_mean(name, sheet.columns)}"
            )
    return _texts_of(sheet, text, target, match_cells(sheet.texts(target), labels, str(sheet.path)), belongs)


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
    names: dict[str, int] = {}
    if options.group is None:
        notes += group_notes(listing.files, len(listing.classes))

    def read(found: Found, where: str) -> Rows:
        part, encodings = _read_files(found)
        _require_texts(where, part, len(found.files))
        notes.extend([*encodings, *part.notes(where)])
        skipped.extend(part.skipped)
        files = [found.files[place] for place in part.kept]
        y = np.array([number[file.label] for file in files], dtype=np.int64)
        maybe = {} if options.group else may_group(files, len(listing.classes), np.arange(len(files)))
        return Rows(part.x, y, groups_of(files, options.group, names), maybe=maybe)

    develop = read(Found(listing.develop), root.name)
    confirm = None if listing.confirm is None else read(Found(listing.confirm), str(options.test or root.name))
    also = [(name, read(find_files(folder, TEXTS, listing.classes), name)) for name, folder in options.also]
    labels = Labels(develop.y, listing.classes, "")
    return _task(
        root.resolve().name or str(root), develop, confirm, labels, also, notes, skipped, options, TextInputs()
    )


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
    inputs: TextInputs,
) -> Task:
    develop, aside = divide(
        rows.y, options.train_size, confirm is not None, options.seed, group_numbers(rows.x), rows.group, rows.time
    )
    task = Task(
        name,
        rows.take(develop),
        confirm or rows.take(aside),
        classes=labels.classes,
        notes=tuple(notes),
        skipped=tuple(skipped),
        also=tuple(also),
        group=options.group or "group",
        time=options.time or "time",
        inputs=inputs,
    )
    return checked(task)


def _require_texts(where: str, part: _Part, total: int) -> None:
    missing = total - len(part.texts)
    if 2 * missing > total or not part.texts:
        first = f", the first is {part.skipped[0].where} ({part.skipped[0].reason})" if part.skipped else ""
        raise DataError(f"{where}: {missing:,} of {total:,} texts are empty or cannot be read, more than half{first}")
