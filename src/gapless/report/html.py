"""The report as one HTML file: works offline, asks nothing of any network, and shows foreign words as words."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from gapless.evidence.result import Curve
from gapless.report import facts, parts
from gapless.report.answers import words as answers
from gapless.report.content import Content, TrialRow
from gapless.report.drawing import charts, pictures
from gapless.report.drawing.svg import draw
from gapless.report.figures import Figures, count, number, one_line, rate, visible
from gapless.report.glossary import glossary
from gapless.report.handover.next_steps import costs, steps
from gapless.report.text import verdict

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
TRIAL_BYTES = 600_000
ISLAND_BYTES = 200_000
"""What the table of trials and the embedded result may weigh; the whole page stays below 2 MB."""
NAME, NOTE = 200, 500
"""Characters of a name and of a note that the page shows."""
NOTES, LISTED = 50, 100
"""Notes, and names in one list, that the page shows."""
CURVE_ROWS = 40
_SECTION = re.compile(r'<section id="([\w-]+)">\n<h2>(.*?)</h2>')
CONFUSIONS = 12
"""Confusions that the page shows."""


def render(content: Content) -> str:
    """The page. The same content gives the same bytes."""
    f = Figures.of(content.result, minus="−", space="\u00a0")
    style, script = asset("report.css"), asset("report.js")
    shown, left_out = _shown_trials(content)
    page = {
        "c": content,
        "r": content.result,
        "f": f,
        "policy": policy(style, script),
        "style": Markup(style),
        "script": Markup(script),
        "island": _island(content),
        "head": facts.headline(content, f),
        "short": facts.length(content),
        "quick": facts.quick(content, f),
        "charts": _charts(content, f),
        "gap": facts.gap(content, f),
        "shares": parts.shares(content),
        "parts_title": parts.title(content),
        "complete": parts.complete(content),
        "pillars": parts.told(content, f),
        "curve_rows": _curve_rows(content, f),
        "trials": shown,
        "trials_left_out": left_out,
        "optimism": facts.optimism(content, f),
        "sheet": pictures.sheet(content.samples) if content.samples else None,
        "a": _answers(content, f),
        "most_confusions": CONFUSIONS,
        "glossary": glossary(content),
        "costs": costs(content),
        "steps": steps(content, f),
        "by_clock": content.commands is not None and bool(content.commands.longer),
        "imbalance": facts.imbalance(content, f),
        "elsewhere": facts.elsewhere(content, f),
        "protocol": facts.protocol(content, f),
        "about": facts.about(content),
        "most_notes": NOTES,
        "listed": LISTED,
        "count": count,
    }
    return environment().get_template("report.html.j2").render(page)


def brief(content: Content, report: Path) -> str:
    """The verdict's lines as a fragment of HTML, for a notebook."""
    first, *others = verdict(content)
    lines = Markup("").join(Markup("<p style='margin:.3em 0'>{}</p>").format(line) for line in others)
    place = visible(str(report))
    return str(
        Markup("<div><p style='margin:.3em 0'><strong>{}</strong></p>{}<p>Report: <code>{}</code></p></div>").format(
            first, lines, place
        )
    )


def environment(*folders: Path) -> Environment:
    """Templates of the report, and of further folders, with everything escaped and made readable."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_readable,
    )
    made.filters["headings"] = _headings
    made.filters["rate"] = rate
    made.filters["name"] = _name
    made.filters["note"] = _note
    return made


def _headings(sections: Any) -> Any:
    """The sections of a page, an id and a heading each."""
    return [(place, Markup(heading)) for place, heading in _SECTION.findall(str(sections))]


def _name(text: str) -> str:
    return one_line(text, NAME)


def _note(text: str) -> str:
    return one_line(text, NOTE)


def _readable(value: object) -> object:
    """What every expression of the template passes through before it is escaped."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def asset(name: str) -> str:
    return (TEMPLATES / name).read_text("utf-8")


