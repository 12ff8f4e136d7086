"""The chart of a diagnosis: what each cause costs, with its interval."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from gapless.report.drawing.charts import BAD, INK, PLAIN, SOFT, framed

if TYPE_CHECKING:
    from gapless.diagnose.diagnosis import Diagnosis
    from gapless.diagnose.finding import Finding

Spec = dict[str, Any]
_COLORS = {"grave": BAD, "moderate": PLAIN, "slight": INK}


def drawn(found: Diagnosis) -> list[Finding]:
    """Findings with an effect that has an interval, those that stand first, then from the largest."""
    others = sorted(found.others, key=lambda f: -f.effect.mean)
    return [f for f in (*found.findings, *others) if _measured(f)]


def _measured(finding: Finding) -> bool:
    effect = finding.effect
    return all(math.isfinite(v) for v in (effect.low, effect.mean, effect.high)) and effect.low < effect.high


def effects(found: Diagnosis, percent: bool) -> Spec:
    """One row a cause: in color those that stand, in gray the others."""
    import altair as alt

    scale = 100 if percent else 1
    standing = {f.cause for f in found.findings}
    shown = drawn(found)
    points = [
        {
            "name": f.cause,
            "low": scale * f.effect.low,
            "mean": scale * f.effect.mean,
            "high": scale * f.effect.high,
            "color": _COLORS[f.severity] if f.cause in standing else SOFT,
        }
        for f in shown
    ]
    title = "points of the score on new rows" if percent else "of the variance"
    axis = alt.Axis(ticks=False, domain=False, labelColor=INK, labelFontSize=13, labelPadding=8)
    y = alt.Y("name:N", title=None, sort=[f.cause for f in shown], axis=axis)
    bottom = alt.Axis(tickCount=5, domain=False, labelFlush=False)
    x = alt.X("low:Q", title=title, scale=alt.Scale(zero=True), axis=bottom)
    color = alt.Color("color:N", scale=None)
    base = alt.Chart(alt.Data(values=points))
    zero = alt.Chart(alt.Data(values=[{"zero": 0}])).mark_rule(color=SOFT, strokeWidth=1).encode(x="zero:Q")
    return framed(
        zero,
        base.mark_rule(strokeWidth=3).encode(y=y, x=x, x2="high:Q", color=color),
        base.mark_point(shape="circle", filled=True, size=90, opacity=1).encode(y=y, x="mean:Q", color=color),
        height=50 + 26 * len(points),
    )
