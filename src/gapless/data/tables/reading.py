"""What a column of a table is: number, category, date, text, or an identifier that nothing can be learned from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gapless.data.tables import amounts, dates
from gapless.data.tables.account import ColumnKind
from gapless.data.tables.columns import Column, Numbers, Texts, Words
from gapless.data.tables.missing import MISSING
from gapless.data.tables.sheet import Cells, Sheet, as_texts

Way = Literal["numbers", "words", "grouped words", "date", "clock", "text", "parts of words", "left out"]

_WORDS, _WORDS_SHARE = 20, 0.05
"""Distinct words that are categories one by one, at most, or as a share of the rows."""
_RECURS = 5  # rows of a word from which on it is a category of its own, where there are more words than that
_COVERED = 0.2  # share of rows that such words must have
_UNIQUE = 0.95  # share of distinct values from which on words are identifiers
_SENTENCE = 3  # words of a cell, in the median, from which on a column is text
_SHARED = 0.5  # share of cells that must have a word in common with others
_NAME_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_NUMBERS_ROWS = {"id", "ids", "index", "idx", "rowid", "row", "key", "uuid", "guid", "rownames", "no", "nr", "serial"}
_NAMES_A_CASE = _NUMBERS_ROWS | {
    "account", "case", "code", "customer", "ean", "iban", "invoice", "isbn", "member", "mobile", "number", "obs",
    "observation", "order", "passenger", "passport", "patient", "person", "phone", "respondent", "session", "sku",
    "ssn", "student", "subject", "tel", "telephone", "ticket", "transaction", "user",
}  # fmt: skip
_NAMES_WHOM = {
    "name", "names", "firstname", "lastname", "surname", "forename", "fullname", "address", "street", "email", "mail",
    "phone", "telephone", "tel", "mobile", "url", "link", "website", "ip", "hash", "token", "uuid", "guid", "iban",
    "ssn",
}  # fmt: skip
_CODES = {"zip", "zipcode", "postcode", "postal", "plz", "postalcode"}
_DAYS = {"date", "day", "datum", "time", "timestamp", "dt", "ymd"}


@dataclass(frozen=True)
class Reading:
    """How a column is read, decided once on the source; test rows are read in the same way.

    way: what its cells become; kind, why: of the account. notes: what was odd.
    """

    name: str
    way: Way
    kind: ColumnKind
    why: str
    style: amounts.Style = amounts.PLAIN
    form: dates.Format | None = None
    parts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def columns(self, cells: Cells) -> tuple[list[Column], tuple[str, ...]]:
        """What the cells become, and those that are not what the column is."""
        if self.way == "numbers":
            if isinstance(cells, np.ndarray):
                return [Numbers(self.name, _finite(cells))], ()
            found = amounts.read_as(cells, self.style)
            return [Numbers(self.name, found.values)], found.odd
        if self.way in ("date", "clock"):
            return self._of_moments(cells)
        texts = as_texts(cells) if isinstance(cells, np.ndarray) else cells
        if self.way in ("words", "grouped words"):
            return [_words(self.name, texts, _RECURS if self.way == "grouped words" else 1)], ()
        if self.way in ("text", "parts of words"):
            return [Texts(self.name, tuple(texts), self.way == "parts of words")], ()
        return [], ()

    def _of_moments(self, cells: Cells) -> tuple[list[Column], tuple[str, ...]]:
        if isinstance(cells, np.ndarray) and cells.dtype.kind == "M":
            moments, odd = cells.astype("datetime64[s]"), ()
        else:
            texts = as_texts(cells) if isinstance(cells, np.ndarray) else cells
            # A source that knows its dates may have test data that writes them.
            form = self.form or dates.find_format(texts) or dates.Format("%Y-%m-%d")
            moments, odd = dates.read(texts, form)
        if self.way == "clock":
            return [Numbers(self.name, dates.hours(moments))], odd
        numbers = [Numbers(f"{self.name} ({p})", v) for p, v in dates.numbers_of(moments).items() if p in self.parts]
        words = [
            Words(f"{self.name} ({part})", places, names)
            for part, (places, names) in dates.words_of(moments).items()
            if part in self.parts
        ]
        return [*numbers, *words], odd


def decide(sheet: Sheet, name: str, cells: Cells, ignored: Collection[str], kept: Collection[str]) -> Reading:
    """What a column is. `cells` are those of the rows that have a target.

    Args:
        ignored: columns that the user leaves out. kept: columns that stay in, whatever they look like.
    """
    if name in ignored:
        return Reading(name, "left out", "identifier", "the user leaves it out")
    if isinstance(cells, np.ndarray):
        if cells.dtype.kind == "M":
            return _moments(name, cells.astype("datetime64[s]"), None, ())
        return _numeric(sheet, name, amounts.Amounts(_finite(cells), amounts.Style(), ()), cells, name in kept)
    found = amounts.read(cells)
    if found is not None and found.style.plain:
        return _numeric(sheet, name, found, cells, name in kept)
    form = dates.find_format(cells)
    if form is not None:
        moments, odd = dates.read(cells, form)
        return _moments(name, moments, form, odd)
    if found is not None:
        return _numeric(sheet, name, found, cells, name in kept)
    return _wordy(name, cells, name in kept)


def names_rows(name: str) -> bool:
    """Whether the name says that a column numbers cases: id, customer_id, PassengerId, ticket no."""
    return _last(name) in _NAMES_A_CASE


def _last(name: str) -> str:
    parts = _NAME_PARTS.findall(name)
    return parts[-1].casefold() if parts else ""


def _finite(cells: Cells) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    values = np.array(cells, dtype=np.float64)
    values[~np.isfinite(values)] = np.nan
    return values


def _numeric(sheet: Sheet, name: str, found: amounts.Amounts, cells: Cells, kept: bool) -> Reading:
    values = found.values
    if not kept:
        if (why := _numbers_the_rows(sheet, name, values)) is not None:
            return Reading(name, "left out", "identifier", why)
        if _last(name) in _CODES:
            return Reading(name, "grouped words", "category", "its numbers are codes of places, not quantities")
        if (
            _last(name) in _DAYS
            and not isinstance(cells, np.ndarray)
            and (form := dates.find_format(cells)) is not None
        ):
            return _moments(name, dates.read(cells, form)[0], form, ())
    notes: list[str] = []
    if not found.style.plain:
        notes.append(f"Column {name!r} is read with {found.style}.")
    if found.odd:
        are = "1 cell is" if len(found.odd) == 1 else f"{len(found.odd):,} cells are"
        notes.append(f"Column {name!r}: {are} not numbers, such as {found.odd[0][:40]!r}, and taken as missing.")
    for value, times in amounts.sentinels(values):
        notes.append(
            f"Column {name!r}: {value:g} stands {times:,} times, far from all other values; if it means 'no value', "
            f"say --missing={value:g}."
        )
    why = "its values are numbers" if found.style.plain else f"its values are numbers with {found.style}"
    return Reading(name, "numbers", "number", why, found.style, notes=tuple(notes))


def _numbers_the_rows(sheet: Sheet, name: str, values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> str | None:
    """Whole numbers that are all different under a name of identifiers, or that only rise or fall under none."""
    if len(values) < 3 or np.isnan(values).any() or not (values == np.floor(values)).all():
        return None
    steps = np.diff(values)
    if (steps > 0).all() or (steps < 0).all():
        unnamed = name == f"column {list(sheet.columns).index(name) + 1}" or name.casefold().startswith("unnamed")
        if unnamed or _last(name) in _NUMBERS_ROWS:
            return "it numbers the rows"
    return "every row has another number" if names_rows(name) and len(np.unique(values)) == len(values) else None


def _moments(name: str, moments: dates.Moments, form: dates.Format | None, odd: Sequence[str]) -> Reading:
    if form is not None and form.clock:
        return Reading(name, "clock", "time of day", f"its values are written {form}", form=form)
    varied = [part for part, values in dates.numbers_of(moments).items() if _varies(values)]
    varied += [
        part for part, (places, _) in dates.words_of(moments).items() if len(set(places[places >= 0].tolist())) > 1
    ]
    notes: list[str] = []
    if form is not None and form.other:
        notes.append(f"Column {name!r}: the dates are read as {form}.")
    if odd:
        are = "1 cell is no date" if len(odd) == 1 else f"{len(odd):,} cells are no dates"
        notes.append(f"Column {name!r}: {are}, such as {odd[0][:40]!r}, and taken as missing.")
    why = "its values are dates" if form is None else f"its values are dates, written {form}"
    # A column with one date alone keeps a part, which is found to be constant.
    return Reading(name, "date", "date", why, form=form, parts=tuple(varied or ["days"]), notes=tuple(notes))


def _varies(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bool:
    present = values[~np.isnan(values)]
    return len(present) > 1 and bool(present.min() < present.max())


def _wordy(name: str, cells: Sequence[str], kept: bool) -> Reading:
    """A column of words: categories, text, identifiers."""
    counts = Counter(cell for cell in cells if cell not in MISSING)
    present, distinct = sum(counts.values()), len(counts)
    if distinct <= max(_WORDS, _WORDS_SHARE * len(cells)):
        return Reading(name, "words", "category", f"it has {distinct:,} distinct values")
    many = f"{distinct:,} distinct values in {present:,} rows, such as {next(iter(counts))[:40]!r}"
    recurring = sum(count for count in counts.values() if count >= _RECURS) >= _COVERED * present
    private = _last(name) in _NAMES_WHOM
    if not private and _is_text(counts):
        return Reading(name, "text", "text", f"it has {many}")
    if recurring and not (private and distinct > _UNIQUE * present):
        return Reading(name, "grouped words", "category", f"it has {many}, of which the commoner ones are told apart")
    if kept:
        return Reading(name, "parts of words", "text", f"it has {many}, and the user keeps it")
    return Reading(name, "left out", "identifier", f"it has {many}")


def _is_text(counts: Mapping[str, int]) -> bool:
    """Cells of several words, most of which have some in common with other cells."""
    cells = [cell.casefold().split() for cell in counts]
    if np.median([len(words) for words in cells]) < _SENTENCE:
        return False
    known = Counter(word for words in cells for word in set(words))
    return sum(any(known[word] > 1 for word in words) for words in cells) >= _SHARED * len(cells)


def _words(name: str, cells: Sequence[str], least: int) -> Words:
    words = tuple(sorted(set(cells) - MISSING))
    place = {word: i for i, word in enumerate(words)} | dict.fromkeys(MISSING, -1)
    return Words(name, np.array([place[cell] for cell in cells], dtype=np.int64), words, least)
