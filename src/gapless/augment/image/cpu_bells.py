"""Bells: how a thread that runs compiled code is called, without the interpreter's lock being taken or waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import types
from numpy.typing import NDArray

from gapless.augment.image.cpu_memory import OPTIONS, F, add, compiled, entry_pointer, instruction

Bell = NDArray[np.int64]
_I8, _I32, _I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)


def _cached(function: F) -> F:
    return cast(F, njit(cache=True, **OPTIONS)(function))


def _posix(name: str, *places: int | None) -> Callable[..., Any]:
    """A function of the C library that takes addresses of numbers: those of the entries at these places; None: none."""

    def call(typing: Any, numbers: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kind = ir.FunctionType(_I32, [_I8.as_pointer()] * len(places))
            function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
            array = signature.args[0], args[0]
            given = [
                ir.Constant(_I8.as_pointer(), None)
                if place is None
                else builder.bitcast(
                    entry_pointer(context, builder, *array, ir.Constant(_I64, place)), _I8.as_pointer()
                )
                for place in places
            ]
            builder.call(function, given)
            return context.get_dummy_value()

        return types.void(numbers), code

    return instruction(call)


MUTEX, CONDITION = 8, 24
"""Where numbers have room, 128 bytes each, for a mutex and a condition of POSIX threads."""
make_mutex, make_condition = _posix("pthread_mutex_init", MUTEX, None), _posix("pthread_cond_init", CONDITION, None)
lock, unlock = _posix("pthread_mutex_lock", MUTEX), _posix("pthread_mutex_unlock", MUTEX)
wake, sleep = _posix("pthread_cond_signal", CONDITION), _posix("pthread_cond_wait", CONDITION, MUTEX)
let_others = _posix("sched_yield")

RUNG, SEAT, CALLS = 0, 40, 41
"""How often it rang; which thread's it is, and the numbers of the last jobs it was rung for."""
_PATIENCE = 30_000
"""How often a thread looks for the next call before it sleeps, some 0.2 ms: to be woken takes nearly as long, and the
next batch of small pictures is mostly there earlier."""


def new_bell(seat: int, calls: int) -> Bell:
    bell = np.zeros(CALLS + calls, np.int64)
    bell[SEAT] = seat
    _hang(bell)
    return bell


@_cached
def _hang(bell: Bell) -> None:
    make_mutex(bell)
    make_condition(bell)


@_cached
def ring(bell: Bell, number: int) -> None:
    """Calls a thread for a job."""
    bell[CALLS + bell[RUNG] % (len(bell) - CALLS)] = number
    lock(bell)
    add(bell, RUNG, 1)
    wake(bell)
    unlock(bell)


@compiled
def listen(bell: Bell, heard: int) -> bool:
    """Waits until the bell has rung once more than was heard, and says so."""
    for _ in range(_PATIENCE):
        if add(bell, RUNG, 0) > heard:
            return True
    lock(bell)
    while add(bell, RUNG, 0) <= heard:
        sleep(bell)
    unlock(bell)
    return bell[RUNG] > heard
