"""Where jobs run: in this process, or in worker processes that each hold the data once."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any, Protocol

from gapless.data import Task
from gapless.errors import DataError
from gapless.functions import current_folder_first
from gapless.search.jobs import Job, Outcome, run

if TYPE_CHECKING:
    from gapless.train.loop import Plan


class Executor(Protocol):
    """Takes jobs while it has room, and hands back what came of them."""

    workers: int

    def room(self) -> bool:
        """Whether a job handed in now would be started at once."""
        ...

    def submit(self, job: Job, plan: Plan) -> None: ...

    def wait(self, timeout: float) -> list[Outcome]:
        """What has ended, after at most `timeout` seconds; empty when nothing has."""
        ...

    def stop(self) -> None:
        """Asks running jobs to save and pause at the end of their epoch."""
        ...

    def close(self) -> None: ...


class Inline:
    """Jobs one after the other in this process: the deterministic way, and the one for models that cannot be sent."""

    workers = 1

    def __init__(self, task: Task, seed: int, stop: Callable[[], bool]):
        self._task, self._seed, self._stop = task, seed, stop
        self._jobs: deque[tuple[Job, Plan]] = deque()
        _prepare_training()

    def room(self) -> bool:
        return not self._jobs

    def submit(self, job: Job, plan: Plan) -> None:
        self._jobs.append((job, plan))

    def wait(self, timeout: float) -> list[Outcome]:
        if not self._jobs:
            return []
        job, plan = self._jobs.popleft()
        return [run(job, self._task, self._seed, plan, self._stop)]

    def stop(self) -> None:
        """Nothing to pass on: the job that runs asks for itself."""

    def close(self) -> None:
        self._jobs.clear()


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    job: Job | None = None


class Processes:
    """One process a worker, started afresh (spawn), so that it is safe with threads and CUDA.

    A worker that dies (killed, out of memory) fails its job with the reason and is replaced.

    Raises:
        DataError: the task's model cannot be sent to another process.
    """

    def __init__(self, task: Task, seed: int, workers: int):
        self.workers = workers
        self._context = multiprocessing.get_context("spawn")
        self._stop = self._context.Event()
        self._payload = (task, seed, self._stop, os.getpid())
        self._workers = [self._start() for _ in range(workers)]

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(theirs, *self._payload), daemon=True)
        # Ctrl-C reaches the whole process group, a worker that still imports as well: it is born deaf to it.
        heard = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            with current_folder_first():  # a model of the user's is found where it was
                process.start()
        except Exception as error:  # pickle raises its own errors, TypeError and AttributeError
            raise DataError(
                f"the model cannot be sent to a worker process ({error}); make it a function at the top level of a "
                "module, or use --workers 1"
            ) from error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, heard)
        theirs.close()
        return _Worker(process, ours)

    def _replace(self, worker: _Worker) -> _Worker:
        """Another worker in the place of a dead one."""
        worker.pipe.close()
        worker.process.join()
        fresh = self._start()
        self._workers[self._workers.index(worker)] = fresh
        return fresh

    def room(self) -> bool:
        return any(w.job is None for w in self._workers)

    def submit(self, job: Job, plan: Plan) -> None:
        free = next(w for w in self._workers if w.job is None)
        try:
            free.pipe.send((job, plan))
        except OSError:  # it died while it had nothing to do
            free = self._replace(free)
            free.pipe.send((job, plan))
        free.job = job

    def wait(self, timeout: float) -> list[Outcome]:
        busy = [w for w in self._workers if w.job is not None]
        ready = set(wait([w.pipe for w in busy], timeout)) if busy else set[Any]()
        return [self._receive(w) for w in busy if w.pipe in ready]

    def _receive(self, worker: _Worker) -> Outcome:
        job = worker.job
        assert job is not None
        worker.job = None
        try:
            return worker.pipe.recv()
        except (EOFError, OSError):
            self._replace(worker)
            code = worker.process.exitcode
            job.checkpoint.unlink(missing_ok=True)
            return Outcome(job.number, "failed", reason=f"the worker process died (exit code {code})")

    def stop(self) -> None:
        self._stop.set()

    def close(self) -> None:
        for worker in self._workers:
            worker.pipe.close()
        for worker in self._workers:
            worker.process.join(1.0)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()


def open_executor(task: Task, seed: int, workers: int, stop: Callable[[], bool]) -> Executor:
    """`Inline` for one worker, else `Processes`. `stop` is asked after each epoch of a job in this process."""
    return Inline(task, seed, stop) if workers == 1 else Processes(task, seed, workers)


def _prepare_training() -> None:
    import torch

    from gapless.train.memory import keep_big_blocks

    torch.set_num_threads(1)
    keep_big_blocks()


def _work(pipe: Connection, task: Task, seed: int, stop: Any, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver hears Ctrl-C and tells the workers
    _prepare_training()

    def stopping() -> bool:
        return stop.is_set() or os.getppid() != parent

    while True:
        try:
            job, plan = pipe.recv()
            pipe.send(run(job, task, seed, plan, stopping))
        except (EOFError, OSError):  # the driver is gone
            return
