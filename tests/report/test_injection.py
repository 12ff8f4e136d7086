"""Names that try to become code: in a real Chromium no script runs, no dialog opens, nothing is asked, text is text."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from report_browser import Seen, look, recorder, with_script, without_policy
from report_contents import digits, page_of, plain_won, trial, with_result, with_task
from report_dom import Node, parse

from gapless.evidence.result import Confusion, Interval, ModelFacts, Pillar, Recall, Training, Turned, TurnedRow
from gapless.report.answers.rows import ShownRow, ShownRows
from gapless.report.content import Content
from gapless.report.figures import one_line, visible
from gapless.report.handover.commands import typed
from gapless.report.html import NAME, render

PAYLOADS = (
    # plain elements
    "<script>alert(1)</script>",
    "<ScRiPt>alert(1)</sCrIpT>",
    "<script src=http://payload.invalid/a.js></script>",
    "<script/x>alert(1)</script>",
    "<<script>alert(1)//<</script>",
    "<script>alert(1)",
    "</script><script>alert(1)</script>",
    '{"a":"</script><script>alert(1)</script>"}',
    "<!--<script>alert(1)//-->",
    "--><script>alert(1)</script><!--",
    "]]><script>alert(1)</script>",
    # handlers
    "<img src=x onerror=alert(1)>",
    "<img src=x onerror=alert(1)//",
    '<img """><script>alert(1)</script>">',
    "<svg onload=alert(1)>",
    "<svg/onload=alert(1)//",
    "<svg><script>alert(1)</script></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<svg><use href='data:image/svg+xml,<svg id=x onload=alert(1)>#x'/></svg>",
    "<body onload=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<video src=http://payload.invalid/v onerror=alert(1)></video>",
    "<input autofocus onfocus=alert(1)>",
    "<marquee onstart=alert(1)>",
    "<math><mtext></mtext><mglyph><style><img src=x onerror=alert(1)></style></mglyph></math>",
    # ways out of an attribute, an element, a style, a comment
    '" onmouseover="alert(1)',
    "' onmouseover='alert(1)",
    '"><img src=x onerror=alert(1)>',
    "'><img src=x onerror=alert(1)>",
    "</title><script>alert(1)</script>",
    "</pre></code><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<template><script>alert(1)</script></template>",
    # things that load or move
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='<script>parent.alert(1)</script>'></iframe>",
    "<a href=javascript:alert(1)>x</a>",
    "<object data=http://payload.invalid/o></object>",
    "<embed src=http://payload.invalid/e>",
    "<link rel=stylesheet href=http://payload.invalid/s.css>",
    "<style>@import 'http://payload.invalid/s.css';</style>",
    "<meta http-equiv=refresh content='0;url=http://payload.invalid/m'>",
    "<base href=http://payload.invalid/>",
    "<form action=http://payload.invalid/f><button>x</button></form>",
    "<img src=http://payload.invalid/i.png>",
    # template languages, entities, odd characters
    "{{ 7*7 }}{% raw %}{{ config }}",
    "${alert(1)}`;alert(1)//",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "\x00<script>alert(1)</script>",
    "\u2028alert(1)\u2029</script>",
    "＜script＞alert(1)＜/script＞",
    "\udc3cscript\udc3ealert(1)",
    "javascript:alert(1)",
)
WRITTEN = (
    "html head meta title link style body header main nav footer section div p span strong small h1 h2 h3 a bdi figure "
    "figcaption svg g path line rect text data table thead tbody tr th td details summary dl dt dd ol ul li pre code "
    "img button script"
)
"""The elements that the template and the charts use."""
GUARD = """<script>
window.alert = window.confirm = window.prompt = () => document.documentElement.setAttribute("data-pwned", "dialog");
</script>"""
POKE = """
for (const e of document.querySelectorAll("body *")) {
  e.dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
  e.dispatchEvent(new FocusEvent("focus"));
}
for (const b of document.querySelectorAll("button, summary")) b.click();
"""


