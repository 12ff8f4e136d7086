"""The figures of experiments: altair specifications as plain data, in the report's colours and frame."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from gapless.evidence.result import Interval
from gapless.report.drawing.charts import BAD, BEST, INK, LINE, PLAIN, SOFT, framed

Spec = dict[str, Any]
COLOURS = (PLAIN, BEST, BAD, "var(--link)", INK, SOFT)
HEIGHT = 250


def lines(
    x: str,
    y: str,
    at: Sequence[float],
    series: Mapping[str, Sequence[Interval] | Sequence[float]],
    log: bool = False,
    scale: float = 1.0,
    level: float | None = None,
) -> Spec:
    """A line for each name over `at`, with its interval as a band. level: a dashed line across. scale: 100 for per
    cent."""
    import altair as alt

    points = [
        {"x": float(at[i]), "y": scale * v.mean, "low": scale * v.low, "high": scale * v.high, "name": name}
        for name, values in series.items()
        for i, v in enumerate(Interval(o, o, o) if isinstance(o, float | int) else o for o in values)
        if all(map(math.isfinite, (v.mean, v.low, v.high)))
    ]
    kind = alt.Scale(type="log", nice=False) if log else alt.Scale(zero=False, nice=False)
    across = alt.X("x:Q", title=x, scale=kind, axis=alt.Axis(grid=False, tickCount=6, labelFlush=False, format="~g"))
    up = alt.Y("y:Q", title=y, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    colour = _colour(list(series))
    chart = alt.Chart(alt.Data(values=points))
    layers = [
        chart.mark_area(opacity=0.18).encode(x=across, y=alt.Y("low:Q", title=y), y2="high:Q", color=colour),
        chart.mark_line(strokeWidth=2).encode(x=across, y=up, color=colour),
        chart.mark_point(filled=True, size=30, opacity=1).encode(x=across, y=up, color=colour),
    ]
    if level is not None:
        rule = alt.Chart(alt.Data(values=[{"y": scale * level}]))
        layers.append(rule.mark_rule(strokeDash=[4, 3], color=SOFT).encode(y="y:Q"))
    return framed(*layers, height=HEIGHT)


def dots(title: str, rows: Mapping[str, Interval], scale: float = 1.0, zero: float | None = None) -> Spec:
    """A dot with its interval for each name, one below the other. zero: a line across at this value."""
    import altair as alt

    points = [
        {"name": name, "low": scale * v.low, "mean": scale * v.mean, "high": scale * v.high, "text": _short(v, scale)}
        for name, v in rows.items()
        if all(map(math.isfinite, (v.low, v.mean, v.high)))
    ]
    axis = alt.Axis(ticks=False, domain=False, labelColor=INK, labelFontSize=12, labelPadding=8, labelLimit=190)
    up = alt.Y("name:N", title=None, sort=list(rows), axis=axis)
    across = alt.Axis(tickCount=5, domain=False, labelFlush=False)
    x = alt.X("low:Q", title=title, scale=alt.Scale(zero=False), axis=across)
    chart = alt.Chart(alt.Data(values=points))
    layers = [
        chart.mark_rule(strokeWidth=3, color=BEST).encode(y=up, x=x, x2="high:Q"),
        chart.mark_point(shape="circle", filled=True, size=90, opacity=1, color=BEST).encode(y=up, x="mean:Q"),
        chart.mark_text(dy=-12, fontWeight="bold", color=INK).encode(y=up, x="mean:Q", text="text:N"),
    ]
    if zero is not None:
        rule = alt.Chart(alt.Data(values=[{"x": scale * zero}]))
        layers.insert(0, rule.mark_rule(color=SOFT, strokeWidth=1).encode(x="x:Q"))
    return framed(*layers, height=50 + 36 * len(rows))


def grid(x: str, y: str, cells: Sequence[tuple[float, float, float]], best: bool = True) -> Spec:
    """A map: (x, y, value) a cell, with its value written in it; the best cell has a frame."""
    import altair as alt

    values = [c[2] for c in cells if math.isfinite(c[2])]
    low, high = min(values), max(values)
    points = [
        {"x": f"{a:g}", "y": f"{b:g}", "opacity": (v - low) / ((high - low) or 1.0), "text": f"{v:.0f}", "value": v}
        for a, b, v in cells
        if math.isfinite(v)
    ]
    across = alt.X("x:O", title=x, sort=None, axis=alt.Axis(labelAngle=0))
    up = alt.Y("y:O", title=y, sort=None)
    chart = alt.Chart(alt.Data(values=points))
    shade = alt.Opacity("opacity:Q", scale=alt.Scale(domain=[0, 1], range=[0.03, 0.6]), legend=None)
    layers = [
        chart.mark_rect(color=BEST, stroke=LINE).encode(x=across, y=up, opacity=shade),
        chart.mark_text(color=INK).encode(x=across, y=up, text="text:N"),
    ]
    if best:
        top = alt.Chart(alt.Data(values=[max(points, key=lambda p: p["value"])]))
        layers.append(top.mark_rect(fill=None, stroke=INK, strokeWidth=2).encode(x=across, y=up))
    return framed(*layers, height=HEIGHT)


def cloud(x: str, y: str, points: Sequence[tuple[float, float, str]], equal: bool = False) -> Spec:
    """Points (x, y, name), coloured by name. equal: with the line on which both are the same."""
    import altair as alt

    names = list(dict.fromkeys(name for *_, name in points))
    values = [{"x": a, "y": b, "name": name} for a, b, name in points if math.isfinite(a) and math.isfinite(b)]
    chart = alt.Chart(alt.Data(values=values))
    across = alt.X("x:Q", title=x, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=6, labelFlush=False))
    up = alt.Y("y:Q", title=y, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    layers = [chart.mark_point(filled=True, size=40, opacity=0.8).encode(x=across, y=up, color=_colour(names))]
    if equal:
        ends = [v for p in values for v in (p["x"], p["y"])]
        line = [{"x": min(ends), "y": min(ends)}, {"x": max(ends), "y": max(ends)}]
        layers.append(
            alt.Chart(alt.Data(values=line)).mark_line(color=SOFT, strokeDash=[4, 3]).encode(x="x:Q", y="y:Q")
        )
    return framed(*layers, height=HEIGHT)


def _colour(names: Sequence[str]) -> Any:
    import altair as alt

    legend = alt.Legend(orient="top", title=None, labelColor=INK, labelFontSize=12, labelLimit=300, columns=2)
    shown = legend if len(names) > 1 else None
    return alt.Color("name:N", scale=alt.Scale(domain=list(names), range=list(COLOURS[: len(names)])), legend=shown)


def _short(value: Interval, scale: float) -> str:
    from gapless.lab.experiment import number

    return number(scale * value.mean, scale * max(value.high - value.low, abs(value.mean) / 100))
