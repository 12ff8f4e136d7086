"""Which operations, how strong, how likely: a policy turns a table of uniform numbers into a program.

A policy draws nothing itself. Row b of the table decides what happens to picture b, so the same row gives the same
augmentation in any batch, on any machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from gapless.augment.image.algebra import Element, Floats, Index, Warp
from gapless.augment.image.chains import Group, Slot, merge
from gapless.augment.image.ops import Op, Size, find
from gapless.augment.image.program import FILLS, READINGS, Fill, Program, Reading, Sides, differs
from gapless.augment.steps import check
from gapless.errors import UsageError

Magnitude = Literal["uniform", "full"]


@dataclass(frozen=True)
class Step:
    """One operation of a policy.

    Args:
        op: the operation's name.
        strength: the greatest magnitude, in the operation's unit; 0 is the identity.
        p: the probability that a picture gets it, in [0, 1].
        magnitude: `uniform`: any magnitude up to the strength, of either sign for signed operations. `full`: always the
            strength, with a drawn sign.
    """

    op: str
    strength: float
    p: float = 1.0
    magnitude: Magnitude = "uniform"

    def __post_init__(self) -> None:
        check(self.record, self.strength, self.p, whole=self.record.law != "uniform")
        if self.magnitude not in ("uniform", "full"):
            raise UsageError(f"{self.op}: magnitude must be uniform or full, got {self.magnitude!r}")

    @property
    def record(self) -> Op:  # not kept: it holds functions, so that the step could not be sent to another process
        return find(self.op)

    @property
    def columns(self) -> int:
        """How many uniform numbers one picture needs: for p, for the magnitude, and what the operation draws."""
        return 2 + self.record.draws

    @property
    def idle(self) -> bool:
        """Whether it never changes anything."""
        return self.p == 0 or self.strength == 0

    @cached_property
    def resizes(self) -> bool:
        """Whether it is a step that may bring pictures to another size."""
        op = self.record
        nobody = op.element(np.zeros(0), np.zeros((op.draws, 0)), Size(1, 1))
        return isinstance(nobody, Warp) and nobody.smooth

    def scaled(self, share: float) -> Step:
        if self.record.law == "uniform":
            return replace(self, strength=self.strength * share)
        return replace(self, p=self.p * share)

    def magnitudes(self, u: Floats) -> Floats:
        """Magnitudes (B,) for uniform numbers (B,): from -strength on for signed operations, else from 0 on.

        Switches and fixed numbers are the strength itself.
        """
        op, strength = self.record, self.strength
        if op.law in ("switch", "fixed"):
            return np.full(len(u), float(strength))
        if self.magnitude == "full":
            return np.copysign(float(strength), u - 0.5) if op.signed else np.full(len(u), float(strength))
        if op.law == "whole":
            return np.floor(u * (2 * strength + 1)) - strength if op.signed else np.floor(u * (strength + 1))
        return u * (2 * strength) - strength if op.signed else u * strength

    def everyone(self, u: Floats, size: Size) -> Group | None:
        """What it does to every picture, by uniform numbers (columns, B), or nothing."""
        if self.p == 1:
            return Group(self._element(u, size))
        if self.resizes:  # all pictures are resized in the same stage, those too that are shown whole
            return Group(self._element(u, size).where(u[0] < self.p))
        return self.some(u, np.arange(u.shape[1]), size)

    def some(self, u: Floats, rows: Index, size: Size) -> Group | None:
        """What it does to these pictures of the batch, by uniform numbers (columns, n) of theirs, or nothing."""
        if self.idle:
            return None
        if self.p < 1:
            going = u[0] < self.p
            u, rows = u[:, going], rows[going]
        if not len(rows):
            return None
        return Group(self._element(u, size.take(rows)), rows)

    def _element(self, u: Floats, size: Size) -> Element:
        return self.record.element(self.magnitudes(u[1]), u[2:], size)


@dataclass(frozen=True)
class Choice:
    """One of several options for each picture, all equally likely; an option is steps in order, or none at all."""

    options: tuple[tuple[Step, ...], ...]

    def __post_init__(self) -> None:
        if not self.options:
            raise UsageError("a choice needs at least one option")
        if self.resizes:
            raise UsageError("a step that resizes cannot be picked for some pictures only; put it before the choice")

    @property
    def columns(self) -> int:
        return 1 + max(sum(step.columns for step in option) for option in self.options)

    @property
    def resizes(self) -> bool:
        return any(step.resizes for option in self.options for step in option)

    def scaled(self, share: float) -> Choice:
        return Choice(tuple(tuple(step.scaled(share) for step in option) for option in self.options))

    def slots(self, u: Floats, size: Size) -> Iterator[Slot]:
        """What is done, step by step, by uniform numbers (columns, B)."""
        choice = np.floor(u[0] * len(self.options)).astype(np.intp)
        by_option = np.argsort(choice, kind="stable")
        u, stops = u[1:, by_option], np.cumsum(np.bincount(choice, minlength=len(self.options))).tolist()
        parts = [slice(start, stop) for start, stop in pairwise((0, *stops))]
        for steps in self._places:
            yield self._slot(steps, u, by_option, parts, size)

    @cached_property
    def _places(self) -> tuple[tuple[_Placed, ...], ...]:
        """For each place in the order of an option's steps, the steps that stand there."""
        starts = [[0, *accumulate(step.columns for step in option)] for option in self.options]
        return tuple(
            tuple(
                _Placed(number, option[place], slice(*starts[number][place : place + 2]))
                for number, option in enumerate(self.options)
                if place < len(option)
            )
            for place in range(max(len(option) for option in self.options))
        )

    @staticmethod
    def _slot(
        steps: tuple[_Placed, ...], u: Floats, pictures: Index, parts: list[slice], size: Size
    ) -> Iterator[Group]:
        for option, step, columns in steps:
            group = step.some(u[columns, parts[option]], pictures[parts[option]], size)
            if group is not None:
                yield group


