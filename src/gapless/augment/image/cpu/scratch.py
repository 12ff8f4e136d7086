"""The memory that a thread works in: made once for the largest pictures it has met."""

from __future__ import annotations

from dataclasses import dataclass
from threading import local

import numpy as np
from numpy.typing import NDArray

from gapless.augment.image.algebra import BLUR_RADIUS
from gapless.augment.image.cpu.resample_simd import COLUMNS, LINES
from gapless.augment.image.cpu.tables import Scratch
from gapless.augment.image.cpu.warp import STRIP


@dataclass(frozen=True)
class Room:
    """How much memory a thread needs; largest: height and width of the largest picture, before or after."""

    largest: tuple[int, int]
    out: tuple[int, int]
    channels: int
    apart: int
    """Pixels of a picture that is worked on before it has the size of the result."""
    taps: tuple[int, int]

    def covers(self, other: Room) -> bool:
        pairs = zip((*self.largest, *self.out, *self.taps), (*other.largest, *other.out, *other.taps), strict=True)
        enough = self.channels == other.channels and self.apart >= other.apart
        return enough and all(mine >= needed for mine, needed in pairs)


class _Kept(local):
    """The memory that a thread used last, and for what it has room: pictures mostly come in the same sizes."""

    last: tuple[Room, Scratch] | None = None


_KEPT = _Kept()


def own_scratch(room: Room) -> Scratch:
    """This thread's memory, with at least that much room."""
    last = _KEPT.last
    if last is None or not (last[0] is room or last[0].covers(room)):
        _KEPT.last = last = room, _new(room)
    return last[1]


def _new(room: Room) -> Scratch:
    height, width = room.largest
    words, places = (height + 2) * (width + 2), max(STRIP, width)
    filters_y, filters_x = (max(side, LINES) for side in room.out)
    return Scratch(
        packed=np.empty(words + COLUMNS, np.uint32),
        squares=np.empty(words + LINES * filters_x, np.uint32),
        xs=np.empty(places, np.float32),
        ys=np.empty(places, np.float32),
        planes=np.empty((room.channels, room.apart), np.float32),
        work=np.empty(height * width + 3 * width + 2 * BLUR_RADIUS + 8, np.float32),
        table=np.empty(256, np.float32),
        starts_x=np.empty(filters_x, np.int64),
        starts_y=np.empty(filters_y, np.int64),
        weights_x=np.empty(filters_x * room.taps[0], np.uint32),
        weights_y=np.empty(filters_y * room.taps[1], np.uint32),
        color=_apart(18).reshape(3, 6),
        line=_apart(4),
        means=_apart(max(room.channels, 3)),
        matrix=_apart(9),
        blocks=np.empty((2, 8, 8), np.float32),
        counts=np.empty(256, np.uint32),
        row=_on_a_line(2 * LINES * max(width, COLUMNS)),
    )


def _apart(count: int) -> NDArray[np.float32]:
    """Floats that share no line of a cache with another thread's: such lines would go to and fro between cores."""
    return np.empty(count + 32, np.float32)[16 : 16 + count]


def _on_a_line(count: int) -> NDArray[np.uint32]:
    """Words from the beginning of a line of the cache on: vectors that reach into a second line take twice as long."""
    words = np.empty(count + 15, np.uint32)
    start = -words.ctypes.data % 64 // 4
    return words[start : start + count]
