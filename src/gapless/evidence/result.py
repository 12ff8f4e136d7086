"""What a run leaves behind as data: the verdict with its evidence, and every trial. `result.json` is this, schema 1.

Scores are shares (0.957 is 95.7 %) for accuracy and plain numbers for r2. Every interval is a 95 %
interval, but for that of the gain where verdicts were read on the same rows before: `reading` has its level.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from gapless.data.tables.account import ColumnAccount

VerdictWord = Literal["improved", "no detectable gain", "worse"]
Status = Literal["finished", "stopped", "failed"]
Reached = Literal["gained", "lost", "may be chance", "unknown"]


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

    train: in eval mode, without augmentation, on the rows it was trained on. gap: train minus confirm. epochs: of its
    trainings.
    """

    lr: float
    epochs: int
    train: Spread
    confirm: Spread
    gap: Interval
    recipe: dict[str, Any]
    failed: int = 0
    """Seeds with which it could not be trained; they count on neither side."""


@dataclass(frozen=True)
class Pillar:
    """What one pillar of the best recipe gave (see `gapless.evidence.parts`).

    without: score without it minus score with it; below zero: the recipe needs it. None when there was no time left to
    measure it, or when the recipe cannot be trained without it: then `failed` says what went wrong.
    alone: score with it alone minus the plain model's. shapley: its share of the gain; None until all subsets of the
    pillars are trained.
    p: of its giving nothing, corrected for the number of pillars: of `shapley` where it is known, else of `without`.
    """

    name: str
    without: Interval | None
    failed: str = ""
    alone: Interval | None = None
    shapley: Interval | None = None
    p: float = 1.0


@dataclass(frozen=True)
class Synergy:
    """What two pillars do together beyond what they do apart; below zero they do the same thing twice.

    p: of its being nothing, corrected for the number of pairs.
    """

    pillars: tuple[str, str]
    value: Interval
    p: float


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
class Recall:
    """How much of one class is answered right on confirm: shares with their Wilson intervals.

    change: best minus plain, paired by seed and by row; None of few rows, or where the best is the plain model.
    reached: what may be said of the change where all classes were asked. plain_precision, best_precision: of the rows
    that are taken for this class, the share that is; None where none is.
    """

    name: str
    rows: int
    plain: Interval
    best: Interval
    change: Interval | None = None
    reached: Reached = "unknown"
    plain_precision: Interval | None = None
    best_precision: Interval | None = None


@dataclass(frozen=True)
class Confusion:
    """Confirm rows of the class `true` that are taken for `answered`: how many, a mean over seeds."""

    true: str
    answered: str
    plain: float
    best: float


@dataclass(frozen=True)
class TurnedRow:
    """A confirm row that both models answer differently.

    row: its place in `task.confirm`. label: its class, or its number. plain, best: what most trainings answered; of a
    regression the mean. plain_right, best_right: the share of trainings that have it right; of a regression how far
    off they are, a mean in the target's unit.
    """

    row: int
    label: str | float
    plain: str | float
    best: str | float
    plain_right: float
    best_right: float


@dataclass(frozen=True)
class Turned:
    """How many confirm rows turned (see `gapless.evidence.answers.turned`), with the rows that turned most.

    better: wrong before and right after, or closer; worse: the other way round; right, wrong: before and after.
    """

    better: int
    worse: int
    right: int
    wrong: int
    better_rows: tuple[TurnedRow, ...]
    worse_rows: tuple[TurnedRow, ...]


@dataclass(frozen=True)
class SizeOfTarget:
    """How far off both models are on the confirm rows whose target lies from low to high.

    plain, best: mean absolute error in the target's unit. change: plain minus best, paired; above zero the best recipe
    is closer; None where the best is the plain model, or where no row differs. plain_bias, best_bias: mean of answer
    minus target.
    """

    low: float
    high: float
    rows: int
    plain: float
    best: float
    change: Interval | None
    plain_bias: float
    best_bias: float


@dataclass(frozen=True)
class Curve:
    """Mean score over the seeds of the finals, epoch by epoch; train without augmentation, in eval mode."""

    label: str
    """plain or best"""
    epochs: tuple[int, ...]
    train: tuple[float, ...]
    select: tuple[float, ...]


@dataclass(frozen=True)
class Reading:
    """The how manieth verdict on the same rows this is, over all runs of this user (see `gapless.evidence.ledger`).

    level: of the interval of the gain. unkept: why it could not be counted, so that a later run will not know of it.
    """

    number: int = 1
    level: float = 0.95
    unkept: str = ""


