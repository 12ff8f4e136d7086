"""Measured numbers as bars of characters, for a screen."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gapless.evidence.result import Interval
from gapless.lab.evidence import Shown
from gapless.lab.experiment import words

WIDE = 30


def listed(rows: Sequence[tuple[str, Interval]]) -> list[str]:
    """The rows as bars where all have one unit, otherwise as names and numbers."""
    units = {value.unit if isinstance(value, Shown) else "" for _, value in rows}
    return bars(rows) if len(units) == 1 and units != {""} else [f"{name}: {words(value)}" for name, value in rows]


def bars(rows: Sequence[tuple[str, Interval]]) -> list[str]:
    """A line for each row: name, a bar from zero to its mean, and the number with its interval."""
    means = [v.mean if math.isfinite(v.mean) else 0.0 for _, v in rows]
    low, high = min(0.0, *means), max(0.0, *means)
    zero = round(WIDE * -low / ((high - low) or 1.0))
    name = max(len(n) for n, _ in rows)
    lines: list[str] = []
    for (label, value), mean in zip(rows, means, strict=True):
        end = round(WIDE * (mean - low) / ((high - low) or 1.0))
        bar = " " * min(zero, end) + "█" * abs(end - zero)
        lines.append(f"{label:<{name}}  {bar:<{WIDE}}  {words(value)}")
    return lines
