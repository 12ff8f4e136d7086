"""What a report shows, as data: the result, every trial, the curves, the recipe, the pictures; nothing is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gapless.evidence.result import Curve, Result
from gapless.search.book import Trial

if TYPE_CHECKING:
    from gapless.diagnose.examples import Samples
    from gapless.report.answers.rows import ShownRows
    from gapless.report.changes import Preview
    from gapless.report.handover.commands import Commands


@dataclass(frozen=True, kw_only=True)
class TrialRow(Trial):
    """A trial with what is to be said of its candidate.

    origin: how it came about, for people: `plain`, `preset strong`, `strong, dropout off`, `joint proposal` ...
    summary: the recipe in a few words: `dropout .2, batch norm, rotate 15`; `plain` when empty. plain: it is empty.
    """

    origin: str
    summary: str
    lr: float
    plain: bool


@dataclass(frozen=True)
class Content:
    """Everything a report is made of.

    best: the number of the best candidate. recipe_toml: the recipe handed back. program: train.py, empty where
    no recipe is handed back.
    samples: None but for pictures, and when the recipe leaves them alone. command: what to type to repeat the run.
    texts: a few training texts as they are and as the best recipe shows them to the model. labels: lines on how many
    labels of texts its operations change. words: the best recipe in a few words, where its trials are not here.
    turned: the rows that turned most between plain and best, with what they are. commands: what to type next; None
    of a run that was loaded.
    """

    result: Result
    trials: tuple[TrialRow, ...]
    best: int
    curves: tuple[Curve, ...]
    recipe_toml: str
    program: str
    samples: Samples | None
    command: str
    texts: tuple[Preview, ...] = ()
    labels: tuple[str, ...] = ()
    words: str = ""
    turned: ShownRows | None = None
    commands: Commands | None = None

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
        return self.words or next((t.summary for t in self.trials if t.candidate == self.best), "")

    def is_best(self, trial: TrialRow) -> bool:
        return trial.candidate == self.best