@dataclass(frozen=True)
class Power:
    """The smallest gain that the rows of the verdict can show four times in five (see `gapless.evidence.power`).

    rows: the single rows that they are worth; fewer than there are, where rows belong together. known: whether the
    plain model's score was, on the rows that ranked the recipes; before that it is assumed.
    """

    smallest: float
    rows: float
    known: bool


@dataclass(frozen=True)
class Groups:
    """Which rows belong together: `by` a column, say; how many groups there are for development and for the verdict.

    A group is on one side of every split, and the unit of every interval.
    """

    by: str
    develop: int
    confirm: int


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
    account: tuple[ColumnAccount, ...] = ()
    """Tables: what was made of each column."""
    groups: Groups | None = None
    time: str | None = None
    """The column of the moments, where the rows of the verdict are the latest."""


@dataclass(frozen=True)
class ModelFacts:
    name: str
    parameters: int


@dataclass(frozen=True)
class MetricFacts:
    name: str
    """One of `gapless.metrics`."""
    higher_is_better: bool = True
    """False for errors. All scores here are negated then, as in scikit-learn's `neg_` scorers, so that larger is
    better throughout."""


@dataclass(frozen=True)
class TrialCounts:
    finished: int
    stopped: int
    failed: int


@dataclass(frozen=True)
class Length:
    """What was found out about how long the plain model must be trained.

    steps: epochs, the learning rate that did better, and the calibrated loss on select (see `gapless.train.scores`).
    epochs: what the plain model needs; settled: whether twice as many gained no more than chance, else it was still
    improving where the time for looking ended. enough: minutes that would do for twice as many epochs, where the
    trainings of this run are shorter than that or it is not settled; None where nothing is missing or no time is set.
    """

    steps: tuple[tuple[int, float, float], ...]
    epochs: int
    settled: bool
    enough: float | None


@dataclass(frozen=True)
class Training:
    """How every model of the run was trained, but for the recipe, its learning rate and length.

    epochs: the full length, that of recipes. length: None where the user chose the epochs. ema, warmup: as in
    `gapless.train.loop.Plan`.
    """

    epochs: int
    batch_size: int
    optimizer: str
    device: str
    length: Length | None = None
    ema: float = 0.0
    warmup: float = 0.05


@dataclass(frozen=True)
class QuickModel:
    """A quick model of scikit-learn, trained on the rows of the verdict's models (see `gapless.evidence.rivals`).

    score: on confirm; None where it was left out, and why.
    """

    name: str
    score: float | None
    skipped: str = ""


@dataclass(frozen=True)
class Cost:
    """What a training of one side of the verdict takes, while all workers are busy.

    seconds: of a training, building and scoring included; epoch: of one epoch of it; step: milliseconds of one step.
    memory: bytes that a step holds: weights, gradients, the optimizer's state, and what the forward pass of a batch
    leaves for the backward pass; None where it could not be counted.
    """

    seconds: float
    epoch: float
    step: float
    memory: int | None


@dataclass(frozen=True)
class Costs:
    """Of both sides; twice the same where the best is the plain model."""

    plain: Cost
    best: Cost


@dataclass(frozen=True)
class Result:
    task: TaskFacts
    model: ModelFacts
    metric: MetricFacts
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
    ranked: float | None = None
    """The best recipe's own mean score on the rows that ranked the recipes, in the search."""
    other_rows: Interval | None = None
    """The gain with its interval for models trained on other rows of this kind, as many; `gain` is for these rows."""
    closed: Interval | None = None
    """How much smaller the gap is with the best recipe: plain's minus best's, paired by seed and by row."""
    quick: tuple[QuickModel, ...] = ()
    """The commonest class (or the mean) first."""
    reading: Reading = Reading()
    power: Power | None = None
    synergies: tuple[Synergy, ...] = ()
    """Of every two pillars of the best recipe; empty until all subsets of them are trained."""
    untrainable: tuple[tuple[str, ...], ...] = ()
    """Subsets of the best recipe's pillars with which training fails."""
    recalls: tuple[Recall, ...] = ()
    """Of every class, the most frequent first; empty for a regression, and where the answers were not kept."""
    confusions: tuple[Confusion, ...] = ()
    """Which class is taken for which, the most frequent first."""
    turned: Turned | None = None
    sizes: tuple[SizeOfTarget, ...] = ()
    """Of a regression: errors by the size of the target."""
    costs: Costs | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def handed(self) -> Side:
        """What is handed back: the best recipe where it improved, else the plain model."""
        return self.best if self.verdict == "improved" else self.plain
