"""What is drawn for a picture, slot by slot, becomes its chain: as few elements as the products of the algebra allow.

A chain depends on its own picture's draws and on nothing else, so a picture's levels do not depend on who else is in
the batch. Compiled, since a batch has thousands of short chains and numpy multiplies many small matrices slowly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gapless.augment.image.algebra import (
    Blur,
    Box,
    Color,
    Element,
    Floats,
    Grid,
    Histogram,
    Hue,
    Index,
    Jpeg,
    Kernel,
    Lut,
    Noise,
    Warp,
)
from gapless.native.kept import KEPT

WARP, RESAMPLE, COLOR, HUE, LUT, HISTOGRAM, NOISE, KERNEL, BLUR, JPEG, BOX, GRID, STRAIGHT = range(1, 14)
"""The codes of elements; 0 ends a chain. The first two place pixels, those up to NOISE change levels one by one.
RESAMPLE is a smooth warp. STRAIGHT, a warp that a smooth one may join, is met before merging only."""

KINDS: Mapping[type[Element], int] = {
    Warp: WARP,
    Color: COLOR,
    Hue: HUE,
    Lut: LUT,
    Histogram: HISTOGRAM,
    Noise: NOISE,
    Kernel: KERNEL,
    Blur: BLUR,
    Jpeg: JPEG,
    Box: BOX,
    Grid: GRID,
}
_TYPES = {code: kind for kind, code in KINDS.items()}


@dataclass(frozen=True)
class Group:
    """Pictures that take an element of the same kind at the same place of their chains.

    rows: which pictures of the batch, rising, one for each row of the element; None: every picture, in order.
    """

    element: Element
    rows: Index | None = None


Slot = Group | Iterable[Group]
"""What is done next: one group, or groups of different pictures, every picture at most once."""

Numbers = Floats | NDArray[np.uint8]


class Tables(NamedTuple):
    """The numbers of elements, a flat row for each: one table a kind, each as wide as an identity of the kind."""

    warp: Floats
    color: Floats
    hue: Floats
    lut: NDArray[np.uint8]
    histogram: Floats
    noise: Floats
    kernel: Floats
    blur: Floats
    jpeg: Floats
    box: Floats
    grid: Floats


class Chains(NamedTuple):
    """The chain of each of B pictures: codes (B, T), for each its row in the table of its kind, and its stage.

    Stages are for an interpreter that runs many pictures at once: they rise along a chain, and what is drawn alike for
    many pictures is in the same stage of all. Where chains change the size of pictures, all do it in one stage.
    """

    code: NDArray[np.int8]
    row: NDArray[np.int32]
    stage: NDArray[np.int32]
    tables: Tables

    def part(self, start: int, stop: int) -> Chains:
        """The chains of the pictures from start to stop."""
        return Chains(self.code[start:stop], self.row[start:stop], self.stage[start:stop], self.tables)

    def groups(self) -> tuple[Group, ...]:
        """The same, stage by stage."""
        pictures, places = np.nonzero(self.code)
        code, row, stage = (table[pictures, places] for table in (self.code.astype(np.int32), self.row, self.stage))
        groups: list[Group] = []
        for kind in np.unique(stage * 128 + code).tolist():
            here = np.flatnonzero((stage == kind // 128) & (code == kind % 128))
            rows = None if len(here) == len(self.code) else pictures[here]
            groups.append(Group(self._element(kind % 128, row[here]), rows))
        return tuple(groups)

    def _element(self, code: int, rows: NDArray[np.int32]) -> Element:
        smooth = code == RESAMPLE
        kind = Warp if smooth else _TYPES[code]
        data = self.tables[list(KINDS).index(kind)][rows].reshape(-1, *kind.identity.shape)
        return Warp(data, straight=smooth, smooth=smooth) if kind is Warp else kind(data)


def merge(batch: int, slots: Iterable[Slot], resizes: bool = False, ours: bool = False) -> Chains:
    """The chains of `batch` pictures from what is done to them slot by slot.

    Elements that change nothing are left out; but where pictures are brought to another size (`resizes`), smooth warps
    stay. A group is taken before the next one is asked for, so that they need not be in memory together. `ours`:
    nobody else looks at the elements' numbers any more, so that products may be written over them.
    """
    growing, stage, before = _Growing(batch, ours), -1, 0
    for slot in slots:
        if isinstance(slot, Group):
            code = _code(slot.element)
            product = _together(before, code)
            stage, before = stage + (product == 0), product or code
            growing.take(slot, stage, resizes)
            continue
        stage, before = stage + 1, 0
        for group in slot:
            growing.take(group, stage, resizes)
    return growing.chains()


class _Growing:
    """Chains while they grow: place by place, (T, B), with tables that have room for more rows."""

    def __init__(self, batch: int, ours: bool) -> None:
        self._ours = ours
        self._every = np.arange(batch)
        self._length = np.zeros(batch, np.int32)
        self._code: NDArray[Any] = np.zeros((4, batch), np.int8)
        self._row: NDArray[Any] = np.zeros((4, batch), np.int32)
        self._stage: NDArray[Any] = np.zeros((4, batch), np.int32)
        self._tables: dict[type[Element], NDArray[Any]] = {}
        self._used = dict.fromkeys(KINDS, 0)

    def take(self, group: Group, stage: int, resizes: bool) -> None:
        """Each row merges into the last element of its picture's chain, or is put behind it."""
        element, kind = group.element, type(group.element)
        if stage + 2 > len(self._code):  # a chain is as long as there are stages at the most, and ends with a 0
            self._code, self._row, self._stage = map(_twice, (self._code, self._row, self._stage))
        data = np.ascontiguousarray(element.data.reshape(len(element), kind.identity.size), kind.identity.dtype)
        pictures = self._every if group.rows is None else group.rows
        code, used, where = _code(element), self._used[kind], np.empty(len(data), np.int32)
        keep = resizes and code == RESAMPLE
        self._used[kind] = _find_places(
            code,
            stage,
            data,
            _IDENTITY[kind],
            keep,
            pictures,
            used,
            self._code,
            self._row,
            self._stage,
            self._length,
            where,
        )
        if self._ours and kind not in self._tables and self._used[kind] == len(self._every):
            self._tables[kind] = data  # every row is new, and none is left out: the table is there
            return
        write = _write_luts if kind is Lut else _write
        write(code, data, used, where, self._table(kind))

    def _table(self, kind: type[Element]) -> NDArray[Any]:
        """The table of a kind, with room for all rows that are used."""
        if kind not in self._tables:
            self._tables[kind] = np.empty((len(self._every), kind.identity.size), kind.identity.dtype)
        while len(self._tables[kind]) < self._used[kind]:
            self._tables[kind] = _twice(self._tables[kind])
        return self._tables[kind]

    def chains(self) -> Chains:
        longest = int(self._length.max(initial=0)) + 1
        code, row, stage = (
            np.empty((len(self._every), longest), table.dtype) for table in (self._code, self._row, self._stage)
        )
        _turn(self._code, self._row, self._stage, code, row, stage)
        filled = (self._tables[kind][: self._used[kind]] if self._used[kind] else UNREAD[kind] for kind in KINDS)
        return Chains(code, row, stage, Tables(*filled))


