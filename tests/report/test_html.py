"""The page as a document: complete, closed to the network, equal to its result, the same bytes each time."""

import base64
import hashlib
import json
import math
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from report_contents import (
    all_subsets,
    curves,
    digits,
    many_trials,
    no_gain,
    page_of,
    plain_won,
    regression,
    samples,
    trial,
    with_result,
    with_task,
    worse,
)
from report_dom import Node, parse

from gapless.data.tables.account import ColumnAccount
from gapless.evidence.result import Interval, Pillar, TrialCounts
from gapless.report.content import Content
from gapless.report.html import TEMPLATES, render

EVERY = [digits, no_gain, worse, plain_won, regression]
LIMIT = 2_000_000


@pytest.fixture(scope="module")
def html() -> str:
    return page_of(digits)


@pytest.fixture(scope="module")
def page(html: str) -> Node:
    return parse(html)


def figures(node: Node) -> list[float]:
    return [float(d.attributes["value"]) for d in node.all("data")]


# ── what it says ──


@pytest.mark.parametrize(
    ("make", "title", "kind"),
    [
        (digits, "Improved by +8.1 points", "improved"),
        (no_gain, "No detectable gain", "no-detectable-gain"),
        (worse, "Worse by 2.1 points", "worse"),
        (plain_won, "No detectable gain", "no-detectable-gain"),
        (regression, "Improved by +0.082 in r2", "improved"),
    ],
)
def test_the_verdict_comes_first(make, title: str, kind: str):
    body = parse(page_of(make)).one("body")
    skip, head = [c for c in body.children if isinstance(c, Node)][:2]
    assert skip.attributes == {"class": "skip", "href": "#gap"}
    assert head.attributes["class"] == f"verdict {kind}"
    assert head.one("h1").words == title


def test_sections_in_order(page: Node):
    ids = [s.attributes["id"] for s in page.all("section")]
    assert ids == ["gap", "answers", "pillars", "curves", "trials", "samples", "recipe", "data", "protocol", "run"]
    assert [h.tag for h in page.walk() if h.tag in ("h1", "h2", "h3")][:3] == ["h1", "h2", "h2"]


def test_figures_equal_the_result(page: Node):
    result = digits().result
    gap = page.one("section", id="gap")
    expected: list[float] = []
    for side in (result.plain, result.best):
        expected += [side.train.mean, side.confirm.mean, side.confirm.sd, side.gap.mean, *side.confirm.seeds]
    assert figures(gap) == [*expected, result.gain.mean, result.gain.low, result.gain.high]
    pillars = figures(page.one("section", id="pillars"))
    without = [p.without for p in result.pillars if p.without]
    assert sorted(pillars) == sorted(-v for w in without for v in (w.mean, w.low, w.high))


def test_with_all_subsets_three_intervals_a_pillar_are_shown():
    content = all_subsets()
    section = parse(render(content)).one("section", id="pillars")
    spans = [(p.shapley, p.alone, p.without) for p in content.result.pillars]
    expected = [v for s in spans for i in s[:2] if i for v in (i.mean, i.low, i.high)]
    expected += [-v for _, _, i in spans if i for v in (i.mean, i.low, i.high)]
    assert sorted(figures(section)) == pytest.approx(sorted(expected))
    assert section.one("h2").words == "What each pillar gave"


def test_figures_are_written_as_they_are_valued(page: Node):
    for data in page.all("data"):
        written = float(data.words.replace("−", "-").removesuffix(" points").removesuffix(" %"))
        assert written == pytest.approx(100 * float(data.attributes["value"]), abs=0.0501)


def test_headline_figures_are_the_results(page: Node):
    words = page.one("header").words
    gain = digits().result.gain
    assert f"95 % interval {100 * gain.low:.1f} to {100 * gain.high:.1f}" in words
    assert f"gets {100 * digits().result.best.confirm.mean:.1f} % of new pictures right" in words


def test_every_trial_has_its_row(page: Node):
    rows = page.one("table", id="trial-table").one("tbody").all("tr")
    content = digits()
    assert len(rows) == len(content.trials)
    for row, t in zip(rows, content.trials, strict=True):
        cells = [c.words for c in row.all("td")]
        assert cells[0] == str(t.number)
        assert cells[1] == ("" if t.score is None else f"{100 * t.score:.1f}")
        assert cells[2] == (f"{t.status}: {t.reason}" if t.reason else t.status)
        assert cells[3].removeprefix("best ") == t.summary
        assert float(cells[6]) == pytest.approx(t.lr, rel=0.006)
    marked = [r.attributes.get("class") for r in rows]
    assert marked.count("is-plain") == 7 and marked.count("is-best") == 6


def test_failures_and_their_reasons_are_there(page: Node):
    assert "failed: loss is NaN after epoch 3" in page.one("table", id="trial-table").words


def test_not_measured_is_said(page: Node):
    rows = [r.words for r in page.one("section", id="pillars").all("tr")]
    assert any(r.startswith("weight decay") and r.endswith("not measured: no time left") for r in rows)


