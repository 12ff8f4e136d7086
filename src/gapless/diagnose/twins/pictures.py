"""Pictures that are nearly the same: brighter, noisier, compressed, turned or mirrored copies.

A twin is much nearer than what comes next. Where rows are drawn apart and the density is even nearby, the k-th and the
next neighbour have distances with P(d_k / d_(k+1) < c) = c^(k m), m the dimension of the data near them (Facco et al.,
Scientific Reports 7, 2017, for k = 1). m is measured on the set itself, so that the threshold, and how many pairs fall
below it by chance, are those of this data and not a fixed similarity.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from gapless.data.task import Array
from gapless.diagnose.twins.found import NONE, Index, Twins, sampled
from gapless.evidence.rivals import pixels

Floats = NDArray[np.float32]

LOOKED = 2000
"""Pictures, at most, whose neighbours are searched."""
BY_CHANCE = 1.0
"""Rows that are called twins by chance in a whole set, at most."""
FEW = 30
"""Pictures without which no dimension can be measured: only equal ones are twins then."""
_NEIGHBOURS, _COPIES, _ALIKE, _EQUAL = 6, 3, 0.8, 1e-3
_SMALL = 20_000  # pictures, up to which they are compared at 16 pixels a side, else at 8


def picture_twins(asked: Array, among: Array | None) -> Twins:
    """Pictures of `asked` that have a twin in `among`, (N, H, W, C) uint8; None: among the others of `asked`."""
    base = asked if among is None else among
    if len(base) < 2:
        return NONE
    side = 16 if len(base) <= _SMALL else 8
    chosen = sampled(len(asked), LOOKED)
    distances, nearest = _neighbours(asked[chosen], base, side, chosen if among is None else None)
    near = _near(distances, len(chosen))
    return Twins(len(chosen), chosen[near], nearest[near], BY_CHANCE)


def _near(distances: Floats, looked: int) -> NDArray[np.bool_]:
    """Which rows have a twin, given the distances (N, 6) of their nearest neighbours, nearest first."""
    equal = distances[:, 0] < _EQUAL
    if distances.shape[1] < _NEIGHBOURS or looked < FEW:
        return equal
    ratio = distances / np.maximum(np.roll(distances, -1, axis=1), 1e-12)
    middle = float(np.median(ratio[:, _NEIGHBOURS - 2]))  # of the fifth and the sixth: twins themselves move it least
    dimension = np.log(2) / (_NEIGHBOURS - 1) / max(-np.log(min(middle, 1 - 1e-6)), 1e-6)
    ranks = np.arange(1, _COPIES + 1)
    bounds = (BY_CHANCE / (len(ranks) * looked)) ** (1 / (ranks * dimension))
    alike = distances[:, :_COPIES] < np.sqrt(2 * (1 - _ALIKE))
    return equal | ((ratio[:, :_COPIES] < bounds) & alike).any(1)


def _neighbours(asked: Array, base: Array, side: int, own: Index | None) -> tuple[Floats, Index]:
    """Distances (N, 6) to the nearest of `base`, and which is nearest, over the eight turns and mirrorings."""
    among = _features(pixels(base, side), base)
    small = np.stack([_square(turned, asked) for turned in _turns(_grid(pixels(asked, side), asked))])
    count = min(_NEIGHBOURS, len(base) - (own is not None))
    distances, nearest = np.empty((len(asked), count), np.float32), np.empty(len(asked), np.int64)
    with threadpool_limits(1):
        for start in range(0, len(asked), 256):
            part = slice(start, start + 256)
            alike = np.max(small[:, part] @ among.T, axis=0)
            if own is not None:
                alike[np.arange(len(alike)), own[part]] = -np.inf
            first = np.argpartition(-alike, count - 1, axis=1)[:, :count]
            best = np.take_along_axis(alike, first, 1)
            order = np.argsort(-best, axis=1)
            nearest[part] = np.take_along_axis(first, order, 1)[:, 0]
            distances[part] = np.sqrt(np.maximum(0, 2 - 2 * np.take_along_axis(best, order, 1)))
    return distances, nearest


def _grid(flat: Floats, pictures: Array) -> Floats:
    """Averaged pictures (N, h, w, C) again."""
    channels = pictures.shape[3]
    height, width = (_size(length, flat.shape[1], pictures, axis) for axis, length in enumerate(pictures.shape[1:3]))
    return flat.reshape(len(flat), height, width, channels)


def _size(length: int, features: int, pictures: Array, axis: int) -> int:
    other = pictures.shape[2 - axis]
    for side in (16, 8):  # whichever gives this number of features
        sizes = [-(-n // -(-n // side)) for n in (length, other)]
        if sizes[0] * sizes[1] * pictures.shape[3] == features:
            return sizes[0]
    raise AssertionError("pictures are averaged to 16 or 8 a side")


def _turns(grid: Floats) -> list[Floats]:
    """The eight symmetries of a square; of other rectangles the four that keep their shape."""
    steps = range(4) if grid.shape[1] == grid.shape[2] else (0, 2)
    turned = [np.rot90(grid, k, (1, 2)) for k in steps]
    return turned + [t[:, :, ::-1] for t in turned]


def _square(grid: Floats, pictures: Array) -> Floats:
    return _features(grid.reshape(len(grid), -1), pictures)


def _features(flat: Floats, pictures: Array) -> Floats:
    """Rows without their mean and with length 1: brightness and contrast play no part."""
    centred = flat - flat.mean(1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.ascontiguousarray(centred / np.maximum(length, 1e-6), np.float32)
