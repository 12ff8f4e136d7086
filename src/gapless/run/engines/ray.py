"""Jobs as tasks on a Ray cluster: the data is put once into its object store, checkpoints travel with the jobs.

gapless, and a model of the user's own, must be importable on every node; no file system needs to be shared.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from gapless.data import Task
from gapless.errors import DataError, UsageError
from gapless.files import write_atomically
from gapless.functions import current_folder_first
from gapless.run.engines.local import prepare_training, sendable
from gapless.run.engines.watch import SIGN, Watch, given_up
from gapless.run.job import Job, Outcome, run

if TYPE_CHECKING:
    from gapless.train.loop import Plan


PATIENCE = 10.0
"""Seconds that are waited for an answer from the cluster's address."""


class _Board:
    """Lives on the driver's node: trainings leave their signs of life here and read whether to pause."""

    def __init__(self) -> None:
        self._signs: dict[int, int] = {}
        self._stop = False

    def sign(self, begun: int) -> bool:
        self._signs[begun] = self._signs.get(begun, 0) + 1
        return self._stop

    def signs(self) -> dict[int, int]:
        return self._signs

    def stop(self) -> None:
        self._stop = True


class _Running:
    """A job on the cluster. begun: its number among all that were begun. heard: when it last gave a sign of life."""

    def __init__(self, job: Job, begun: int, heard: float):
        self.job, self.begun, self.heard, self.signs = job, begun, heard, 0


class RayTasks:
    """Each job is a task of one core, and of `gpus` GPUs; the cluster decides on which node.

    A job whose node or process dies, or that hangs, is lost with the reason; the driver begins it anew. Signs of life
    and patience are those of `Processes`; a job that waits for a free node is waited for as long as for a first epoch.

    Args:
        address, gpus: as in `Place`. patience: seconds that are waited for the first epoch of all.

    Raises:
        DataError: there is no cluster, or the task's model cannot be sent.
        UsageError: Ray is not installed.
    """

    def __init__(self, task: Task, seed: int, workers: int, address: str | None, gpus: float, patience: float = 3600.0):
        ray = self._ray = connected(address)
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self.workers, self._seed = workers, seed
        with sendable(), current_folder_first():
            self._task = ray.put(task)
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._board = ray.remote(_Board).options(num_cpus=0, scheduling_strategy=here).remote()
        self._train = ray.remote(_train).options(num_cpus=1, num_gpus=gpus, max_retries=0)
        self._running: dict[Any, _Running] = {}
        self._begun, self._watch = 0, Watch(patience)

    def room(self) -> bool:
        return len(self._running) < self.workers

    def submit(self, job: Job, plan: Plan) -> None:
        self._begun += 1
        files = _content(job.checkpoint), _content(job.start)
        ref = self._train.remote([self._task], self._seed, job, plan, files, self._board, self._begun)
        self._running[ref] = _Running(job, self._begun, self._watch.look())

    def wait(self, timeout: float) -> list[Outcome]:
        if not self._running:
            return []
        with _cluster_there():
            ended, _ = self._ray.wait([*self._running], timeout=timeout, fetch_local=True)
            ended, _ = self._ray.wait([*self._running], num_returns=len(self._running), timeout=0) if ended else ([], 0)
            now = self._watch.look()
            found = [self._received(ref, now) for ref in ended]
            return [*found, *self._hanging(now)]

    def _received(self, ref: Any, now: float) -> Outcome:
        """What came of a job; its checkpoint, if it left one, is put where the job asked for it."""
        running = self._running.pop(ref)
        try:
            outcome, saved = self._ray.get(ref)
        except (self._ray.exceptions.RayError, MemoryError) as error:
            said = (str(error).splitlines() or [""])[0]
            return Outcome(running.job.number, "lost", reason=f"{type(error).__name__}: {said}"[:300])
        self._watch.ended(now - running.heard)
        try:
            if saved is None:
                running.job.checkpoint.unlink(missing_ok=True)
            else:
                write_atomically(running.job.checkpoint, saved)
        except DataError as error:
            return Outcome(running.job.number, "unsaved", reason=str(error))
        return outcome

    def _hanging(self, now: float) -> list[Outcome]:
        """The jobs that were silent for too long; their processes are ended."""
        lost: list[Outcome] = []
        signs: dict[int, int] = self._ray.get(self._board.signs.remote()) if self._running else {}
        for ref, running in list(self._running.items()):
            if signs.get(running.begun, 0) > running.signs:
                if running.signs:
                    self._watch.ended(now - running.heard)
                running.heard, running.signs = now, signs[running.begun]
            elif self._watch.too_long(now - running.heard):
                self._ray.cancel(ref, force=True)
                del self._running[ref]
                lost.append(Outcome(running.job.number, "lost", reason=given_up(now - running.heard)))
        return lost

    def stop(self) -> None:
        with _cluster_there():
            self._ray.get(self._board.stop.remote())

    def close(self) -> None:
        for ref in self._running:
            self._ray.cancel(ref, force=True)
        self._running.clear()
        self._ray.kill(self._board)