def hostile() -> Content:
    """Every payload in every place where many names go."""
    rows = tuple(
        trial(n, origin=p, summary=p, phase=p, reason=p, status=("failed", "stopped")[n % 2], score=n / 99)
        for n, p in enumerate(PAYLOADS)
    )
    content = replace(
        digits(),
        trials=rows,
        recipe_toml="\n".join(PAYLOADS),
        program="\n".join(PAYLOADS),
        command=" ".join(PAYLOADS),
        samples=None,
    )
    content = with_task(
        content,
        class_names=PAYLOADS,
        classes=len(PAYLOADS),
        notes=PAYLOADS[:50],
        skipped=tuple((p, p) for p in PAYLOADS),
    )
    share = Interval(0.5, 0.4, 0.6)
    turned = tuple(TurnedRow(n, p, p, p, 0.0, 1.0) for n, p in enumerate(PAYLOADS))
    words = tuple(ShownRow(row, None, p) for row, p in zip(turned, PAYLOADS, strict=True))
    content = replace(
        content,
        turned=ShownRows(words, words),
        commands=typed(["tune", *PAYLOADS, "--minutes", "1"], Path(PAYLOADS[0]), 1.0, ()),
    )
    return with_result(
        content,
        recalls=tuple(Recall(p, 9, share, share, share, "gained", share, share) for p in PAYLOADS),
        confusions=tuple(Confusion(p, p, 1.0, 2.0) for p in PAYLOADS),
        turned=Turned(9, 9, 9, 9, turned, turned),
        versions={p: p for p in PAYLOADS},
        pillars=tuple(Pillar(p, Interval(-0.1, -0.2, -0.05)) for p in PAYLOADS),
    )


def headings() -> list[Content]:
    """Pages whose one name of data, model, optimizer and device is made of a few payloads each."""
    groups: list[list[str]] = [[]]
    for payload in PAYLOADS:
        if sum(map(len, groups[-1])) + len(visible(payload)) + len(groups[-1]) > NAME:
            groups.append([])
        groups[-1].append(payload)
    base = replace(plain_won(), trials=(), curves=(), samples=None)
    pages: list[Content] = []
    for words in map(" ".join, groups):
        page = with_task(base, name=words, kind=words)
        pages.append(with_result(page, model=ModelFacts(words, 1), training=Training(1, 1, words, words), pillars=()))
    return pages


def guarded(html: str) -> str:
    """Without the policy, so that escaping alone must hold; dialogs leave a mark; everything is poked."""
    return with_script(html, POKE).replace("<head>", "<head>" + GUARD, 1)


def foreign(page: Node) -> list[str]:
    """Elements and attributes that the template never writes."""
    found = [n.tag for n in page.walk() if n.tag not in WRITTEN.split() and n.tag != "document"]
    return found + [a for n in page.walk() for a in n.attributes if a.startswith("on") or a in ("style", "srcdoc")]


def pwned(dom: str) -> str:
    """What code that ran has left on the root element."""
    found = re.match(r'<!DOCTYPE html>\s*<html[^>]*data-pwned="(\w+)"', dom)
    return found[1] if found else ""


def test_there_are_enough_payloads():
    assert len(set(PAYLOADS)) == len(PAYLOADS) >= 40


@pytest.fixture(scope="module")
def hostile_html() -> str:
    return render(hostile())


def test_escaping_alone_holds(hostile_html: str, tmp_path: Path):
    with recorder() as (asked, flags):
        seen = look(guarded(hostile_html), tmp_path, *flags)
    page = parse(seen.dom)
    assert pwned(seen.dom) == ""
    assert asked == []
    assert foreign(page) == []
    assert len(page.all("script")) == 4  # the result, the page's own, and the two of this test
    assert seen.console == ""