def _code(element: Element) -> int:
    if isinstance(element, Warp):
        return RESAMPLE if element.smooth else STRAIGHT if element.straight else WARP
    return KINDS[type(element)]


def _identity(kind: type[Element]) -> NDArray[Any]:
    """What the rows of a kind are compared with, NaN where any number will do."""
    return (kind.identity if kind.telling is True else np.where(kind.telling, kind.identity, np.nan)).ravel()


def _twice(table: NDArray[Any]) -> NDArray[Any]:
    """The same with as many rows again, of zeros."""
    return np.concatenate([table, np.zeros_like(table)])


_IDENTITY = {kind: _identity(kind) for kind in KINDS}
UNREAD: Mapping[type[Element], NDArray[Any]] = {
    kind: np.zeros((1, kind.identity.size), kind.identity.dtype) for kind in KINDS
}
"""The table of a kind that no chain has."""


# ── compiled ──

_F = TypeVar("_F", bound=Callable[..., Any])


# Not fastmath, for which no number is NaN; without numba's run time, which counts references to every slice.
_OPTIONS: dict[str, Any] = {"cache": KEPT, "nogil": True, "error_model": "numpy", "_nrt": False}


def _compiled(function: _F) -> _F:
    return cast(_F, njit(**_OPTIONS)(function))


@_compiled
def _same(row: Numbers, identity: Numbers) -> bool:
    i = 0
    while i < len(row) and (row[i] == identity[i] or identity[i] != identity[i]):
        i += 1
    return i == len(row)


@_compiled
def _together(earlier: int, later: int) -> int:
    """The code of the product, or 0 where there is none.

    A smooth warp averages over pixels that lie along x and y, so only straight warps join it.
    """
    if COLOR <= later <= LUT:
        return later if earlier == later else 0
    if later == WARP:
        return WARP if earlier in (WARP, STRAIGHT) else 0
    if later == STRAIGHT:
        return earlier if earlier in (WARP, RESAMPLE, STRAIGHT) else 0
    if later == RESAMPLE:
        return RESAMPLE if earlier in (RESAMPLE, STRAIGHT) else 0
    return 0