def test_notes_and_what_was_left_out(page: Node):
    words = page.one("section", id="data").words
    assert "2 rows of the training part are also in the confirm part" in words
    assert "2 items left out" in words
    assert "digits/7/broken.png: cannot be decoded: truncated file" in words


def test_what_was_made_of_each_column_stands_in_a_table():
    told = (
        ColumnAccount("since <b>", "date", "elapsed days, the year", "its values are dates"),
        ColumnAccount("customer_id", "identifier", "left out", "every row has another number"),
    )
    content = with_task(digits(), account=told)
    (table,) = [one for one in parse(render(content)).all("table") if "What became of it" in one.words]
    cells = [[cell.words for cell in row.children if isinstance(cell, Node)] for row in table.all("tr")]
    assert cells[1:] == [[one.column, one.kind, one.became, one.why] for one in told]
    assert content.result.to_json()["task"]["account"][1]["became"] == "left out"
    assert "What became of it" not in render(digits())


def test_recipe_code_and_command_are_verbatim(page: Node):
    content = digits()
    assert [p.text for p in page.all("pre")] == [content.recipe_toml, content.program, content.command]


def test_without_a_gain_the_recipe_handed_back_is_the_plain_model(page: Node):
    for make in (no_gain, worse):
        words = parse(page_of(make)).one("section", id="recipe").words
        assert "No gain was shown, so the recipe handed back is the empty one: the plain model." in words
        assert (
            "What came nearest: dropout .3, batch norm, decay .05, rotate 15, translate .1; learning rate 0.003."
            in words
        )
    assert "nearest" not in parse(page_of(plain_won)).words
    assert "No gain" not in page.one("section", id="recipe").words


def test_embedded_result_is_the_result(page: Node):
    island = page.one("script", type="application/json").text
    assert json.loads(island) == json.loads(json.dumps(digits().result.to_json()))


def test_plain_won_shows_no_best(tmp_path: Path):
    page = parse(page_of(plain_won))
    assert "best recipe" not in page.one("section", id="gap").words
    assert not page.one("header").all("svg")
    assert len(page.one("section", id="curves").all("svg")) == 1
    assert not [r for r in page.all("tr") if r.attributes.get("class") == "is-best"]


# ── closed and accessible ──


@pytest.mark.parametrize("make", EVERY)
def test_nothing_is_fetched(make):
    html = page_of(make)
    assert "http:" not in html and "https:" not in html and "//" not in parse(html).one("body").one("main").text
    page = parse(html)
    for node in page.walk():
        for name in ("src", "href", "xlink:href", "action", "data", "poster", "srcset"):
            if name in node.attributes:
                assert re.match(r"data:|#", node.attributes[name]), node
        assert not [a for a in node.attributes if a.startswith("on") or a == "style"], node
    assert not re.search(r"@import|url\(|@font-face", page.one("style").text)


def test_the_policy_allows_this_style_and_this_script_only(page: Node):
    policy = page.one("meta", http_equiv="Content-Security-Policy").attributes["content"]
    script = [s for s in page.all("script") if "type" not in s.attributes]
    assert len(script) == 1
    style_hash, script_hash = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (page.one("style").text, script[0].text)
    )
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{style_hash}'; script-src 'sha256-{script_hash}'; "
        "base-uri 'none'; form-action 'none'"
    )


def test_the_policy_stands_before_all_it_governs(page: Node):
    tags = [c for c in page.one("head").children if isinstance(c, Node)]
    assert [t.tag for t in tags[:2]] == ["meta", "meta"]
    assert tags[1].attributes["http-equiv"] == "Content-Security-Policy"


@pytest.mark.parametrize("make", EVERY)
def test_charts_and_tables_can_be_heard(make):
    page = parse(page_of(make))
    assert page.one("html").attributes["lang"] == "en"
    svgs = page.all("svg")
    assert svgs
    for svg in svgs:
        assert svg.attributes["role"] == "img"
        assert re.search(r"\d", svg.attributes["aria-label"]) and svg.attributes["aria-label"].endswith(".")
    for image in page.all("img"):
        assert image.attributes["alt"]
    for head in page.all("th"):
        assert head.attributes["scope"] in ("col", "row")
    for region in page.all("div", class_="scroll") + page.all("div", class_="scroll tall"):
        assert region.attributes["tabindex"] == "0" and region.attributes["aria-label"]
    ids = [n.attributes["id"] for n in page.walk() if "id" in n.attributes]
    assert len(set(ids)) == len(ids)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, success criterion 1.4.3."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_text_has_contrast_in_light_dark_and_print():
    css = (TEMPLATES / "report.css").read_text("utf-8")
    themes = [dict(re.findall(r"(--[\w-]+): (#\w{6})", block)) for block in re.findall(r":root \{([^}]*)\}", css)]
    assert len(themes) == 3
    for theme in themes:
        grounds = [theme[g] for g in ("--paper", "--panel", "--good-wash", "--none-wash", "--bad-wash")]
        for text in ("--ink", "--soft", "--link"):
            assert min(contrast(theme[text], g) for g in grounds) >= 4.5, (text, theme)
        for text in ("--plain", "--best", "--bad"):
            assert contrast(theme[text], theme["--paper"]) >= 4.5, (text, theme)
        assert contrast(theme["--best"], theme["--good-wash"]) >= 4.5
        assert contrast(theme["--bad"], theme["--bad-wash"]) >= 4.5


