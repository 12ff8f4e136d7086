"""Runs over rows that belong together, and runs whose verdicts open the same rows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command import events, figures
from small_tasks import table

import gapless as package
from gapless.api import Tuned
from gapless.data import Rows
from gapless.data.splits import select_of
from gapless.evidence.ledger import folder
from gapless.evidence.result import Groups, Reading
from gapless.run.job import Job, Outcome, run
from gapless.search.book import Candidate
from gapless.search.stages import _Stages  # pyright: ignore[reportPrivateUsage]


def _recipe_first(stages: _Stages, entrants: list[Candidate], splits: range) -> tuple[Candidate, Candidate]:
    """A recipe is named, whatever the finals say: where the plain model wins, nothing is compared and counted."""
    plain = next(c for c in entrants if not c.recipe.active)
    return plain, next(c for c in entrants if c.recipe.active)


def test_runs_on_the_same_rows_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Stages, "_winners", _recipe_first)

    def tuned(seed: int, name: str) -> Tuned:
        return package.tune(table(60), trials=8, epochs=1, workers=1, seed=seed, out=tmp_path / name)

    first, other = tuned(0, "first"), tuned(2, "other")
    assert first.result.reading == Reading(1, 0.95, "")
    assert other.result.reading == Reading(2, 0.975, "")
    assert "97.5 % interval" in str(other)
    assert "verdict number 2 on these rows" in str(other)
    assert "97.5 % interval" in (tmp_path / "other" / "report.html").read_text()
    # to give the same command again, or to print a verdict again, is no new question
    assert figures(tuned(0, "again").folder) == figures(first.folder)
    assert tuned(2, "other").result == other.result
    assert sum(event["event"] == "opened" for event in events(tmp_path / "other")) == 1
    assert len((folder() / "verdicts.jsonl").read_text().splitlines()) == 2


def grouped(rows: Rows, first: int) -> Rows:
    return replace(rows, group=first + np.arange(len(rows)) // 3)


def test_a_run_keeps_groups_on_one_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = table(60)
    assert task.confirm is not None
    task = replace(task, develop=grouped(task.develop, 0), confirm=grouped(task.confirm, 100), group="patient")
    splits: set[int] = set()

    def noted(job: Job, *rest: object) -> Outcome:
        if job.split is not None:
            splits.add(job.split)
        return run(job, *rest)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr("gapless.run.engines.local.run", noted)
    tuned = package.tune(task, trials=6, epochs=1, workers=1, out=tmp_path / "run")
    assert tuned.result.task.groups == Groups("patient", 20, 20)
    assert len(splits) >= 2
    group = task.develop.group
    assert group is not None
    for split in splits:
        train, select = select_of(task.develop, split, 0)
        assert not set(group[train]) & set(group[select])
    page = (tmp_path / "run" / "report.html").read_text()
    assert "40 groups by &#39;patient&#39;, the unit of the interval" in page
