"""The products of the algebra, compiled: numpy multiplies many small matrices slowly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_F = TypeVar("_F", bound=Callable[..., Any])


def _compiled(function: _F) -> _F:
    return cast(_F, njit(cache=True, nogil=True)(function))


@_compiled
def multiply(a: Floats, b: Floats) -> Floats:
    """a @ b for (B, 3, 3)."""
    out = np.empty_like(a)
    for n in range(len(a)):
        for i in range(3):
            for j in range(3):
                out[n, i, j] = a[n, i, 0] * b[n, 0, j] + a[n, i, 1] * b[n, 1, j] + a[n, i, 2] * b[n, 2, j]
    return out


@_compiled
def compose(second: Floats, first: Floats) -> Floats:
    """The colour change (B, 3, 7) that does `first` and `second` after it, rows [A | N | t].

    With v' = A v + N mean + t and mean' = (A + N) mean + t:
    A' = A2 A1, N' = A2 N1 + N2 (A1 + N1), t' = (A2 + N2) t1 + t2.
    """
    out = np.empty_like(first)
    for n in range(len(first)):
        for i in range(3):
            out[n, i, 6] = second[n, i, 6]
            for k in range(3):
                out[n, i, 6] += (second[n, i, k] + second[n, i, 3 + k]) * first[n, k, 6]
            for j in range(3):
                own, mean = 0.0, 0.0
                for k in range(3):
                    own += second[n, i, k] * first[n, k, j]
                    mean += second[n, i, k] * first[n, k, 3 + j]
                    mean += second[n, i, 3 + k] * (first[n, k, j] + first[n, k, 3 + j])
                out[n, i, j], out[n, i, 3 + j] = own, mean
    return out
