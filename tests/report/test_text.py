"""The terminal's words: five lines, each one line, harmless whatever the names are."""

import io
from dataclasses import replace

import pytest
from report_contents import all_subsets, by_class, digits, no_gain, plain_won, regression, with_result, with_task, worse
from rich.console import Console

from gapless.evidence.result import Interval, ModelFacts, Pillar
from gapless.report import facts, text
from gapless.report.content import Content
from gapless.report.figures import Figures

EVERY = [digits, all_subsets, no_gain, worse, plain_won, regression]


def test_improved_reads_aloud():
    assert text.verdict(digits()) == [
        "Improved on digits: the best recipe gets 95.5 % of new pictures right, the plain model 87.4 %.",
        "Gap between training pictures and new ones: before 12.6 points (95 % interval 11.4 to 13.8), "
        "after 3.4 points (2.6 to 4.2).",
        "Gain: +8.1 points, 95 % interval 6.0 to 10.2, for models trained on these 150 pictures; measured once on "
        "1,647 pictures kept aside until the end, 5 seeds each.",
        "What the recipe loses without each pillar: augmentation 4.9 points (3.2 to 6.6); batch norm 1.2 points "
        "(0.3 to 2.1); dropout 0.4 points (-0.5 to 1.3, may be nothing); weight decay not measured (no time left).",
        "Recipe: dropout .3, batch norm, decay .05, rotate 15, translate .1.",
    ]


def test_the_gain_names_other_rows_and_the_seeds_that_failed():
    content = digits()
    content = with_result(
        content, other_rows=Interval(0.081, 0.021, 0.141), best=replace(content.result.best, failed=2)
    )
    (gain,) = [line for line in text.verdict(content) if line.startswith("Gain")]
    assert "for models trained on these 150 pictures (2.1 to 14.1 for another 150 of this kind); " in gain
    assert gain.endswith("5 seeds each (2 failed for the recipe, left out on both sides).")
    assert "2.1 to 14.1, from the finals' splits" in " ".join(facts.protocol(content, Figures.of(content.result)))


def test_a_pillar_without_which_nothing_trains_is_no_lack_of_time():
    dropout = Pillar("dropout", Interval(-0.01, -0.015, -0.005), p=0.01)
    content = with_result(digits(), pillars=(dropout, Pillar("batchnorm", None, "its loss is nan")))
    (line,) = [line for line in text.verdict(content) if line.startswith("What the recipe loses")]
    assert line.endswith(
        "each pillar: batch norm cannot be left out: without it training fails (its loss is nan); dropout 1.0 points "
        "(0.5 to 1.5)."
    )


def test_with_all_subsets_each_pillar_has_its_part_and_both_ends():
    (line,) = [line for line in text.verdict(all_subsets()) if line.startswith("What each")]
    assert line == (
        "What each pillar gave: batch norm +5.8 points (4.8 to 6.8; alone +5.8, the recipe without it -20.7); "
        "weight decay +2.0 points (1.0 to 3.0; alone +3.0, the recipe without it 0.0); "
        "dropout +0.3 points (-0.7 to 1.3, may be nothing; alone +0.2, the recipe without it -0.4)."
    )


def test_what_is_measured_alone_is_told_before_all_subsets_are():
    pillar = Pillar("decay", Interval(-0.01, -0.02, 0.0), "", Interval(0.04, 0.03, 0.05), p=0.2)
    (line,) = [one for one in text.verdict(with_result(digits(), pillars=(pillar,))) if "loses" in one]
    assert line.endswith("weight decay 1.0 points (0.0 to 2.0, may be nothing; alone it gives +4.0).")


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


def test_next_steps_of_a_gain_are_the_report_and_a_model_to_take_home():
    steps = text.next_steps(by_class(), "my run")
    assert steps[0] == "Read the report: 'my run/report.html' (opens in any browser, works offline)."
    assert "    gapless fit gapless-runs/digits-1" in steps
    assert "    python gapless-runs/digits-1/train.py" in steps


@pytest.mark.parametrize("make", [no_gain, worse, plain_won])
def test_next_step_without_a_gain_is_a_longer_search(make):
    steps = text.next_steps(make(), "run")
    assert steps[0].startswith("Read the report: run/report.html ")
    assert steps[-1].startswith("A longer search in a new run ")
    assert not any("train.py" in s for s in steps)
