"""`gapless diagnose` and `gapless.diagnose`: what they say, what they leave, and that a stopped one goes on."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command import events, gapless
from small_tasks import table, with_model

import gapless as package
from gapless.cli import tune
from gapless.cli.diagnosed import before_search
from gapless.data import Rows, Task
from gapless.diagnose.causes.reach import gap, rivals
from gapless.diagnose.causes.rows import copies, imbalance, wrong_labels
from gapless.diagnose.causes.training import length, rate, underfit
from gapless.diagnose.experiment import stages
from gapless.diagnose.finding import Finding, Reference
from gapless.errors import BudgetError, UsageError
from gapless.evidence.result import Interval
from gapless.recipe import Recipe
from gapless.run.driver import Interrupted
from gapless.search.options import TuneOptions
from gapless.search.space import knobs
from gapless.search.stages import openings

SMALL = ("digits", "--train-size", "60", "--width", "4", "--epochs", "3", "--lr", "0.01", "--workers", "1")


@pytest.fixture(autouse=True)
def _few_causes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that train little; the others have tests of their own."""
    few = (copies, imbalance, gap, rivals, length, rate, underfit)
    monkeypatch.setattr(stages, "CAUSES", tuple(cause.CAUSE for cause in few))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("diagnosis")


def test_the_command(folder: Path) -> None:
    ran = gapless("diagnose", *SMALL, "--minutes", 5, "--out", folder / "run", "--json", "--fail-on", "slight")
    found = ran.json
    assert found["schema"] == 1
    assert json.loads((folder / "run" / "diagnosis.json").read_text()) == found
    asked = {f["cause"] for f in [*found["findings"], *found["others"], *found["absent"]]}
    assert {"copies", "imbalance", "gap", "rivals", "length", "rate", "underfit"} <= asked
    # three epochs of four channels teach next to nothing, which quick models show
    assert ran.code == 5
    assert found["findings"][0]["severity"] == "grave"
    lines = [line for line in ran.err.splitlines() if line]
    first = next(n for n, line in enumerate(lines) if line.startswith("digits: the plain model gets"))
    assert lines[first + 1].startswith("What is wrong (grave): ")
    assert lines[first + 2].startswith("What to do: ")
    assert found["reference"]["chosen"]


def test_a_second_sitting_trains_nothing_again(folder: Path) -> None:
    before = events(folder / "run")
    again = gapless("diagnose", *SMALL, "--minutes", 5, "--out", folder / "run", "--json")
    assert again.code == 0
    assert events(folder / "run") == before
    other = gapless("diagnose", *SMALL, "--seed", 1, "--out", folder / "run")
    assert other.code == 2
    assert "holds a diagnosis of another" in other.err


def test_a_stopped_one_goes_on_to_the_same_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "CAUSES", (gap.CAUSE, length.CAUSE, rate.CAUSE, wrong_labels.CAUSE))
    from gapless.diagnose.door import Silent, find_causes
    from gapless.diagnose.experiment.options import DiagnoseOptions

    task = table(60)
    whole = package.diagnose(task, minutes=10, epochs=3, lr=0.01, workers=1, out=tmp_path / "whole")
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 60

    options = DiagnoseOptions(tmp_path / "cut", 10, 3, 0.01, workers=1)
    with pytest.raises(Interrupted):
        find_causes(task, options, Silent(), stop)
    trained = sum(e["event"] == "training" for e in events(tmp_path / "cut"))
    assert 0 < trained < whole.trainings
    rest = find_causes(task, options, Silent(), lambda: False)
    assert [(f.cause, f.effect, f.p) for f in rest.findings] == [(f.cause, f.effect, f.p) for f in whole.findings]
    assert [(f.cause, f.effect) for f in rest.others] == [(f.cause, f.effect) for f in whole.others]
    assert str(rest).splitlines()[0] == str(whole).splitlines()[0]


def test_a_run_of_another_command_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_text('{"event": "run", "schema": 1, "at": 0.0}\n')
    with pytest.raises(UsageError, match="holds a run of another command"):
        package.diagnose(table(60), epochs=3, workers=1, out=tmp_path)


def overfitted() -> Task:
    """Thirty columns that say nothing of the class: all that is learned is by heart."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((90, 30)).astype(np.float32), rng.integers(0, 2, 90)
    return with_model(Task("noise", Rows(x[:60], y[:60]), Rows(x[60:], y[60:]), ("a", "b")), "mlp", 32)


def test_findings_open_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is wrong in three lines and on a page, and the recipes against it for the search."""
    monkeypatch.setattr(stages, "CAUSES", (gap.CAUSE,))
    options = before_search(overfitted(), TuneOptions(tmp_path, trials=3, epochs=40, batch_size=16, workers=1))
    assert [name for name, _ in options.openings] == ["against gap"]
    said = capsys.readouterr().err
    assert "What is wrong (grave): The model learns its rows by heart" in said.replace("\n", " ")
    assert (tmp_path / "diagnosis" / "report.html").exists()
    assert (tmp_path / "diagnosis" / "diagnosis.json").exists()


def test_a_search_is_handed_what_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe.from_dict({"decay": {"strength": 0.3}})
    seen: list[TuneOptions] = []

    def searched(task: Task, options: TuneOptions, *_: object) -> None:
        seen.append(options)
        raise UsageError("far enough")

    monkeypatch.setattr(tune, "before_search", lambda task, o: replace(o, openings=(("against gap", recipe),)))
    monkeypatch.setattr(tune, "_tune", searched)
    gapless("tune", "digits", "--train-size", 60, "--out", tmp_path)
    gapless("tune", "digits", "--train-size", 60, "--out", tmp_path, "--diagnose")
    assert [o.openings for o in seen] == [(), (("against gap", recipe),)]


def test_recipes_of_findings_are_handed_by_name() -> None:
    recipe = Recipe.from_dict({"decay": {"strength": 0.3}})
    interval = Interval(0.1, 0.05, 0.15)
    gap = Finding("gap", 2, "what", interval, 0.001, "do", "refute", recipe)
    about = Reference(3, 0.01, 1.0, interval, chosen=True)
    known = Finding("rate", 1, "what", interval, 0.001, "do", "refute")
    found = package.diagnose.Diagnosis("t", "accuracy", 60, about, (known, gap), (), (), 5, 1.0, 0)
    assert found.openings == (("against gap", recipe),)
    task = table(60)
    options = TuneOptions(Path("nowhere"), trials=3, openings=found.openings)
    assert list(openings(task, knobs(task.kind, len(task.classes)), options))[:2] == ["plain", "against gap"]


def test_too_little_time_is_said_before_it_is_spent(tmp_path: Path) -> None:
    with pytest.raises(BudgetError, match="too short to train this model 100000 epochs on each of 5 folds"):
        package.diagnose(table(60), minutes=0.2, epochs=100_000, workers=1, out=tmp_path)
    with pytest.raises(UsageError, match="minutes must be a number above 0"):
        package.diagnose(table(60), minutes=-1, out=tmp_path)


def test_nothing_is_settled_for_who_gives_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "CAUSES", (imbalance.CAUSE, gap.CAUSE))
    monkeypatch.setattr(stages, "STEPS", 10)
    monkeypatch.setattr(stages, "LONGEST", 20)
    found = package.diagnose(table(60, outputs=0), minutes=0.3, workers=1, out=tmp_path)
    assert not found.reference.chosen
    assert found.metric == "r2"
    assert {a.cause: a.why for a in found.absent}["imbalance"] == "a regression has no classes"
