"""A program: the drawn operations of a batch, merged into as few passes over the pixels as the algebra allows.

A program is data. An interpreter runs its groups in order; what happens to one picture does not depend on the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gapless.augment.image.algebra import Element, Index, Warp

Fill = Literal["black", "gray", "edge", "reflect"]
FILLS: tuple[Fill, ...] = ("black", "gray", "edge", "reflect")
Reading = Literal["bilinear", "nearest"]
READINGS: tuple[Reading, ...] = ("bilinear", "nearest")

Sides = int | Index
"""A side in pixels: one for all pictures, or one for each (B,)."""


@dataclass(frozen=True)
class Group:
    """Pictures that take an element of the same kind at the same place of their chains.

    rows: which pictures of the batch, rising, one for each row of the element; None: every picture, in order.
    """

    element: Element
    rows: Index | None = None


Slot = Sequence[Group]
"""What is done next: groups of different pictures, every picture at most once."""


@dataclass(frozen=True)
class Program:
    """What happens to each of `batch` pictures of height x width pixels; no groups: nothing at all.

    size: height and width of the result. Where they differ from the pictures', a smooth warp that concerns every
    picture is among the groups. fill: what is seen where a warp looks outside the picture: black, gray (half way), the
    nearest edge pixel, or the picture reflected at its edge, edge pixels doubled; alpha is filled with 0 where levels
    are black or gray. reading: warps that are not smooth interpolate between four pixels, or take the nearest one.
    """

    batch: int
    height: Sides
    width: Sides
    size: tuple[int, int]
    fill: Fill
    groups: tuple[Group, ...]
    reading: Reading = "bilinear"

    @property
    def resizes(self) -> bool:
        """Whether any picture changes its size."""
        sides = zip((self.height, self.width), self.size, strict=True)
        return any(bool(np.any(np.not_equal(side, target))) for side, target in sides)

    def part(self, start: int, stop: int) -> Program:
        """What happens to the pictures from start to stop: one program may be drawn for many batches."""
        height, width = (side if isinstance(side, int) else side[start:stop] for side in (self.height, self.width))
        groups: list[Group] = []
        for group in self.groups:
            if group.rows is None:
                groups.append(Group(group.element.take(slice(start, stop))))
                continue
            low, high = np.searchsorted(group.rows, (start, stop))
            if low < high:
                groups.append(Group(group.element.take(slice(low, high)), group.rows[low:high] - start))
        count = len(range(self.batch)[start:stop])
        kept = tuple(group for group in groups if len(group.element))
        return Program(count, height, width, self.size, self.fill, kept, self.reading)


def merge(batch: int, slots: Sequence[Slot], resizes: bool = False) -> tuple[Group, ...]:
    """The groups of a program from what is done to `batch` pictures, slot by slot.

    Elements merge by what kinds the slots hold, never by what the rows hold, so that a picture's levels do not depend
    on who else is in the batch; rows that are the identity are left out afterwards. A warp that brings pictures to
    another size stays whole.
    """
    common = 0
    while common < len(slots) and len(slots[common]) == 1 and slots[common][0].rows is None:
        common += 1
    groups = [_active(element, resizes) for element in _in_order([slot[0].element for slot in slots[:common]])]
    if common == len(slots):
        return tuple(group for group in groups if len(group.element))
    every = np.arange(batch)
    first = [[Group(group.element, every if group.rows is None else group.rows)] for group in groups]
    return _by_picture(batch, [*first, *slots[common:]])


def _in_order(elements: Sequence[Element]) -> list[Element]:
    merged: list[Element] = []
    for element in elements:
        if merged and element.joins(merged[-1]):
            merged[-1] = element.after(merged[-1])
        else:
            merged.append(element)
    return merged


def _active(element: Element, resizes: bool) -> Group:
    active = element.active()
    if active.all() or (resizes and _smooth(element)):
        return Group(element)
    rows = np.flatnonzero(active)
    return Group(element.take(rows), rows)


def _smooth(element: Element) -> bool:
    return isinstance(element, Warp) and element.smooth


Key = tuple[type[Element], bool]


def _key(element: Element) -> Key:
    return type(element), _smooth(element)


def _by_picture(batch: int, slots: Sequence[Slot]) -> tuple[Group, ...]:
    """Every picture has a chain of its own: an element merges into the chain's last one or opens a new place."""
    place = np.full(batch, -1)
    last = np.full(batch, -1)
    chains: list[dict[Key, tuple[Element, list[Index]]]] = []
    keys: list[Key] = []
    for slot in slots:
        for key, element, rows in _one_per_key(batch, slot):
            if key not in keys:
                keys.append(key)
            joins = (last[rows] == keys.index(key)) & (element.joins(element) and not key[1])
            place[rows] += ~joins
            last[rows] = keys.index(key)
            for level in np.unique(place[rows]):
                if level == len(chains):
                    chains.append({})
                here = np.flatnonzero(place[rows] == level)
                part, whose = element.take(here), rows[here]
                if key not in chains[level]:
                    one = np.repeat(element.identity[None], batch, axis=0)
                    chains[level][key] = (_with_data(element, one), [])
                table, owners = chains[level][key]
                table.data[whose] = part.after(table.take(whose)).data if part.joins(part) and not key[1] else part.data
                owners.append(whose)
    groups: list[Group] = []
    for chain in chains:
        for table, owners in chain.values():
            rows = np.unique(np.concatenate(owners))
            groups.append(Group(table) if len(rows) == batch else Group(table.take(rows), rows))
    return tuple(groups)


def _one_per_key(batch: int, slot: Slot) -> list[tuple[Key, Element, Index]]:
    kinds: dict[Key, list[tuple[Element, Index]]] = {}
    for group in slot:
        if len(group.element):
            rows = np.arange(batch) if group.rows is None else group.rows
            kinds.setdefault(_key(group.element), []).append((group.element, rows))
    return [
        (
            key,
            _with_data(members[0][0], np.concatenate([element.data for element, _ in members])),
            np.concatenate([rows for _, rows in members]),
        )
        for key, members in kinds.items()
    ]


def _with_data(element: Element, data: NDArray[Any]) -> Element:
    """The same kind with other rows; a plain warp is not called straight here, as not all that merge need be."""
    if isinstance(element, Warp):
        return Warp(data, straight=element.smooth, smooth=element.smooth)
    return type(element)(data)
