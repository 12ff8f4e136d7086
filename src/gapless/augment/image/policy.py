"""Which operations, how strong, how likely: a policy turns a table of uniform numbers into a program.

A policy draws nothing itself. Row b of the table decides what happens to picture b, so the same row gives the same
augmentation in any batch, on any machine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from gapless.augment.image.algebra import Floats, Warp
from gapless.augment.image.ops import Op, Size, find
from gapless.augment.image.program import FILLS, Fill, Group, Program, Sides, Slot, merge
from gapless.errors import UsageError

Magnitude = Literal["uniform", "full"]


@dataclass(frozen=True)
class Step:
    """One operation of a policy.

    Args:
        op: the operation's name.
        strength: the greatest magnitude, in the operation's unit; 0 is the identity.
        p: the probability that a picture gets it, in [0, 1].
    """

    op: str
    strength: float
    p: float = 1.0

    def __post_init__(self) -> None:
        record = find(self.op)
        if not record.weak <= self.strength <= record.strong:
            raise UsageError(
                f"{self.op}: strength must be from {record.weak:g} to {record.strong:g} {record.unit}, "
                f"got {self.strength!r}"
            )
        if record.law != "uniform" and self.strength != int(self.strength):
            raise UsageError(f"{self.op}: strength must be a whole number of {record.unit}, got {self.strength!r}")
        if not 0 <= self.p <= 1:
            raise UsageError(f"{self.op}: p must be in [0, 1], got {self.p!r}")

    @property
    def record(self) -> Op:
        return find(self.op)

    @property
    def idle(self) -> bool:
        """Whether it never changes anything."""
        return self.p == 0 or self.strength == 0

    @cached_property
    def resizes(self) -> bool:
        """Whether it is a step that may bring pictures to another size."""
        op = self.record
        nobody = op.element(np.zeros(0), np.zeros((0, op.draws)), Size(1, 1))
        return isinstance(nobody, Warp) and nobody.smooth

    def magnitudes(self, u: Floats, law: Magnitude) -> Floats:
        """Magnitudes (B,) for uniform numbers (B,): from -strength on for signed operations, else from 0 on."""
        op, strength = self.record, self.strength
        if op.law == "switch":
            return np.full(len(u), float(strength))
        if law == "full":
            return np.where(u < 0.5, -strength, strength) if op.signed else np.full(len(u), float(strength))
        if op.law == "whole":
            return np.floor(u * (2 * strength + 1)) - strength if op.signed else np.floor(u * (strength + 1))
        return (2 * u - 1) * strength if op.signed else u * strength


@dataclass(frozen=True)
class Policy:
    """Operations to draw from.

    Args:
        steps: the operations.
        pick: None: every step, in order. n: n steps for each picture, drawn with replacement from the steps and "leave
            it as it is", all equally likely.
        fill: what is seen outside the picture: black, gray, edge or reflect.
        magnitude: `uniform`: any magnitude up to the strength. `full`: always the strength, with a drawn sign.
        size: height and width that every picture is brought to, by the step that resizes, else before the first step;
            None keeps the pictures' size.
    """

    steps: tuple[Step, ...]
    pick: int | None = None
    fill: Fill = "black"
    magnitude: Magnitude = "uniform"
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.fill not in FILLS:
            raise UsageError(f"fill must be one of {', '.join(FILLS)}, got {self.fill!r}")
        if self.magnitude not in ("uniform", "full"):
            raise UsageError(f"magnitude must be uniform or full, got {self.magnitude!r}")
        if self.size is not None and min(self.size) < 1:
            raise UsageError(f"size must be height and width of at least 1 pixel, got {self.size}")
        if self.pick is not None and any(step.resizes for step in self.steps):
            raise UsageError("a step that resizes cannot be picked for some pictures only; put it in a policy before")
        if self.pick is not None and self.pick < 1:
            raise UsageError(f"pick must be at least 1, or None for every step in order, got {self.pick}")

    @property
    def columns(self) -> int:
        """How many uniform numbers one picture needs."""
        widths = [2 + step.record.draws for step in self.steps]
        return sum(widths) if self.pick is None else self.pick * (1 + max(widths, default=0))

    def scaled(self, share: float) -> Policy:
        """The same policy with every strength times `share`, in [0, 1]; switches and whole numbers take it in p.

        For a schedule over epochs: `policy.scaled(epoch / epochs)`.
        """
        if not 0 <= share <= 1:
            raise UsageError(f"share must be in [0, 1], got {share!r}")
        steps = tuple(
            replace(step, strength=step.strength * share)
            if step.record.law == "uniform"
            else replace(step, p=step.p * share)
            for step in self.steps
        )
        return replace(self, steps=steps)

    def program(self, u: Floats, height: Sides, width: Sides) -> Program:
        """The program for B pictures of height x width pixels, each a number or one for each picture (B,).

        Args:
            u: (B, columns) numbers from [0, 1), one row for each picture.
        """
        if u.ndim != 2 or u.shape[1] != self.columns:
            raise UsageError(f"u must have shape (B, {self.columns}) for this policy, got {u.shape}")
        program = Program(len(u), height, width, self.size or _one_size(height, width), self.fill, ())
        size, slots = Size(width, height), []
        if program.resizes and not any(step.resizes for step in self.steps):
            whole = Warp(np.repeat(Warp.identity[None], len(u), axis=0), straight=True, smooth=True)
            slots, size = [[Group(whole)]], Size(program.size[1], program.size[0])
        after = Size(program.size[1], program.size[0])
        slots += self._every_step(u, size, after) if self.pick is None else self._picked(u, size, self.pick)
        return replace(program, groups=merge(len(u), slots, program.resizes))

    def _every_step(self, u: Floats, size: Size, after: Size) -> list[Slot]:
        slots: list[Slot] = []
        column = 0
        for step in self.steps:
            draws = u[:, column : column + 2 + step.record.draws]
            column += draws.shape[1]
            if step.idle and not step.resizes:
                continue
            element = step.record.element(step.magnitudes(draws[:, 1], self.magnitude), draws[:, 2:], size)
            slots.append([Group(element if step.p == 1 else element.where(draws[:, 0] < step.p))])
            if step.resizes:
                size = after
        return slots

    def _picked(self, u: Floats, size: Size, pick: int) -> list[Slot]:
        slots: list[Slot] = []
        for draws in np.split(u, pick, axis=1):
            choice = np.floor(draws[:, 0] * (len(self.steps) + 1)).astype(np.intp)
            slot: list[Group] = []
            for number, step in enumerate(self.steps):
                rows = np.flatnonzero((choice == number) & (draws[:, 1] < step.p))
                if len(rows) and not step.idle:
                    magnitudes = step.magnitudes(draws[rows, 2], self.magnitude)
                    slot.append(Group(step.record.element(magnitudes, draws[rows, 3:], size.take(rows)), rows))
            slots.append(slot)
        return slots


def _one_size(height: Sides, width: Sides) -> tuple[int, int]:
    if not isinstance(height, int) or not isinstance(width, int):
        raise UsageError("pictures of different sizes need a policy with a size, to which all are brought")
    return height, width
