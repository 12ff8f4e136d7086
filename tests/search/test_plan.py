"""How long trainings are is settled once in a run."""

from pathlib import Path

import pytest
from small_tasks import pictures

from gapless.run.driver import Run
from gapless.run.engines.engine import Engine
from gapless.run.journal import Journal
from gapless.search import plan
from gapless.search.book import Book
from gapless.search.budget import Speed
from gapless.search.options import TuneOptions
from gapless.search.rungs import Trials


class Quiet:
    def phase(self, name: str) -> None: ...

    def progress(self, share: float, left: float | None, note: str) -> None: ...


def no_engine() -> Engine:
    raise AssertionError("nothing is to be trained here")


def planned(folder: Path) -> plan.Lengths:
    options = TuneOptions(folder, minutes=5, epochs=4, workers=1)
    with Journal(folder / "journal.jsonl") as journal:
        run = Run(pictures(60), journal, (), no_engine, Quiet(), lambda: False, 5, None, 0)
        return plan.make_plan(run, options, {}, (book := Book()), Trials(run, book, 0), lambda: None)[1]


def test_a_run_that_goes_on_has_the_speed_it_was_begun_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one, of a machine that has become busy, would lead to other lengths than those that were begun."""
    speeds = iter([Speed(0.01, 0.02), Speed(0.03, 0.05)])
    monkeypatch.setattr(plan, "measured_speed", lambda *_: next(speeds))
    assert planned(tmp_path).speed == Speed(0.01, 0.02)
    journal = tmp_path / "journal.jsonl"
    before = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(before[0])  # killed before the plan was written
    assert planned(tmp_path).speed == Speed(0.01, 0.02)
    assert next(speeds) == Speed(0.03, 0.05)
