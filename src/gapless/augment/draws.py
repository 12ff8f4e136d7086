"""Every random draw, keyed by what it is for: no global generator is read or written.

A row's numbers depend on (seed, purpose, epoch, row) and nothing else, so a picture looks the same at any batch size,
in any order and in any thread or process. Texts have draws of their own: a row's line has as many numbers as the whole
table has columns, and a text needs as many as it has words.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


def key(seed: int, purpose: str, *counters: int) -> int:
    """64 bits that depend on the seed, the purpose and the counters, and on nothing else."""
    text = ":".join([str(seed), purpose, *map(str, counters)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def stream(seed: int, purpose: str, *counters: int) -> np.random.Generator:
    """A numpy generator (Philox, counter-based) of its own for one purpose."""
    return np.random.Generator(np.random.Philox(key(seed, purpose, *counters)))


def order(seed: int, epoch: int, rows: int) -> Rows:
    """The order in which an epoch goes through its rows."""
    return stream(seed, "order", epoch).permutation(rows)


def uniforms(seed: int, purpose: str, epoch: int, rows: Rows, columns: int) -> Floats:
    """(B, columns) numbers from [0, 1), one line for each of the rows asked for.

    They are lines of the table that `stream(seed, purpose, epoch).random((all rows, columns))` would give, made without
    the lines between them: Philox finds its numbers from their place (Salmon et al., "Parallel random numbers: as easy
    as 1, 2, 3", SC 2011).
    """
    out = np.empty((len(rows), columns))
    if out.size:
        state: dict[str, Any] = dict(np.random.Philox(key(seed, purpose, epoch)).state)
        _fill(state["state"]["key"], np.ascontiguousarray(rows, np.uint64), out)
    return out


_M0, _M1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
_W0, _W1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
_ROUNDS = 10


@njit(inline="always")
def _high(a: np.uint64, b: np.uint64) -> np.uint64:
    """The upper 64 of the 128 bits of a * b."""
    a0, a1, b0, b1 = a & _LOW, a >> _HALF, b & _LOW, b >> _HALF
    middle = a1 * b0 + (a0 * b0 >> _HALF)
    return a1 * b1 + (middle >> _HALF) + ((middle & _LOW) + a0 * b1 >> _HALF)


@njit(cache=True, nogil=True)
def _fill(words: NDArray[np.uint64], rows: NDArray[np.uint64], out: Floats) -> None:
    columns = np.uint64(out.shape[1])
    for line in range(len(rows)):
        first = rows[line] * columns
        block, column = first >> np.uint64(2), -np.int64(first & np.uint64(3))
        while column < out.shape[1]:
            block += np.uint64(1)  # numpy counts before it draws
            a, b, c, d = block, np.uint64(0), np.uint64(0), np.uint64(0)
            k0, k1 = words[0], words[1]
            for _ in range(_ROUNDS):
                a, b, c, d = _high(_M1, c) ^ b ^ k0, _M1 * c, _high(_M0, a) ^ d ^ k1, _M0 * a
                k0, k1 = k0 + _W0, k1 + _W1
            for number in (a, b, c, d):
                if 0 <= column < out.shape[1]:
                    out[line, column] = float(number >> np.uint64(11)) * 2.0**-53
                column += 1
