"""Columns of a table and their encoding as numbers, learned from the develop rows alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gapless.data.splits import Index
from gapless.errors import DataError

_INDICATED = 0.01  # from this share of missing values on, that a value is missing is a feature of its own
_FARTHEST = 1e6  # standard deviations; farther confirm values are cut there, so that float32 holds them
_NAMED = 5  # columns named in a note before "and more"


@dataclass(frozen=True)
class Numbers:
    """A numeric column: float64 (N,), NaN where the value is missing."""

    name: str
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Words:
    """A categorical column: for each row the place of its word in `words`, -1 where it is missing."""

    name: str
    places: NDArray[np.int64]
    words: tuple[str, ...]


Column = Numbers | Words


@dataclass(frozen=True)
class Scale:
    """How a numeric column is encoded: z = (v / unit - mean) / sd with v = median where it is missing.

    Dividing by the unit, the largest magnitude, keeps the sums of squares finite. sd None leaves the value out;
    `indicated` adds a column that is 1 where the value is missing.
    """

    name: str
    unit: float
    median: float
    mean: float
    sd: float | None
    indicated: bool


@dataclass(frozen=True)
class Codes:
    """How a categorical column is encoded: 1, 2, ... in the order of `words`, 0 for missing and unknown words."""

    name: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Encoder:
    """Turns columns into float32 rows: the numeric columns, then the indicators of missing values, then the codes."""

    scales: tuple[Scale, ...]
    codes: tuple[Codes, ...]
    notes: tuple[str, ...]

    @property
    def features(self) -> tuple[str, ...]:
        values = [scale.name for scale in self.scales if scale.sd is not None]
        indicators = [f"{scale.name} is missing" for scale in self.scales if scale.indicated]
        return (*values, *indicators, *(code.name for code in self.codes))

    @property
    def categories(self) -> tuple[int, ...]:
        numeric = len(self.features) - len(self.codes)
        return (0,) * numeric + tuple(len(code.words) + 1 for code in self.codes)

    def encode(self, columns: Mapping[str, Column], rows: Index) -> NDArray[np.float32]:
        """The chosen rows as float32 (rows, F); the columns are found by name."""
        x = np.empty((len(rows), len(self.features)), dtype=np.float32)
        place = 0
        for scale in self.scales:
            if scale.sd is not None:
                x[:, place] = _standardised(scale, scale.sd, _numbers(columns, scale.name)[rows])
                place += 1
        for scale in self.scales:
            if scale.indicated:
                x[:, place] = np.isnan(_numbers(columns, scale.name)[rows])
                place += 1
        for code in self.codes:
            column = columns[code.name]
            assert isinstance(column, Words)
            number = {word: i for i, word in enumerate(code.words, start=1)}
            # The last entry answers place -1, a missing word.
            lookup = np.array([*(number.get(word, 0) for word in column.words), 0], dtype=np.float32)
            x[:, place] = lookup[column.places[rows]]
            place += 1
        return x


def fit(columns: Sequence[Column], develop: Index, where: str) -> Encoder:
    """Learns medians, means, spreads and words from the develop rows; constant and empty columns are left out."""
    scales: list[Scale] = []
    codes: list[Codes] = []
    constant: list[str] = []
    empty: list[str] = []
    for column in columns:
        if isinstance(column, Words):
            present = np.unique(column.places[develop])
            words = tuple(column.words[i] for i in present if i >= 0)
            if len(present) > 1:
                codes.append(Codes(column.name, words))
            else:
                (constant if words else empty).append(column.name)
            continue
        scale = _fit_scale(column.name, column.values[develop])
        if scale is not None and (scale.sd is not None or scale.indicated):
            scales.append(scale)
        else:
            (empty if scale is None else constant).append(column.name)
    if not scales and not codes:
        raise DataError(
            f"{where}: no column is left to learn from: {len(columns)} given, all of them constant or empty"
        )
    notes = [
        f"{_named(names)} left out: {why} in the develop rows."
        for names, why in ((constant, "constant"), (empty, "without a value"))
        if names
    ]
    return Encoder(tuple(scales), tuple(codes), tuple(notes))


def _fit_scale(name: str, values: NDArray[np.float64]) -> Scale | None:
    """None when there is no value at all."""
    present = values[~np.isnan(values)]
    if not len(present):
        return None
    unit = float(np.abs(present).max()) or 1.0
    sd = float(np.std(present / unit)) if present.min() < present.max() else 0.0
    return Scale(
        name,
        unit=unit,
        median=float(np.median(present / unit)) * unit,
        mean=float(np.mean(present / unit)),
        sd=sd or None,
        indicated=1 - len(present) / len(values) > _INDICATED,
    )


def _standardised(scale: Scale, sd: float, values: NDArray[np.float64]) -> NDArray[np.float64]:
    filled = np.where(np.isnan(values), scale.median, values)
    # A confirm value may lie so far out that its quotient overflows; it is cut like the others.
    with np.errstate(over="ignore"):
        return np.clip((filled / scale.unit - scale.mean) / sd, -_FARTHEST, _FARTHEST)


def _numbers(columns: Mapping[str, Column], name: str) -> NDArray[np.float64]:
    column = columns[name]
    assert isinstance(column, Numbers)
    return column.values


def _named(names: list[str]) -> str:
    listed = ", ".join(repr(name) for name in names[:_NAMED])
    rest = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"{'Column' if len(names) == 1 else f'{len(names):,} columns'} {listed}{rest}"
