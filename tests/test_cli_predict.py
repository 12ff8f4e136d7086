"""From a table to a trained model and its answers, on the command line and in Python."""

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from command import Ran, gapless

import gapless as package
from gapless.errors import DataError, UsageError


@dataclass(frozen=True)
class Case:
    folder: Path
    data: Path
    ran: Ran


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A run on a table, in its folder, with its model."""
    place = tmp_path_factory.mktemp("customers")
    rng = np.random.default_rng(0)
    lines = [
        f"{age:.1f},{plan},{'yes' if age + 20 * (plan == 'pro') > 50 else 'no'}"
        for age, plan in zip(rng.uniform(20, 70, 90), rng.choice(["pro", "basic"], 90), strict=True)
    ]
    data = place / "customers.csv"
    data.write_text("\n".join(["age,plan,churn", *lines]) + "\n")
    options = ("--trials", 3, "--epochs", 3, "--workers", 1, "--width", 8, "--out", place / "run", "--save-model")
    return Case(place / "run", data, gapless("tune", data, *options))


def test_the_model_is_beside_the_report_and_says_how_to_ask_it(case: Case) -> None:
    assert case.ran.code == 0, case.ran.err
    assert {"report.html", "model", "source.json"} <= {path.name for path in case.folder.iterdir()}
    assert "on all 90 rows; models trained like it got" in case.ran.err
    assert f"gapless predict {case.folder} NEW-DATA --out predictions.csv" in case.ran.err
    assert json.loads((case.folder / "model" / "model.json").read_text())["about"]["rows"] == 90


def test_predictions_are_a_table_of_answers(case: Case, tmp_path: Path) -> None:
    new = tmp_path / "new.csv"
    new.write_text("plan,age\npro,66\nbasic,21\ngold,\n")
    ran = gapless("predict", case.folder, new)
    answers = list(csv.DictReader(io.StringIO(ran.out)))
    assert ran.code == 0
    assert [row["line"] for row in answers] == ["2", "3", "4"]
    for row in answers:
        sure = {name: float(row[f"p({name})"]) for name in ("yes", "no")}
        assert row["predicted churn"] == max(sure, key=lambda name: sure[name])
        assert sum(sure.values()) == pytest.approx(1, abs=1e-4)
    assert "such as 'gold'" in ran.err
    written = gapless("predict", case.folder, new, "--out", tmp_path / "p.csv", "--json")
    assert written.json["rows"] == 3
    assert (tmp_path / "p.csv").read_text() == ran.out
    assert gapless("predict", case.folder, new, "--json").json["columns"]["predicted churn"] == [
        row["predicted churn"] for row in answers
    ]


def test_what_cannot_be_answered(case: Case, tmp_path: Path) -> None:
    new = tmp_path / "new.csv"
    new.write_text("plan,years\npro,66\n")
    ran = gapless("predict", case.folder, new)
    assert (ran.code, ran.out) == (3, "")
    assert "'age' is missing" in ran.err
    ran = gapless("predict", tmp_path, new)
    assert ran.code == 3
    assert "holds no trained model" in ran.err


def test_the_model_can_be_trained_later_from_anywhere(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = (case.folder / "model" / "model.json").read_text()
    for path in (case.folder / "model").iterdir():
        path.unlink()
    ran = gapless("fit", case.folder)
    assert ran.code == 0, ran.err
    assert json.loads((case.folder / "model" / "model.json").read_text()) == json.loads(before)
    ran = gapless("fit", tmp_path)
    assert ran.code == 3
    assert "holds no finished run" in ran.err


def test_a_run_comes_back_in_python(case: Case) -> None:
    tuned = package.load_result(case.folder)
    assert str(tuned).splitlines()[0] in case.ran.out
    assert tuned.verdict == tuned.result.verdict
    assert tuned.report.exists()
    assert "customers.csv" in tuned._repr_html_()  # pyright: ignore[reportPrivateUsage]  # as a notebook does
    with pytest.raises(UsageError, match="loaded from its folder: give its data"):
        tuned.fit()
    with pytest.raises(UsageError, match="Load it with the same options"):
        tuned.fit(package.load(case.data, target="churn", seed=0, train_size=30))
    with pytest.raises(UsageError, match=r"has [\d,]+ parameters, this one [\d,]+; give the same model"):
        tuned.fit(package.load(case.data, target="churn"))  # of another width


def test_a_result_that_is_damaged(case: Case, tmp_path: Path) -> None:
    for name in ("result.json", "recipe.toml"):
        (tmp_path / name).write_text((case.folder / name).read_text())
    document = json.loads((tmp_path / "result.json").read_text())
    del document["plain"]
    (tmp_path / "result.json").write_text(json.dumps(document))
    with pytest.raises(DataError, match="is not a result of this version"):
        package.load_result(tmp_path)
