"""The charts of a report: altair specifications as plain data. Colours are the page's CSS variables, so that light,
dark and print need one drawing only. Every chart is 360 wide: a phone shows it unscaled, a desktop two side by side.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from gapless.evidence.result import Interval, Side
from gapless.report.content import Content, TrialRow
from gapless.report.figures import Figures
from gapless.report.parts import Share, complete, shares

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import altair as alt

Spec = dict[str, Any]
Point = dict[str, Any]

WIDTH = 360
INK, SOFT, LINE, PAPER = "var(--ink)", "var(--soft)", "var(--line)", "var(--paper)"
PLAIN, BEST, BAD = "var(--plain)", "var(--best)", "var(--bad)"
MOST_POINTS = 400
"""Points of one curve, or of one kind of trial; more are thinned evenly, from the end."""


def scores(content: Content, f: Figures) -> Spec:
    """Where each model scores on its training rows and on new ones; the line between them is the gap."""
    import altair as alt

    sides = _sides(content)
    ends: list[Point] = [
        {"model": name, "colour": colour, "train": s.train.mean * f.scale, "new": s.confirm.mean * f.scale}
        for name, s, colour in sides
    ]
    ends = [e for e in ends if math.isfinite(e["train"]) and math.isfinite(e["new"])]
    seeds = [{"model": n, "colour": c, "new": v * f.scale} for n, s, c in sides for v in _finite(s.confirm.seeds)]
    y = _rows("model:N", [name for name, _, _ in sides])
    x = _axis("new:Q", f"score{f.axis}")
    colour = alt.Color("colour:N", scale=None)
    base = alt.Chart(alt.Data(values=ends))
    return framed(
        base.mark_rule(strokeWidth=6, opacity=0.35).encode(y=y, x=x, x2="train:Q", color=colour),
        alt.Chart(alt.Data(values=seeds)).mark_tick(thickness=1, size=14, opacity=0.7).encode(y=y, x=x, color=colour),
        base.mark_point(shape="circle", filled=True, size=90, opacity=1).encode(y=y, x=x, color=colour),
        base.mark_point(shape="circle", size=80, strokeWidth=2, fill=PAPER, opacity=1).encode(
            y=y, x="train:Q", stroke=alt.Stroke("colour:N", scale=None)
        ),
        base.mark_text(dy=-15, color=SOFT, text="train").encode(y=y, x="train:Q"),
        base.mark_text(dy=17, color=SOFT, text="new").encode(y=y, x="new:Q"),
        height=150,
    )


def gaps(content: Content, f: Figures) -> Spec:
    """The gap of each model as a bar with its 95 % interval."""
    points = [_interval(name, s.gap, f, colour, f.bare(s.gap.mean)) for name, s, colour in _sides(content)]
    return _bars(
        [p for p in points if p],
        [name for name, _, _ in _sides(content)],
        f"gap{_size(f)}",
        150,
    )


def gain(content: Content, f: Figures) -> Spec:
    """The gain with its 95 % interval, against zero."""
    result = content.result
    colour = {"improved": BEST, "worse": BAD}.get(result.verdict, INK)
    point = _interval("gain", result.gain, f, colour, f.signed(result.gain.mean))
    return _dots([point] if point else [], [], f"change against the plain model{_unit(f)}", 96)


def pillars(content: Content, f: Figures) -> Spec:
    """What each pillar gave, or the recipe loses without it, with 95 % intervals; the whole recipe in the last row."""
    found = shares(content)
    points = [_interval(s.words, s.gave, f, _shade(s), f.signed(s.gave.mean)) for s in found if s.gave]
    gain = content.result.gain
    whole = _interval("whole recipe", gain, f, INK, f.signed(gain.mean))
    names = [s.words for s in found if s.gave] + ["whole recipe"]
    title = "given" if complete(content) else "lost without it"
    return _dots([p for p in [*points, whole] if p], names, f"{title}{_unit(f)}", 60 + 34 * len(names))


def curves(content: Content, f: Figures, label: str, colour: str) -> Spec:
    """Score by epoch of one model, on its training rows (dashed) and on rows it was not trained on (solid)."""
    import altair as alt

    everything = [v * f.scale for c in content.curves for v in (*c.train, *c.select)]
    floor = _floor(everything)
    points: list[Point] = []
    for curve in (c for c in content.curves if c.label == label):
        points += _curve("training", curve.epochs, curve.train, f, floor)
        points += _curve("held back", curve.epochs, curve.select, f, floor)
    x = alt.X(
        "epoch:Q", title="epoch", axis=alt.Axis(grid=False, tickMinStep=1, tickCount=5, format="d", labelFlush=False)
    )
    top = max(_finite(everything), default=1.0)
    y = alt.Y(
        "score:Q",
        title=None,
        scale=alt.Scale(domain=[floor, top + (0.1 * (top - floor) or 1.0)], nice=False),
        axis=alt.Axis(tickCount=5),
    )
    dash = alt.StrokeDash(
        "rows:N", scale=alt.Scale(domain=["training", "held back"], range=[[5, 4], [1, 0]]), legend=None
    )
    lines = alt.Chart(alt.Data(values=points)).mark_line(strokeWidth=2, color=colour)
    return framed(
        lines.encode(x=x, y=y, strokeDash=dash),
        _line_end(points, "training", -9, colour).encode(x=x, y=y, text="rows:N"),
        _line_end(points, "held back", 14, colour).encode(x=x, y=y, text="rows:N"),
        height=200,
    )


def trials(content: Content, f: Figures) -> Spec:
    """Every trial's score on select in the order of the search; what the best recipe and the plain model held on new
    rows as lines."""
    import altair as alt

    scored = [(t, t.score * f.scale) for t in content.trials if t.score is not None and math.isfinite(t.score)]
    floor = _floor([s for _, s in scored])
    groups = {"other": SOFT, "plain": PLAIN, "best": BEST}
    points: list[Point] = []
    for group in groups:  # the best are drawn last, on top
        points += _thinned([_trial(t, s, floor, group) for t, s in scored if _group(t, content) == group])
    held = [
        {"at": side.confirm.mean * f.scale, "colour": colour}
        for _, side, colour in _sides(content)
        if math.isfinite(side.confirm.mean)
    ]
    last = max((t.number for t in content.trials), default=1)
    x = alt.X(
        "trial:Q",
        title="trial",
        scale=alt.Scale(domain=[0, last + 1], nice=False),
        axis=alt.Axis(grid=False, tickCount=6, tickMinStep=1, format="d", labelFlush=False),
    )
    y = alt.Y("score:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    lines = alt.Chart(alt.Data(values=held))
    dots = alt.Chart(alt.Data(values=points))
    return framed(
        dots.mark_point(size=26, filled=True, opacity=0.75).encode(
            x=x,
            y=y,
            color=alt.Color("group:N", scale=alt.Scale(domain=list(groups), range=list(groups.values())), legend=None),
            shape=alt.Shape("shape:N", scale=None),
        ),
        lines.mark_rule(strokeDash=[4, 3], strokeWidth=1.5).encode(y="at:Q", color=alt.Color("colour:N", scale=None)),
        height=240,
    )


def _group(trial: TrialRow, content: Content) -> str:
    if trial.plain:
        return "plain"
    return "best" if content.is_best(trial) else "other"


def _trial(trial: TrialRow, score: float, floor: float, group: str) -> Point:
    shape = "circle" if trial.status == "finished" else "cross"
    if score < floor:
        shape = "triangle-down"
    return {"trial": trial.number, "score": max(score, floor), "group": group, "shape": shape}


def _line_end(points: list[Point], rows: str, dy: int, colour: str) -> alt.Chart:
    """The name of a line at its end: training above, held back below, for they end in this order."""
    import altair as alt

    last = [p for p in points if p["rows"] == rows][-1:]
    return alt.Chart(alt.Data(values=last)).mark_text(align="right", dy=dy, color=colour)


# ── the parts that charts share ──


def _sides(content: Content) -> list[tuple[str, Side, str]]:
    sides = [("plain", content.result.plain, PLAIN)]
    return sides if content.plain_won else [*sides, ("best", content.result.best, BEST)]


def _shade(share: Share) -> str:
    return {"helps": BEST, "hurts": BAD}.get(share.effect, SOFT)


def _size(f: Figures) -> str:
    return ", points" if f.percent else f", {f.metric}"


def _unit(f: Figures) -> str:
    """That of a change, in the direction in which more is better."""
    return _size(f) + (" saved" if f.error else "")


def _interval(name: str, interval: Interval, f: Figures, colour: str, text: str) -> Point | None:
    """One row of an interval chart, with the words above its dot; None when there is nothing finite to draw."""
    low, mean, high = (v * f.scale for v in (interval.low, interval.mean, interval.high))
    if not all(math.isfinite(v) for v in (low, mean, high)):
        return None
    return {"name": name, "low": low, "mean": mean, "high": high, "colour": colour, "text": text}


def compared(rows: Sequence[tuple[str, Interval]], title: str, f: Figures) -> Spec:
    """Differences with their 95 % intervals, one below the other, against zero."""
    points = [_interval(name, value, f, INK, f.signed(value.mean)) for name, value in rows]
    return _dots([p for p in points if p], [name for name, _ in rows], f"{title}{_unit(f)}", 60 + 34 * len(rows))


def traced(gains: Sequence[float], chance: tuple[float, float] | None) -> Spec:
    """What each policy of a search gained, in the order in which they were tried. chance: the band of random ones."""
    import altair as alt

    points = [{"number": n + 1, "gain": g} for n, g in enumerate(gains) if math.isfinite(g) and g > -10]
    floor = _floor([p["gain"] for p in points])
    points = [{**p, "gain": max(p["gain"], floor)} for p in points]
    x = alt.X(
        "number:Q", title="policy, in the order of the search", axis=alt.Axis(grid=False, tickMinStep=1, format="d")
    )
    y = alt.Y("gain:Q", title=None, axis=alt.Axis(tickCount=5))
    layers = [
        alt.Chart(alt.Data(values=[{"gain": 0.0}])).mark_rule(color=SOFT, strokeDash=[4, 3]).encode(y=y),
        alt.Chart(alt.Data(values=points)).mark_point(filled=True, size=40, opacity=0.8, color=BEST).encode(x=x, y=y),
    ]
    if chance:
        band = alt.Chart(alt.Data(values=[{"gain": chance[0], "high": chance[1]}]))
        layers.insert(0, band.mark_rect(color=PLAIN, opacity=0.15).encode(y=y, y2="high:Q"))
    return framed(*layers, height=220)


def _dots(points: list[Point], names: Sequence[str], title: str, height: int) -> Spec:
    import altair as alt

    y = _rows("name:N", names)
    colour = alt.Color("colour:N", scale=None)
    base = alt.Chart(alt.Data(values=points))
    zero = alt.Chart(alt.Data(values=[{"zero": 0}])).mark_rule(color=SOFT, strokeWidth=1).encode(x="zero:Q")
    return framed(
        zero,
        base.mark_rule(strokeWidth=3).encode(y=y, x=_axis("low:Q", title), x2="high:Q", color=colour),
        base.mark_point(shape="circle", filled=True, size=110, opacity=1).encode(y=y, x="mean:Q", color=colour),
        base.mark_text(dy=-14, fontWeight="bold").encode(y=y, x="mean:Q", text="text:N", color=colour),
        height=height,
    )


def _bars(points: list[Point], names: Sequence[str], title: str, height: int) -> Spec:
    import altair as alt

    y = _rows("name:N", names)
    colour = alt.Color("colour:N", scale=None)
    base = alt.Chart(alt.Data(values=points))
    return framed(
        base.mark_bar(height=26, opacity=0.35).encode(y=y, x=_axis("mean:Q", title, zero=True), color=colour),
        base.mark_rule(strokeWidth=3).encode(y=y, x="low:Q", x2="high:Q", color=colour),
        base.mark_point(shape="circle", filled=True, size=90, opacity=1).encode(y=y, x="mean:Q", color=colour),
        base.mark_text(dy=-22, fontWeight="bold").encode(y=y, x="mean:Q", text="text:N", color=colour),
        height=height,
    )


def _rows(field: str, names: Sequence[str]) -> alt.Y:
    import altair as alt

    axis = alt.Axis(ticks=False, domain=False, labelColor=INK, labelFontSize=13, labelPadding=8) if names else None
    return alt.Y(field, title=None, sort=list(names), axis=axis)


def _axis(field: str, title: str, zero: bool = False) -> alt.X:
    import altair as alt

    return alt.X(
        field, title=title, scale=alt.Scale(zero=zero), axis=alt.Axis(tickCount=5, domain=False, labelFlush=False)
    )


def framed(*layers: alt.Chart, height: int) -> Spec:
    """The layers as one specification of fixed size, in the page's colours."""
    import altair as alt

    chart = (
        alt.layer(*layers)
        .properties(width=WIDTH, height=height, background="transparent", padding=2)
        .properties(autosize=alt.AutoSizeParams(type="fit", contains="padding"))
        .configure(aria=False, font="sans-serif")
        .configure_view(stroke=None)
        .configure_text(fontSize=12)
        .configure_axis(
            labelColor=SOFT,
            titleColor=SOFT,
            gridColor=LINE,
            domainColor=LINE,
            tickColor=LINE,
            labelFontSize=11,
            titleFontSize=12,
            titleFontWeight="normal",
        )
    )
    return chart.to_dict()


def _finite(values: Iterable[float]) -> list[float]:
    return [v for v in values if math.isfinite(v)]


def _floor(values: Sequence[float]) -> float:
    """The lowest value worth a place on the axis: one wild start must not flatten all the rest."""
    good = sorted(_finite(values))
    if not good:
        return 0.0
    lower, upper = good[len(good) // 4], good[-1 - len(good) // 10]
    return max(good[0], lower - 3 * (upper - lower)) if upper > lower else good[0]


def _curve(rows: str, epochs: Sequence[int], values: Sequence[float], f: Figures, floor: float) -> list[Point]:
    points = [
        {"rows": rows, "epoch": e, "score": max(v * f.scale, floor)}
        for e, v in zip(epochs, values, strict=True)
        if math.isfinite(v)
    ]
    return _thinned(points)


def _thinned(points: list[Point]) -> list[Point]:
    step = math.ceil(len(points) / MOST_POINTS) or 1
    return points[::-1][::step][::-1]
