"""What learned augmentation policies gain on real and planted pictures, and what each search costs.

    python bench/policies.py [--sets digits ...] [--methods strength ...] [--minutes 3] [--seeds 1] [--json]

Costs are in full trainings of the model. Told for each run: the gain over no augmentation, what the search itself
earned over random policies from the same table, and over TrivialAugment, each with its 95 % interval on rows kept
aside; and the wall time as a multiple of the budget.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

import gapless
from gapless.data import Task
from gapless.data.splits import subset
from gapless.evidence.ledger import VARIABLE
from gapless.policies.options import COST, METHODS, Method

ROWS = 150
CLOTHES = 2000


def digits(seed: int) -> Task:
    return subset(gapless.load("digits", seed=seed), ROWS, seed)


def clothes(seed: int) -> Task:
    return gapless.load("fashion-mnist", train_size=CLOTHES, seed=seed)


def planted(seed: int) -> Task:
    """The tests' world of turned letters, in which small turns are safe and mirror images are not."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "truth"))
    from symmetries import symmetry

    return symmetry(96, seed)


SETS: dict[str, Callable[[int], Task]] = {"digits": digits, "fashion-mnist": clothes, "planted": planted}


def measured(name: str, method: Method, seed: int, minutes: float, workers: int) -> dict[str, object]:
    """One run, in figures."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        os.environ[VARIABLE] = folder  # each run asks its rows for the first time
        task = SETS[name](seed)
        found = gapless.learn_policy(
            task, minutes=minutes, method=method, seed=seed, workers=workers, out=Path(folder) / "run"
        )
    result = found.result
    trivial = result.rival("TrivialAugment")
    over = trivial.learned_over if trivial else None

    def interval(value: object) -> list[float] | None:
        return None if value is None else [round(100 * getattr(value, end), 2) for end in ("mean", "low", "high")]

    return {
        "set": name,
        "method": method,
        "seed": seed,
        "verdict": result.verdict,
        "gain": interval(result.gain),
        "search_gain": interval(result.search_gain),
        "over_trivial": interval(over),
        "scores": {r.name: round(100 * r.score, 2) for r in result.rivals},
        "seeds": len(result.rivals[0].seeds) if result.rivals else 0,
        "search_cost": round(result.costs.search, 2),
        "allowed": COST[result.method],
        "epochs": result.epochs,
        "of_budget": round((time.monotonic() - begun) / 60 / minutes, 3),
        "policy": result.words,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", default=["digits"], choices=SETS)
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=METHODS)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    rows: list[dict[str, object]] = []
    for name in asked.sets:
        for seed in range(asked.seeds):
            for method in asked.methods:
                rows.append(measured(name, method, seed, asked.minutes, asked.workers))
                if not asked.json:
                    print(*(f"{key} {value}" for key, value in rows[-1].items()), sep="; ", flush=True)
    if asked.json:
        machine = {"machine": platform.processor(), "python": platform.python_version(), "torch": torch.__version__}
        print(json.dumps({"command": sys.argv, **machine, "runs": rows}, indent=1))


if __name__ == "__main__":
    main()
