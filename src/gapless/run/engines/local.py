"""Where jobs run: in this process, or in worker processes that each hold the data once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any

from gapless.data import Task
from gapless.errors import DataError
from gapless.functions import current_folder_first, output_apart
from gapless.run.engines.watch import SIGN, Watch, given_up
from gapless.run.job import Job, Outcome, run

if TYPE_CHECKING:
    from gapless.train.loop import Plan


class Inline:
    """Jobs one after the other in this process: the deterministic way, and the one for models that cannot be sent."""

    workers = 1

    def __init__(self, task: Task, seed: int, stop: Callable[[], bool]):
        self._task, self._seed, self._stop = task, seed, stop
        self._jobs: deque[tuple[Job, Plan]] = deque()
        prepare_training()

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
    """heard: when it last gave a sign of life, or was given its job."""

    process: BaseProcess
    pipe: Connection
    job: Job | None = None
    heard: float = 0.0


class Processes:
    """One process a worker, started afresh (spawn), so that it is safe with threads and CUDA.

    A worker that dies (killed, out of memory) loses its job with the reason and is replaced. So does one that hangs:
    workers give a sign of life after each epoch, and one that is silent for 20 times the longest silence so far, and 2
    minutes at least, is killed.

    Args:
        patience: seconds that are waited for the first epoch of all.

    Raises:
        DataError: the task's model cannot be sent to another process, or workers die as they begin.
    """

    def __init__(self, task: Task, seed: int, workers: int, patience: float = 3600.0):
        self.workers = workers
        self._context = multiprocessing.get_context("spawn")
        with _born_deaf():  # Python's own process that tracks it is begun here
            self._stop = self._context.Event()
        self._task, self._seed = task, seed
        self._watch = Watch(patience)
        self._workers = [self._start() for _ in range(workers)]

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(theirs, self._seed, self._stop, os.getpid()), daemon=True)
        with sendable(), _born_deaf(), current_folder_first():  # a model of the user's is found where it was
            task = ForkingPickler.dumps(self._task)
            process.start()
        theirs.close()
        try:
            # not as an argument: what Python writes to a process that dies as it begins is waited for without end
            ours.send_bytes(task)
        except OSError as error:
            process.join()
            raise DataError(
                f"a worker process died as it began (exit code {process.exitcode}); is there enough memory for "
                '--workers, or does the script lack `if __name__ == "__main__":`?'
            ) from error
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
        free.job, free.heard = job, self._watch.look()

    def wait(self, timeout: float) -> list[Outcome]:
        ends = time.monotonic() + timeout
        while True:
            found = self._ended(max(0.0, ends - time.monotonic()))
            if found or time.monotonic() >= ends or not any(w.job for w in self._workers):
                return found

    def _ended(self, timeout: float) -> list[Outcome]:
        """What has ended or was lost when the first worker says something, or after `timeout` seconds."""
        busy = [w for w in self._workers if w.job is not None]
        if not busy:
            return []
        ready = set(wait([w.pipe for w in busy], timeout))
        now = self._watch.look()
        found = [self._receive(w, now) if w.pipe in ready else self._silent(w, now) for w in busy]
        return [outcome for outcome in found if outcome is not None]

    def _receive(self, worker: _Worker, now: float) -> Outcome | None:
        """What a worker says: an outcome, or only that it is alive."""
        try:
            said: Outcome | None = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join()
            return self._lost(worker, f"the worker process died (exit code {worker.process.exitcode})")
        self._watch.ended(now - worker.heard)
        worker.heard = now
        if said is not None:
            worker.job = None
        return said

    def _silent(self, worker: _Worker, now: float) -> Outcome | None:
        """None, or the loss of a worker that has been silent for too long."""
        silence = now - worker.heard
        if not self._watch.too_long(silence):
            return None
        worker.process.kill()
        return self._lost(worker, given_up(silence))

    def _lost(self, worker: _Worker, reason: str) -> Outcome:
        assert worker.job is not None
        outcome = Outcome(worker.job.number, "lost", reason=reason)
        self._replace(worker)
        return outcome

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


@contextmanager
def sendable() -> Generator[None]:
    """What is pickled within is the user's; that it cannot be comes back as a DataError."""
    try:
        yield
    except Exception as error:  # pickle raises its own errors, TypeError and AttributeError
        raise DataError(
            f"the model cannot be sent to a worker process ({error}); make it a function at the top level of a "
            "module, or use --workers 1"
        ) from error


@contextmanager
def _born_deaf() -> Generator[None]:
    """Ctrl-C reaches the whole process group, and so may SIGTERM and SIGHUP; a worker that still imports as well. One
    begun within does not hear them: the driver does, and tells the workers.

    Where a process has no mask of signals (Windows) it may hear it until `_work` ignores it.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    heard = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)


def prepare_training() -> None:
    """What a process does before it trains: one thread for torch, and memory that is not handed back in between."""
    import torch

    from gapless.train.memory import keep_big_blocks

    torch.set_num_threads(1)
    keep_big_blocks()


def _work(pipe: Connection, seed: int, stop: Any, parent: int) -> None:
    output = output_apart()  # what the user's model prints is not what a command was asked to print
    if output is not None:
        os.close(output)
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # the driver hears them and tells the workers
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    try:
        task: Task = pipe.recv()
    except EOFError:  # the driver is gone
        return
    prepare_training()
    told = time.monotonic()

    def stopping() -> bool:
        nonlocal told
        if time.monotonic() - told >= SIGN:
            told = time.monotonic()
            pipe.send(None)
        return stop.is_set() or os.getppid() != parent

    while True:
        try:
            job, plan = pipe.recv()
            pipe.send(run(job, task, seed, plan, stopping))
        except (EOFError, OSError):  # the driver is gone
            return
