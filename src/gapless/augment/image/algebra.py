"""The algebra of image operations: what can be done to a batch of pictures, as numbers, without touching a pixel.

An element describes one change for each of B pictures. Elements of one kind that follow each other merge by `then`
where the kind has a product, so a chain of operations becomes few passes over the pixels. A row that equals `identity`
leaves its picture as it is; "not chosen" and "probability p" are nothing else.

Grey levels run from 0 to 1 here. Places are given in half sides: (-1, -1) is the upper left corner of the picture,
(1, 1) the lower right one, whatever its size; x comes first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Index = NDArray[np.intp]

LUMA = np.array([0.299, 0.587, 0.114])
"""Shares of red, green and blue in gray (ITU-R BT.601), as Pillow and OpenCV have them."""


@dataclass(frozen=True)
class Element:
    """One change for each of B pictures: `data` has B rows. Abstract: the kinds below are the members."""

    data: NDArray[Any]
    identity: ClassVar[NDArray[Any]]
    merges: ClassVar[bool] = False

    def __len__(self) -> int:
        return len(self.data)

    def take(self, rows: Index | slice) -> Self:
        return type(self)(self.data[rows])

    def where(self, on: Bools) -> Self:
        """This element where `on`, the identity elsewhere."""
        return type(self)(np.where(on.reshape(-1, *[1] * (self.data.ndim - 1)), self.data, self.identity))

    def active(self) -> Bools:
        """(B,) which pictures are changed at all."""
        return (self.data != self.identity).any(axis=tuple(range(1, self.data.ndim)))

    def then(self, other: Element) -> Self:
        """The one element that does `self` first and `other` after it; only for kinds that merge."""
        raise TypeError(f"{type(self).__name__} has no product")


@dataclass(frozen=True)
class Warp(Element):
    """Where each pixel comes from: (B, 3, 3) homographies from a place in the output to its place in the input."""

    identity: ClassVar[NDArray[Any]] = np.eye(3)
    merges: ClassVar[bool] = True

    def then(self, other: Element) -> Self:
        return type(self)(np.matmul(self.data, other.data))


@dataclass(frozen=True)
class Color(Element):
    """out = A v + N mean + t for the colour v = (red, green, blue) of a pixel: rows [A | N | t], (B, 3, 7).

    `mean` is the mean colour of the picture when the first of the merged elements meets it: contrast is about the mean
    gray of the picture. With N the kind stays closed under the product, since the mean of the output is
    (A + N) mean + t. Levels are cut to [0, 1] after the merged element, not inside it.
    """

    identity: ClassVar[NDArray[Any]] = np.eye(3, 7)
    merges: ClassVar[bool] = True

    def then(self, other: Element) -> Self:
        lifted = np.zeros((len(self), 7, 7))
        lifted[:, :3] = self.data
        lifted[:, 3:6, 3:6] = self.data[:, :, :3] + self.data[:, :, 3:6]
        lifted[:, 3:, 6] = 1
        lifted[:, 3:6, 6] = self.data[:, :, 6]
        return type(self)(np.matmul(other.data, lifted))

    @property
    def needs_mean(self) -> bool:
        return bool(self.data[:, :, 3:6].any())

    def gray(self) -> Floats:
        """(B, 3) the same change for pictures of one channel, which stand for red = green = blue: [a | n | t]."""
        rows = np.einsum("c,bcj->bj", LUMA, self.data)
        return np.stack([rows[:, :3].sum(1), rows[:, 3:6].sum(1), rows[:, 6]], axis=1)


@dataclass(frozen=True)
class Lut(Element):
    """A table for each channel from the 256 levels to levels: (B, 3, 256) uint8. Levels are rounded before it."""

    identity: ClassVar[NDArray[Any]] = np.broadcast_to(np.arange(256, dtype=np.uint8), (3, 256))
    merges: ClassVar[bool] = True

    def then(self, other: Element) -> Self:
        return type(self)(np.take_along_axis(other.data, self.data.astype(np.intp), axis=2))


@dataclass(frozen=True)
class Kernel(Element):
    """A 3 x 3 filter over neighbours: (B, 3, 3). Pixels on the border keep their level, as in Pillow's filters."""

    identity: ClassVar[NDArray[Any]] = np.pad([[1.0]], 1)


@dataclass(frozen=True)
class Box(Element):
    """A rectangle is painted over: (B, 5) with left, top, right, bottom in half sides, and the level.

    A pixel is inside when its centre is; the alpha channel keeps its value.
    """

    identity: ClassVar[NDArray[Any]] = np.zeros(5)


def rows(*lines: tuple[Floats | float, ...]) -> Floats:
    """(B, n, m) from n lines of m entries each, an entry being a number for all pictures or one for each (B,)."""
    batch = next(len(entry) for line in lines for entry in line if isinstance(entry, np.ndarray))
    out = np.zeros((batch, len(lines), len(lines[0])))
    for i, line in enumerate(lines):
        for j, entry in enumerate(line):
            if isinstance(entry, np.ndarray) or entry:
                out[:, i, j] = entry
    return out
