"""Every experiment: what it must say of itself, that its short form runs, and that its code in plain PyTorch does."""

import inspect
import json
from pathlib import Path

import pytest

import gapless.lab.experiments
from gapless.lab.experiment import PILLARS, Experiment
from gapless.lab.experiments import EXPERIMENTS
from gapless.lab.page import page
from gapless.lab.runner import Record, run
from gapless.lab.setting import Lab

FOLDER = Path(gapless.lab.experiments.__file__).parent
WORDS = ("holds here", "does not hold", "depends", "undecided")


def test_each_is_a_file_of_at_most_120_lines() -> None:
    files = {path for path in FOLDER.glob("*/*.py") if path.name != "__init__.py"}
    assert {Path(inspect.getfile(e.trial)) for e in EXPERIMENTS} == files
    assert {p.name: n for p in files if (n := len(p.read_text("utf-8").splitlines())) > 120} == {}


def test_names_and_rows_are_unique() -> None:
    assert len({e.name for e in EXPERIMENTS}) == len({e.row for e in EXPERIMENTS}) == len(EXPERIMENTS)


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda e: e.name)
def test_it_says_all_of_itself(experiment: Experiment) -> None:
    assert experiment.pillar in PILLARS
    assert experiment.claim.endswith(".") and len(experiment.claim) <= 90
    told = (experiment.source, experiment.told, experiment.data, experiment.trained, experiment.measured)
    for text in (*told, experiment.rule, experiment.breaks, experiment.tune):
        assert text.strip() == text and text
    assert len(experiment.code.strip().splitlines()) <= 26
    assert max(map(len, experiment.code.splitlines())) <= 120
    assert "gapless" not in experiment.code


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda e: e.name)
def test_its_short_form_runs_and_has_a_page(experiment: Experiment) -> None:
    heard: list[tuple[int, int]] = []
    record = run(experiment, Lab(short=True), lambda done, total, left: heard.append((done, total)))
    assert record.finding.word in WORDS
    assert record.finding.because.endswith(".") and "nan" not in record.finding.because
    assert record.finding.numbers and heard[-1][0] == heard[-1][1]
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)
    again = Record.of(json.loads(json.dumps(record.to_json())))
    assert again == record
    html = page(experiment, record)
    assert html == page(experiment, again)
    assert "<svg" in html and "http" not in html.replace("http-equiv", "") and len(html) < 300_000


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda e: e.name)
def test_its_code_in_plain_pytorch_runs(experiment: Experiment, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(experiment.code, experiment.name, "exec"), {})
    assert any(char.isdigit() for char in capsys.readouterr().out)
