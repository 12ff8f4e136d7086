"""What an image operation is, and how a file of operations declares its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gapless.augment.image.algebra import Element, Floats, Index

Law = Literal["uniform", "whole", "switch"]


class Size(NamedTuple):
    """Width and height of the pictures in pixels, one for all or one for each (B,)."""

    width: float | NDArray[Any]
    height: float | NDArray[Any]

    @property
    def aspect(self) -> float | NDArray[Any]:
        return self.width / self.height

    def take(self, rows: Index) -> Size:
        return Size(*(side[rows] if isinstance(side, np.ndarray) else side for side in self))


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
    ) -> Callable[[Callable[..., Element]], Callable[..., Element]]:
        """Declare the function below as an operation of its name; a second one of the same name is an error.

        The function takes magnitudes (B,), then `draws` arrays of uniform numbers (B,), then the `Size` if `sized`.
        """

        def declare(function: Callable[..., Element]) -> Callable[..., Element]:
            name = function.__name__
            if name in self:
                raise ValueError(f"the image operation {name!r} is declared twice")
            summary = (function.__doc__ or "").strip()
            self[name] = Op(name, 0.0, strong, unit, signed, law, draws, sized, source, summary, function)
            return function

        return declare
