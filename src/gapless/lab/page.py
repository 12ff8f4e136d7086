"""The page of an experiment, and the page of all: HTML files that work offline, in the report's style."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from gapless.lab.experiment import PILLARS, Experiment, words
from gapless.lab.runner import Record
from gapless.report.drawing.svg import draw
from gapless.report.figures import duration
from gapless.report.html import asset, environment, policy

TEMPLATES = Path(__file__).parent / "templates"
_LOOKS = {"holds here": "improved", "does not hold": "worse"}


def page(experiment: Experiment, record: Record) -> str:
    """The page of one experiment; the same record gives the same bytes."""
    finding = record.finding
    return _render(
        "experiment.html.j2",
        e=experiment,
        r=record,
        look=_LOOKS.get(finding.word, ""),
        figure=draw(finding.figure, f"{finding.caption}. {finding.because}"),
        numbers=[(name, words(value)) for name, value in finding.numbers.items()],
        took=duration(record.seconds),
    )


def index(found: Sequence[tuple[Experiment, Record | None]]) -> str:
    """Study notes: every claim of the lesson with its verdict here beside what the paper says."""
    rooms = [(pillar, [(e, r) for e, r in found if e.pillar == pillar]) for pillar in PILLARS]
    return _render("index.html.j2", rooms=rooms, looks=_LOOKS, done=sum(r is not None for _, r in found))


def _render(template: str, **values: object) -> str:
    style, script = asset("report.css") + (TEMPLATES / "lab.css").read_text("utf-8"), asset("report.js")
    shared = {"style": Markup(style), "script": Markup(script), "policy": policy(style, script)}
    return environment(TEMPLATES).get_template(template).render({**shared, **values})