def test_names_are_shown_as_they_are(hostile_html: str, tmp_path: Path):
    page = parse(look(hostile_html, tmp_path).dom)
    data = page.one("section", id="data")
    classes = data.all("ol")[0]
    expected = [one_line(p) for p in PAYLOADS]
    assert [n.text for n in classes.all("bdi")] == expected
    assert [n.text for n in data.all("ul")[0].all("li")] == expected[:50]
    assert [n.text for n in data.all("ul")[1].all("li")] == [f"{p}: {p}" for p in expected]
    rows = [[c.text for c in r.all("td")] for r in page.one("table", id="trial-table").one("tbody").all("tr")]
    assert [(r[3].removeprefix("best "), r[4], r[5]) for r in rows] == [(p, p, p) for p in expected]
    assert sum(r[3].startswith("best ") for r in rows) == 1
    assert [r[2] for r in rows] == [f"{('failed', 'stopped')[n % 2]}: {p}" for n, p in enumerate(expected)]
    pillars = page.one("section", id="pillars").one("tbody").all("tr")
    assert sorted(r.one("th").text for r in pillars) == sorted(one_line(p, 60) for p in PAYLOADS)
    answers = page.one("section", id="answers")
    table = answers.one("table", id="class-table").one("tbody").all("tr")
    assert [r.one("bdi").text for r in table] == expected
    assert [b.text for b in answers.all("ul")[0].all("bdi")][::2] == [visible(p) for p in PAYLOADS]
    recipe, code, *_ = page.all("pre")
    assert recipe.text == code.text == visible("\n".join(PAYLOADS))


def framed(pages: list[str], folder: Path) -> Seen:
    """All pages in one browser, each guarded and in a frame of its own that leaves its marks on the outer page."""
    report = GUARD.replace("document.documentElement", "parent.document.documentElement")
    for number, html in enumerate(pages):
        page = with_script(html, POKE).replace("<head>", "<head>" + report, 1)
        (folder / f"{number}.html").write_text(page, "utf-8")
    frames = "".join(f'<iframe src="{number}.html"></iframe>' for number in range(len(pages)))
    with recorder() as (asked, flags):
        outer = f"<!DOCTYPE html><html><body>{frames}</body></html>"
        seen = look(outer, folder, "--allow-file-access-from-files", *flags)
    assert asked == []
    return seen


def test_names_of_which_there_is_one(tmp_path: Path):
    pages: list[str] = []
    for content in headings():
        html = render(content)
        page = parse(html)
        assert foreign(page) == []
        assert page.one("title").text.startswith(one_line(content.result.task.name, NAME))
        pages.append(html)
    assert len(pages) > 10
    assert pwned(framed(pages, tmp_path).dom) == ""


def test_a_frame_would_tell(tmp_path: Path):
    page = render(headings()[0])
    assert pwned(framed([page, page.replace("</main>", "<script>alert(1)</script></main>")], tmp_path).dom) == "dialog"


RAW = (
    "<script>document.documentElement.setAttribute('data-pwned', 'script')</script>"
    "<img src=x onerror=\"document.documentElement.setAttribute('data-pwned', 'handler')\">"
    "<img src=http://payload.invalid/raw.png><iframe src=http://payload.invalid/raw.html></iframe>"
    "<form id=f action=http://payload.invalid/raw></form><link rel=stylesheet href=http://payload.invalid/raw.css>"
)


def test_the_policy_alone_holds_too(tmp_path: Path):
    """Even if escaping failed: raw code inside the page neither runs nor loads."""
    html = page_of(digits).replace("</main>", RAW + "</main>")
    with recorder() as (asked, flags):
        seen = look(html, tmp_path, *flags)
    assert pwned(seen.dom) == ""
    assert asked == []
    assert "Content Security Policy" in seen.console


def test_the_tests_would_notice(tmp_path: Path):
    """The same raw code without the policy leaves its marks; otherwise the tests above would prove nothing."""
    html = without_policy(page_of(digits)).replace("</main>", RAW + "<script>alert(1)</script></main>")
    with recorder() as (asked, flags):
        seen = look(html.replace("<head>", "<head>" + GUARD, 1), tmp_path, *flags)
    assert pwned(seen.dom) in ("dialog", "handler")
    assert {a for a in asked if a.startswith("http://payload.invalid/raw")} >= {
        "http://payload.invalid/raw.png",
        "http://payload.invalid/raw.html",
        "http://payload.invalid/raw.css",
    }
