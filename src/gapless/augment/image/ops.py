"""Every image operation, declared once: its name, its range, and the element of the algebra that a magnitude means.

An operation is a function from magnitudes (B,) to an `Element` for B pictures. Magnitude 0 is always the identity; the
function's name is the operation's name and stands nowhere else in the package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np

from gapless.augment.image.algebra import LUMA, Box, Color, Element, Floats, Kernel, Lut, Warp, rows
from gapless.errors import UsageError, did_you_mean

Law = Literal["uniform", "whole", "switch"]

AUTOAUGMENT = "AutoAugment, Cubuk et al., arXiv 1805.09501, table 6"


class Size(NamedTuple):
    """Width and height of the pictures in pixels, one for all or one for each (B,)."""

    width: float | Floats
    height: float | Floats

    @property
    def aspect(self) -> float | Floats:
        return self.width / self.height


@dataclass(frozen=True)
class Op:
    """What an operation is called and what it takes.

    weak, strong: the strengths it accepts, in `unit`; weak is the identity. signed: magnitudes have both signs. law:
    `uniform` magnitudes, `whole` numbers, or a `switch` that is on or off. draws: how many uniform numbers it needs
    besides the magnitude, for places and choices. sized: it needs the pictures' size. source: where it comes from.
    """

    name: str
    weak: float
    strong: float
    unit: str
    signed: bool
    law: Law
    draws: int
    sized: bool
    source: str
    summary: str
    function: Callable[..., Element]

    def element(self, magnitude: Floats, draws: Floats, size: Size) -> Element:
        """The element for magnitudes (B,), further uniform numbers (B, draws) and the pictures' size."""
        extra = (size,) if self.sized else ()
        return self.function(magnitude, *draws.T[: self.draws], *extra)


_TABLE: dict[str, Op] = {}
OPS: Mapping[str, Op] = MappingProxyType(_TABLE)


def find(name: str) -> Op:
    """The operation of this name, or an error that names the nearest one."""
    if name not in OPS:
        raise UsageError(f"there is no image operation {name!r}.{did_you_mean(name, OPS)}")
    return OPS[name]


def op(
    strong: float,
    unit: str,
    *,
    signed: bool = False,
    law: Law = "uniform",
    draws: int = 0,
    sized: bool = False,
    source: str,
) -> Callable[[Callable[..., Element]], Callable[..., Element]]:
    """Declare the function below as an operation; a second one of the same name is an error."""

    def declare(function: Callable[..., Element]) -> Callable[..., Element]:
        name = function.__name__
        if name in _TABLE:
            raise ValueError(f"the image operation {name!r} is declared twice")
        summary = (function.__doc__ or "").strip()
        _TABLE[name] = Op(name, 0.0, strong, unit, signed, law, draws, sized, source, summary, function)
        return function

    return declare


def _factor(share: Floats) -> Floats:
    """A factor for a signed share: 0.25 is 1.25, -0.25 is 1 / 1.25, so that both signs are equally strong."""
    return np.where(share < 0, 1 / (1 + np.abs(share)), 1 + np.abs(share))


# Geometry. A matrix takes a place in the output to its place in the input, hence the inverse of what is seen.


@op(180, "deg", signed=True, sized=True, source=AUTOAUGMENT)
def rotate(angle: Floats, size: Size) -> Warp:
    """Turns the picture about its centre, counter-clockwise for a positive angle."""
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    return Warp(rows((c, -s / size.aspect, 0), (s * size.aspect, c, 0), (0, 0, 1)))


@op(3, "share", signed=True, source="Simard et al., ICDAR 2003")
def scale(share: Floats) -> Warp:
    """Makes the picture larger by this share about its centre, or smaller by the inverse factor."""
    f = 1 / _factor(share)
    return Warp(rows((f, 0, 0), (0, f, 0), (0, 0, 1)))


@op(1, "share", signed=True, source="Szegedy et al., arXiv 1409.4842, section 6")
def aspect(share: Floats) -> Warp:
    """Makes the picture wider than high by this share, or higher than wide, at the same area."""
    f = np.sqrt(_factor(share))
    return Warp(rows((1 / f, 0, 0), (0, f, 0), (0, 0, 1)))


@op(1, "share", signed=True, source=AUTOAUGMENT)
def translate_x(share: Floats) -> Warp:
    """Moves the picture to the right by a share of its width."""
    return Warp(rows((1, 0, -2 * share), (0, 1, 0), (0, 0, 1)))


@op(1, "share", signed=True, source=AUTOAUGMENT)
def translate_y(share: Floats) -> Warp:
    """Moves the picture down by a share of its height."""
    return Warp(rows((1, 0, 0), (0, 1, -2 * share), (0, 0, 1)))


