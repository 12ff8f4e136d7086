"""A program: what was drawn for the pictures of a batch, merged into chains, and how the result looks.

A program is data. An interpreter runs each picture's chain; what happens to one picture does not depend on the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from gapless.augment.image.algebra import Index
from gapless.augment.image.chains import Chains, Group

Fill = Literal["black", "gray", "edge", "reflect"]
FILLS: tuple[Fill, ...] = ("black", "gray", "edge", "reflect")
Reading = Literal["bilinear", "nearest"]
READINGS: tuple[Reading, ...] = ("bilinear", "nearest")

Sides = int | Index
"""A side in pixels: one for all pictures, or one for each (B,)."""


@dataclass(frozen=True)
class Program:
    """What happens to each of `batch` pictures of height x width pixels; empty chains: nothing at all.

    size: height and width of the result. Where they differ from the pictures', every chain has a smooth warp, the first
    of which brings its picture there. fill: what is seen where a warp looks outside the picture: black, gray (half
    way), the nearest edge pixel, or the picture reflected at its edge, edge pixels doubled; alpha is filled with 0
    where levels are black or gray. reading: warps that are not smooth interpolate between four pixels, or take the
    nearest one.
    """

    batch: int
    height: Sides
    width: Sides
    size: tuple[int, int]
    fill: Fill
    chains: Chains
    reading: Reading = "bilinear"

    @property
    def resizes(self) -> bool:
        """Whether any picture changes its size."""
        return differs(self.height, self.size[0]) or differs(self.width, self.size[1])

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """What is done, slot by slot, for an interpreter that runs many pictures at once."""
        return self.chains.groups()

    def part(self, start: int, stop: int) -> Program:
        """What happens to the pictures from start to stop: one program may be drawn for many batches."""
        height, width = (side if isinstance(side, int) else side[start:stop] for side in (self.height, self.width))
        count = len(range(self.batch)[start:stop])
        return Program(count, height, width, self.size, self.fill, self.chains.part(start, stop), self.reading)


def differs(side: Sides, target: int) -> bool:
    """Whether any picture has another side than this one."""
    return side != target if isinstance(side, int) else bool((side != target).any())
