"""What the user chose for a diagnosis."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from gapless.errors import UsageError
from gapless.run.engines.place import Place

MINUTES = 1.0
"""The budget where none is given."""
RATES = {"adamw": 3e-3, "sgd": 3e-2}
"""The learning rate to begin with where none is given."""


@dataclass(frozen=True)
class DiagnoseOptions:
    """What the user chose.

    epochs, lr: how the user trains the model; what is None is settled first. minutes: for everything. begun:
    time.monotonic() when the command began. place: where trainings run.

    Raises:
        UsageError: a number that cannot be right.
    """

    out: Path
    minutes: float = MINUTES
    epochs: int | None = None
    lr: float | None = None
    batch_size: int = 64
    optimizer: Literal["adamw", "sgd"] = "adamw"
    seed: int = 0
    workers: int = 1
    device: str = "cpu"
    begun: float | None = None
    place: Place = field(default_factory=Place)

    def __post_init__(self) -> None:
        positive = {"minutes": self.minutes, "lr": self.lr}
        for name, value in positive.items():
            if value is not None and not 0 < value < float("inf"):
                raise UsageError(f"{name} must be a number above 0, got {value:g}")
        for name, least in {"epochs": 1, "batch_size": 2, "workers": 1, "seed": 0}.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise UsageError(f"{name} must be at least {least}, got {value:g}")