@op(60, "deg", signed=True, sized=True, source=AUTOAUGMENT)
def shear_x(angle: Floats, size: Size) -> Warp:
    """Slants the picture sideways about its centre, its upper half to the right for a positive angle."""
    return Warp(rows((1, np.tan(np.deg2rad(angle)) / size.aspect, 0), (0, 1, 0), (0, 0, 1)))


@op(60, "deg", signed=True, sized=True, source=AUTOAUGMENT)
def shear_y(angle: Floats, size: Size) -> Warp:
    """Slants the picture up and down about its centre, its left half downwards for a positive angle."""
    return Warp(rows((1, 0, 0), (np.tan(np.deg2rad(angle)) * size.aspect, 1, 0), (0, 0, 1)))


@op(1, "on", law="switch", source="Krizhevsky et al., NIPS 2012, section 4.1")
def flip_x(on: Floats) -> Warp:
    """Mirrors the picture left to right."""
    return Warp(rows((1 - 2 * on, 0, 0), (0, 1, 0), (0, 0, 1)))


@op(1, "on", law="switch", source="Krizhevsky et al., NIPS 2012, section 4.1")
def flip_y(on: Floats) -> Warp:
    """Mirrors the picture top to bottom."""
    return Warp(rows((1, 0, 0), (0, 1 - 2 * on, 0), (0, 0, 1)))


# Colour.


def _color(own: Floats, gray: Floats | float = 0.0, mean_gray: Floats | float = 0.0) -> Color:
    """out = own * v + gray * luma(v) + mean_gray * luma(mean) for every channel."""
    out = np.zeros((len(own), 3, 7))
    for channel in range(3):
        out[:, channel, channel] = own
        for other in range(3):
            out[:, channel, other] += gray * LUMA[other]
            out[:, channel, 3 + other] = mean_gray * LUMA[other]
    return Color(out)


@op(1, "share", signed=True, source=AUTOAUGMENT)
def brightness(share: Floats) -> Color:
    """Multiplies every level by 1 + share."""
    return _color(1 + share)


@op(1, "share", signed=True, source=AUTOAUGMENT)
def contrast(share: Floats) -> Color:
    """Moves every level away from the picture's mean gray by this share, as Pillow does."""
    return _color(1 + share, mean_gray=-share)


@op(1, "share", signed=True, source=AUTOAUGMENT + " (there called Color)")
def saturation(share: Floats) -> Color:
    """Moves every pixel away from its own gray by this share."""
    return _color(1 + share, gray=-share)


# Tables of levels.

_LEVELS = np.arange(256)


def _lut(table: Floats) -> Lut:
    """The same table (B, 256) for each channel, rounded and cut to the levels there are."""
    return Lut(np.repeat(np.clip(np.rint(table), 0, 255).astype(np.uint8)[:, None], 3, axis=1))


@op(2, "share", signed=True, source="Poynton, Digital Video and HD, 2003, chapter 23")
def gamma(share: Floats) -> Lut:
    """Raises levels to a power: brighter middle tones for a positive share, darker ones for a negative."""
    return _lut(255 * (_LEVELS / 255) ** (1 / _factor(share))[:, None])


@op(7, "bits", law="whole", source=AUTOAUGMENT)
def posterize(bits: Floats) -> Lut:
    """Sets this many of the lowest of a level's eight bits to zero."""
    step = 2.0 ** bits[:, None]
    return _lut(_LEVELS // step * step)


@op(256, "level", source=AUTOAUGMENT)
def solarize(level: Floats) -> Lut:
    """Inverts the levels from 256 - level upwards."""
    return _lut(np.where(_LEVELS + level[:, None] < 256, _LEVELS, 255 - _LEVELS))


# Neighbours.

_SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13


@op(1, "share", signed=True, source=AUTOAUGMENT)
def sharpness(share: Floats) -> Kernel:
    """Moves every pixel away from a smoothed copy of the picture by this share, as Pillow does."""
    share = share[:, None, None]
    return Kernel((1 + share) * Kernel.identity - share * _SMOOTH)


# Parts painted over.


@op(1, "share", draws=2, source="Cutout, DeVries and Taylor, arXiv 1708.04552")
def erase(side: Floats, x: Floats, y: Floats) -> Box:
    """Paints a box gray that has this share of each side; its centre is anywhere in the picture."""
    x, y = 2 * x - 1, 2 * y - 1
    gray = np.where(side > 0, 0.5, 0)
    empty = side <= 0
    edges = [np.where(empty, 0, edge) for edge in (x - side, y - side, x + side, y + side)]
    return Box(np.stack([*edges, gray], axis=1))
