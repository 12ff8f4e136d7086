"""What the user chose for a run of `gapless tune`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from gapless.errors import UsageError
from gapless.run.engines.place import Place
from gapless.run.surroundings import default_workers

MINUTES = 5.0
"""The budget when neither minutes nor trials are given."""
_AT_LEAST = {"trials": 1, "epochs": 1, "batch_size": 2, "workers": 1, "seed": 0, "ema": 0}


class OptionError(UsageError):
    """An option that cannot be right. option: its name; problem: what follows the name in the message."""

    def __init__(self, option: str, problem: str):
        super().__init__(f"{option} {problem}")
        self.option, self.problem = option, problem


@dataclass(frozen=True)
class TuneOptions:
    """What the user chose.

    minutes: the promise for everything, 5 where neither is given; or trials: the number of trainings in the search.
    epochs: None lets the data and the budget decide. ema: decay of averaged weights, 0 for none. begun:
    time.monotonic() when the command began, so that loading counts. translator, masked_model: what made the task's
    paraphrases. place: where trainings run.

    Raises:
        OptionError: a number that cannot be right.
    """

    out: Path
    minutes: float | None = None
    trials: int | None = None
    epochs: int | None = None
    batch_size: int = 64
    optimizer: Literal["adamw", "sgd"] = "adamw"
    ema: float = 0.0
    seed: int = 0
    workers: int = field(default_factory=default_workers)
    device: str = "cpu"
    begun: float | None = None
    translator: str | None = None
    masked_model: Path | None = None
    place: Place = field(default_factory=Place)

    def __post_init__(self) -> None:
        if self.minutes is not None and self.trials is not None:
            raise UsageError("minutes and trials exclude each other: give one of them")
        if self.minutes is not None and not 0 < self.minutes < float("inf"):
            raise OptionError("minutes", f"must be a number above 0, got {self.minutes:g}")
        for name, least in _AT_LEAST.items():
            value = getattr(self, name)
            if value is not None and not least <= value < float("inf"):
                raise OptionError(name, f"must be at least {least}, got {value:g}")
        if self.ema >= 1:
            raise OptionError("ema", f"must be below 1, got {self.ema:g}; 0.99 is usual")
        if self.place.engine == "ray" and self.device != "cpu" and not self.place.gpus:
            raise UsageError(
                f"device {self.device} on a Ray cluster: say how many GPUs each training gets, such as 0.5"
            )

    @property
    def budget(self) -> float | None:
        """Minutes for everything; None where a number of trials is the budget."""
        if self.trials is not None:
            return None
        return MINUTES if self.minutes is None else self.minutes
