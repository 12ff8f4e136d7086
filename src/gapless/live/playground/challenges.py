"""Set tasks on the playground: where they begin, and when they are solved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SHAPE = ("data", "rows", "flipped", "seed")
"""What may not be changed where a challenge is about these rows."""


@dataclass(frozen=True)
class Challenge:
    """settings: where it begins; the rest as the page opens. fixed: what must stay as it is.

    Solved by a finished training with all of: at least `train` and `new` of the rows right (shares), a gap of at most
    `widest` and at least `narrowest` points. None asks for nothing.
    """

    name: str
    title: str
    words: str
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    fixed: tuple[str, ...] = SHAPE
    train: float | None = None
    new: float | None = None
    widest: float | None = None
    narrowest: float | None = None


CHALLENGES = (
    Challenge(
        "overfit",
        "Make it overfit",
        "Get all but every fiftieth training row right, and be at least 20 points worse on new rows. What helps: few "
        "rows, wrong labels, a large network, no pillar at all.",
        {"data": "moons", "rows": 200, "width": 16, "depth": 1},
        fixed=("data",),
        train=0.98,
        narrowest=20.0,
    ),
    Challenge(
        "close",
        "Close the gap",
        "60 points of two moons, a fifth of the labels drawn anew, a network with room to learn them by heart. Without "
        "touching the data, get 81 % of new rows right with a gap of at most 5 points.",
        {"data": "moons", "rows": 60, "flipped": 0.2, "width": 128, "depth": 3},
        new=0.81,
        widest=5.0,
    ),
    Challenge(
        "digits",
        "A hundred digits",
        "100 digits to learn from, 600 to be asked about. Without a pillar nine in ten are right; get 92 % of them "
        "right.",
        {"data": "digits", "rows": 100, "lr": 0.003, "batch": 32, "epochs": 100},
        new=0.92,
    ),
)
