"""Jobs as rows of whole numbers, so that threads that do not hold the interpreter's lock can take them.

A job says what is done to a batch: where the arrays are that `cpu_tables` names, and how far the work has come. Python
writes it; compiled code makes arrays of the addresses again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gapless.augment.image.algebra import BLUR_RADIUS
from gapless.augment.image.cpu_memory import (
    compiled,
    float32s,
    float64s,
    int8s,
    int32s,
    int64s,
    uint8s,
    uint32s,
)
from gapless.augment.image.cpu_tables import Finish, Pictures, Scratch, Steps

Job = NDArray[np.int64]

TURN, DONE, CALLED, COUNT = 0, 8, 16, 24
"""The next picture to be taken, how many are done, how many threads have been called and did not come yet: each on a
line of the cache of its own, as all threads write there. Then how many pictures there are."""
PORTION, CHANNELS, OUT_HEIGHT, OUT_WIDTH, OUT, LENGTH, REPEAT, REFLECT, FILL, NEAREST = range(25, 35)
"""LENGTH: how many steps a chain has room for. OUT: the address of the result."""
_PICTURES = 35
_STEPS = _PICTURES + len(Pictures._fields)
_FINISH = _STEPS + len(Steps._fields)
MEMORIES = _FINISH + 2
SEATS = 64
"""How many threads can help, at the most."""
WIDTH = MEMORIES + SEATS
APART = len(Scratch._fields)
"""Where a memory, the addresses of a scratch, says how many pixels a plane of it has."""
_MANY = 2**31
"""For sides of arrays that nobody asks for."""


def describe(steps: Steps, finish: Finish, channels: int, size: tuple[int, int]) -> Job:
    """What is the same for all batches of a plan."""
    job = np.zeros(WIDTH, np.int64)
    job[CHANNELS : OUT_WIDTH + 1] = channels, *size
    job[LENGTH] = steps.code.shape[1]
    job[REPEAT : NEAREST + 1] = finish.repeat, finish.reflect, finish.fill, finish.nearest
    job[_STEPS:_FINISH] = [array.ctypes.data for array in steps]
    job[_FINISH:MEMORIES] = finish.scale.ctypes.data, finish.offset.ctypes.data
    return job


def set_batch(job: Job, start: int, portion: int, sources: Pictures, out: int) -> None:
    """The batch whose first chain is number `start` of the plan."""
    count, length = len(sources.address), int(job[LENGTH])
    job[COUNT], job[PORTION], job[OUT] = count, portion, out
    job[_STEPS] += start * length
    job[_STEPS + 1] += start * length * 4
    job[_PICTURES:_STEPS] = [array.ctypes.data for array in sources]


def set_memories(job: Job, memories: list[NDArray[np.int64]]) -> None:
    """Which memory each thread that helps has."""
    job[MEMORIES : MEMORIES + len(memories)] = [memory.ctypes.data for memory in memories]


def describe_memory(scratch: Scratch) -> NDArray[np.int64]:
    """The addresses of a scratch, and what else compiled code needs to know of it."""
    return np.array([*(array.ctypes.data for array in scratch), scratch.planes.shape[1]], np.int64)


# ── compiled ──


@compiled
def pictures(job: Job) -> Pictures:
    count = job[COUNT]
    return Pictures(
        int64s(job[_PICTURES], (count,)),
        int64s(job[_PICTURES + 1], (count,)),
        int64s(job[_PICTURES + 2], (count,)),
        int64s(job[_PICTURES + 3], (count,)),
    )


@compiled
def steps(job: Job) -> Steps:
    shape = job[COUNT], job[LENGTH]
    return Steps(
        code=int8s(job[_STEPS], shape),
        row=int32s(job[_STEPS + 1], shape),
        warp=float64s(job[_STEPS + 2], (_MANY, 9)),
        color=float64s(job[_STEPS + 3], (_MANY, 21)),
        hue=float32s(job[_STEPS + 4], (_MANY, 1)),
        lut=uint8s(job[_STEPS + 5], (_MANY, 256)),
        histogram=float32s(job[_STEPS + 6], (_MANY, 1)),
        kernel=float32s(job[_STEPS + 7], (_MANY, 9)),
        blur=float32s(job[_STEPS + 8], (_MANY, BLUR_RADIUS + 1)),
        jpeg=float32s(job[_STEPS + 9], (_MANY, 128)),
        noise=float64s(job[_STEPS + 10], (_MANY, 3)),
        box=float64s(job[_STEPS + 11], (_MANY, 5)),
        grid=float64s(job[_STEPS + 12], (_MANY, 6)),
    )


@compiled
def finish(job: Job) -> Finish:
    channels = (job[CHANNELS],)
    return Finish(
        float32s(job[_FINISH], channels),
        float32s(job[_FINISH + 1], channels),
        job[REPEAT] != 0,
        job[REFLECT] != 0,
        float(job[FILL]),
        job[NEAREST] != 0,
    )


@compiled
def scratch(given: NDArray[np.int64], channels: int) -> Scratch:
    return Scratch(
        packed=uint32s(given[0], (_MANY,)),
        squares=uint32s(given[1], (_MANY,)),
        xs=float32s(given[2], (_MANY,)),
        ys=float32s(given[3], (_MANY,)),
        planes=float32s(given[4], (channels, given[APART])),
        work=float32s(given[5], (_MANY,)),
        table=float32s(given[6], (_MANY,)),
        starts_x=int64s(given[7], (_MANY,)),
        starts_y=int64s(given[8], (_MANY,)),
        weights_x=uint32s(given[9], (_MANY,)),
        weights_y=uint32s(given[10], (_MANY,)),
        color=float32s(given[11], (3, 6)),
        line=float32s(given[12], (_MANY,)),
        means=float32s(given[13], (_MANY,)),
        matrix=float32s(given[14], (_MANY,)),
        blocks=float32s(given[15], (2, 8, 8)),
        counts=uint32s(given[16], (_MANY,)),
        row=uint32s(given[17], (_MANY,)),
    )
