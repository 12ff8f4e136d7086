"""The compiled loops of elementwise dropout: one pass, no mask in memory.

Whether element i is dropped is a function of (i, key) alone, so backward draws the same mask again instead of keeping
it. The function is a Weyl sequence i * 0x9E3779B9 + key_low (Knuth, TAOCP 3, section 6.4: the golden ratio spreads
consecutive integers) passed through a 32-bit finaliser of two multiplications (the multipliers of Wellons'
"lowbias32", 2018). key_high enters between the two, so that two keys never give shifted copies of one sequence.

numba widens uint32 arithmetic to 64 bits: every operation below is cast back, or the hash is wrong and the loop scalar.
This module imports numba; `gapless.dropout.fast` loads it when the first mask is drawn.
"""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

u32 = np.uint32


def _compiled(function: Callable[..., Any], inline: bool = False) -> Any:
    options: dict[str, Any] = {"nogil": True, "boundscheck": False, "error_model": "numpy"}
    if inline:
        return numba.njit(function, inline="always", **options)
    try:
        return numba.njit(function, cache=True, **options)
    except RuntimeError:  # no folder that can be written to: compiled once per process then
        return numba.njit(function, **options)


GOLDEN = 0x9E3779B9


def _hash(i: Any, low: Any, high: Any) -> Any:
    """32 random bits of element i under the key (low, high)."""
    h = u32(u32(u32(i) * u32(GOLDEN)) + low)
    h = u32(u32(h ^ u32(h >> u32(16))) * u32(0x7FEB352D))
    h = u32(u32(h ^ u32(h >> u32(15))) ^ high)
    h = u32(h * u32(0x846CA68B))
    return u32(h ^ u32(h >> u32(16)))


_hash = _compiled(_hash, inline=True)


def _affine(x: Any, y: Any, low: Any, high: Any, cut: Any, scale: Any, shift: Any, fill: Any) -> None:
    """y[i] = fill where the hash of i is below cut, else scale * x[i] + shift."""
    for i in range(x.size):
        kept = x[i] * scale + shift
        y[i] = kept if _hash(i, low, high) >= cut else fill


affine = _compiled(_affine)


def _affine_bfloat16(x: Any, y: Any, low: Any, high: Any, cut: Any, scale: Any, shift: Any, fill: Any) -> None:
    """The same on bfloat16 bits held in uint16: computed in float32, rounded to the nearest even."""
    for i in range(x.size):
        wide = u32(u32(x[i]) << u32(16)).view(np.float32)
        kept = wide * scale + shift
        value = kept if _hash(i, low, high) >= cut else fill
        bits = np.float32(value).view(np.uint32)
        even = u32(u32(bits >> u32(16)) & u32(1))
        y[i] = np.uint16(u32(u32(bits + u32(0x7FFF)) + even) >> u32(16))  # a NaN has low bits 0 and stays one


affine_bfloat16 = _compiled(_affine_bfloat16)
