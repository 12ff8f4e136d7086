"""What the trainings of a diagnosis came to, as the journal tells."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gapless.diagnose.experiment.training import FOLDS, Training
from gapless.run.job import Found, Outcome
from gapless.run.journal import Event, replay

Floats = NDArray[np.floating]


@dataclass
class Measured:
    """found: what was kept of each training by its key. failures: why others failed. seconds: of each that ended; work:
    what they would be in epochs of all rows of a fold."""

    found: dict[str, Found] = field(default_factory=dict[str, Found])
    failures: dict[str, str] = field(default_factory=dict[str, str])
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    work: dict[str, float] = field(default_factory=dict[str, float])

    @classmethod
    def replay(cls, events: Iterable[Event]) -> Measured:
        measured = cls()
        replay(events, measured.take)
        return measured

    def take(self, event: Event) -> None:
        """Takes in a training that ended; events of other kinds are not its own."""
        if event["event"] != "training":
            return
        key = json.dumps(event["training"], sort_keys=True)
        self.seconds[key] = event["seconds"]
        self.work[key] = event["training"]["epochs"] * event["training"].get("share", 1.0)
        if event["reason"]:
            self.failures[key] = event["reason"]
        else:
            self.found[key] = arrays(event["found"])

    def ended(self, training: Training) -> bool:
        return training.key in self.found or training.key in self.failures

    def of(self, training: Training) -> Found | None:
        return self.found.get(training.key)

    def folds(self, training: Training, name: str) -> dict[int, Floats]:
        """One kept array of the same training on each fold on which it came to an end."""
        each = {fold: self.of(replace(training, fold=fold)) for fold in range(FOLDS)}
        return {fold: found[name] for fold, found in each.items() if found is not None and name in found}

    def failed(self, training: Training) -> str | None:
        """Why this training failed, on the first fold on which it did."""
        keys = (replace(training, fold=fold).key for fold in range(FOLDS))
        return next((self.failures[key] for key in keys if key in self.failures), None)


def event_of(training: Training, outcome: Outcome) -> Event:
    """A training that ended as a line of the journal."""
    facts = {"training": training.facts(), "seconds": outcome.seconds, "reason": outcome.reason}
    return {"event": "training", **facts, "found": texts(outcome.found)}


def texts(named: Mapping[str, Floats]) -> dict[str, Any]:
    """Arrays as they stand in the journal."""
    return {
        name: {"shape": list(v.shape), "values": base64.b64encode(v.astype("<f4").tobytes()).decode()}
        for name, v in named.items()
    }


def arrays(named: Mapping[str, Any]) -> dict[str, Floats]:
    """What `texts` made them of, float32."""
    return {
        name: np.frombuffer(base64.b64decode(text["values"]), "<f4").reshape(text["shape"]).astype(np.float32)
        for name, text in named.items()
    }
