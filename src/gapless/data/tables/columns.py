"""Columns of a table and their encoding as numbers, learned from the develop rows alone.

The encoding is written here although scikit-learn has scalers and encoders: its StandardScaler gives NaN for values
near 1e300, and what is known of a column (unit, words, places) has to be told in the account.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from gapless.data.splits import Index
from gapless.errors import DataError

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer

_INDICATED = 0.01  # from this share of missing values on, that a value is missing is a feature of its own
_FARTHEST = 1e6  # standard deviations; farther confirm values are cut there, so that float32 holds them
_NAMED = 5  # columns named in a note before "and more"
_MOST_GROUPED = 100  # words of a column that are told apart where the rarer ones are not
_MOST_TERMS = 100  # words of a column of text that become features


@dataclass(frozen=True)
class Numbers:
    """A numeric column: float64 (N,), NaN where the value is missing."""

    name: str
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Words:
    """A categorical column: for each row the place of its word in `words`, -1 where it is missing.

    least: develop rows of a word from which on it is told apart; with 1 all are, else the 100 commonest at most.
    """

    name: str
    places: NDArray[np.int64]
    words: tuple[str, ...]
    least: int = 1


@dataclass(frozen=True)
class Texts:
    """A column of text, empty where it is missing; `parts`: it is taken apart into pairs and triples of letters."""

    name: str
    cells: tuple[str, ...]
    parts: bool = False


Column = Numbers | Words | Texts


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
class Terms:
    """How a column of text is encoded: tf-idf of its commonest words, divided by `spread`, the root mean square."""

    name: str
    vectorizer: TfidfVectorizer
    spread: float

    @property
    def features(self) -> list[str]:
        return [f"{self.name}: {term!r}" for term in self.vectorizer.get_feature_names_out().tolist()]

    def encode(self, cells: Sequence[str]) -> NDArray[np.float32]:
        found = self.vectorizer.transform(cells).toarray()  # pyright: ignore[reportAttributeAccessIssue]  # a sparse one
        return (found / self.spread).astype(np.float32)


@dataclass(frozen=True)
class Encoder:
    """Turns columns into float32 rows: the numeric columns, the indicators of missing values, the words of texts, then
    the codes of categories.

    constant, empty: the columns that are left out because the develop rows hold one value, or none.
    """

    scales: tuple[Scale, ...]
    codes: tuple[Codes, ...]
    notes: tuple[str, ...]
    terms: tuple[Terms, ...] = ()
    constant: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()

    @property
    def used(self) -> frozenset[str]:
        """The names of the columns that it reads."""
        return frozenset(part.name for part in (*self.scales, *self.codes, *self.terms))

    @property
    def features(self) -> tuple[str, ...]:
        values = [scale.name for scale in self.scales if scale.sd is not None]
        indicators = [f"{scale.name} is missing" for scale in self.scales if scale.indicated]
        words = [feature for term in self.terms for feature in term.features]
        return (*values, *indicators, *words, *(code.name for code in self.codes))

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
        for term in self.terms:
            column = columns[term.name]
            assert isinstance(column, Texts)
            found = term.encode([column.cells[row] for row in rows.tolist()])
            x[:, place : place + found.shape[1]] = found
            place += found.shape[1]
        for code in self.codes:
            column = columns[code.name]
            assert isinstance(column, Words)
            number = {word: i for i, word in enumerate(code.words, start=1)}
            # The last entry answers place -1, a missing word.
            lookup = np.array([*(number.get(word, 0) for word in column.words), 0], dtype=np.float32)
            x[:, place] = lookup[column.places[rows]]
            place += 1
        return x

    def decode(self, row: NDArray[np.float32]) -> dict[str, float | str | None]:
        """What a row (F,) of `encode` stood for, by the names of its columns, words of texts apart: None where the
        value is missing or unknown; a value beyond what is encoded is cut."""
        found: dict[str, float | str | None] = {}
        values = iter(row.tolist())
        for scale in self.scales:
            if scale.sd is not None:
                found[scale.name] = (next(values) * scale.sd + scale.mean) * scale.unit
        for scale in self.scales:
            if scale.indicated:
                there = not next(values)
                found[scale.name] = found.get(scale.name, scale.median) if there else None
        codes = row[len(row) - len(self.codes) :].astype(np.int64).tolist()
        for code, place in zip(self.codes, codes, strict=True):
            found[code.name] = code.words[place - 1] if place else None
        return found


def fit(columns: Sequence[Column], develop: Index, where: str) -> Encoder:
    """Learns medians, means, spreads and words from the develop rows; constant and empty columns are left out."""
    scales: list[Scale] = []
    codes: list[Codes] = []
    terms: list[Terms] = []
    constant: list[str] = []
    empty: list[str] = []
    for column in columns:
        if isinstance(column, Words):
            found, there = _fit_codes(column, develop)
            if found is not None:
                codes.append(found)
        elif isinstance(column, Texts):
            found, there = _fit_terms(column, develop)
            if found is not None:
                terms.append(found)
        else:
            found, there = _fit_scale(column.name, column.values[develop])
            if found is not None:
                scales.append(found)
        if found is None:
            (constant if there else empty).append(column.name)
    if not scales and not codes and not terms:
        raise DataError(
            f"{where}: no column is left to learn from: {len(columns)} given, all of them constant or empty"
        )
    notes = [
        f"{_named(names)} left out: {why} in the develop rows."
        for names, why in ((constant, "constant"), (empty, "without a value"))
        if names
    ]
    return Encoder(tuple(scales), tuple(codes), tuple(notes), tuple(terms), tuple(constant), tuple(empty))


def _fit_codes(column: Words, develop: Index) -> tuple[Codes | None, bool]:
    """The words that are told apart, or None where they are all the same; and whether there is one at all."""
    places = column.places[develop]
    counts = np.bincount(places[places >= 0], minlength=len(column.words))
    apart = np.flatnonzero(counts >= max(1, column.least))
    if column.least > 1 and len(apart) > _MOST_GROUPED:
        apart = np.sort(apart[np.argsort(-counts[apart], kind="stable")[:_MOST_GROUPED]])
    different = len(np.unique(places)) > 1 and len(apart) > 0
    return Codes(column.name, tuple(column.words[i] for i in apart)) if different else None, bool(counts.any())


def _fit_terms(column: Texts, develop: Index) -> tuple[Terms | None, bool]:
    """None where no word stands in two develop rows."""
    cells = [column.cells[row] for row in develop.tolist()]
    vectorizer = _vectorizer(column.parts)
    try:
        found = cast("NDArray[np.float64]", vectorizer.fit_transform(cells).toarray())  # pyright: ignore
    except ValueError:  # no term is left
        return None, any(cells)
    spread = float(np.sqrt(np.mean(found**2)))
    return (Terms(column.name, vectorizer, spread) if spread else None), any(cells)


def terms(name: str, words: Sequence[str], idf: Sequence[float], parts: bool, spread: float) -> Terms:
    """The encoding of a column of text from what was learned of it: its words in their order, and their weights."""
    vectorizer: Any = _vectorizer(parts, {word: i for i, word in enumerate(words)})
    vectorizer.idf_ = np.array(idf, dtype=np.float64)
    return Terms(name, vectorizer, spread)


def _vectorizer(parts: bool, vocabulary: Mapping[str, int] | None = None) -> TfidfVectorizer:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(
        vocabulary=vocabulary,
        max_features=_MOST_TERMS,
        min_df=2,
        sublinear_tf=True,
        analyzer="char_wb" if parts else "word",
        ngram_range=(2, 3) if parts else (1, 1),
    )


def _fit_scale(name: str, values: NDArray[np.float64]) -> tuple[Scale | None, bool]:
    """None where all values are the same and none is missing; and whether there is one at all."""
    present = values[~np.isnan(values)]
    if not len(present):
        return None, False
    unit = float(np.abs(present).max()) or 1.0
    sd = float(np.std(present / unit)) if present.min() < present.max() else 0.0
    scale = Scale(
        name,
        unit=unit,
        median=float(np.median(present / unit)) * unit,
        mean=float(np.mean(present / unit)),
        sd=sd or None,
        indicated=1 - len(present) / len(values) > _INDICATED,
    )
    return scale if sd or scale.indicated else None, True


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
