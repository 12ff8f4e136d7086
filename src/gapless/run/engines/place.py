"""Where a run trains: on this machine, or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gapless.errors import UsageError
from gapless.run.engines.watch import SILENCE
from gapless.run.surroundings import default_workers

if TYPE_CHECKING:
    from gapless.data import Task
    from gapless.run.engines.engine import Engine


@dataclass(frozen=True)
class Place:
    """Where a run trains.

    engine: `local`, processes of this machine, or `ray`, tasks on a Ray cluster that is up already.
    address: of the cluster's head, such as 10.0.0.5:6379; None: what RAY_ADDRESS says, or the one of this machine.
    gpus: of the cluster, for each training; a share such as 0.25 lets four trainings use one.

    Raises:
        UsageError: an address or GPUs where there is no cluster, or a negative number of them.
    """

    engine: Literal["local", "ray"] = "local"
    address: str | None = None
    gpus: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.gpus < float("inf"):
            raise UsageError(f"GPUs for each training must be 0 or more, got {self.gpus:g}")
        if self.engine == "local" and (self.address is not None or self.gpus):
            raise UsageError("an address and GPUs for each training belong to a Ray cluster: choose the engine ray")

    def workers(self) -> int:
        """How many trainings fit at once: one a core, at most 8; on a cluster, what its cores and GPUs allow."""
        if self.engine == "local":
            return default_workers()
        from gapless.run.engines.ray import capacity

        return capacity(self.address, self.gpus)

    def open(
        self, task: Task, seed: int, workers: int, stop: Callable[[], bool], minutes: float | None = None
    ) -> Engine:
        """`Inline` for one worker here, else `Processes`; on a cluster `RayTasks`.

        Args:
            stop: asked after each epoch of a job in this process.
            minutes: the budget; a first epoch that takes as long, and 2 minutes, is not waited for elsewhere.
        """
        patience = 3600.0 if minutes is None else max(SILENCE, 60 * minutes)
        if self.engine == "ray":
            from gapless.run.engines.ray import RayTasks

            return RayTasks(task, seed, workers, self.address, self.gpus, patience)
        from gapless.run.engines.local import Inline, Processes

        return Inline(task, seed, stop) if workers == 1 else Processes(task, seed, workers, patience)
