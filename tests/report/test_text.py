"""The terminal's words: five lines, each one line, harmless whatever the names are."""

import io
from dataclasses import replace

import pytest
from report_contents import PYTHON, digits, no_gain, plain_won, regression, with_result, with_task, worse
from rich.console import Console

from gapless.report import text
from gapless.report.content import Content
from gapless.search.result import ModelFacts, Pillar

EVERY = [digits, no_gain, worse, plain_won, regression]


def test_improved_reads_aloud():
    assert text.verdict(digits()) == [
        "Improved on digits: the best recipe gets 95.5 % of new pictures right, the plain model 87.4 %.",
        "Gap between training pictures and new ones: before 12.6 points (95 % interval 11.4 to 13.8), "
        "after 3.4 points (2.6 to 4.2).",
        "Gain: +8.1 points, 95 % interval 6.0 to 10.2, measured once on 1,647 pictures kept aside until the end, "
        "5 seeds each.",
        "What each pillar gave: augmentation +4.9 points (3.2 to 6.6); batch norm +1.2 points (0.3 to 2.1); "
        "dropout +0.4 points (-0.5 to 1.3, may be nothing); weight decay not measured (no time left).",
        "Recipe: dropout .3, batch norm, decay .05, rotate 15, translate .1.",
    ]


@pytest.mark.parametrize(
    ("make", "first", "last"),
    [
        (
            no_gain,
            "No detectable gain on digits: ",
            "keep the plain model. What came nearest: dropout .3, batch norm, decay .05, rotate 15, translate .1.",
        ),
        (worse, "Worse on digits: what looked best in the search gets 85.3 %", "translate .1."),
        (plain_won, "No detectable gain on digits: no recipe ranked above", "Recipe: none; keep the plain model."),
        (regression, "Improved on houses.csv: the best recipe gets 0.823 in r2, the plain model 0.741.", ".1."),
    ],
)
def test_other_verdicts(make, first: str, last: str):
    lines = text.verdict(make())
    assert lines[0].startswith(first)
    assert lines[-1].endswith(last)


@pytest.mark.parametrize("make", EVERY)
def test_five_lines(make):
    lines = text.verdict(make())
    assert len(lines) == 5
    assert all(line and "\n" not in line and line.endswith(".") for line in lines)


def hostile() -> Content:
    content = with_task(digits(), name="\x1b[2J[bold red]x[/]\n\u202eevil " + "y" * 5000)
    content = replace(content, trials=tuple(replace(t, summary="[b]sum\x1b[0m\nmary[/b]") for t in content.trials))
    content = with_result(content, model=ModelFacts("[link=x]m\x07", 1), pillars=(Pillar("[red]\x1b]8;;", None),))
    return content


def test_names_cannot_steer_the_terminal():
    lines = text.verdict(hostile())
    assert len(lines) == 5
    assert not any(c < " " or c in "\x7f\u202e" for line in lines for c in line)
    assert "\\x1b[2J[bold red]x[/] \\u202eevil" in lines[0]
    assert lines[4] == "Recipe: [b]sum\\x1b[0m mary[/b]."
    assert all(len(line) < 500 for line in lines)


def test_printed_as_documented_the_text_is_literal():
    out = io.StringIO()
    for line in text.verdict(hostile()):
        Console(file=out, width=10_000, force_terminal=True).print(line, markup=False, highlight=False)
    assert out.getvalue().splitlines() == text.verdict(hostile())


def test_next_steps_of_a_gain_are_the_report_and_the_lines_that_apply_it():
    steps = text.next_steps(digits(), "my run")
    assert steps[0] == "Read the report: 'my run/report.html' (opens in any browser, works offline)."
    assert [s.strip() for s in steps[2:]] == [line for line in PYTHON.splitlines() if line]


@pytest.mark.parametrize("make", [no_gain, worse, plain_won])
def test_next_step_without_a_gain_is_a_longer_search(make):
    steps = text.next_steps(make(), "run")
    assert steps[0].startswith("Read the report: run/report.html ")
    assert "more --minutes and another --out" in steps[-1]
    assert not any("attach" in s for s in steps)
