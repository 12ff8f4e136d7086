"""What an experiment is: a claim, what is measured for each seed, and the rule that gives the verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gapless.evidence.result import Interval
from gapless.lab.evidence import Evidence, Measured, Shown

if TYPE_CHECKING:
    from gapless.lab.setting import Lab

Word = Literal["holds here", "does not hold", "depends", "undecided"]
Pillar = Literal["overfitting", "dropout", "batchnorm", "decay", "augmentation", "together"]
PILLARS: tuple[Pillar, ...] = ("overfitting", "dropout", "batchnorm", "decay", "augmentation", "together")


@dataclass(frozen=True)
class Finding:
    """What the measurements say.

    because: one sentence with the figures that decided. figure: an altair specification as plain data; caption: what it
    shows. numbers: what `--json` gives, by name.
    """

    word: Word
    because: str
    figure: dict[str, Any]
    caption: str
    numbers: dict[str, Interval] = field(default_factory=dict[str, Interval])


@dataclass(frozen=True)
class Experiment:
    """A claim of the lesson and how it is put to the test.

    row: of the lesson. claim: in one line. source: paper and section. told: the paper's own figure, in words.
    data, trained, measured, rule: how it is done, a sentence each; the rule is that of `judge`.
    breaks: where this breaks. tune: what `gapless tune` does with it. code: plain PyTorch that repeats the heart of it.
    trial: measures one seed. judge: the rule. seeds: how many.
    takes: the kinds of a reader's own data that it runs on (`image`, `table`, `text`).
    """

    name: str
    row: str
    pillar: Pillar
    claim: str
    source: str
    told: str
    data: str
    trained: str
    measured: str
    rule: str
    breaks: str
    tune: str
    code: str
    trial: Callable[[Lab, int], Measured]
    judge: Callable[[Evidence], Finding]
    seeds: int = 5
    takes: tuple[str, ...] = ()


def verdict(*, holds: bool, depends: bool = False, fails: bool = False) -> Word:
    """The word of the first that is true; undecided where none is."""
    return "holds here" if holds else "depends" if depends else "does not hold" if fails else "undecided"


def words(interval: Interval, unit: str | None = None) -> str:
    """`3.1 points (1.2 to 5.0)`, in per cent points (`points`), per cent (`%`) or none; None takes the interval's."""
    unit = (interval.unit if isinstance(interval, Shown) else "") if unit is None else unit
    scale = 100.0 if unit in ("points", "%") else 1.0
    low, mean, high = (scale * v for v in (interval.low, interval.mean, interval.high))
    if interval.low == interval.high == interval.mean:
        return f"{number(mean)} {unit}".strip()
    wide = max(high - low, abs(mean) / 100)
    return f"{number(mean, wide)} {unit}".strip() + f" ({number(low, wide)} to {number(high, wide)})"


def number(value: float, wide: float | None = None) -> str:
    """A number with as many digits as an interval of this width bears."""
    if not np.isfinite(value):
        return str(value)
    size = wide if wide else abs(value)
    if size == 0 or (abs(value) < 1e-4 and size < 1e-3):
        return f"{value:.1g}"
    digits = max(0, 1 - int(np.floor(np.log10(size)))) if size < 10 else 0
    return f"{value:,.{min(digits, 6)}f}"
