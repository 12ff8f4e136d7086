"""The page of a diagnosis: one HTML file in the style of a run's report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup

from gapless.data import Task
from gapless.diagnose.diagnosis import Diagnosis, summary
from gapless.diagnose.finding import Finding, Suspect
from gapless.files import write_atomically
from gapless.metrics import METRICS
from gapless.report.drawing.findings import drawn, effects
from gapless.report.drawing.pictures import thumbnail
from gapless.report.drawing.svg import draw
from gapless.report.figures import duration, one_line
from gapless.report.html import asset, environment, policy

FILE = "report.html"
SUSPECTS = 40
"""Rows to look at that a page shows of a finding; diagnosis.json has them all."""
LONGEST = 300
"""Characters of a row that are shown."""
_LOOKS = {"grave": "worse", "moderate": "", "slight": ""}


@dataclass(frozen=True)
class _Row:
    """A row to look at: the picture as a data URI, or what the row says, or neither."""

    suspect: Suspect
    picture: str
    text: str


@dataclass(frozen=True)
class _Asked:
    """A cause in the table of all."""

    cause: str
    effect: str
    span: str
    p: str
    word: str


def write(folder: Path, found: Diagnosis, task: Task | None = None) -> Path:
    """Writes the page beside diagnosis.json and gives its path.

    Raises:
        DataError: the disk is full.
    """
    place = folder / FILE
    write_atomically(place, page(found, task).encode())
    return place


def page(found: Diagnosis, task: Task | None = None) -> str:
    """The page; the same diagnosis gives the same bytes.

    Args:
        task: whose rows are shown where a finding has rows to look at; None names their numbers alone.
    """
    percent = METRICS[found.metric].share
    style, script = asset("report.css"), asset("report.js")
    first = found.findings[0] if found.findings else None
    chart = effects(found, percent) if drawn(found) else None
    told = "; ".join(f"{f.cause}: {_number(f.effect.mean, percent)}" for f in drawn(found))
    return (
        environment()
        .get_template("diagnosis.html.j2")
        .render(
            d=found,
            look=_LOOKS[first.severity] if first else "improved",
            title=f"{first.cause.capitalize()}: {first.severity}" if first else "Nothing found",
            lines=summary(found),
            chart=draw(chart, f"What each cause costs. {told}") if chart else "",
            rows={f.cause: _rows(f, task) for f in found.findings},
            asked=[_asked(f, f in found.findings, percent) for f in (*found.findings, *found.others)],
            most=SUSPECTS,
            unit="points" if percent else "variances",
            took=duration(found.seconds),
            style=Markup(style),
            script=Markup(script),
            policy=policy(style, script),
        )
    )


def _number(value: float, percent: bool) -> str:
    digits = 1 if percent else 3
    return f"{round(100 * value if percent else value, digits) + 0.0:.{digits}f}"  # no minus before a zero


def _chance(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.2g}"


def _asked(finding: Finding, stands: bool, percent: bool) -> _Asked:
    effect = finding.effect
    if effect.low == effect.high:
        return _Asked(finding.cause, "", "", _chance(finding.p), "nothing seen")
    span = f"{_number(effect.low, percent)} to {_number(effect.high, percent)}"
    word = finding.severity if stands else "none"
    return _Asked(finding.cause, _number(effect.mean, percent), span, _chance(finding.p), word)


def _rows(finding: Finding, task: Task | None) -> list[_Row]:
    return [_row(suspect, task) for suspect in finding.suspects[:SUSPECTS]]


def _row(suspect: Suspect, task: Task | None) -> _Row:
    if task is None:
        return _Row(suspect, "", "")
    x = task.develop.x[suspect.row]
    if task.kind == "image":
        return _Row(suspect, thumbnail(np.ascontiguousarray(x, np.uint8)), "")
    if task.kind == "text":
        return _Row(suspect, "", one_line(str(x), LONGEST))
    names = task.features or [f"column {n}" for n in range(len(x))]
    cells = ", ".join(f"{name} {value:.4g}" for name, value in zip(names, x.tolist(), strict=True))
    return _Row(suspect, "", one_line(cells, LONGEST))
