"""Charts as data: the figures in a specification are those of the result; drawing is checked by what it may contain."""

import math
from dataclasses import replace
from typing import Any

import pytest
from report_contents import curves, digits, many_trials, plain_won, regression, trial, with_result

from gapless.evidence.result import Curve, Interval, Pillar
from gapless.report.content import Content
from gapless.report.drawing import charts
from gapless.report.drawing.svg import draw
from gapless.report.figures import Figures


def of(content: Content) -> tuple[Content, Figures]:
    return content, Figures.of(content.result)


def values(spec: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """The rows of data of each layer, in order."""
    return [layer.get("data", spec.get("data"))["values"] for layer in spec["layer"]]


def with_key(spec: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The first layer's data that has this field."""
    return next(rows for rows in values(spec) if rows and key in rows[0])


def test_gap_chart_holds_the_gaps():
    content, f = of(digits())
    rows = with_key(charts.gaps(content, f), "low")
    for row, side in zip(rows, (content.result.plain, content.result.best), strict=True):
        assert (row["low"], row["mean"], row["high"]) == pytest.approx(
            [100 * v for v in (side.gap.low, side.gap.mean, side.gap.high)]
        )
    assert [r["text"] for r in rows] == ["12.6", "3.4"]


def test_score_chart_holds_every_seed():
    content, f = of(digits())
    spec = charts.scores(content, f)
    ends = with_key(spec, "train")
    assert [(e["train"], e["new"]) for e in ends] == [pytest.approx((100.0, 87.4)), pytest.approx((98.9, 95.5))]
    seeds = [r["new"] for rows in values(spec) for r in rows if "new" in r and "train" not in r]
    expected = [100 * s for side in (content.result.plain, content.result.best) for s in side.confirm.seeds]
    assert seeds == pytest.approx(expected)


def test_r2_is_not_scaled():
    content, f = of(regression())
    (row,) = with_key(charts.gain(content, f), "low")
    assert (row["low"], row["mean"], row["high"]) == (0.021, 0.082, 0.143)


def test_pillar_chart_holds_what_was_measured_and_the_whole():
    content, f = of(digits())
    rows = with_key(charts.pillars(content, f), "low")
    assert [(r["name"], r["text"]) for r in rows] == [
        ("augmentation", "+4.9"),
        ("batch norm", "+1.2"),
        ("dropout", "+0.4"),
        ("whole recipe", "+8.1"),
    ]


def test_curves_hold_every_epoch_of_their_model_only():
    content, f = of(digits())
    rows = with_key(charts.curves(content, f, "plain", charts.PLAIN), "rows")
    assert len(rows) == 80
    last = {r["rows"]: r["score"] for r in rows if r["epoch"] == 40}
    assert last == pytest.approx({"training": 100 * content.curves[0].train[-1], "held back": 87.4}, abs=0.01)


def test_long_curves_are_thinned_and_keep_their_end():
    content = replace(digits(), curves=curves(epochs=10_000))
    rows = with_key(charts.curves(*of(content), "best", charts.BEST), "rows")
    assert len(rows) <= 2 * charts.MOST_POINTS
    assert max(r["epoch"] for r in rows) == 10_000


def test_a_wild_start_does_not_flatten_a_curve():
    scores = (-1e6, 0.5, 0.7, 0.72, 0.75, 0.76, 0.77, 0.78)
    curve = Curve("plain", tuple(range(8)), scores, scores)
    content = replace(regression(), curves=(curve,))
    rows = with_key(charts.curves(*of(content), "plain", charts.PLAIN), "rows")
    assert min(r["score"] for r in rows) > -1
    assert sorted({r["score"] for r in rows})[1:] == [0.5, 0.7, 0.72, 0.75, 0.76, 0.77, 0.78]


def test_every_scored_trial_is_a_point_and_the_best_are_on_top():
    content, f = of(digits())
    rows = with_key(charts.trials(content, f), "trial")
    assert sorted(r["trial"] for r in rows) == [t.number for t in content.trials if t.score is not None]
    groups = [r["group"] for r in rows]
    assert groups == sorted(groups, key=["other", "plain", "best"].index)
    assert groups.count("plain") == 7 and groups.count("best") == 6
    stopped = {t.number for t in content.trials if t.status == "stopped"}
    assert {r["trial"] for r in rows if r["shape"] == "cross"} == stopped


def test_a_trial_far_below_is_marked_at_the_edge():
    content = replace(digits(), trials=(*many_trials(), trial(60, score=0.001)))
    rows = with_key(charts.trials(*of(content)), "trial")
    (low,) = [r for r in rows if r["shape"] == "triangle-down"]
    assert low["trial"] == 60 and low["score"] > 50


def test_plain_alone_has_one_row():
    content, f = of(plain_won())
    assert len(with_key(charts.gaps(content, f), "low")) == 1


def specs(content: Content) -> dict[str, dict[str, Any]]:
    f = Figures.of(content.result)
    return {
        "gain": charts.gain(content, f),
        "scores": charts.scores(content, f),
        "gaps": charts.gaps(content, f),
        "pillars": charts.pillars(content, f),
        "curve": charts.curves(content, f, "plain", charts.PLAIN),
        "trials": charts.trials(content, f),
    }


@pytest.mark.parametrize("name", ["gain", "scores", "gaps", "pillars", "curve", "trials"])
def test_drawn_charts_are_bare_svg(name: str):
    svg = draw(specs(digits())[name], 'said "aloud" <b>')
    assert svg.startswith('<svg role="img" aria-label="said &#34;aloud&#34; &lt;b&gt;" viewBox="0 0 360 ')
    assert "http" not in svg and "style=" not in svg and "#" not in svg.replace("&#", "")


def test_colours_are_the_pages():
    svg = draw(specs(digits())["gaps"], "")
    for variable in ("--ink", "--soft", "--line", "--plain", "--best"):
        assert f"var({variable})" in svg


def test_what_is_not_finite_is_not_drawn():
    broken = Interval(0.1, -math.inf, math.nan)
    content = with_result(
        digits(),
        gain=broken,
        plain=replace(digits().result.plain, gap=broken),
        pillars=(Pillar("dropout", broken),),
    )
    content = replace(content, trials=(trial(0, score=math.nan), trial(1, score=0.5)), curves=())
    for name, spec in specs(content).items():
        drawn = draw(spec, name)
        assert "NaN" not in drawn and "Infinity" not in drawn
    assert len(with_key(specs(content)["gaps"], "low")) == 1


def test_foreign_words_in_a_chart_are_text():
    content = with_result(digits(), pillars=(Pillar("</text><script>alert(1)</script>", Interval(-0.1, -0.2, -0.05)),))
    svg = draw(specs(content)["pillars"], "")
    assert "<script" not in svg and "&lt;script&gt;" in svg


@pytest.mark.parametrize(
    ("mark", "what"),
    [
        ({"type": "image", "url": "data:,"}, "<image>"),
        ({"type": "bar", "clip": True}, "the attribute 'clip-path'"),
    ],
)
def test_what_the_report_does_not_know_is_refused(mark: dict[str, Any], what: str):
    spec = {"data": {"values": [{}]}, "mark": mark}
    with pytest.raises(ValueError, match=f"used {what}"):
        draw(spec, "")


def test_drawing_asks_no_network():
    spec = {"data": {"url": "https://payload.invalid/data.json"}, "mark": "point"}
    with pytest.raises(ValueError, match=r"not allowed|allowed base"):
        draw(spec, "")
