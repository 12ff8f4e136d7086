"""Threads that help with jobs and never hold the interpreter's lock: they wait in compiled code.

A thread of Python that comes back from compiled code has to wait for the lock; while another one draws, which takes and
leaves it a hundred times, that costs more than a batch of small pictures does.
"""

from __future__ import annotations

import os
from functools import lru_cache
from threading import Lock, Thread

import numpy as np

from gapless.augment.image import cpu_jobs as jobs
from gapless.augment.image.cpu_bells import new_bell, ring
from gapless.augment.image.cpu_scratch import Memory, Room, enough
from gapless.augment.image.cpu_work import work

_JOBS = 8
"""How many can be under way. Who finds no free one works without help."""


class Crew:
    """helpers: how many threads there are; they last as long as the process."""

    def __init__(self, helpers: int) -> None:
        self.helpers = helpers
        self._table = np.zeros((_JOBS, jobs.WIDTH), np.int64)
        self._taken = [False] * _JOBS
        self._memories: list[Memory | None] = [None] * helpers
        self._lock = Lock()
        self._bells = [new_bell(seat, _JOBS) for seat in range(helpers)]
        nothing = np.zeros(1, np.int64)
        for seat, bell in enumerate(self._bells):
            arguments = self._table, -1, nothing, bell
            Thread(target=work, args=arguments, name=f"gapless-pictures-{seat}", daemon=True).start()

    def memories(self, room: Room) -> list[Memory]:
        """What each helper works in. Who calls them keeps it, since another caller may need more room later."""
        found = [enough(memory, room) for memory in self._memories]
        self._memories = [*found]
        return found

    def take(self, job: jobs.Job) -> int | None:
        """Puts a job on the table; returns its number, or None if there are too many already."""
        with self._lock:
            free = (n for n, taken in enumerate(self._taken) if not taken and self._table[n, jobs.CALLED] == 0)
            number = next(free, None)
            if number is not None:
                self._taken[number] = True
                self._table[number] = job
        return number

    def call(self, number: int) -> None:
        """Has all helpers begin with a job."""
        with self._lock:  # two callers would write to the same place of a bell
            self._table[number, jobs.CALLED] = self.helpers
            for bell in self._bells:
                ring(bell, number)

    def finish(self, number: int, memory: jobs.Job) -> None:
        """Helps with a job in this thread, and returns when it is done."""
        work(self._table, number, memory, self._bells[0])
        self._taken[number] = False


def crew(helpers: int) -> Crew:
    """The crew of this process; a forked process has none of its parent's threads, so it gets its own."""
    return _crew(helpers, os.getpid())


@lru_cache(maxsize=8)
def _crew(helpers: int, process: int) -> Crew:
    return Crew(helpers)
