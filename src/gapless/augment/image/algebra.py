"""The algebra of image operations: what can be done to a batch of pictures, as numbers, without touching a pixel.

An element describes one change for each of B pictures. Elements of one kind that follow each other merge where the kind
has a product (`chains`), so a chain of operations becomes few passes over the pixels. A row that equals `identity`
leaves its picture as it is; "not chosen" and "probability p" are nothing else.

Grey levels run from 0 to 1 here. Places are given in half sides: (-1, -1) is the upper left corner of the picture,
(1, 1) the lower right one, whatever its size; x comes first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Index = NDArray[np.intp]

LUMA = np.array([0.299, 0.587, 0.114])
"""Shares of red, green and blue in gray (ITU-R BT.601), as Pillow and OpenCV have them."""

BLUR_RADIUS = 15
"""Pixels to each side that a blur reaches at the most: three deviations of 5 pixels."""


@dataclass(frozen=True)
class Element:
    """One change for each of B pictures: `data` has B rows. Abstract: the kinds below are the members.

    telling: which columns say whether a picture is changed at all; the others may be anything then. neighbours: whether
    an output pixel depends on more than the input pixel at its place; levels of uint8 pictures are whole before such a
    change.
    """

    data: NDArray[Any]
    identity: ClassVar[NDArray[Any]]
    telling: ClassVar[bool | Bools] = True
    neighbours: ClassVar[bool] = False

    def __len__(self) -> int:
        return len(self.data)

    def take(self, rows: Index | slice) -> Self:
        return replace(self, data=self.data[rows])

    def where(self, on: Bools) -> Self:
        """This element where `on`, the identity elsewhere."""
        on = on.reshape(-1, *[1] * (self.data.ndim - 1))
        return replace(self, data=np.where(on, self.data, self.identity))


@dataclass(frozen=True)
class Warp(Element):
    """Where each pixel comes from: (B, 3, 3) homographies from a place in the output to its place in the input.

    straight: the sides of the picture stay along x and y. smooth: where the picture shrinks, levels are averaged over
    the pixels that fall together, by a triangle filter as wide as the shrinking (Pillow's and torchvision's antialiased
    resize); only straight warps can be. Other warps interpolate between the four nearest pixels. The first smooth warp
    of a program is the one that brings pictures to the program's size.
    """

    straight: bool = False
    smooth: bool = False
    identity: ClassVar[NDArray[Any]] = np.eye(3)
    neighbours: ClassVar[bool] = True


@dataclass(frozen=True)
class Color(Element):
    """out = A v + N mean + t for the colour v = (red, green, blue) of a pixel: rows [A | N | t], (B, 3, 7).

    `mean` is the mean colour of the picture when the first of the merged elements meets it: contrast is about the mean
    gray of the picture. With N the kind stays closed under the product, since the mean of the output is
    (A + N) mean + t. Levels are cut to [0, 1] after the merged element, not inside it.
    """

    identity: ClassVar[NDArray[Any]] = np.eye(3, 7)

    @property
    def needs_mean(self) -> bool:
        return bool(self.data[:, :, 3:6].any())

    def gray(self) -> Floats:
        """(B, 3) the same change for pictures of one channel, which stand for red = green = blue: [a | n | t]."""
        rows = np.einsum("c,bcj->bj", LUMA, self.data)
        return np.stack([rows[:, :3].sum(1), rows[:, 3:6].sum(1), rows[:, 6]], axis=1)


@dataclass(frozen=True)
class Hue(Element):
    """Colours turn about the hue circle of HSV by a share of it: (B, 1). Saturation and value stay."""

    identity: ClassVar[NDArray[Any]] = np.zeros(1)


@dataclass(frozen=True)
class Lut(Element):
    """A table from the 256 levels to levels, for all channels: (B, 256) uint8. Levels are rounded before it."""

    identity: ClassVar[NDArray[Any]] = np.arange(256, dtype=np.uint8)


@dataclass(frozen=True)
class Histogram(Element):
    """A table that depends on the picture's own levels, for each channel: (B, 1), 0 nothing, 1 stretch, 2 equalize.

    Stretch: the darkest level becomes 0, the brightest 1, in a straight line. Equalize: Pillow's table, which makes the
    levels as equally frequent as whole levels allow.
    """

    identity: ClassVar[NDArray[Any]] = np.zeros(1)
    neighbours: ClassVar[bool] = True


@dataclass(frozen=True)
class Kernel(Element):
    """A 3 x 3 filter over neighbours: (B, 3, 3). Pixels on the border keep their level, as in Pillow's filters."""

    identity: ClassVar[NDArray[Any]] = np.pad([[1.0]], 1)
    neighbours: ClassVar[bool] = True


@dataclass(frozen=True)
class Blur(Element):
    """The same symmetric filter along x and along y: (B, BLUR_RADIUS + 1) weights from the middle outwards.

    Beyond the edge, the nearest pixel counts.
    """

    identity: ClassVar[NDArray[Any]] = np.eye(1, BLUR_RADIUS + 1)[0]
    neighbours: ClassVar[bool] = True


@dataclass(frozen=True)
class Jpeg(Element):
    """What JPEG with 4:2:0 colours leaves of the picture at a quality from 1 to 100: (B, 1), 0 leaves it alone."""

    identity: ClassVar[NDArray[Any]] = np.zeros(1)
    neighbours: ClassVar[bool] = True


@dataclass(frozen=True)
class Noise(Element):
    """Noise that a counter-based hash makes from a key: (B, 3) with deviation, share and key.

    Every level gets a normal number times the deviation; then a share of the pixels turns black or white, half each.
    The key is a whole number below 2^32.
    """

    identity: ClassVar[NDArray[Any]] = np.zeros(3)
    telling: ClassVar[bool | Bools] = np.array([True, True, False])


@dataclass(frozen=True)
class Box(Element):
    """A rectangle is painted over: (B, 5) with left, top, right, bottom in half sides, and the level.

    A pixel is inside when its centre is; the alpha channel keeps its value.
    """

    identity: ClassVar[NDArray[Any]] = np.zeros(5)


@dataclass(frozen=True)
class Grid(Element):
    """A grid of equal rectangles is painted over: (B, 6) with the period along x and y in half sides, the share of the
    period that is painted, the shift along x and y in half sides, and the level.
    """

    identity: ClassVar[NDArray[Any]] = np.array([1.0, 1, 0, 0, 0, 0])
    telling: ClassVar[bool | Bools] = np.array([False, False, True, False, False, False])


def rows(*lines: tuple[Floats | float, ...]) -> Floats:
    """(B, n, m) from n lines of m entries each, an entry being a number for all pictures or one for each (B,)."""
    batch = next(len(entry) for line in lines for entry in line if isinstance(entry, np.ndarray))
    out = np.zeros((batch, len(lines), len(lines[0])))
    for i, line in enumerate(lines):
        for j, entry in enumerate(line):
            if isinstance(entry, np.ndarray) or entry:
                out[:, i, j] = entry
    return out
