"""Finished runs side by side: one HTML file that works offline, in the report's style."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from markupsafe import Markup

from gapless.evidence.result import Result
from gapless.lab.figure import dots
from gapless.live.render import TEMPLATES
from gapless.report.content import Content
from gapless.report.drawing.svg import draw
from gapless.report.figures import Figures, duration, one_line, rate
from gapless.report.html import asset, environment, policy

Fact = tuple[str, Callable[[Content, Figures], str]]

_ABOUT: tuple[Fact, ...] = (
    ("data", lambda c, f: one_line(c.result.task.name, 60)),
    ("model", lambda c, f: f"{one_line(c.result.model.name, 60)}, {c.result.model.parameters:,} parameters"),
    ("metric", lambda c, f: c.result.metric.name),
    ("rows trained on", lambda c, f: f"{c.result.task.train:,}"),
    ("rows of the verdict", lambda c, f: f"{c.result.task.confirm:,}"),
    ("seed", lambda c, f: str(c.result.seed)),
    ("optimizer", lambda c, f: f"{c.result.training.optimizer}, batches of {c.result.training.batch_size}"),
    ("torch", lambda c, f: c.result.versions.get("torch", "not known")),
)
"""What a run is of: where it is the same in all, it is said once."""
_FOUND: tuple[Fact, ...] = (
    ("verdict", lambda c, f: c.result.verdict),
    ("gain", lambda c, f: f"{f.signed(c.result.gain.mean)} ({f.span(c.result.gain)})"),
    ("new rows, plain", lambda c, f: f.score(c.result.plain.confirm.mean)),
    ("new rows, best recipe", lambda c, f: f.score(c.result.best.confirm.mean)),
    ("gap, plain", lambda c, f: f"{f.bare(c.result.plain.gap.mean)} ({f.span(c.result.plain.gap)})"),
    ("gap, best recipe", lambda c, f: f"{f.bare(c.result.best.gap.mean)} ({f.span(c.result.best.gap)})"),
    ("best recipe", lambda c, f: c.summary or "plain"),
    ("learning rate, plain / best", lambda c, f: f"{rate(c.result.plain.lr)} / {rate(c.result.best.lr)}"),
    ("epochs, plain / best", lambda c, f: f"{c.result.plain.epochs} / {c.result.best.epochs}"),
    ("seeds of the verdict", lambda c, f: str(len(c.result.plain.confirm.seeds))),
    ("trainings of the search", lambda c, f: _trainings(c.result)),
    ("time", lambda c, f: duration(c.result.seconds)),
)


def page(runs: Sequence[tuple[str, Content]]) -> str:
    """The page. runs: what each is called, and what it came to; the same runs give the same bytes."""
    figures = [Figures.of(content.result, minus="−", space="\u00a0") for _, content in runs]
    told = [(name, [say(c, f) for (_, c), f in zip(runs, figures, strict=True)]) for name, say in _ABOUT]
    style, script = asset("report.css") + (TEMPLATES / "compare.css").read_text("utf-8"), asset("report.js")
    values = {
        "names": [one_line(name, 80) for name, _ in runs],
        "same": [(name, values[0]) for name, values in told if len(set(values)) == 1],
        "rows": [
            *((name, values, True) for name, values in told if len(set(values)) > 1),
            *((n, [say(c, f) for (_, c), f in zip(runs, figures, strict=True)], False) for n, say in _FOUND),
        ],
        "other_rows": len({(c.result.task.name, c.result.task.confirm) for _, c in runs}) > 1,
        "charts": _charts(runs, figures),
        "looks": [{"improved": "is-best", "worse": "is-bad"}.get(c.result.verdict, "") for _, c in runs],
        "style": Markup(style),
        "script": Markup(script),
        "policy": policy(style, script),
    }
    return environment(TEMPLATES).get_template("compare.html.j2").render(values)


def named(folders: Sequence[Path]) -> list[str]:
    """What runs are called: the folders' own names where these tell them apart, else the whole paths."""
    names = [folder.resolve().name for folder in folders]
    return names if len(set(names)) == len(names) else [str(folder) for folder in folders]


def _trainings(result: Result) -> str:
    counts = result.trials
    return f"{counts.finished:,} finished, {counts.stopped:,} stopped early, {counts.failed:,} failed"


def _charts(runs: Sequence[tuple[str, Content]], figures: Sequence[Figures]) -> list[tuple[str, Markup]]:
    """Gains and gaps with their intervals, where all runs are measured in one unit."""
    if len({c.result.metric.name for _, c in runs}) > 1:
        return []
    scale, unit = figures[0].scale, "points" if figures[0].percent else runs[0][1].result.metric.name
    gains = {one_line(name, 28): c.result.gain for name, c in runs}
    gaps = {one_line(name, 28): c.result.best.gap for name, c in runs}
    charts = (("Gain on rows kept aside, with its interval", gains), ("Gap that is left, with its interval", gaps))
    return [
        (title, draw(dots(unit, shown, scale, zero=0.0), f"{title}: {', '.join(shown)}"))
        for title, shown in charts
        if len(shown) == len(runs) and all(math.isfinite(v.mean) for v in shown.values())
    ]
