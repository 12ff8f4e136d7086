"""Every random draw, keyed by what it is for: no global generator is read or written.

A row's numbers depend on (seed, purpose, epoch, row) and nothing else, so a picture looks the same at any batch size,
in any order and in any thread or process. Texts have draws of their own: a row's line has as many numbers as the whole
table has columns, and a text needs as many as it has words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from gapless.native.kept import KEPT

Floats = NDArray[np.float64]
Rows = NDArray[np.int32 | np.int64]


def key(seed: int, purpose: str, *counters: int) -> int:
    """64 bits that depend on the seed, the purpose and the counters, and on nothing else."""
    text = ":".join([str(seed), purpose, *map(str, counters)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def stream(seed: int, purpose: str, *counters: int) -> np.random.Generator:
    """A numpy generator (Philox, counter-based) of its own for one purpose."""
    return np.random.Generator(np.random.Philox(key(seed, purpose, *counters)))


def order(seed: int, epoch: int, rows: int) -> Rows:
    """The order in which an epoch goes through its rows: what numpy's `permutation` gives, in less memory."""
    found = np.arange(rows, dtype=row_type(rows))
    stream(seed, "order", epoch).shuffle(found)
    return found


def row_type(rows: int) -> type[np.int32 | np.int64]:
    """What holds any number below this many rows: an epoch keeps one for each."""
    return np.int32 if rows < 2**31 else np.int64


def uniforms(seed: int, purpose: str, epoch: int, rows: Rows, columns: int) -> Floats:
    """(B, columns) numbers from [0, 1), one line for each of the rows asked for.

    They are lines of the table that `stream(seed, purpose, epoch).random((all rows, columns))` would give, made without
    the lines between them: Philox finds its numbers from their place (Salmon et al., "Parallel random numbers: as easy
    as 1, 2, 3", SC 2011). The numbers of a column are side by side, as policies read them.
    """
    out = np.empty((columns, len(rows)))
    if out.size:
        _fill(_words(key(seed, purpose, epoch)), np.ascontiguousarray(rows, np.int64), out)
    return out.T


@lru_cache(maxsize=16)
def _words(number: int) -> NDArray[np.uint64]:
    """What Philox makes of a key; asked for again and again in an epoch, and never written to."""
    state: dict[str, Any] = dict(np.random.Philox(number).state)
    return state["state"]["key"]


_M0, _M1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
_W0, _W1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
_ROUNDS = 10


@cast(Callable[[Any], Callable[..., Any]], intrinsic)
def _high(typing: Any, a: Any, b: Any) -> Any:
    """The upper 64 of the 128 bits of a * b."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        wide = ir.IntType(128)
        product = builder.mul(*(builder.zext(arg, wide) for arg in args))
        return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), code


@njit(cache=KEPT, nogil=True)
def _fill(words: NDArray[np.uint64], rows: NDArray[np.int64], out: Floats) -> None:
    columns = np.uint64(len(out))
    for line in range(len(rows)):
        first = np.uint64(rows[line]) * columns
        block, column = first >> np.uint64(2), -np.int64(first & np.uint64(3))
        while column < len(out):
            block += np.uint64(1)  # numpy counts before it draws
            a, b, c, d = block, np.uint64(0), np.uint64(0), np.uint64(0)
            k0, k1 = words[0], words[1]
            for _ in range(_ROUNDS):
                a, b, c, d = _high(_M1, c) ^ b ^ k0, _M1 * c, _high(_M0, a) ^ d ^ k1, _M0 * a
                k0, k1 = k0 + _W0, k1 + _W1
            for number in (a, b, c, d):
                if 0 <= column < len(out):
                    out[column, line] = float(number >> np.uint64(11)) * 2.0**-53
                column += 1
