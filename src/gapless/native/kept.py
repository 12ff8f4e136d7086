"""Whether compiled code can be kept for the next start: numba refuses to, where no folder can be written to."""

from __future__ import annotations

from numba import njit


def _nothing() -> int:
    return 0


def _can_be_kept() -> bool:
    try:
        njit(cache=True)(_nothing)
    # A read-only installation and no home: it is compiled anew in each process then.
    except RuntimeError:
        return False
    return True


KEPT = _can_be_kept()
"""Give it as `cache` to `njit` and `cfunc`."""
