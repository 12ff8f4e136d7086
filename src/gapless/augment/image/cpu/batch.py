"""The compiled loop over the pictures of a batch, and the threads that share it.

Helping threads are those of a pool of Python's: the loop does not hold the interpreter's lock, so a helper takes it to
begin and to end only, once a batch. Beside helpers that wait in compiled code and are called through POSIX conditions,
a loader with two threads took 0.96 to 1.03 times as long at 224x224, 1.09 to 1.21 at 64x64 and 1.15 to 1.33 at 32x32
(quartiles over 30 turns, two cores); torch's OpenMP threads, which dropout uses, 1.01, 1.09 and 1.22. Where pictures
are large enough for threads to matter there is nothing to be won; and a pool works on every system and never leaves a
thread at memory that is gone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gapless.augment.image.chains import Chains, Tables
from gapless.augment.image.cpu.chain import run_chain
from gapless.augment.image.cpu.scratch import Room, own_scratch
from gapless.augment.image.cpu.tables import Finish, Pictures, Scratch
from gapless.native import intrinsics
from gapless.native.intrinsics import OPTIONS, Floats32, add, plain
from gapless.native.kept import KEPT

_SHARES = 8
"""How many portions there are for each thread: threads finish together, however long a picture takes."""


@dataclass(frozen=True)
class Work:
    """Each picture's chain, into out (B, C, height * width).

    owners: what keeps the memory alive that the pictures' addresses speak of, as long as any thread is at them.
    """

    pictures: Pictures
    chains: Chains
    finish: Finish
    room: Room
    size: tuple[int, int]
    out: Floats32
    owners: object


def run(work: Work, threads: int, meanwhile: Callable[[], object]) -> None:
    """Does the work, shared over threads.

    meanwhile: called here before this thread helps; it runs beside the others. Whatever it raises, the others have
    ended when this returns.
    """
    count = len(work.out)
    portion = max(1, count // (_SHARES * threads)) if threads > 1 else max(1, count)
    taken = np.zeros(1, np.int64)

    def help_out() -> None:
        scratch = own_scratch(work.room)
        code, row, stage, tables = work.chains
        # numba looks three times as long at tuples with names as at plain ones
        given = tuple(work.pictures), (code, row, stage), tuple(tables), tuple(work.finish), tuple(scratch)
        fill(taken, portion, *given, work.out, *work.size)

    helpers = min(threads, -(-count // portion)) - 1
    helping = [_pool(helpers, os.getpid()).submit(help_out) for _ in range(helpers)]
    try:
        meanwhile()
        help_out()
    finally:
        for other in helping:
            if not other.cancel():  # those that have not begun yet need not
                other.result()


@lru_cache(maxsize=8)
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    """Of this process: a forked one has none of its parent's threads."""
    return ThreadPoolExecutor(threads, thread_name_prefix="gapless-pictures")


def _sources() -> str:
    """A digest of all compiled code. numba's cache on disk looks at the file of the outermost function only."""
    here = Path(__file__).parent
    shared = [here.parent / f"{name}.py" for name in ("algebra", "chains", "jpeg")]
    files = [*shared, Path(intrinsics.__file__), *here.glob("*.py")]
    return sha256(b"".join(file.read_bytes() for file in sorted(files))).hexdigest()


def _compiled(sources: str) -> Callable[..., None]:
    @njit(cache=KEPT, **OPTIONS)
    def fill(
        taken: NDArray[np.int64],
        portion: int,
        pictures: tuple[Any, ...],
        chains: tuple[Any, ...],
        tables: tuple[Any, ...],
        finish: tuple[Any, ...],
        scratch: tuple[Any, ...],
        out: Floats32,
        height: int,
        width: int,
    ) -> None:
        """Takes portions of the pictures until none is left; `taken` counts those of all threads."""
        _ = sources  # a part of the cache's key
        code, row, stage = plain(chains)
        found = Pictures(*plain(pictures)), Chains(code, row, stage, Tables(*plain(tables)))
        end, memory = Finish(*plain(finish)), Scratch(*plain(scratch))
        count = len(out)
        start = add(taken, 0, portion)
        while start < count:
            for b in range(start, min(start + portion, count)):
                run_chain(b, *found, end, memory, out[b], height, width)
            start = add(taken, 0, portion)

    return fill


fill = _compiled(_sources())
