"""What the user chose for a search of a policy."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from gapless.errors import UsageError
from gapless.run.engines.place import Place
from gapless.run.surroundings import default_workers

Method = Literal["strength", "density", "controller"]
METHODS: tuple[Method, ...] = get_args(Method)
MINUTES = 5.0
"""The budget where none is given."""
USUAL: dict[str, Method] = {"image": "density", "text": "strength"}
"""The method where none is chosen, by the kind of data. On 150 digits, one run each at one seed, density matching
gained 2.8 points (1.6 to 4.3), the strength search 0.7 (-0.9 to 2.4) and 1.2 (-1.2 to 3.8), and the controller's
search had not enough time (`bench/policies.py`): no proof that one is better. Texts have no sub-policies."""
COST: dict[Method, float] = {"strength": 2.0, "density": 3.0, "controller": 10.0}
"""What each search may cost, in full trainings of the model, its warm starts included."""


@dataclass(frozen=True)
class PolicyOptions:
    """What the user chose.

    ops: names of operations to draw from; empty for the usual ones of this kind of data. guard: whether operations stay
    in the ranges in which labels survive. epochs, lr: of a full training; None settles them. begun: time.monotonic()
    when the command began. place: where trainings run.

    Raises:
        UsageError: a number that cannot be right, an unknown method.
    """

    out: Path
    minutes: float = MINUTES
    method: Method = "strength"
    ops: tuple[str, ...] = ()
    guard: bool = True
    epochs: int | None = None
    lr: float | None = None
    batch_size: int = 64
    optimizer: Literal["adamw", "sgd"] = "adamw"
    seed: int = 0
    workers: int = field(default_factory=default_workers)
    device: str = "cpu"
    begun: float | None = None
    place: Place = field(default_factory=Place)

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UsageError(f"method must be one of {', '.join(METHODS)}, got {self.method!r}")
        for name, value in {"minutes": self.minutes, "lr": self.lr}.items():
            if value is not None and not 0 < value < float("inf"):
                raise UsageError(f"{name} must be a number above 0, got {value:g}")
        for name, least in {"epochs": 2, "batch_size": 2, "workers": 1, "seed": 0}.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise UsageError(f"{name} must be at least {least}, got {value:g}")
