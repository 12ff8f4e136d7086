"""Rows of a table, encoded as the columns of the Task were."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from gapless.data.inputs.arrays import inputs_array
from gapless.data.inputs.asked import Asked, numbered
from gapless.data.readers.records import read_records
from gapless.data.tables.columns import Codes, Column, Encoder, Numbers, Scale, Terms, Words, terms
from gapless.data.tables.frames import is_frame, sheet_of_frame
from gapless.data.tables.reading import Reading
from gapless.data.tables.sheet import Cells, Sheet
from gapless.errors import DataError, did_you_mean

_READINGS = TypeAdapter(tuple[Reading, ...])
_SCALES = TypeAdapter(tuple[Scale, ...])
_CODES = TypeAdapter(tuple[Codes, ...])
_NAMED = 5  # columns named in a note


@dataclass(frozen=True)
class TableInputs:
    """How the columns of a source were read and encoded.

    missing: what else stands for no value there.
    """

    target: str
    readings: tuple[Reading, ...]
    encoder: Encoder
    missing: tuple[str, ...] = ()

    @property
    def used(self) -> tuple[Reading, ...]:
        """The columns that the model reads."""
        used = self.encoder.used
        return tuple(r for r in self.readings if used & {r.name, *(f"{r.name} ({part})" for part in r.parts)})

    def encoded(self, sheet: Sheet, cells: Callable[[str], Cells], rows: int) -> tuple[NDArray[np.float32], list[str]]:
        """The rows float32 (rows, F), and what was odd; DataError names a column that is missing.

        Args:
            cells: those of a column, by its name, so many as there are rows.
        """
        columns: dict[str, Column] = {}
        notes: list[str] = []
        for reading in self.used:
            found, odd = reading.columns(cells(reading.name))
            columns.update((column.name, column) for column in found)
            if odd:
                are = "1 cell is" if len(odd) == 1 else f"{len(odd):,} cells are"
                notes.append(
                    f"{sheet.path.name}: column {reading.name!r}: {are} no {reading.kind}, such as {odd[0][:40]!r}, "
                    "and taken as missing."
                )
        for code in self.encoder.codes:
            column = columns[code.name]
            if isinstance(column, Words) and column.least == 1 and (new := sorted(set(column.words) - set(code.words))):
                one = len(new) == 1
                are = "1 category" if one else f"{len(new):,} categories"
                said = (
                    "does not stand in the develop rows and is" if one else "do not stand in the develop rows and are"
                )
                notes.append(
                    f"{sheet.path.name}: {are} of column {code.name!r}, such as {new[0][:40]!r}, {said} taken as "
                    "unknown."
                )
        return self.encoder.encode(columns, np.arange(rows)), notes

    def require_columns(self, sheet: Sheet, what: str, *more: str) -> None:
        """A DataError where a column is missing that the model reads, or one of `more`; `what` is to have them."""
        missing = [name for name in (*more, *(reading.name for reading in self.used)) if name not in sheet.columns]
        if missing:
            others = f" (and {len(missing) - 1:,} more)" if len(missing) > 1 else ""
            raise DataError(
                f"{sheet.path}: {what} must have the columns of the source, {missing[0]!r} is missing{others}."
                f"{did_you_mean(missing[0], sheet.columns)}"
            )

    def read(self, data: Any) -> Asked:
        """The rows of a file, a frame, a mapping of columns or a list of mappings."""
        sheet = sheet_of_any(data).without(self.missing)
        self.require_columns(sheet, "rows to answer")
        rows = len(sheet.lines)
        x, notes = self.encoded(sheet, lambda name: sheet.columns[name], rows)
        known = {self.target, *(reading.name for reading in self.readings)}
        if more := [name for name in sheet.columns if name not in known]:
            listed = ", ".join(map(repr, more[:_NAMED])) + (" ..." if len(more) > _NAMED else "")
            notes.append(f"{sheet.path.name}: the model does not know, and does not read: {listed}.")
        ids = {
            reading.name: tuple(sheet.texts(reading.name))
            for reading in self.readings
            if reading.kind == "identifier" and reading.name in sheet.columns
        }
        return asked_of(sheet, x, notes, ids)

    def facts(self) -> dict[str, Any]:
        return {
            "kind": "table",
            "target": self.target,
            "missing": list(self.missing),
            "columns": _READINGS.dump_python(self.readings, mode="json"),
            "encoder": encoder_facts(self.encoder),
        }

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> TableInputs:
        readings = _READINGS.validate_python(facts["columns"])
        return cls(facts["target"], readings, encoder_of(facts["encoder"]), tuple(facts["missing"]))


@dataclass(frozen=True)
class ArrayInputs:
    """Rows of numbers (N, F) that have no names. encoder: of columns called by their places; None takes them as they
    are."""

    width: int
    encoder: Encoder | None = None
    target: str = ""

    def read(self, data: Any) -> Asked:
        """The rows of an array, a tensor, a list of rows, or a .npz file with an array x."""
        x = inputs_array(data)
        if x.ndim != 2 or x.shape[1] != self.width or x.dtype.kind not in "iubf":
            raise DataError(
                f"the model takes rows of {self.width:,} numbers, an array (N, {self.width}), got {x.dtype} {x.shape}"
            )
        names = numbered(len(x))
        if self.encoder is not None:
            return Asked(self.encoder.encode(columns_of(x), np.arange(len(x))), names, "row")
        if not np.isfinite(x).all():
            raise DataError("x holds NaN or infinite values, which the model never saw; fill or remove them first")
        return Asked(x.astype(np.float32), names, "row")

    def facts(self) -> dict[str, Any]:
        encoder = None if self.encoder is None else encoder_facts(self.encoder)
        return {"kind": "array", "width": self.width, "encoder": encoder}

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> ArrayInputs:
        encoder = facts["encoder"]
        return cls(int(facts["width"]), None if encoder is None else encoder_of(encoder))


def columns_of(x: NDArray[np.generic]) -> dict[str, Column]:
    """Numbers (N, F) as columns called by their places; infinite values are missing ones."""
    values = x.astype(np.float64)
    values[~np.isfinite(values)] = np.nan
    names = [f"column {i}" for i in range(values.shape[1])]
    return {name: Numbers(name, values[:, i]) for i, name in enumerate(names)}


def sheet_of_any(data: Any) -> Sheet:
    """A file of records, a frame, a mapping of columns, or a list of mappings as a sheet."""
    if isinstance(data, str | Path):
        path = Path(data).expanduser()
        if not str(data).startswith("sqlite:") and not path.is_file():
            raise DataError(f"there is no file {data}; the model takes a table, such as a .csv file, or a frame")
        return read_records(Path(data) if str(data).startswith("sqlite:") else path)
    if isinstance(data, list | tuple) and data and all(isinstance(one, Mapping) for one in cast(list[Any], data)):
        records = cast(Sequence[Mapping[str, Any]], data)
        names = dict.fromkeys(name for record in records for name in record)
        data = {name: _objects([record.get(name) for record in records]) for name in names}
    if is_frame(data):
        return sheet_of_frame(data, "data")
    raise DataError(
        f"the model takes a table with named columns: a path, a frame, or a list of mappings; got {type(data).__name__}"
    )


def _objects(values: Sequence[Any]) -> NDArray[np.object_]:
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found


def asked_of(
    sheet: Sheet, x: NDArray[np.generic], notes: Sequence[str], ids: Mapping[str, tuple[str, ...]] | None = None
) -> Asked:
    """The rows of a sheet, called by the lines they stand on."""
    left_out = tuple((one.where, one.reason) for one in sheet.skipped)
    named = "line" if sheet.separator else "row"
    return Asked(x, tuple(map(str, sheet.lines)), named, (*sheet.notes, *notes), left_out, ids or {})


# ── the encoder as plain values ──


def encoder_facts(encoder: Encoder) -> dict[str, Any]:
    """What `encoder_of` makes the same encoder of; its notes are not kept."""
    return {
        "scales": _SCALES.dump_python(encoder.scales, mode="json"),
        "codes": _CODES.dump_python(encoder.codes, mode="json"),
        "terms": [_term_facts(term) for term in encoder.terms],
    }


def encoder_of(facts: Mapping[str, Any]) -> Encoder:
    """An encoder from its facts."""
    found = tuple(terms(one["name"], one["words"], one["idf"], one["parts"], one["spread"]) for one in facts["terms"])
    return Encoder(_SCALES.validate_python(facts["scales"]), _CODES.validate_python(facts["codes"]), (), found)


def _term_facts(term: Terms) -> dict[str, Any]:
    vectorizer: Any = term.vectorizer
    return {
        "name": term.name,
        "words": vectorizer.get_feature_names_out().tolist(),
        "idf": vectorizer.idf_.tolist(),
        "parts": vectorizer.analyzer != "word",
        "spread": term.spread,
    }
