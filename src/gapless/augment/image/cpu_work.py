"""The compiled loop over the pictures of a job, which several threads may run at the same time."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gapless.augment.image import cpu_jobs as jobs
from gapless.augment.image.cpu_bells import CALLS, SEAT, let_others, listen
from gapless.augment.image.cpu_chain import run_chain
from gapless.augment.image.cpu_memory import OPTIONS, add, compiled, float32s, int64s


@compiled
def _do_portions(job: NDArray[np.int64], memory: NDArray[np.int64]) -> None:
    """Runs portions of a job's pictures until none is left. A job that is done already is not looked at any further,
    since what it speaks of may be gone."""
    count, portion = job[jobs.COUNT], job[jobs.PORTION]
    start = add(job, jobs.TURN, portion)
    if start >= count:
        return
    pictures, steps, finish = jobs.pictures(job), jobs.steps(job), jobs.finish(job)
    height, width = job[jobs.OUT_HEIGHT], job[jobs.OUT_WIDTH]
    out = float32s(job[jobs.OUT], (count, job[jobs.CHANNELS], height * width))
    scratch = jobs.scratch(memory, job[jobs.CHANNELS])
    while start < count:
        stop = min(start + portion, count)
        for b in range(start, stop):
            run_chain(b, pictures, steps, finish, scratch, out[b], height, width)
        add(job, jobs.DONE, stop - start)
        start = add(job, jobs.TURN, portion)


def _sources() -> str:
    """A digest of all compiled code. numba's cache on disk looks at the file of the outermost function only."""
    here = Path(__file__).parent
    files = [here / "algebra.py", here / "chains.py", here / "jpeg.py", *sorted(here.glob("cpu_*.py"))]
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _compiled(sources: str) -> Callable[..., None]:
    @njit(cache=True, **OPTIONS)
    def work(table: NDArray[np.int64], number: int, memory: NDArray[np.int64], bell: NDArray[np.int64]) -> None:
        _ = sources  # a part of the cache's key
        if number >= 0:
            job = table[number]
            _do_portions(job, memory)
            while add(job, jobs.DONE, 0) < job[jobs.COUNT]:
                let_others(job)
            return
        heard = 0
        while listen(bell, heard):
            job = table[bell[CALLS + heard % len(table)]]
            _do_portions(job, int64s(job[jobs.MEMORIES + bell[SEAT]], (jobs.APART + 1,)))
            add(job, jobs.CALLED, -1)
            heard += 1

    return work


work = _compiled(_sources())
"""Does the job of a number, in the `memory` of a scratch, together with whoever else is at it; returns when it is done.

With the number -1 it does the jobs that a bell calls it for, one after the other.
"""
