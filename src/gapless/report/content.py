"""What a report shows, as data: the result, every trial, the curves, the recipe, the pictures; nothing is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gapless.report.figures import one_line
from gapless.search.result import Curve, Interval, Result, TrialRow

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gapless.report.marked import Preview

PILLAR_WORDS = {"dropout": "dropout", "batchnorm": "batch norm", "decay": "weight decay", "augment": "augmentation"}


@dataclass(frozen=True)
class Samples:
    """Pictures of the training rows as they are, and as the best recipe shows them to the model.

    before: uint8 (n, H, W, C). after: uint8 (n, k, H, W, C), k draws for each. C is 1, 3 or 4.
    """

    before: NDArray[np.uint8]
    after: NDArray[np.uint8]

    def __post_init__(self) -> None:
        before, after = self.before, self.after
        if before.ndim != 4 or before.shape[3] not in (1, 3, 4) or str(before.dtype) != "uint8":
            raise ValueError(f"before must be uint8 (n, H, W, 1, 3 or 4), got {before.dtype} {before.shape}")
        if after.ndim != 5 or (after.shape[0], *after.shape[2:]) != before.shape or str(after.dtype) != "uint8":
            raise ValueError(f"after must be uint8 (n, k, H, W, C) like before {before.shape}, got {after.shape}")


@dataclass(frozen=True)
class Content:
    """Everything a report is made of.

    recipe_toml: the recipe handed back. python_lines: the code that applies it. samples: None but for pictures, and
    when the recipe leaves them alone. command: what to type to repeat the run. texts: a few training texts as they are
    and as the best recipe shows them to the model. labels: lines on how many labels of texts its operations change.
    """

    result: Result
    trials: tuple[TrialRow, ...]
    curves: tuple[Curve, ...]
    recipe_toml: str
    python_lines: str
    samples: Samples | None
    command: str
    texts: tuple[Preview, ...] = ()
    labels: tuple[str, ...] = ()

    @property
    def rows_are(self) -> str:
        """What one row of the data is called, in the plural."""
        return {"image": "pictures", "text": "texts"}.get(self.result.task.kind, "rows")

    @property
    def plain_won(self) -> bool:
        """Whether the plain model itself ranked first, so that there is no recipe to confirm."""
        return self.result.best.recipe == self.result.plain.recipe

    @property
    def summary(self) -> str:
        """The best recipe in a few words, as the trials call it."""
        if self.plain_won:
            return "plain"
        best = self.result.best
        same = [t for t in self.trials if t.recipe == best.recipe]
        exact = [t for t in same if t.lr == best.lr]
        return (exact or same)[0].summary if same else ""

    def is_best(self, trial: TrialRow) -> bool:
        return trial.recipe == self.result.best.recipe and trial.lr == self.result.best.lr

    def is_plain(self, trial: TrialRow) -> bool:
        return trial.recipe == self.result.plain.recipe


@dataclass(frozen=True)
class Share:
    """What one pillar of the best recipe gave: the score with it minus the score without it; None: not measured."""

    name: str
    gave: Interval | None

    @property
    def words(self) -> str:
        return PILLAR_WORDS.get(self.name, one_line(self.name, 60))

    @property
    def effect(self) -> str:
        """`helps`, `hurts`, `may be nothing` or `not measured`, by where zero lies."""
        if self.gave is None:
            return "not measured"
        if self.gave.low > 0:
            return "helps"
        return "hurts" if self.gave.high < 0 else "may be nothing"


def shares(content: Content) -> list[Share]:
    """The pillars of the best recipe, what gave most first, what was not measured last."""
    found = [Share(p.name, _negative(p.without)) for p in content.result.pillars]
    return sorted(found, key=lambda s: (s.gave is None, -s.gave.mean if s.gave else 0.0))


def _negative(without: Interval | None) -> Interval | None:
    return without and Interval(0.0 - without.mean, 0.0 - without.high, 0.0 - without.low)
