"""The page in a real Chromium: nothing blocked, nothing asked, tables sort, it fits a phone, scripts or not."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from report_browser import look, recorder, with_script, without_policy
from report_contents import digits, page_of, trial, with_result, with_task, worse
from report_dom import Node, parse

from gapless.evidence.result import Pillar
from gapless.report.html import render


@pytest.fixture(scope="module")
def html() -> str:
    return page_of(digits)


def column(page: Node, index: int) -> list[str]:
    return [r.all("td")[index].words for r in page.one("table", id="trial-table").one("tbody").all("tr")]


def numbers(words: list[str]) -> list[float]:
    return [float(w.replace("−", "-")) for w in words if w]


def test_as_written_it_runs_in_peace(html: str, tmp_path: Path):
    """With its own policy: style and script are allowed, the console is silent, the network is not touched."""
    with recorder() as (asked, flags):
        seen = look(html, tmp_path, *flags)
    assert seen.console == ""
    assert asked == []
    page = parse(seen.dom)
    heads = page.one("table", id="trial-table").one("thead").all("th")
    assert [len(h.all("button")) for h in heads] == [1] * 12
    assert len(page.all("button", class_="copy")) == 3


def test_without_scripts_it_is_whole(html: str, tmp_path: Path):
    """A script changed by one space is not the one the policy names: the browser refuses it, and the page stands."""
    seen = look(html.replace('"use strict";', '"use strict"; '), tmp_path)
    assert "Content Security Policy" in seen.console
    page = parse(seen.dom)
    assert not page.all("button")
    assert page.one("h1").words == "Improved by +8.1 points"
    assert len(column(page, 0)) == len(digits().trials)
    assert page.one("table", id="trial-table").all("th")[1].words == "score"


SORTS = """
const table = document.getElementById("trial-table");
const read = () => Array.from(table.tBodies[0].rows, (r) => Array.from(r.cells, (c) => c.textContent.trim()));
const heads = Array.from(table.tHead.rows[0].cells);
const seen = {};
for (const column of [0, 1, 3, 6]) {
  const button = heads[column].querySelector("button");
  button.focus();
  button.click();
  seen[column + " up"] = [read(), heads.map((h) => h.getAttribute("aria-sort")), document.activeElement === button];
  button.click();
  seen[column + " down"] = [read(), heads.map((h) => h.getAttribute("aria-sort")), document.activeElement === button];
}
document.documentElement.setAttribute("data-seen", JSON.stringify(seen));
"""


def test_the_table_sorts(tmp_path: Path):
    content = replace(
        digits(), trials=(*digits().trials, trial(60, score=-0.25), trial(61, score=0.0999), trial(62, lr=1e-5))
    )
    seen = look(with_script(render(content), SORTS), tmp_path)
    page = parse(seen.dom)
    told = json.loads(page.one("html").attributes["data-seen"])
    for index in (0, 1, 3, 6):
        up, down = told[f"{index} up"], told[f"{index} down"]
        going_up, going_down = [r[index] for r in up[0]], [r[index] for r in down[0]]
        key = sorted if index == 3 else (lambda words: sorted(numbers(words)))
        values = (lambda words: words) if index == 3 else numbers
        assert values(going_up) == key(going_up), index
        assert values(going_down) == key(going_down)[::-1], index
        assert up[1] == [("ascending" if i == index else None) for i in range(12)]
        assert down[1] == [("descending" if i == index else None) for i in range(12)]
        assert up[2] and down[2], "the focus must stay on the button, or the keyboard loses its place"
    assert [r[1] for r in told["1 up"][0]][-1] == "" and [r[1] for r in told["1 down"][0]][-1] == ""
    assert numbers([r[1] for r in told["1 up"][0]])[:2] == [-25.0, 10.0]
    assert sorted(map(tuple, told["6 down"][0])) == sorted(map(tuple, told["0 up"][0])), "rows must stay whole"


MEASURES = """
addEventListener("load", () => {
  const frame = document.querySelector("iframe").contentDocument;
  const root = frame.documentElement;
  const wide = Array.from(frame.querySelectorAll("body *"))
    .filter((e) => !e.closest(".scroll, pre, svg") && e.getBoundingClientRect().right > root.clientWidth + 1)
    .map((e) => e.tagName + "." + e.className);
  const texts = Array.from(frame.querySelectorAll("svg text"), (t) => {
    const box = t.getBoundingClientRect();
    return [box.left, box.right, box.height];
  });
  document.documentElement.setAttribute("data-seen", JSON.stringify([root.scrollWidth, root.clientWidth, wide, texts]));
});
"""


def hostile_lengths() -> str:
    long = "w" * 3000
    content = with_task(worse(), name=long, notes=(long,), skipped=((long, long),), class_names=(long,), classes=1)
    content = replace(content, trials=(*content.trials, trial(99, summary=long, origin=long, reason=long)))
    content = replace(content, program=long, recipe_toml=long, command=long)
    return render(with_result(content, pillars=(*content.result.pillars, Pillar(long, None))))


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("kind", ["usual", "very long names"])
def test_it_fits_the_screen(html: str, tmp_path: Path, width: int, kind: str):
    """No part but a scroll box is wider than the window, and chart text stays on the page, at 10 pixels or more."""
    inner = without_policy(html if kind == "usual" else hostile_lengths())
    (tmp_path / "inner.html").write_text(inner, "utf-8")
    frame = f'<!DOCTYPE html><html><body><iframe src="inner.html" width="{width}" height="800"></iframe>'
    outer = f"{frame}<script>{MEASURES}</script></body></html>"
    seen = look(outer, tmp_path, "--allow-file-access-from-files", "--window-size=1400,900")
    told = re.search(r'data-seen="([^"]*)"', seen.dom)
    assert told, seen.console
    scroll, client, wide, texts = json.loads(told[1].replace("&quot;", '"'))
    assert scroll == client and wide == []
    assert texts
    assert min(left for left, _, _ in texts) >= 0 and max(right for _, right, _ in texts) <= client
    assert min(height for _, _, height in texts) >= 10