# ── the same bytes, of bounded size ──


def test_the_same_content_gives_the_same_bytes(html: str):
    same = render(digits()) == html
    assert same


def test_the_same_bytes_in_another_process(html: str):
    code = "import sys; from report_contents import digits; from gapless.report.html import render; "
    code += "sys.stdout.buffer.write(render(digits()).encode())"
    paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": paths}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True, timeout=120)
    same = done.stdout == html.encode()
    assert same


def test_a_usual_page_is_small(html: str):
    size = len(html.encode())
    assert size < 200_000


def huge() -> Content:
    """Far more of everything than the page can hold, in characters that cost the most."""
    word = "<&'\">" * 100
    rows = tuple(
        trial(n, summary=word, origin=word, reason=word, phase=word, score=n / 9999, status="stopped")
        for n in range(5000)
    )
    content = replace(
        digits(), trials=rows, curves=curves(epochs=20_000), samples=samples(n=8, k=8, size=224, channels=3)
    )
    content = with_result(content, versions={word + str(n): word for n in range(200)})
    return with_task(
        content,
        name=word,
        notes=(word,) * 500,
        skipped=((word, word),) * 5000,
        classes=5000,
        class_names=tuple(f"{n}{word}" for n in range(5000)),
    )


def test_whatever_comes_the_page_stays_below_two_megabytes():
    html = render(huge())
    size = len(html.encode())  # measured apart: a failure must not print the page
    assert size < LIMIT
    page = parse(html)
    rows = page.one("table", id="trial-table").one("tbody").all("tr")
    assert 100 < len(rows) < 5000
    assert f"{5000 - len(rows):,} trials with lower scores are not listed here" in page.words
    assert rows[-1].all("td")[0].words == "4999"  # the best score
    assert "The other 4,900 are in result.json." in page.one("section", id="data").words
    json.loads(page.one("script", type="application/json").text)


def test_a_thousand_usual_trials_are_all_there():
    html = render(replace(digits(), trials=many_trials(1000)))
    size = len(html.encode())
    assert size < LIMIT / 2
    assert len(parse(html).one("table", id="trial-table").one("tbody").all("tr")) == 1000


# ── odd contents ──


ODD = {
    "nothing but a verdict": replace(digits(), trials=(), curves=(), samples=None),
    "no pillars": with_result(digits(), pillars=()),
    "no pillar measured": with_result(digits(), pillars=(Pillar("dropout", None), Pillar("augment", None))),
    "colour": replace(digits(), samples=samples(channels=3)),
    "transparency": replace(digits(), samples=samples(channels=4)),
    "no pictures": replace(digits(), samples=samples(n=0)),
    "all failed": replace(
        digits(), trials=tuple(trial(n, status="failed", score=None, reason="boom") for n in range(3))
    ),
    "one trial": replace(digits(), trials=(trial(0),)),
    "one epoch": replace(digits(), curves=curves(epochs=1)),
    "no counts": with_result(digits(), trials=TrialCounts(0, 0, 0)),
    "nothing known of the data": with_task(digits(), notes=(), skipped=(), class_names=(), classes=0),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_contents_make_whole_pages(name: str):
    page = parse(render(ODD[name]))
    assert page.one("h1").words == "Improved by +8.1 points"
    assert "None" not in page.one("main").words


def test_no_pictures_no_section():
    for content in (regression(), replace(digits(), samples=None), replace(digits(), samples=samples(k=0))):
        assert not parse(render(content)).all("section", id="samples")


def test_unicode_names_are_shown_whole():
    names = ("Größe", "大きさ", "🐈‍⬛", "עברית", "a\u0301")
    page = parse(render(with_task(digits(), class_names=names, classes=5)))
    assert [b.text for b in page.one("section", id="data").all("bdi")][-5:] == list(names)


def test_numbers_that_are_not_numbers_do_not_break_the_page():
    broken = Interval(math.nan, -math.inf, math.inf)
    result = digits().result
    content = with_result(
        digits(),
        gain=broken,
        plain=replace(result.plain, gap=broken),
        selection_optimism=math.nan,
        pillars=(Pillar("dropout", broken),),
    )
    page = parse(render(content))
    assert "unknown" in page.one("h1").words
    assert "95 % interval −infinity to infinity" in page.one("header").words
    island = json.loads(page.one("script", type="application/json").text)
    assert island["gain"] == {"mean": None, "low": None, "high": None}


def test_file_names_that_are_not_unicode():
    content = with_task(digits(), skipped=(("broken\udcff\x00.png", "bad\x1b[31m"),))
    html = render(replace(content, command="gapless tune data\udcff"))
    html.encode("utf-8")
    assert "broken\\udcff\\x00.png: bad\\x1b[31m" in parse(html).words
    assert parse(html).all("pre")[2].text == "gapless tune data\\udcff"
