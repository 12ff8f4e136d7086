"""What is kept of experiments and for how long, readers' own data, and the command."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import Ran, gapless

from gapless.data.readers.builtin import digits
from gapless.data.splits import complete
from gapless.errors import UsageError
from gapless.evidence.intervals import mean_interval, seed_interval
from gapless.evidence.result import Interval
from gapless.lab.evidence import Evidence
from gapless.lab.experiment import number, words
from gapless.lab.experiments import EXPERIMENTS
from gapless.lab.page import index, page
from gapless.lab.runner import Store, key, run
from gapless.lab.setting import Lab
from gapless.lab.worlds import opinion, relabelled, reviews, tumours

NAMED = {e.name: e for e in EXPERIMENTS}
QUICK = NAMED["half-off"]


def test_evidence_has_the_intervals_of_the_verdict() -> None:
    rng = np.random.default_rng(3)
    seeds = [{"a": rng.random(50) < 0.8, "b": rng.random(50) < 0.6, "n": float(rng.normal())} for _ in range(4)]
    seen = Evidence(seeds)
    d = np.stack([s["a"].astype(float) - s["b"] for s in seeds])
    found, told = seen.difference("a", "b"), mean_interval(d, 1.0)
    assert (found.mean, found.low, found.high) == (told.mean, told.low, told.high)
    assert words(found).endswith(")") and " points (" in words(found) and " % (" in words(seen.mean("a"))
    assert seen.mean("n") == seed_interval([s["n"] for s in seeds])
    assert 0 <= seen.mean("a").low < seen.mean("a").high <= 1


def test_the_interval_of_seeds_is_students() -> None:
    from scipy import stats

    values = [0.2, 0.5, 0.9, 0.4]
    found = seed_interval(values)
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert np.allclose([found.low, found.high], [low, high])
    with pytest.raises(ValueError, match="two seeds"):
        seed_interval([1.0])


@pytest.mark.parametrize(
    ("interval", "unit", "said"),
    [
        (Interval(0.031, 0.012, 0.05), "points", "3.1 points (1.2 to 5.0)"),
        (Interval(0.5, 0.5, 0.5), "%", "50 %"),
        (Interval(12.0, 8.0, 16.0), "", "12.0 (8.0 to 16.0)"),
    ],
)
def test_intervals_in_words(interval: Interval, unit: str, said: str) -> None:
    assert words(interval, unit) == said


def test_numbers_have_the_digits_they_bear() -> None:
    assert [number(0.0), number(1234.4), number(2e-7), number(0.25)] == ["0", "1,234", "2e-07", "0.25"]


def test_a_verdict_is_kept_until_an_input_changes(tmp_path: Path) -> None:
    store, lab = Store(tmp_path), Lab(short=True)
    assert store.last(QUICK, lab) is None
    record = run(QUICK, lab)
    store.write(QUICK, lab, record, page(QUICK, record))
    assert store.valid(QUICK, lab) == record
    assert store.valid(QUICK, Lab()) is None, "the long form is another one"
    assert store.last(QUICK, Lab()) == record
    path = store.path(QUICK, lab, "json")
    path.write_text(path.read_text()[:-30])
    assert store.last(QUICK, lab) is None, "a torn file is measured again"
    assert "not run yet" in index([(QUICK, None)]) and "holds here" in index([(QUICK, record)])


def test_the_same_seeds_give_the_same_finding() -> None:
    first, again = (run(NAMED["co-adaptation"], Lab(short=True)) for _ in range(2))
    assert first.finding == again.finding
    assert first.finding != run(NAMED["co-adaptation"], Lab(short=True), first=50).finding


def test_data_and_models_of_the_reader() -> None:
    own = replace(complete(digits(), 80, 0), name="mine")
    lab = Lab(short=True, data=own, model="mlp")
    record = run(NAMED["gap-by-size"], lab)
    assert (record.data, record.model) == ("mine", "mlp")
    assert key(QUICK, lab) != key(QUICK, Lab(short=True))
    with pytest.raises(UsageError, match="of its own"):
        run(QUICK, lab)
    with pytest.raises(UsageError, match="takes pictures"):
        run(NAMED["augmentation-worth"], Lab(short=True, data=tumours()))


def test_made_reviews_mean_what_their_labels_say() -> None:
    rows = reviews(200, 0)
    assert [opinion(text) > 0 for text in rows.x] == (rows.y == 1).tolist()
    assert opinion("the film was not really good. the plot was bad.") == -2
    assert 0.3 < rows.y.mean() < 0.7


def test_labels_drawn_anew_are_as_many_as_asked() -> None:
    rows = digits().develop
    assert (relabelled(rows, 0.0, 10, 0).y == rows.y).all()
    changed = float((relabelled(rows, 0.5, 10, 0).y != rows.y).mean())
    assert 0.4 < changed < 0.5  # a tenth of those drawn anew are what they were


# ── the command ──


def lab_command(tmp_path: Path) -> Callable[..., Ran]:
    return lambda *arguments: gapless("lab", *arguments, "--out", tmp_path)


def test_the_command_runs_one_keeps_it_and_lists(tmp_path: Path) -> None:
    command = lab_command(tmp_path)
    ran = command("half-off", "--json")
    assert ran.code == 0, ran.err
    (found,) = json.loads(ran.out)["experiments"]
    assert found["name"] == "half-off" and found["finding"]["word"] == "holds here"
    assert (tmp_path / "half-off.html").exists() and (tmp_path / "index.html").exists()
    before = (tmp_path / "half-off.json").read_text()
    assert command("half-off").code == 0
    assert (tmp_path / "half-off.json").read_text() == before, "it was kept, not measured again"
    listed = command()
    assert "holds here" in listed.out and listed.out.count("not run yet") == len(EXPERIMENTS) - 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("half-of",), "Did you mean"),
        (("half-off", "--all"), "not both"),
        (("--data", "digits"), "name it"),
        (("half-off", "--data", "digits"), "of its own"),
    ],
)
def test_errors_of_the_command(tmp_path: Path, arguments: tuple[Any, ...], said: str) -> None:
    ran = lab_command(tmp_path)(*arguments)
    assert ran.code != 0 and said in ran.err
