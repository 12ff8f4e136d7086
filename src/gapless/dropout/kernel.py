"""The compiled loops of elementwise dropout: one pass, no mask in memory.

Whether element i is dropped is a function of (i, key) alone, so backward draws the same mask again instead of keeping
it. The function is a Weyl sequence i * 0x9E3779B9 + key_low (Knuth, TAOCP 3, section 6.4: the golden ratio spreads
consecutive integers) passed through a 32-bit finaliser of two multiplications (the multipliers of Wellons'
"lowbias32", 2018). key_high enters between the two, so that two keys never give shifted copies of one sequence.

numba widens uint32 arithmetic to 64 bits: every operation below is cast back, or the hash is wrong and the loop scalar.
A `Job` is shared by all threads that work on it: each takes the next part until none is left. This module imports
numba; `gapless.dropout.fast` loads it when the first mask is drawn.
"""

import ctypes
from collections.abc import Callable
from typing import Any, Literal, cast

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numba.np.numpy_support import carray

from gapless.native.kept import KEPT

u32 = np.uint32
PART = 1 << 16  # elements a thread takes at a time


class Job(ctypes.Structure):
    """One pass: x and y are addresses of `size` elements of `width` bytes, `taken` of which are in work."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("x", "y", "size", "taken")),
        *((name, ctypes.c_uint32) for name in ("low", "high", "cut", "width")),
        *((name, ctypes.c_double) for name in ("scale", "shift", "fill")),
    )


_RECORD: Any = numba.from_dtype(np.dtype(Job))


def _compiled(function: Callable[..., Any], inline: Literal["never", "always"] = "never") -> Any:
    return numba.njit(function, inline=inline, nogil=True, boundscheck=False, error_model="numpy")


_instruction = cast(Callable[[Any], Callable[..., Any]], intrinsic)


@_instruction
def _take(typing: Any, job: Any) -> Any:
    """The first element of a part that no other thread has: an atomic addition to `taken`."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        number = ir.IntType(64)
        place = builder.gep(builder.bitcast(args[0], number.as_pointer()), [ir.Constant(number, Job.taken.offset // 8)])
        return builder.atomic_rmw("add", place, ir.Constant(number, PART), "monotonic")

    return types.int64(job), code


@_instruction
def _at(typing: Any, address: Any) -> Any:
    """A memory address as a pointer."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.int64), code


GOLDEN = 0x9E3779B9


def _hash(i: Any, low: Any, high: Any) -> Any:
    """32 random bits of element i under the key (low, high)."""
    h = u32(u32(u32(i) * u32(GOLDEN)) + low)
    h = u32(u32(h ^ u32(h >> u32(16))) * u32(0x7FEB352D))
    h = u32(u32(h ^ u32(h >> u32(15))) ^ high)
    h = u32(h * u32(0x846CA68B))
    return u32(h ^ u32(h >> u32(16)))


_hash = _compiled(_hash, inline="always")


def _affine(x: Any, y: Any, low: Any, high: Any, cut: Any, scale: Any, shift: Any, fill: Any) -> None:
    """y[i] = fill where the hash of i is below cut, else scale * x[i] + shift."""
    for i in range(x.size):
        kept = x[i] * scale + shift
        y[i] = kept if _hash(i, low, high) >= cut else fill


_affine = _compiled(_affine)


def _affine_bfloat16(x: Any, y: Any, low: Any, high: Any, cut: Any, scale: Any, shift: Any, fill: Any) -> None:
    """The same on bfloat16 bits held in uint16: computed in float32, rounded to the nearest even."""
    for i in range(x.size):
        wide = u32(u32(x[i]) << u32(16)).view(np.float32)
        kept = wide * scale + shift
        value = kept if _hash(i, low, high) >= cut else fill
        bits = np.float32(value).view(np.uint32)
        even = u32(u32(bits >> u32(16)) & u32(1))
        y[i] = np.uint16(u32(u32(bits + u32(0x7FFF)) + even) >> u32(16))  # a NaN has low bits 0 and stays one


_affine_bfloat16 = _compiled(_affine_bfloat16)


def _work(data: Any) -> None:
    """Work on parts of a job until none is left; the sequence of the hash is entered where the part begins."""
    job = carray(data, (1,))[0]
    start = _take(data)
    while start < job.size:
        shape = (min(PART, job.size - start),)
        x, y = job.x + job.width * start, job.y + job.width * start
        low, scale, shift, fill = u32(job.low + u32(u32(start) * u32(GOLDEN))), job.scale, job.shift, job.fill
        if job.width == 8:
            wide = carray(_at(x), shape, np.float64), carray(_at(y), shape, np.float64)
            _affine(*wide, low, job.high, job.cut, scale, shift, fill)
        else:
            rule = low, job.high, job.cut, np.float32(scale), np.float32(shift), np.float32(fill)
            if job.width == 4:
                _affine(carray(_at(x), shape, np.float32), carray(_at(y), shape, np.float32), *rule)
            else:
                _affine_bfloat16(carray(_at(x), shape, np.uint16), carray(_at(y), shape, np.uint16), *rule)
        start = _take(data)


Work = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
"""The C type of `work`, which takes the address of a job and lets other threads of Python run meanwhile."""


def _entry() -> Any:
    signature = types.void(types.CPointer(_RECORD))
    options: dict[str, Any] = {"boundscheck": False, "error_model": "numpy"}
    compiled = numba.cfunc(signature, cache=KEPT, **options)(_work)
    return Work(cast(int, compiled.address))


work = _entry()
