"""Rows of a table that are equal but for one column at the most.

How many pairs chance alone makes equal is counted on the table itself: its columns are dealt into two halves, and each
half keeps its rows but is paired with other rows' other half. What depends on each other within a half stays so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gapless import draws
from gapless.data.task import Array
from gapless.diagnose.twins.found import NONE, Index, Twins

Codes = NDArray[np.uint64]

WORK = 50_000_000
"""Cells, at most, that are compared."""
_DIGITS, _SHUFFLES = 4, 5


def table_twins(asked: Array, among: Array | None, seed: int) -> Twins:
    """Rows of `asked` (N, F) that have a twin in `among`; None: among the others of `asked`."""
    if asked.shape[1] < 3:
        return NONE  # equal but for one of two columns says nothing
    base = asked if among is None else among
    share = min(1.0, WORK / (asked.shape[1] * (len(asked) + len(base))))
    chosen = np.arange(len(asked))[: max(1, round(share * len(asked)))]
    whole = np.concatenate([asked[chosen], base[: max(1, round(share * len(base)))]]) if among is not None else asked
    part = np.arange(len(whole)) >= (len(chosen) if among is not None else 0)
    codes = _codes(whole, seed)
    rows, partners = _equal(codes, len(chosen), part)
    expected = 0.0
    for shuffle in range(_SHUFFLES):
        stream = draws.stream(seed, "diagnose twins", shuffle)
        half = stream.permutation(codes.shape[1])[: codes.shape[1] // 2]
        mixed = codes.copy()
        mixed[:, half] = codes[stream.permutation(len(codes))][:, half]
        expected += len(_equal(mixed, len(chosen), part)[0]) / _SHUFFLES
    offset = len(chosen) if among is not None else 0
    return Twins(len(chosen), rows, partners - offset, expected)


def _codes(x: Array, seed: int) -> Codes:
    """A random number for each value of each column, values rounded to four digits of the column's spread."""
    out = np.empty(x.shape, np.uint64)
    for column in range(x.shape[1]):
        values = x[:, column].astype(np.float64)
        spread = float(values.std()) or 1.0
        _, number = np.unique((values / spread).round(_DIGITS), return_inverse=True)
        stream = draws.stream(seed, "diagnose codes", column)
        out[:, column] = stream.integers(0, 2**63, int(number.max()) + 1, dtype=np.uint64)[number]
    return out


def _equal(codes: Codes, asked: int, among: NDArray[np.bool_]) -> tuple[Index, Index]:
    """Which of the first `asked` rows have a row of `among` that differs in no more than one column, and which."""
    whole = codes.sum(1, dtype=np.uint64)
    partner = np.full(asked, -1, np.int64)
    for column in [None, *range(codes.shape[1])]:
        sums = whole if column is None else whole - codes[:, column]
        _match(sums, asked, among, partner)
    rows = np.flatnonzero(partner >= 0)
    return rows, partner[rows]


def _match(sums: Codes, asked: int, among: NDArray[np.bool_], partner: Index) -> None:
    """Enters the first row of `among` with the same sum, for rows that have none yet."""
    base = np.flatnonzero(among)
    values, first, counts = np.unique(sums[base], return_index=True, return_counts=True)
    place = np.minimum(np.searchsorted(values, sums[:asked]), len(values) - 1)
    hit = values[place] == sums[:asked]
    own = base[first[place]] == np.arange(asked)  # a row is no twin of its own: the next one of the same sum is
    alone = own & (counts[place] < 2)
    again = hit & own & ~alone & (partner < 0)
    plain = hit & ~own & (partner < 0)
    partner[plain] = base[first[place[plain]]]
    for row in np.flatnonzero(again).tolist():
        others = base[sums[base] == sums[row]]
        partner[row] = int(others[others != row][0])
