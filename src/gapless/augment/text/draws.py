"""Uniform numbers keyed by (seed, epoch, index of the text, slot of the policy, place): Philox4x32-10 over arrays.

Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (SC 2011). numpy's Philox needs one generator object a text,
which costs more than the augmentation itself; here the counters of all texts go through the ten rounds at once.
Pictures have draws of their own, compiled by numba: importing it takes longer than importing all of text augmentation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_LOW = 0xFFFFFFFF
_MULTIPLY = 0xD2511F53, 0xCD9E8D57
_WEYL = 0x9E3779B9, 0xBB67AE85
_PURPOSE = 0x74657874  # "text": apart from every other use of the same seed
_FEW = 12
"""Up to so many counters, Python's own integers are faster than arrays."""


def philox(counter: tuple[Any, Any, Any, Any], key: tuple[int, int]) -> tuple[Any, Any, Any, Any]:
    """Philox4x32-10 of counters and a key of 32-bit words: Python integers, or uint64 arrays of one shape."""
    a, b, c, d = counter
    k, m = key
    for _ in range(10):
        left, right = a * _MULTIPLY[0], c * _MULTIPLY[1]
        a, b, c, d = (right >> 32) ^ b ^ k, right & _LOW, (left >> 32) ^ d ^ m, left & _LOW
        k, m = (k + _WEYL[0]) & _LOW, (m + _WEYL[1]) & _LOW
    return a, b, c, d


def uniforms(
    seed: int, epoch: int, indices: NDArray[np.int64], slot: int, counts: NDArray[np.int64]
) -> tuple[list[float], list[int]]:
    """So many numbers from [0, 1) for each text, one after the other, and where each text's begin.

    Args:
        seed, epoch, slot: at least 0; the seed below 2**64, the others below 2**31.
        indices: (B,) the texts' numbers in their data set, at least 0.
        counts: (B,) how many numbers each needs.
    """
    blocks = -(-counts // 4)
    ends = np.cumsum(blocks)
    total = int(ends[-1]) if len(ends) else 0
    offsets = (ends - blocks) * 4
    key = (seed & _LOW) ^ _PURPOSE, seed >> 32
    if total <= _FEW:
        numbers = [
            word * 2.0**-32
            for index, count in zip(indices.tolist(), blocks.tolist(), strict=True)
            for block in range(count)
            for word in philox((block | (index >> 32 << 16), slot, epoch, index & _LOW), key)
        ]
        return numbers, offsets.tolist()
    index = np.repeat(indices, blocks)
    block = np.arange(total) - np.repeat(ends - blocks, blocks)
    low, high = (index & _LOW).astype(np.uint64), (index >> 32 << 16).astype(np.uint64)
    still = np.zeros(total, np.uint64)
    words = philox((block.astype(np.uint64) | high, still + slot, still + epoch, low), key)
    return (np.stack(words, axis=1).astype(np.float64) * 2.0**-32).ravel().tolist(), offsets.tolist()
