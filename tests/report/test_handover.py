"""What to type after a run: lines that are true for it, of the command and of Python; what the recipe costs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from report_contents import digits, no_gain, plain_won, with_result

import gapless
from gapless.data.source import SourceOptions
from gapless.data.task import with_model
from gapless.evidence.result import Cost, Costs, Interval
from gapless.models import ModelOptions
from gapless.report.figures import Figures
from gapless.report.handover.commands import of_python, options_of, typed
from gapless.report.handover.next_steps import costs, steps
from gapless.report.handover.origin import origin_of

ABLE = {"--target", "--train-size", "--width"}
RUN = Path("runs/my run")


def test_a_command_line_is_taken_apart() -> None:
    words = ["my data.csv", "--target", "y", "--json", "--also=a=b.csv", "--out", "x", "--minutes=2"]
    assert options_of(words) == [
        ("", ("my data.csv",)),
        ("--target", ("--target", "y")),
        ("--json", ("--json",)),
        ("--also", ("--also=a=b.csv",)),
        ("--out", ("--out", "x")),
        ("--minutes", ("--minutes=2",)),
    ]


def test_lines_by_minutes() -> None:
    words = ["tune", "d.csv", "--target", "y", "--minutes=2", "--save-model", "--out=x", "--workers", "2"]
    found = typed(words, RUN, 2.0, ABLE)
    assert found.repeat == "gapless tune d.csv --target y --minutes=2 --save-model --workers 2"
    assert found.longer == ("gapless tune d.csv --target y --save-model --workers 2 --minutes 4 --out 'runs/my run'")
    assert found.again == "gapless tune d.csv --target y --save-model --workers 2 --minutes 4"
    assert found.diagnose == "gapless diagnose d.csv --target y"
    assert found.fit == "gapless fit 'runs/my run'"
    assert found.predict == "gapless predict 'runs/my run' NEW-DATA --out predictions.csv"
    assert found.train == "python 'runs/my run/train.py'"
    assert typed(["tune", "d.csv"], RUN, 5.0, ABLE).again == "gapless tune d.csv --minutes 10"


def test_lines_by_trials() -> None:
    found = typed(["tune", "digits", "--trials", "30"], RUN, None, ABLE)
    assert (found.longer, found.again) == ("", "gapless tune digits --trials 60")
    assert typed(["tune", "digits", "--trials=30"], RUN, None, ABLE).again == "gapless tune digits --trials 60"


def test_what_diagnose_does_not_take_it_is_not_asked() -> None:
    assert typed(["tune", "d.csv", "--group", "patient"], RUN, 5.0, ABLE).diagnose == ""


def test_lines_of_python() -> None:
    found = of_python(RUN, ", model=net, seed=3", 5.0, None)
    assert found.repeat == "gapless.tune(task, model=net, seed=3, minutes=5)"
    assert found.longer == "gapless.tune(task, model=net, seed=3, minutes=10, out='runs/my run')"
    assert of_python(RUN, "", None, 30).again == "gapless.tune(task, trials=60)"
    compile(found.fit, "fit", "exec")


def test_the_code_of_a_command_line_makes_the_same_task(tmp_path: Path) -> None:
    table = tmp_path / "it's.csv"
    lines = [f"{i % 7},{'ab'[i % 2]},{i},{'no' if i % 3 else 'yes'}" for i in range(90)]
    table.write_text("\n".join(["one,two,three,y", *lines]) + "\n")
    source = SourceOptions(target="y", seed=2, ignore=("three",), missing=("-9",), also=(("more", table),))
    found = origin_of(str(table), source, "mlp", ModelOptions(8, None))
    scope: dict[str, object] = {"gapless": gapless}
    for line in found.imports:
        exec(line, scope)
    from gapless.data.source import load

    made = eval(found.task, scope)
    own = with_model(load(str(table), source), "mlp", ModelOptions(8, None))
    assert made.features == own.features == ("one", "two")
    assert made.confirm is not None and own.confirm is not None
    assert (made.develop.x == own.develop.x).all() and (made.confirm.y == own.confirm.y).all()
    assert made.model() is not None and made.also[0][0] == "more"
    assert origin_of("digits", SourceOptions(), None, ModelOptions()).task == "with_model(gapless.load('digits'))"


# ── what next ──


COMMANDS = typed(["tune", "digits", "--minutes", "3"], RUN, 3.0, ABLE)


def test_after_a_gain_there_is_a_model_to_take_home() -> None:
    content = replace(digits(), commands=COMMANDS)
    found = steps(content, Figures.of(content.result))
    assert [s.command for s in found] == [COMMANDS.fit, COMMANDS.predict, COMMANDS.train, COMMANDS.longer]
    assert "not all measured" in found[-1].what, "digits() has a pillar without a number"
    whole = tuple(
        replace(p, without=p.without or Interval(0, 0, 0), shapley=Interval(0, 0, 0)) for p in digits().result.pillars
    )
    done = with_result(content, pillars=whole)
    assert COMMANDS.longer not in [s.command for s in steps(done, Figures.of(done.result))]


def test_without_a_gain_there_is_more_to_look_for() -> None:
    content = replace(no_gain(), commands=COMMANDS, program="")
    found = steps(content, Figures.of(content.result))
    assert {COMMANDS.again, COMMANDS.diagnose, COMMANDS.fit} < {s.command for s in found}
    assert COMMANDS.train not in [s.command for s in found]
    assert not any("no gap" in s.what for s in found)
    flat = with_result(content, plain=replace(content.result.plain, gap=Interval(0.01, -0.02, 0.04)))
    assert steps(flat, Figures.of(flat.result))[0].what.startswith("The plain model has no gap that can be told")


@pytest.mark.parametrize("make", [digits, no_gain, plain_won])
def test_costs_are_said_beside_the_plain_models(make) -> None:
    assert costs(make()) == []
    plain, best = Cost(0.5, 0.02, 10.0, 1_300_000), Cost(90.0, 3.0, 1500.0, 2_600_000_000)
    found = " ".join(costs(with_result(make(), costs=Costs(plain, best))))
    assert "20 ms an epoch" in found or "against 20 ms" in found
    if not make().plain_won:
        assert "took 1 min 30 s (30 epochs), of the plain model 500 ms (30 epochs)" in found
        assert "3.0 s an epoch against 20 ms, 1.5 s a step against 10 ms, 150 times" in found
        assert "A step holds 2.6 GB against 1.3 MB" in found