def connected(address: str | None) -> Any:
    """The module `ray`, connected to a cluster that is up; to the one of before, if there is a connection.

    Raises:
        UsageError: it is not installed.
        DataError: no cluster is there.
    """
    try:
        import ray
    except ImportError as error:
        raise UsageError("the engine ray needs Ray: pip install 'gapless[ray]'") from error
    if not ray.is_initialized():
        where = address or os.environ.get("RAY_ADDRESS") or "auto"
        try:
            _knock(where)
            with _signals_kept(), current_folder_first():  # a node on this machine finds a model of the user's
                ray.init(address=where, log_to_driver=False, configure_logging=False)
        except (OSError, RuntimeError, ValueError) as error:  # of Ray's as well: ConnectionError is an OSError
            place = "on this machine" if where == "auto" else f"at {where}"
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise DataError(
                f"no Ray cluster {place} ({said}); begin one with `ray start --head` and give its --address"
            ) from error
    return ray


def _knock(address: str) -> None:
    """Ray waits for minutes for an address where nobody listens; this raises an OSError after seconds."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE).close()


def capacity(address: str | None, gpus: float) -> int:
    """How many trainings fit on the cluster at once.

    Raises:
        UsageError: not one does.
    """
    there: dict[str, float] = connected(address).cluster_resources()
    cores, cards = int(there.get("CPU", 0)), there.get("GPU", 0.0)
    # a card is shared only by shares that fit into it whole
    fit = min(cores, int(cards) * int(1 / gpus) if 0 < gpus <= 1 else int(cards / gpus)) if gpus else cores
    if fit < 1:
        raise UsageError(
            f"the Ray cluster has {cores} cores and {cards:g} GPUs, which is not enough for one training of 1 core "
            f"and {gpus:g} GPUs"
        )
    return fit


@contextmanager
def _signals_kept() -> Generator[None]:
    """What Ctrl-C and SIGTERM do is the driver's to say, not the library's."""
    names = [signal.SIGINT, signal.SIGTERM]
    main = threading.current_thread() is threading.main_thread()
    before = [signal.getsignal(name) for name in names]
    try:
        yield
    finally:
        for name, handler in zip(names, before, strict=True):
            if main and handler is not None:
                signal.signal(name, handler)


@contextmanager
def _cluster_there() -> Generator[None]:
    from ray.exceptions import RayError

    try:
        yield
    except (RayError, ConnectionError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"the Ray cluster is gone ({said}); what ended is kept: the same command goes on when it is back"
        ) from error


@lru_cache(maxsize=1)
def _unpacked(task: Any) -> Task:
    """The task of a reference; once a process, whose next job is mostly of the same run."""
    import ray

    prepare_training()
    return ray.get(task)


def _content(path: Path | None) -> bytes | None:
    return path.read_bytes() if path is not None and path.exists() else None


def _train(
    task: list[Any], seed: int, job: Job, plan: Plan, files: tuple[bytes | None, bytes | None], board: Any, begun: int
) -> tuple[Outcome, bytes | None]:
    """Does a job on the node where this runs.

    Args:
        task: one reference, in a list so that it is not unpacked for every job. files: the job's checkpoint and the
            weights it starts from, if any.

    Returns:
        What came of it, and the checkpoint it left, if any.
    """
    import ray

    ray.get(board.sign.remote(begun))
    told = time.monotonic()
    stopped = False

    def stopping() -> bool:
        nonlocal told, stopped
        if time.monotonic() - told >= SIGN:
            told = time.monotonic()
            stopped = bool(ray.get(board.sign.remote(begun)))
        return stopped

    with TemporaryDirectory() as folder:
        places = Path(folder) / job.checkpoint.name, Path(folder) / "start.safetensors"
        for place, content in zip(places, files, strict=True):
            if content is not None:
                place.write_bytes(content)
        here = replace(job, checkpoint=places[0], start=None if job.start is None else places[1])
        outcome = run(here, _unpacked(task[0]), seed, plan, stopping)
        return outcome, _content(here.checkpoint)
