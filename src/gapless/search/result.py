"""What a run leaves behind as data: the verdict with its evidence, and every trial. `result.json` is this, schema 1.

Scores are shares (0.957 is 95.7 %) for accuracy and plain numbers for r2. Every interval is a 95 % interval.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

VerdictWord = Literal["improved", "no detectable gain", "worse"]
Status = Literal["finished", "stopped", "failed"]


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Spread:
    """A mean over seeds, its standard deviation between seeds, and the score of each seed."""

    mean: float
    sd: float
    seeds: tuple[float, ...]


@dataclass(frozen=True)
class Side:
    """The plain model or the best recipe, trained from scratch with every seed of the confirmation.

    train: in eval mode, without augmentation, on the rows it was trained on. gap: train minus confirm.
    """

    lr: float
    train: Spread
    confirm: Spread
    gap: Interval
    recipe: dict[str, Any]


@dataclass(frozen=True)
class Pillar:
    """What happens to the best recipe when one pillar is switched off: score without it minus score with it.

    Below zero: the pillar helps. `without` is None when there was no time left to measure it.
    """

    name: str
    without: Interval | None


@dataclass(frozen=True)
class Away:
    """A model on further test data: its score there, and the drop, its score on confirm minus the one there."""

    score: Spread
    drop: Interval


@dataclass(frozen=True)
class Elsewhere:
    """Further test data, scored once with both models of the verdict; it had no part in the search or the verdict.

    gain: best minus plain there, paired by seed and by row.
    """

    name: str
    rows: int
    plain: Away
    best: Away
    gain: Interval


@dataclass(frozen=True)
class TrialRow:
    """One recipe trained once. `score` is on select (None when it failed before its first rung)."""

    number: int
    phase: str
    """opening, moves, joint, finals"""
    origin: str
    """How it came about, for people: `plain`, `preset strong`, `strong, dropout off`, `joint proposal` ..."""
    candidate: int
    """Trials of one recipe and learning rate share this number."""
    recipe: dict[str, Any]
    summary: str
    """The recipe in a few words: `dropout .2, batch norm, decay .05, rotate 15 ...`; `plain` when empty."""
    lr: float
    split: int
    seed: int
    epochs: int
    status: Status
    score: float | None
    train_score: float | None
    seconds: float
    reason: str = ""


@dataclass(frozen=True)
class Curve:
    """Mean score over the seeds of the finals, epoch by epoch; train without augmentation, in eval mode."""

    label: str
    """plain or best"""
    epochs: tuple[int, ...]
    train: tuple[float, ...]
    select: tuple[float, ...]


@dataclass(frozen=True)
class TaskFacts:
    name: str
    kind: str
    train: int
    """Rows that the models of the verdict were trained on, select included."""
    select: int
    """Rows of one select part."""
    select_parts: int
    """How many different splits of the development rows ranked the recipes."""
    confirm: int
    classes: int
    class_names: tuple[str, ...]
    shape: tuple[int, ...]
    notes: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ModelFacts:
    name: str
    parameters: int


@dataclass(frozen=True)
class Metric:
    name: Literal["accuracy", "r2"]
    higher_is_better: bool = True


@dataclass(frozen=True)
class TrialCounts:
    finished: int
    stopped: int
    failed: int


@dataclass(frozen=True)
class Training:
    """How every model of the run was trained, but for the recipe and its learning rate."""

    epochs: int
    batch_size: int
    optimizer: str
    device: str


@dataclass(frozen=True)
class Result:
    task: TaskFacts
    model: ModelFacts
    metric: Metric
    training: Training
    plain: Side
    best: Side
    gain: Interval
    """Best minus plain on confirm, paired by seed and by row."""
    verdict: VerdictWord
    selection_optimism: float
    """The score on select that the search would have boasted of, minus what the best recipe scored on confirm."""
    pillars: tuple[Pillar, ...]
    trials: TrialCounts
    seconds: float
    seed: int
    versions: dict[str, str]
    schema: int = 1
    elsewhere: tuple[Elsewhere, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
