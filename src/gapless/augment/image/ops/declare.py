"""What an image operation is, and how a file of operations declares its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gapless.augment.image.algebra import Element, Floats, Index
from gapless.augment.prior import Prior

Law = Literal["uniform", "whole", "fixed", "switch"]


class Size(NamedTuple):
    """Width and height of the pictures in pixels, one for all or one for each (B,)."""

    width: float | NDArray[Any]
    height: float | NDArray[Any]

    @property
    def aspect(self) -> float | NDArray[Any]:
        return self.width / self.height

    def take(self, rows: Index) -> Size:
        if not isinstance(self.width, np.ndarray) and not isinstance(self.height, np.ndarray):
            return self
        return Size(*(side[rows] if isinstance(side, np.ndarray) else side for side in self))


class Range(NamedTuple):
    """The magnitudes that an export speaks of, how warps fill and read, and the size pictures are brought to."""

    low: float
    high: float
    fill: str
    reading: str
    size: tuple[int, int] | None

    @property
    def plain(self) -> str:
        return f"({self.low:g}, {self.high:g})"

    @property
    def whole(self) -> str:
        return f"({self.low:.0f}, {self.high:.0f})"

    @property
    def shares(self) -> str:
        """Around 1, by shares: 0.2 is 1.2."""
        return f"({1 + self.low:g}, {1 + self.high:g})"

    def only(self, code: str) -> str | None:
        """The code, if there is one magnitude only."""
        return code if self.low == self.high else None

    @property
    def constant(self) -> str:
        """How torchvision is told to interpolate and to fill; it knows no other fill than a constant."""
        mode = f", interpolation=v2.InterpolationMode.{self.reading.upper()}"
        return mode + (", fill=128" if self.fill == "gray" else "")

    @property
    def border(self) -> str:
        """How albumentations is told to interpolate and fill, by OpenCV's numbers: 1 repeats the edge, 2 reflects."""
        mode = ", interpolation=0" if self.reading == "nearest" else ""
        fills = {"black": "", "gray": ", fill=128", "edge": ", border_mode=1", "reflect": ", border_mode=2"}
        return mode + fills[self.fill]


Export = Callable[[Range], str | None]
"""The call, without its module, that does the same in another library, or None where there is no such thing."""


def _no_equivalent(_: Range) -> str | None:
    return None


@dataclass(frozen=True)
class Op:
    """What an operation is called and what it takes.

    weak, strong: the strengths it accepts, in `unit`; weak is the identity. signed: magnitudes have both signs. law:
    `uniform` magnitudes, `whole` numbers, a `fixed` whole number, which is the strength itself, or a `switch` that is
    on or off. draws: how many uniform numbers it needs besides the magnitude, for places and choices. sized: it needs
    the pictures' size. source: where it comes from. torchvision, albumentations: what it is there. prior: what a search
    tries; None: nothing, it is used where a recipe or policy names it.
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
    torchvision: Export
    albumentations: Export
    prior: Prior | None

    def element(self, magnitude: Floats, draws: Floats, size: Size) -> Element:
        """The element for magnitudes (B,), further uniform numbers (draws, B) and the pictures' size."""
        extra = (size,) if self.sized else ()
        return self.function(magnitude, *draws[: self.draws], *extra)


class Declared(dict[str, Op]):
    """The operations of one file, in the order of their declarations."""

    def op(
        self,
        strong: float,
        unit: str,
        *,
        signed: bool = False,
        law: Law = "uniform",
        draws: int = 0,
        sized: bool = False,
        source: str,
        torchvision: Export = _no_equivalent,
        albumentations: Export = _no_equivalent,
        prior: Prior | None = None,
    ) -> Callable[[Callable[..., Element]], Callable[..., Element]]:
        """Declare the function below as an operation of its name; a second one of the same name is an error.

        The function takes magnitudes (B,), then `draws` arrays of uniform numbers (B,), then the `Size` if `sized`.
        """

        def declare(function: Callable[..., Element]) -> Callable[..., Element]:
            name = function.__name__
            if name in self:
                raise ValueError(f"the image operation {name!r} is declared twice")
            summary = (function.__doc__ or "").strip()
            self[name] = Op(
                name,
                0.0,
                strong,
                unit,
                signed,
                law,
                draws,
                sized,
                source,
                summary,
                function,
                torchvision,
                albumentations,
                prior,
            )
            return function

        return declare
