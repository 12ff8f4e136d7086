"""Where jobs run: in this process or in workers, with the same outcome; what happens when a worker dies."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_tasks import Drops, pictures, texts
from torch import Tensor, nn

from gapless.data import Rows, Task
from gapless.errors import DataError
from gapless.recipe import Augment, Op, Recipe, preset
from gapless.run.engines import local, watch
from gapless.run.engines.engine import Engine
from gapless.run.engines.local import Inline, Processes
from gapless.run.engines.place import Place
from gapless.run.engines.watch import Watch
from gapless.run.job import Job, Outcome
from gapless.train.loop import Plan

PLAN = Plan(4, 16)
STRONG = preset("image", "strong")


class Moody(nn.Module):
    """Raises, or ends its process, when it is so told by a file; lingers in a forward pass by another."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Drops()

    def forward(self, x: Tensor) -> Tensor:
        mood = Path(os.environ["MOOD"])
        if self.training and (mood / "raise").exists():
            raise RuntimeError("not today")
        if self.training and (mood / "linger").exists():
            (mood / "lingers").write_text(str(os.getpid()))
            while (mood / "linger").exists():
                time.sleep(0.01)
        return self.inner(x)


@pytest.fixture(scope="module")
def mood(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("mood")
    os.environ["MOOD"] = str(folder)
    yield folder
    del os.environ["MOOD"]


def moody() -> Task:
    return replace(pictures(60), model=Moody, model_name="moody")


@pytest.fixture(scope="module")
def workers(mood: Path) -> Iterator[Processes]:
    """Two worker processes for the whole file: each takes seconds to start."""
    with_workers = Processes(moody(), 0, 2)
    yield with_workers
    with_workers.close()


def job(number: int, folder: Path, recipe: Recipe = STRONG, until: int = 4, split: int | None = 0) -> Job:
    return Job(number, recipe, 0.01, 7, split, 4, until, folder / "checkpoints" / f"{number}.safetensors")


def outcomes(executor: Engine, jobs: list[Job]) -> dict[int, Outcome]:
    """Runs all jobs and gives back what came of them."""
    waiting, found = list(jobs), dict[int, Outcome]()
    while len(found) < len(jobs):
        while waiting and executor.room():
            executor.submit(waiting.pop(0), PLAN)
        for outcome in executor.wait(60):
            found[outcome.number] = outcome
    return found


def figures(outcome: Outcome) -> Any:
    each = [None if v is None else v.tobytes() for v in (outcome.train_each, outcome.confirm_each)]
    return replace(outcome, number=0, seconds=0.0, train_each=None, confirm_each=None), each


def until(true: Callable[[], Any]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, "waited a minute in vain"
        time.sleep(0.01)


# ── both ways give the same ──


def test_workers_do_what_this_process_does(workers: Processes, mood: Path, tmp_path: Path) -> None:
    jobs = [
        job(0, tmp_path),
        job(1, tmp_path, split=3),
        job(2, tmp_path, split=None),
        job(3, tmp_path, Recipe()),
        replace(job(4, tmp_path), curve=True),
    ]
    here = outcomes(Inline(moody(), 0, lambda: False), jobs)
    there = outcomes(workers, jobs)
    assert {n: o.status for n, o in here.items()} == dict.fromkeys(range(5), "done")
    for number in here:
        assert figures(here[number]) == figures(there[number])
    assert len({here[n].score for n in here} | {here[n].loss for n in here}) > 4  # different jobs, different scores
    assert here[2].confirm_each is not None
    assert here[4].curve
    assert not list(tmp_path.rglob("*.safetensors"))  # nothing is left of what ended


def test_workers_have_the_paraphrases(tmp_path: Path) -> None:
    """A worker of its own, for the task is another one."""
    task = texts(60)
    found = {text: (f"People said: {text}",) for text in task.develop.x.tolist()}
    task = replace(task, paraphrases={"back_translate": found})
    recipe = Recipe(augment=Augment(ops=(Op(op="back_translate", strength=1.0),)))
    jobs = [job(0, tmp_path, recipe), job(1, tmp_path, Recipe())]
    here = outcomes(Inline(task, 0, lambda: False), jobs)
    sent = Processes(task, 0, 1)
    there = outcomes(sent, jobs)
    sent.close()
    assert {n: (o.status, o.reason) for n, o in there.items()} == dict.fromkeys(range(2), ("done", ""))
    assert figures(there[0]) == figures(here[0]) != figures(here[1])


def test_rungs_go_on_in_any_worker(workers: Processes, mood: Path, tmp_path: Path) -> None:
    """A training that stops at a rung in one process and goes on in another is the same training."""
    whole = outcomes(Inline(moody(), 0, lambda: False), [job(0, tmp_path)])[0]
    first = outcomes(Inline(moody(), 0, lambda: False), [job(0, tmp_path, until=2)])[0]
    assert (first.status, first.epoch) == ("rung", 2)
    assert first.score is not None
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["0.safetensors"]
    second = outcomes(workers, [job(0, tmp_path, until=3)])[0]
    assert (second.status, second.epoch) == ("rung", 3)
    third = outcomes(workers, [job(0, tmp_path)])[0]
    assert figures(third) == figures(whole)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_room(workers: Processes, mood: Path, tmp_path: Path) -> None:
    for executor, most in ((Inline(moody(), 0, lambda: False), 1), (workers, 2)):
        assert executor.workers == most
        for number in range(most):
            assert executor.room()
            executor.submit(job(number, tmp_path), PLAN)
        assert not executor.room()
        found: list[Outcome] = []
        while len(found) < most:
            found += executor.wait(60)
        assert executor.room()
        assert executor.wait(0.01) == []


def test_one_worker_is_this_process() -> None:
    executor = Place().open(pictures(60), 0, 1, lambda: False)
    assert isinstance(executor, Inline)
    executor.close()


# ── stopping ──


def test_stop_saves_and_pauses(mood: Path, tmp_path: Path) -> None:
    whole = outcomes(Inline(moody(), 0, lambda: False), [job(0, tmp_path, split=None)])[0]
    paused = outcomes(Inline(moody(), 0, lambda: True), [job(0, tmp_path, split=None)])[0]
    assert (paused.status, paused.epoch, paused.score) == ("paused", 1, None)
    rest = outcomes(Inline(moody(), 0, lambda: False), [job(0, tmp_path, split=None)])[0]
    assert figures(rest) == figures(whole)


def test_stop_reaches_workers(mood: Path, tmp_path: Path) -> None:
    executor = Processes(moody(), 0, 1)
    try:
        (mood / "linger").touch()
        executor.submit(job(0, tmp_path), PLAN)
        until((mood / "lingers").exists)
        executor.stop()
        (mood / "linger").unlink()
        (outcome,) = executor.wait(60)
        assert (outcome.status, outcome.epoch) == ("paused", 1)
    finally:
        (mood / "linger").unlink(missing_ok=True)
        (mood / "lingers").unlink(missing_ok=True)
        executor.close()
    assert not [w for w in executor._workers if w.process.is_alive()]  # pyright: ignore[reportPrivateUsage]


# ── what goes wrong ──


def test_a_model_that_raises_fails_its_job_alone(workers: Processes, mood: Path, tmp_path: Path) -> None:
    (mood / "raise").touch()
    for executor in (Inline(moody(), 0, lambda: False), workers):
        failed = outcomes(executor, [job(0, tmp_path)])[0]
        assert (failed.status, failed.reason) == ("failed", "RuntimeError: not today")
    (mood / "raise").unlink()
    assert outcomes(workers, [job(1, tmp_path)])[1].status == "done"


def lingering(workers: Processes, mood: Path, folder: Path) -> int:
    """The process id of a worker that hangs in the middle of job 0."""
    (mood / "linger").touch()
    workers.submit(job(0, folder), PLAN)
    until(lambda: (mood / "lingers").exists() and (mood / "lingers").read_text())
    return int((mood / "lingers").read_text())


def lost(workers: Processes, mood: Path) -> Outcome:
    found: list[Outcome] = []
    until(lambda: found.extend(workers.wait(0.1)) or found)
    for name in ("linger", "lingers"):
        (mood / name).unlink()
    (outcome,) = found
    assert (outcome.number, outcome.status) == (0, "lost")
    return outcome


def test_a_worker_that_dies_loses_its_job_and_is_replaced(workers: Processes, mood: Path, tmp_path: Path) -> None:
    os.kill(lingering(workers, mood, tmp_path), signal.SIGKILL)
    assert lost(workers, mood).reason == "the worker process died (exit code -9)"
    again = outcomes(workers, [job(1, tmp_path), job(2, tmp_path), job(3, tmp_path)])
    assert [o.status for o in again.values()] == ["done"] * 3


def test_a_worker_that_hangs_is_ended(
    workers: Processes, mood: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the longest silence of those that did not hang; before any was heard, by what is asked for."""
    outcomes(workers, [job(1, tmp_path)])
    pid = lingering(workers, mood, tmp_path)
    assert workers.wait(0.3) == []
    monkeypatch.setattr(watch, "SILENCE", 0.5)
    monkeypatch.setattr(watch, "SILENCES", 0)
    assert lost(workers, mood).reason.startswith("the training gave no sign of life for ")
    assert not running(pid)
    assert outcomes(workers, [job(2, tmp_path)])[2].status == "done"


def test_before_the_first_epoch_of_all_patience_counts(mood: Path, tmp_path: Path) -> None:
    executor = Processes(moody(), 0, 1, patience=0.1)
    try:
        lingering(executor, mood, tmp_path)
        lost(executor, mood)
    finally:
        executor.close()


def test_a_driver_that_slept_holds_nothing_against_its_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(watch.time, "monotonic", lambda: now)
    slept = Watch(60.0)
    now += 3
    assert slept.look() == 3
    now += 3600  # Ctrl-Z
    assert slept.look() == 13


def test_a_worker_that_dies_while_it_has_nothing_to_do(workers: Processes, mood: Path, tmp_path: Path) -> None:
    outcomes(workers, [job(0, tmp_path), job(1, tmp_path)])  # both are up
    for worker in workers._workers:  # pyright: ignore[reportPrivateUsage]  # their process ids
        assert worker.process.pid is not None
        os.kill(worker.process.pid, signal.SIGKILL)
        worker.process.join()
    again = outcomes(workers, [job(2, tmp_path), job(3, tmp_path)])
    assert [o.status for o in again.values()] == ["done"] * 2


def test_ctrl_c_does_not_reach_a_worker_that_is_still_starting(mood: Path, tmp_path: Path) -> None:
    """The terminal sends SIGINT to the whole group; a worker that imports torch must not die of it."""
    executor = Processes(moody(), 0, 1)
    try:
        pid = executor._workers[0].process.pid  # pyright: ignore[reportPrivateUsage]
        assert pid is not None
        for _ in range(20):
            os.kill(pid, signal.SIGINT)
            time.sleep(0.02)
        executor.submit(job(0, tmp_path), PLAN)
        (outcome,) = executor.wait(60)
        assert outcome.status == "done", outcome.reason
        assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())  # and this process still hears it
    finally:
        executor.close()


def end_at_once(*arguments: object) -> None:
    os._exit(3)


def test_workers_that_die_as_they_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is to be sent is larger than a pipe holds: whoever waits for it to be read waits for ever."""
    monkeypatch.setattr(local, "_work", end_at_once)
    task = pictures(60)
    big = replace(task, develop=Rows(np.repeat(task.develop.x, 400, 0), np.repeat(task.develop.y, 400, 0)))
    with pytest.raises(DataError, match=r"a worker process died as it began \(exit code 3\)"):
        Processes(big, 0, 1)


def test_a_model_that_cannot_be_sent() -> None:
    with pytest.raises(DataError, match=r"cannot be sent to a worker process .*; make it a function at the top level"):
        Processes(replace(pictures(60), model=lambda: Drops()), 0, 2)


def test_workers_end_with_their_driver(tmp_path: Path) -> None:
    """kill -9 of the driver, in the middle of a job: its workers notice and end."""
    program = f"""
import sys, time
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
from small_tasks import pictures
from gapless.recipe import Recipe
from gapless.run.engines.local import Processes
from gapless.run.job import Job
from gapless.train.loop import Plan
if __name__ == "__main__":
    executor = Processes(pictures(60), 0, 1)
    executor.submit(Job(0, Recipe(), 0.01, 0, 0, 10**6, 10**6, Path({str(tmp_path)!r}) / "c"), Plan(10**6, 16))
    print(executor._workers[0].process.pid, flush=True)
    time.sleep(600)
"""
    path = tmp_path / "driver.py"
    path.write_text(program)
    with subprocess.Popen([sys.executable, str(path)], stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        worker = int(driver.stdout.readline())
        time.sleep(0.1)
        driver.kill()
    until(lambda: not running(worker))


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_training_processes_use_one_thread() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        Inline(pictures(60), 0, lambda: False)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_workers_begin_where_a_process_has_no_mask_of_signals(
    mood: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows."""
    monkeypatch.delattr(signal, "pthread_sigmask")
    executor = Processes(moody(), 0, 1)
    try:
        assert outcomes(executor, [job(1, tmp_path)])[1].status == "done"
    finally:
        executor.close()
