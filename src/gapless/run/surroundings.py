"""Where a run goes, and how much of the machine it may use."""

from __future__ import annotations

import os
import sys
from pathlib import Path

RUNS = Path("gapless-runs")
"""Where runs go that were given no folder."""


def default_workers() -> int:
    """One a core that this process may use, at most 8."""
    return min(8, len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1)


def fresh_folder(name: str) -> Path:
    """gapless-runs/NAME-1, or the first number that is free."""
    stem = "".join(c if c.isalnum() or c in "-_" else "-" for c in Path(name).stem or "run").strip("-") or "run"
    return next(p for n in range(1, 10**6) if not (p := RUNS / f"{stem}-{n}").exists())
