"""A run of `gapless diagnose` as its journal tells it: the trainings behind the questions."""

from __future__ import annotations

from typing import Any

from gapless.diagnose.experiment.measured import arrays
from gapless.recipe import Recipe
from gapless.run.journal import Event
from gapless.search.space import summary

SHOWN = 30
"""Trainings that are shown, the latest."""


class Diagnosis:
    """What the events of a diagnosis come to; `take` them in their order."""

    def __init__(self) -> None:
        self._about: Event = {}
        self._rows: list[dict[str, Any]] = []
        self._failed = 0
        self._reference: Event | None = None

    def take(self, event: Event) -> None:
        kind = event["event"]
        if kind == "diagnosis":
            self._about = event
        elif kind == "reference":
            self._reference = event
        elif kind == "training":
            self._failed += bool(event["reason"])
            self._rows.append(_row(event))

    def state(self) -> dict[str, Any]:
        """What the page shows."""
        scores = [row["score"] for row in self._rows if row["score"] is not None]
        return {
            "kind": "diagnose",
            "about": {k: self._about.get(k) for k in ("task", "model")},
            "share": all(0 <= score <= 1 for score in scores),
            "phase": "asking the causes" if self._reference else "finding out how the model is to be trained",
            "ended": False,
            "planned": None,
            "counts": {"finished": len(self._rows) - self._failed, "stopped": 0, "failed": self._failed},
            "proof": {},
            "trying": [],
            "race": self._rows[::-1][:SHOWN],
            "points": [[r["at"], r["score"], r["plain"]] for r in self._rows if r["score"] is not None],
            "courses": [],
        }


def _row(event: Event) -> dict[str, Any]:
    facts, found = event["training"], arrays(event["found"]) if event["found"] else {}
    recipe = Recipe.from_dict(facts.get("recipe", {}))
    changed = {k: v for k, v in facts.items() if k not in ("recipe", "lr", "epochs", "fold")}
    held, train = (float(found[name].mean()) if name in found else None for name in ("held", "train"))
    return {
        "number": facts.get("fold", 0),
        "origin": ", ".join(f"{k} {v}" for k, v in changed.items()) or "as it is trained",
        "summary": event["reason"] or summary(recipe, ()),
        "lr": f"{facts['lr']:.3g}",
        "epochs": facts["epochs"],
        "plain": not recipe.active,
        "best": False,
        "score": held,
        "train": train,
        "times": 1,
        "at": event["at"],
    }
