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


class Range(NamedTuple):
    """The magnitudes that an export speaks of, and the size that pictures are brought to, if the policy has one."""

    low: float
    high: float
    size: tuple[int, int] | None

    @property
    def plain(self) -> str:
        return f"({self.low:g}, {self.high:g})"

    @property
    def shares(self) -> str:
        """Around 1, by shares: 0.2 is 1.2."""
        return f"({1 + self.low:g}, {1 + self.high:g})"

    @property
    def factors(self) -> str:
        """Around 1, by factors: -0.25 is 1 / 1.25."""
        low, high = (1 + share if share >= 0 else 1 / (1 - share) for share in (self.low, self.high))
        return f"({low:g}, {high:g})"

    def only(self, code: str) -> str | None:
        """The code, if there is one magnitude only."""
        return code if self.low == self.high else None


Export = Callable[[Range], str | None]
"""The call, without its module, that does the same in another library, or None where there is no such thing."""


def _no_equivalent(_: Range) -> str | None:
    return None


@dataclass(frozen=True)
class Op:
    """What an operation is called and what it takes.

    weak, strong: the strengths it accepts, in `unit`; weak is the identity. signed: magnitudes have both signs. law:
    `uniform` magnitudes, `whole` numbers, or a `switch` that is on or off. draws: how many uniform numbers it needs
    besides the magnitude, for places and choices. sized: it needs the pictures' size. source: where it comes from.
    torchvision, albumentations: what it is there.
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
            )
            return function

        return declare