def policy(style: str, script: str, connects: bool = False) -> str:
    """A content security policy that allows this style sheet, this script and inlined pictures, and nothing else.

    connects: a served page may ask its own server, too.
    """
    asks = "connect-src 'self'; " if connects else ""
    return (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; script-src '{_digest(script)}'; {asks}"
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


# ── the machine-readable result inside the page ──


def _island(content: Content) -> Markup:
    document = content.result.to_json()
    text = _json(document)
    if len(text.encode()) > ISLAND_BYTES:
        text = _json(_cut(document))
    return Markup(text)


def island(document: Any) -> Markup:
    """A document as JSON inside a page."""
    return Markup(_json(document))


def _json(document: Any) -> str:
    """JSON that cannot end the element it stands in; what is not a number is null, as JSON has no word for it."""
    text = json.dumps(_speakable(document), ensure_ascii=False, allow_nan=False, sort_keys=True)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def _speakable(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {visible(str(k)): _speakable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_speakable(v) for v in value]
    return value


def _cut(value: Any) -> Any:
    """Strings and lists cut to a beginning; result.json has them whole."""
    if isinstance(value, str):
        return one_line(value, 100)
    if isinstance(value, dict):
        return {one_line(k, 100): _cut(v) for k, v in list(value.items())[:20]}
    if isinstance(value, list | tuple):
        return [_cut(v) for v in value[:20]]
    return value


# ── charts and tables ──


def _answers(content: Content, f: Figures) -> dict[str, Any]:
    """What the section on classes and rows says."""

    def written(value: float) -> str:
        return number(value).replace("-", f.minus)

    return {
        "title": answers.title(content),
        "told": answers.told(content, f),
        "shares": answers.shares(f),
        "rows_turned": answers.rows_turned(content),
        "turned_titles": answers.turned_titles(content),
        "row_words": answers.row_words,
        "span": answers.span,
        "number": written,
    }


def _charts(content: Content, f: Figures) -> dict[str, Markup]:
    """Every chart that has something to show, by its name in the template."""
    drawn: dict[str, Markup] = {}
    gain = content.result.gain
    if not content.plain_won and all(map(math.isfinite, (gain.low, gain.mean, gain.high))):
        drawn["gain"] = draw(charts.gain(content, f), facts.gain_chart(content, f))
    told = " ".join(facts.gap(content, f)[:2])
    drawn["scores"] = draw(charts.scores(content, f), told)
    drawn["gaps"] = draw(charts.gaps(content, f), told)
    if any(s.gave for s in parts.shares(content)) and not content.plain_won:
        drawn["pillars"] = draw(charts.pillars(content, f), parts.chart(content, f))
    for label, colour in (("plain", charts.PLAIN), ("best", charts.BEST)):
        shown = label == "plain" or not content.plain_won
        if shown and any(c.label == label and c.epochs for c in content.curves):
            drawn[f"curve {label}"] = draw(
                charts.curves(content, f, label, colour), facts.curve_chart(content, f, label)
            )
    if any(t.score is not None and math.isfinite(t.score) for t in content.trials):
        drawn["trials"] = draw(charts.trials(content, f), facts.trial_chart(content, f))
    return drawn


@dataclass(frozen=True)
class CurveRow:
    label: str
    epoch: int
    train: str
    select: str


def _curve_rows(content: Content, f: Figures) -> list[CurveRow]:
    return [row for c in content.curves if c.label == "plain" or not content.plain_won for row in _thinned(c, f)]


def _thinned(curve: Curve, f: Figures) -> list[CurveRow]:
    rows = [
        CurveRow(curve.label, epoch, f.score(train), f.score(select))
        for epoch, train, select in zip(curve.epochs, curve.train, curve.select, strict=True)
    ]
    step = math.ceil(len(rows) / CURVE_ROWS) or 1
    return rows[::-1][::step][::-1]


def _shown_trials(content: Content) -> tuple[list[TrialRow], int]:
    """Every trial, in order; of a very long search those of the verdict, the failures and the best scores that fit."""
    ranked = sorted(content.trials, key=lambda t: (not _matters(t, content), -_or_nothing(t.score), t.number))
    shown: list[TrialRow] = []
    room = TRIAL_BYTES
    for trial in ranked:
        words = (trial.phase, trial.origin, trial.summary, trial.reason)
        room -= 300 + sum(6 * min(len(w), NAME) if _costly(w) else min(len(w), NAME) for w in words)
        if room < 0:
            break
        shown.append(trial)
    return sorted(shown, key=lambda t: t.number), len(ranked) - len(shown)


def _matters(trial: TrialRow, content: Content) -> bool:
    return trial.status == "failed" or content.is_best(trial) or trial.plain


def _or_nothing(score: float | None) -> float:
    return -math.inf if score is None or math.isnan(score) else score


def _costly(text: str) -> bool:
    return not (text.isascii() and text.isprintable()) or any(c in "<>&'\"" for c in text)