class _Placed(NamedTuple):
    """A step of an option, and which of the option's uniform numbers are its own."""

    option: int
    step: Step
    columns: slice


@dataclass(frozen=True)
class Policy:
    """Operations to draw from.

    Args:
        steps: operations, and choices between operations, in order.
        pick: None: every step, in order. n: n of the steps for each picture, drawn with replacement from the steps and
            "leave it as it is", all equally likely.
        fill: what is seen outside the picture: black, gray, edge or reflect.
        size: height and width that every picture is brought to, by the first step that resizes, else before all steps;
            None keeps the pictures' size.
        reading: what moved pictures are read by: bilinear interpolation, or the nearest pixel, which invents no levels.
    """

    steps: tuple[Step | Choice, ...]
    pick: int | None = None
    fill: Fill = "black"
    size: tuple[int, int] | None = None
    reading: Reading = "bilinear"

    def __post_init__(self) -> None:
        if self.fill not in FILLS:
            raise UsageError(f"fill must be one of {', '.join(FILLS)}, got {self.fill!r}")
        if self.reading not in READINGS:
            raise UsageError(f"reading must be one of {', '.join(READINGS)}, got {self.reading!r}")
        if self.size is not None and min(self.size) < 1:
            raise UsageError(f"size must be height and width of at least 1 pixel, got {self.size}")
        if self.pick is not None and self.pick < 1:
            raise UsageError(f"pick must be at least 1, or None for every step in order, got {self.pick}")
        if self.pick is not None and any(isinstance(step, Choice) for step in self.steps):
            raise UsageError("a policy that picks from its steps cannot have choices among them")
        if self.pick is not None and any(step.resizes for step in self.steps):
            raise UsageError("a policy that picks from its steps cannot have one that resizes among them; set `size`")

    @cached_property
    def _entries(self) -> tuple[Step | Choice, ...]:
        if self.pick is None:
            return self.steps
        options = *((step,) for step in self.steps if isinstance(step, Step)), ()
        return (Choice(options),) * self.pick

    @cached_property
    def columns(self) -> int:
        """How many uniform numbers one picture needs."""
        return sum(entry.columns for entry in self._entries)

    def scaled(self, share: float) -> Policy:
        """The same policy with every strength times `share`, in [0, 1]; switches and whole numbers take it in p.

        For a schedule over epochs: `policy.scaled(epoch / epochs)`.
        """
        if not 0 <= share <= 1:
            raise UsageError(f"share must be in [0, 1], got {share!r}")
        return replace(self, steps=tuple(step.scaled(share) for step in self.steps))

    @property
    def resizes(self) -> bool:
        """Whether one of its steps may bring pictures to another size."""
        return any(entry.resizes for entry in self._entries)

    @property
    def every_step(self) -> tuple[Step, ...]:
        """The steps in order, those of all options of the choices among them."""
        options = ((entry,) if isinstance(entry, Step) else sum(entry.options, ()) for entry in self.steps)
        return sum(options, ())

    # ── read and write ──

    @classmethod
    def load(cls, path: str | Path) -> Policy:
        """The policy in a TOML file. UsageError names the file and the place in it."""
        from gapless.augment.image.policy_toml import load

        return load(path)

    @classmethod
    def loads(cls, text: str) -> Policy:
        """The policy in a TOML text. UsageError names the place in it."""
        from gapless.augment.image.policy_toml import loads

        return loads(text)

    def to_toml(self) -> str:
        """The TOML text that reads as this policy."""
        from gapless.augment.image.policy_toml import dumps

        return dumps(self)

    def to_torchvision(self) -> str:
        """Python code that builds this policy from `torchvision.transforms.v2`; it says what has no equivalent."""
        from gapless.augment.image.export import to_torchvision

        return to_torchvision(self)

    def to_albumentations(self) -> str:
        """Python code that builds this policy from albumentations 2.0; it says what has no equivalent."""
        from gapless.augment.image.export import to_albumentations

        return to_albumentations(self)

    # ── draw ──

    def program(self, u: Floats, height: Sides, width: Sides) -> Program:
        """The program for B pictures of height x width pixels, each a number or one for each picture (B,).

        Args:
            u: (B, columns) numbers from [0, 1), one row for each picture.
        """
        if u.ndim != 2 or u.shape[1] != self.columns:
            raise UsageError(f"u must have shape (B, {self.columns}) for this policy, got {u.shape}")
        batch, target = len(u), self.size or _one_size(height, width)
        resizes = differs(height, target[0]) or differs(width, target[1])
        slots = self._slots(np.ascontiguousarray(u.T), Size(width, height), Size(target[1], target[0]), resizes)
        return Program(batch, height, width, target, self.fill, merge(batch, slots, resizes, ours=True), self.reading)

    def _slots(self, u: Floats, size: Size, after: Size, resizes: bool) -> Iterator[Slot]:
        """What is done, slot by slot; `size` is the pictures', `after` the one they are brought to."""
        if resizes and not self.resizes:
            whole = np.repeat(Warp.identity[None], u.shape[1], axis=0)
            yield Group(Warp(whole, straight=True, smooth=True))
            size = after
        at = 0
        for entry in self._entries:
            draws = u[at : at + entry.columns]
            at += entry.columns
            if isinstance(entry, Choice):
                yield from entry.slots(draws, size)
                continue
            group = entry.everyone(draws, size)
            if group is not None:
                yield group
            if entry.resizes:
                size = after


def _one_size(height: Sides, width: Sides) -> tuple[int, int]:
    if not isinstance(height, int) or not isinstance(width, int):
        raise UsageError("pictures of different sizes need a policy with a size, to which all are brought")
    return height, width
