"""What is found: a cause with its effect, what to do, and what would refute it; and which findings stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from gapless.evidence.result import Interval
from gapless.recipe import Recipe

Severity = Literal["grave", "moderate", "slight"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
GRAVE, MODERATE = 0.05, 0.02
"""Effects from which on a finding is grave or moderate: shares of right answers, or of the target's variance."""
LEVEL = 0.05
"""The chance that a healthy set gives any alarm, at most."""


@dataclass(frozen=True)
class Suspect:
    """A row to look at. row: its number among the development rows. given: its label; better: what fits it better, or
    "". why: a few words."""

    row: int
    given: str
    better: str
    why: str


@dataclass(frozen=True)
class Finding:
    """What one cause came to.

    cause: its name. floor: 0 where it spoils what is measured, 1 where the training is at fault, 2 where more can be
    had. what: a sentence with its figures. effect: by how much the score on new rows suffers or is overstated, as a
    share of right answers or of the target's variance. p: the chance of such evidence where the effect is no more than
    the cause tolerates. do: what to do. refute: the smallest experiment that would show it wrong. recipe: the change
    of the recipe that answers it. suspects: rows to look at.
    """

    cause: str
    floor: int
    what: str
    effect: Interval
    p: float
    do: str
    refute: str
    recipe: Recipe | None = None
    suspects: tuple[Suspect, ...] = ()

    @property
    def severity(self) -> Severity:
        """By the size of the effect alone."""
        size = self.effect.mean
        return "grave" if size >= GRAVE else "moderate" if size >= MODERATE else "slight"


@dataclass(frozen=True)
class Absent:
    """A cause that was not judged, and why."""

    cause: str
    why: str


@dataclass(frozen=True)
class Reference:
    """The training that a diagnosis is about: the plain model's. chosen: whether the user gave its length and rate."""

    epochs: int
    lr: float
    train: float
    new: Interval
    chosen: bool


def ranked(findings: Sequence[Finding]) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Findings that stand, and the others.

    Holm's step-down (Scandinavian Journal of Statistics 6, 1979) over all causes that were asked; what stands is
    ranked by severity, then by floor (what spoils the figures comes first), then by effect.
    """
    by_p = sorted(findings, key=lambda f: f.p)
    standing = 0
    while standing < len(by_p) and by_p[standing].p <= LEVEL / (len(by_p) - standing):
        standing += 1

    def order(finding: Finding) -> tuple[int, int, float]:
        return SEVERITIES.index(finding.severity), finding.floor, -finding.effect.mean

    return tuple(sorted(by_p[:standing], key=order)), tuple(by_p[standing:])
