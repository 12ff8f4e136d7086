"""A program: the drawn operations of a batch, merged into as few passes over the pixels as the algebra allows.

A program is data. An interpreter runs its groups in order; what happens to one picture does not depend on the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gapless.augment.image.algebra import Element, Index

Fill = Literal["black", "gray", "edge", "reflect"]
FILLS: tuple[Fill, ...] = ("black", "gray", "edge", "reflect")


@dataclass(frozen=True)
class Group:
    """Pictures that take an element of the same kind at the same place of their chains.

    rows: which pictures of the batch, one for each row of the element; None: every picture, in order.
    """

    element: Element
    rows: Index | None


@dataclass(frozen=True)
class Program:
    """What happens to each of `batch` pictures of height x width pixels; no groups: nothing at all.

    fill: what is seen where a warp looks outside the picture: black, gray (half way), the nearest edge pixel, or the
    picture reflected at its edge, edge pixels doubled.
    """

    batch: int
    height: int
    width: int
    fill: Fill
    groups: tuple[Group, ...]


def in_order(elements: Iterable[Element]) -> tuple[Group, ...]:
    """Groups for pictures that all take the same kinds of elements in the same order.

    Neighbours of one kind merge whatever their rows hold, so that a picture's levels never depend on who else is in the
    batch; rows that are the identity are left out afterwards.
    """
    merged: list[Element] = []
    for element in elements:
        if merged and type(merged[-1]) is type(element) and element.merges:
            merged[-1] = merged[-1].then(element)
        else:
            merged.append(element)
    groups: list[Group] = []
    for element in merged:
        active = element.active()
        if active.all():
            groups.append(Group(element, None))
        elif active.any():
            rows = np.flatnonzero(active)
            groups.append(Group(element.take(rows), rows))
    return tuple(group for group in groups if len(group.element))


def by_picture(batch: int, slots: Iterable[Sequence[tuple[Element, Index]]]) -> tuple[Group, ...]:
    """Groups for pictures that each have a chain of their own.

    A slot holds what is done next: elements with the pictures they belong to, every picture at most once in a slot.
    A picture's element merges into the last one of its chain if that is of the same kind, else it opens a new place.
    """
    place = np.full(batch, -1)
    last = np.full(batch, -1)
    chains: list[dict[type[Element], Element]] = []
    kinds: list[type[Element]] = []
    owners: list[dict[type[Element], list[Index]]] = []
    for slot in slots:
        for element, rows in _one_per_kind(slot):
            kind = type(element)
            if kind not in kinds:
                kinds.append(kind)
            joins = (last[rows] == kinds.index(kind)) if kind.merges else np.zeros(len(rows), bool)
            place[rows] += ~joins
            last[rows] = kinds.index(kind)
            for level in np.unique(place[rows]):
                while len(chains) <= level:
                    chains.append({})
                    owners.append({})
                here = np.flatnonzero(place[rows] == level)
                part, whose = element.take(here), rows[here]
                table = chains[level].setdefault(kind, kind(np.repeat(kind.identity[None], batch, axis=0)))
                table.data[whose] = table.take(whose).then(part).data if kind.merges else part.data
                owners[level].setdefault(kind, []).append(whose)
    groups: list[Group] = []
    for chain, owner in zip(chains, owners, strict=True):
        for kind, table in chain.items():
            rows = np.unique(np.concatenate(owner[kind]))
            groups.append(Group(table, None) if len(rows) == batch else Group(table.take(rows), rows))
    return tuple(groups)


def _one_per_kind(slot: Sequence[tuple[Element, Index]]) -> list[tuple[Element, Index]]:
    kinds: dict[type[Element], list[tuple[Element, Index]]] = {}
    for element, rows in slot:
        if len(rows):
            kinds.setdefault(type(element), []).append((element, rows))
    return [
        (kind(np.concatenate([element.data for element, _ in members])), np.concatenate([rows for _, rows in members]))
        for kind, members in kinds.items()
    ]