@_compiled
def _find_places(
    code: int,
    stage: int,
    data: Numbers,
    identity: Numbers,
    keep: bool,
    pictures: Index,
    used: int,
    codes: NDArray[np.int8],
    rows: NDArray[np.int32],
    stages: NDArray[np.int32],
    length: NDArray[np.int32],
    where: NDArray[np.int32],
) -> int:
    """Writes to `where` the row of the table that each element goes to: a new one from `used` on, or an earlier one,
    into which it merges, or -1 for nowhere, if it changes nothing and need not be kept. Returns how many are used then.
    """
    for n in range(len(pictures)):
        b = pictures[n]
        t = length[b]
        where[n] = -1
        if not keep and _same(data[n], identity):
            continue
        product = _together(int(codes[t - 1, b]), code) if t > 0 else 0
        if product:
            if product == RESAMPLE and codes[t - 1, b] == STRAIGHT:
                stages[t - 1, b] = stage
            codes[t - 1, b] = product
            where[n] = rows[t - 1, b]
            continue
        codes[t, b], rows[t, b], stages[t, b] = code, used, stage
        where[n] = used
        length[b] = t + 1
        used += 1
    return used


@_compiled
def _turn(
    codes: NDArray[np.int8],
    rows: NDArray[np.int32],
    stages: NDArray[np.int32],
    code: NDArray[np.int8],
    row: NDArray[np.int32],
    stage: NDArray[np.int32],
) -> None:
    """(T, B) to (B, T); straight warps that nothing joined are warps like the others."""
    for b in range(len(code)):
        for t in range(code.shape[1]):
            code[b, t] = WARP if codes[t, b] == STRAIGHT else codes[t, b]
            row[b, t], stage[b, t] = rows[t, b], stages[t, b]


@_compiled
def _write(code: int, data: Floats, used: int, where: NDArray[np.int32], table: Floats) -> None:
    """Each row to its place: as it is from the row `used` on, else as the product with what stands there."""
    for n in range(len(data)):
        new = data[n]
        if where[n] < 0:
            continue
        old = table[where[n]]
        if where[n] >= used:
            for i in range(len(new)):
                old[i] = new[i]
        elif code == COLOR:
            _compose(old, new)
        elif code == HUE:
            old[0] += new[0]
        else:
            _multiply(old, new)


@_compiled
def _write_luts(
    code: int, data: NDArray[np.uint8], used: int, where: NDArray[np.int32], table: NDArray[np.uint8]
) -> None:
    """The same for tables of levels: the new one is asked what the old one says."""
    for n in range(len(data)):
        if where[n] < 0:
            continue
        for level in range(256):
            table[where[n], level] = data[n, level if where[n] >= used else table[where[n], level]]


@_compiled
def _multiply(a: Floats, b: Floats) -> None:
    """a = a @ b, for 3 x 3 matrices. A place goes through the later warp first, so a is the earlier one."""
    for i in range(0, 9, 3):
        x, y, z = a[i], a[i + 1], a[i + 2]
        for j in range(3):
            a[i + j] = x * b[j] + y * b[3 + j] + z * b[6 + j]


@_compiled
def _compose(first: Floats, second: Floats) -> None:
    """first = the colour change that does `first` and `second` after it; rows [A | N | t] of 7.

    With v' = A v + N mean + t and mean' = (A + N) mean + t, for 1 first and 2 second:
    A = A2 A1, N = A2 N1 + N2 (A1 + N1), t = (A2 + N2) t1 + t2.
    """
    for j in range(3):
        x, y, z, u, v, w = first[j], first[7 + j], first[14 + j], first[3 + j], first[10 + j], first[17 + j]
        for i in range(0, 21, 7):
            own = second[i] * x + second[i + 1] * y + second[i + 2] * z
            first[i + j] = own
            mean = second[i] * u + second[i + 1] * v + second[i + 2] * w
            mean += second[i + 3] * (x + u) + second[i + 4] * (y + v) + second[i + 5] * (z + w)
            first[i + 3 + j] = mean
    x, y, z = first[6], first[13], first[20]
    for i in range(0, 21, 7):
        shift = (second[i] + second[i + 3]) * x + (second[i + 1] + second[i + 4]) * y
        first[i + 6] = shift + (second[i + 2] + second[i + 5]) * z + second[i + 6]
