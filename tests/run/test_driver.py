"""The driver: work whose worker was lost is begun again, and held against it only after several times."""

from collections.abc import Callable
from pathlib import Path

import pytest
from small_tasks import pictures

from gapless.recipe import Recipe
from gapless.run.driver import TRIES, Interrupted, Run
from gapless.run.job import Job, Outcome
from gapless.run.journal import Journal
from gapless.train.loop import Plan


class Unlucky:
    """Loses the first job it is given, as often as it is told; others end at once."""

    workers = 1

    def __init__(self, times: int):
        self.times, self.begun = times, list[int]()
        self._job: Job | None = None

    def room(self) -> bool:
        return self._job is None

    def submit(self, job: Job, plan: Plan) -> None:
        self._job = job
        self.begun.append(job.number)

    def wait(self, timeout: float) -> list[Outcome]:
        job, self._job = self._job, None
        if job is None:
            return []
        lost = job.number == 0 and len(self.begun) <= self.times
        return [Outcome(job.number, "lost", reason="it died") if lost else Outcome(job.number, "done", 4)]

    def stop(self) -> None: ...

    def close(self) -> None: ...


class Quiet:
    def phase(self, name: str) -> None: ...

    def progress(self, share: float, left: float | None, note: str) -> None: ...


def driven(engine: Unlucky, folder: Path, stop: Callable[[], bool] = lambda: False) -> list[Outcome]:
    """What came of two jobs; the first has a checkpoint."""
    found: list[Outcome] = []
    with Journal(folder / "journal.jsonl") as journal:
        run = Run(pictures(60), journal, (), lambda: engine, Quiet(), stop, None, None, 0)
        run.checkpoint("0").parent.mkdir()
        run.checkpoint("0").touch()

        def next_work(number: int) -> tuple[Job, Callable[[Outcome], None]] | None:
            job = Job(number, Recipe(), 0.01, 0, 0, 4, 4, run.checkpoint(f"{number}"))
            return (job, found.append) if number < 2 else None

        run.drive(next_work, Plan(4, 16), lambda: None)
    return found


def test_lost_work_is_done_again(tmp_path: Path) -> None:
    engine = Unlucky(TRIES - 1)
    assert [(o.number, o.status) for o in driven(engine, tmp_path)] == [(0, "done"), (1, "done")]
    assert engine.begun == [0] * TRIES + [1]
    assert (tmp_path / "checkpoints" / "0.safetensors").exists()


def test_work_that_is_lost_again_and_again_failed(tmp_path: Path) -> None:
    failed, other = driven(Unlucky(TRIES), tmp_path)
    assert (failed.status, failed.reason, other.status) == ("failed", f"it died, {TRIES} times", "done")
    assert not (tmp_path / "checkpoints" / "0.safetensors").exists()


def test_what_is_lost_while_the_run_is_stopped_is_paused(tmp_path: Path) -> None:
    engine, found = Unlucky(1), list[Outcome]()
    with Journal(tmp_path / "journal.jsonl") as journal:
        run = Run(pictures(60), journal, (), lambda: engine, Quiet(), lambda: bool(engine.begun), None, None, 0)
        job = Job(0, Recipe(), 0.01, 0, 0, 4, 4, run.checkpoint("0"))
        with pytest.raises(Interrupted):
            run.drive(lambda number: (job, found.append), Plan(4, 16), lambda: None)
    assert [o.status for o in found] == ["paused"]
