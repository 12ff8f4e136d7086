"""What a person looks at to judge a policy: each operation from weak to strong, and the whole policy as it is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gapless.augment.image.algebra import Floats
from gapless.augment.image.augmix import AugMix
from gapless.augment.image.ops.declare import Op
from gapless.augment.image.policy import Policy, Step
from gapless.augment.image.targets import move_boxes, move_masks, move_points
from gapless.augment.image.torch import interpreter as batched
from gapless.draws import stream
from gapless.errors import DataError

Pixels = NDArray[np.uint8]

LEVELS = 6
"""Pictures in a row besides the one as it is."""


@dataclass(frozen=True)
class Marks:
    """What stands in a picture: a mask (H, W) of class numbers, boxes (n, 4) and points (m, 2) in pixels, or none."""

    mask: NDArray[Any] | None = None
    boxes: Floats = field(default_factory=lambda: np.zeros((0, 4)))
    points: Floats = field(default_factory=lambda: np.zeros((0, 2)))

    @property
    def any(self) -> bool:
        return self.mask is not None or len(self.boxes) > 0 or len(self.points) > 0


@dataclass(frozen=True)
class Cell:
    """A picture (H, W, C) with what is written below it and what stands in it."""

    picture: Pixels
    caption: str
    marks: Marks


@dataclass(frozen=True)
class Row:
    """Pictures beside each other, with a name and what there is to say about it."""

    name: str
    notes: tuple[str, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Preview:
    """A row for each operation of a policy, then a row for each picture under the whole policy."""

    operations: tuple[Row, ...]
    whole: tuple[Row, ...]


def preview(
    policy: Policy | AugMix,
    pictures: Sequence[Pixels],
    marks: Sequence[Marks],
    classes: Sequence[str] = (),
    seed: int = 0,
) -> Preview:
    """The rows of a contact sheet.

    An operation is shown at the greatest strength that the policy has it with, one step of six after the other; signed
    operations with both signs at three strengths; what has no strengths, such as a flip, once, or drawn six times.

    Args:
        pictures: uint8 (H, W, C) of any sizes; C is 1, 3 or 4.
        marks: what stands in each picture.
        classes: what each picture is of, if that is known.
        seed: of the places and choices.
    """
    if not pictures:
        raise DataError("a preview needs at least one picture")
    if len(marks) != len(pictures) or (classes and len(classes) != len(pictures)):
        raise DataError(
            f"there are {len(pictures)} pictures but marks for {len(marks)} and classes for {len(classes) or 'none'}"
        )
    found: dict[str, list[Step]] = {}
    steps = policy.steps if isinstance(policy, AugMix) else policy.every_step
    for step in steps:
        if not step.idle:
            found.setdefault(step.op, []).append(step)
    plain = Policy((), fill=policy.fill) if isinstance(policy, AugMix) else replace(policy, steps=(), pick=None)
    operations: list[Row] = []
    for number, same in enumerate(found.values()):
        at = number % len(pictures)
        operations.append(_operation(same, plain, pictures[at], marks[at], stream(seed, "preview", number)))
    whole = tuple(
        _drawn(policy, plain, number, picture, mark, classes[number] if classes else "", seed)
        for number, (picture, mark) in enumerate(zip(pictures, marks, strict=True))
    )
    return Preview(tuple(operations), whole)


# ── one operation ──


def _operation(steps: list[Step], plain: Policy, picture: Pixels, marks: Marks, draws: np.random.Generator) -> Row:
    step = max(steps, key=lambda each: each.strength)
    op = step.record
    levels = _levels(op, step.strength)
    again = op.draws > 0 and len(levels) == 1
    table = draws.random((LEVELS if again else 1, 2 + op.draws))
    cells = [_shown(plain, np.zeros((1, 0)), picture, marks, "as it is")]
    for number, level in enumerate(levels * LEVELS if again else levels):
        u = table[number if again else 0].copy()
        u[1] = 0.0 if level < 0 else 0.75
        alone = replace(plain, steps=(Step(op.name, abs(level), magnitude="full"),))
        cells.append(_shown(alone, u[None], picture, marks, _named(op, level)))
    notes = _notes(steps, step)
    if all(np.array_equal(cell.picture, cells[0].picture) for cell in cells):
        notes = (*notes, "changes nothing here")
    return Row(op.name, notes, tuple(cells))


def _levels(op: Op, strength: float) -> list[float]:
    """Magnitudes from weak to strong."""
    if op.law in ("switch", "fixed"):
        return [strength]
    count = LEVELS // 2 if op.signed else LEVELS
    shares = strength * np.arange(1, count + 1) / count
    if op.law == "whole":
        shares = np.unique(np.maximum(1, np.rint(shares)))
    signs = (-1, 1) if op.signed else (1,)
    return [float(sign * share) for share in shares for sign in signs]


def _named(op: Op, level: float) -> str:
    if op.law == "switch":
        return op.unit
    digits = 2 if abs(level) < 100 else 3
    return f"{level:{'+' if op.signed else ''}.{digits}g} {op.unit}"


def _notes(steps: list[Step], step: Step) -> tuple[str, ...]:
    """What the policy draws, in short lines."""
    op, notes = step.record, list[str]()
    if op.law not in ("switch", "fixed"):
        always = all(each.magnitude == "full" for each in steps)
        sign = "±" if op.signed else "" if always else "0 to "
        notes.append(f"{'always ' if always else ''}{sign}{step.strength:.3g} {op.unit}")
    elif op.law == "fixed":
        notes.append(f"{step.strength:.0f} {op.unit}")
    chances = sorted({each.p for each in steps})
    if chances != [1.0]:
        notes.append(f"p {chances[0]:g}" + (f" to {chances[-1]:g}" if len(chances) > 1 else ""))
    if len(steps) > 1:
        notes.append(f"stands {len(steps)} times")
    return tuple(notes)


# ── the whole policy ──


def _drawn(
    policy: Policy | AugMix, plain: Policy, number: int, picture: Pixels, marks: Marks, label: str, seed: int
) -> Row:
    cells = [_shown(plain, np.zeros((1, 0)), picture, marks, "as it is")]
    table = stream(seed, "preview whole", number).random((LEVELS, policy.columns))
    for place, u in enumerate(table, start=1):
        if isinstance(policy, AugMix):  # chains move differently: there is no one place for a mark
            mixed = policy(u[None], _tensor(picture))
            cells.append(Cell(_pixels(mixed), f"draw {place}", Marks()))
        else:
            cells.append(_shown(policy, u[None], picture, marks, f"draw {place}"))
    notes = [label] if label else []
    notes.append(f"{picture.shape[1]} x {picture.shape[0]} pixels")
    if isinstance(policy, AugMix) and marks.any:
        notes.append("marks move apart")
    return Row(f"picture {number + 1}", tuple(notes), tuple(cells))


def _shown(policy: Policy, u: Floats, picture: Pixels, marks: Marks, caption: str) -> Cell:
    program = policy.program(u, *picture.shape[:2])
    moved = batched.run(program, _tensor(picture))
    mask = marks.mask
    if mask is not None:
        mask = move_masks(program, torch.from_numpy(np.ascontiguousarray(mask, np.int64))[None])[0].numpy()
    ((boxes, seen),) = move_boxes(program, [marks.boxes])
    ((points, inside),) = move_points(program, [marks.points])
    return Cell(_pixels(moved), caption, Marks(mask, boxes[seen], points[inside]))


def _tensor(picture: Pixels) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None]


def _pixels(images: torch.Tensor) -> Pixels:
    return np.ascontiguousarray(images[0].permute(1, 2, 0).numpy())
