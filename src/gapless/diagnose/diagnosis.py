"""What a diagnosis comes to: findings, ranked; its document, and its words: three lines, and below them all in full."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from gapless.diagnose.finding import SEVERITIES, Absent, Finding, Reference, Severity, Suspect
from gapless.metrics import METRICS
from gapless.recipe import Recipe

SHOWN = 8
"""Suspects that are named in words; the document has them all."""


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong, the gravest first. `print(diagnosis)` says it; true if there is anything.

    findings: those that stand when all causes are asked at once (Holm's step-down at 5 %), ranked. others: causes for
    which there is no such evidence, and what was seen of them. absent: causes that were not judged.
    """

    task: str
    metric: str
    rows: int
    reference: Reference
    findings: tuple[Finding, ...]
    others: tuple[Finding, ...]
    absent: tuple[Absent, ...]
    trainings: int
    seconds: float
    seed: int

    def __bool__(self) -> bool:
        return bool(self.findings)

    @property
    def recipes(self) -> dict[str, Recipe]:
        """By cause, the recipes that answer findings that stand, the gravest first."""
        return {f.cause: f.recipe for f in self.findings if f.recipe is not None}

    @property
    def openings(self) -> tuple[tuple[str, Recipe], ...]:
        """The recipes by name, as a search is handed them."""
        return tuple((f"against {cause}", recipe) for cause, recipe in self.recipes.items())

    def reaches(self, severity: Severity) -> bool:
        """Whether there is a finding so grave or graver."""
        return any(SEVERITIES.index(f.severity) <= SEVERITIES.index(severity) for f in self.findings)

    def __str__(self) -> str:
        return "\n".join([*summary(self), *details(self)])

    def to_json(self) -> dict[str, Any]:
        """The document of `gapless diagnose --json`, schema 1."""
        plain = asdict(self)
        for name in ("findings", "others"):
            plain[name] = [_plain(finding) for finding in getattr(self, name)]
        return {"schema": 1, **plain}


def _plain(finding: Finding) -> dict[str, Any]:
    plain = {name: getattr(finding, name) for name in ("cause", "severity", "what", "p", "do", "refute", "floor")}
    plain |= {"effect": asdict(finding.effect), "suspects": [asdict(s) for s in finding.suspects]}
    return plain | {"recipe": None if finding.recipe is None else finding.recipe.to_dict()}


def summary(diagnosis: Diagnosis) -> list[str]:
    """Three lines: how the model does, what is wrong, what to do."""
    about, share = diagnosis.reference, METRICS[diagnosis.metric].share

    def score(value: float) -> str:
        return f"{100 * value:.1f} %" if share else f"{diagnosis.metric} {value:.3f}"

    interval = f"{score(about.new.low)} to {score(about.new.high)}"
    setting = f"{about.epochs} epochs at {about.lr:.2g}" + ("" if about.chosen else ", settled by trying")
    lines = [
        f"{diagnosis.task}: the plain model gets {score(about.train)} on rows it was trained on and "
        f"{score(about.new.mean)} on new ones (95 % interval {interval}; {setting})."
    ]
    if not diagnosis.findings:
        asked = len(diagnosis.others)
        return [
            *lines,
            f"Nothing found: none of {asked} causes shows more than chance and what is tolerated.",
            "To do: nothing here; `gapless tune` may still find a recipe that gains.",
        ]
    first, *rest = diagnosis.findings
    also = f" Also: {', '.join(f.cause for f in rest)}." if rest else ""
    return [*lines, f"What is wrong ({first.severity}): {first.what}{also}", f"What to do: {first.do}"]


def details(diagnosis: Diagnosis) -> list[str]:
    """Every finding that stands, and in a line each what was asked without one, and what was not asked."""
    lines: list[str] = []
    for number, finding in enumerate(diagnosis.findings, 1):
        lines += ["", *_full(number, finding)]
    if diagnosis.others:
        lines += ["", f"No evidence of: {', '.join(f.cause for f in diagnosis.others)}."]
    by_reason: dict[str, list[str]] = {}
    for absent in diagnosis.absent:
        by_reason.setdefault(absent.why, []).append(absent.cause)
    return lines + [f"Not asked: {', '.join(causes)} ({why})." for why, causes in by_reason.items()]


def _full(number: int, finding: Finding) -> list[str]:
    lines = [
        f"{number}. {finding.cause} ({finding.severity}, p {finding.p:.2g})",
        f"   {finding.what}",
        f"   do: {finding.do}",
        f"   refuted by: {finding.refute}",
    ]
    if finding.recipe is not None:
        lines.append(f"   recipe to try: {', '.join(finding.recipe.pillars())}")
    if finding.suspects:
        more = " ..." if len(finding.suspects) > SHOWN else ""
        rows = ", ".join(_suspect(suspect) for suspect in finding.suspects[:SHOWN])
        lines.append(f"   rows to look at: {rows}{more}")
    return lines


def _suspect(suspect: Suspect) -> str:
    return f"{suspect.row} ({suspect.given}: {suspect.better}?)" if suspect.better else str(suspect.row)
