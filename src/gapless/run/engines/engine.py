"""What runs jobs: an engine has room, takes jobs, and hands back what came of them."""

from __future__ import annotations

from typing import Protocol

from gapless.run.job import Job, Outcome
from gapless.train.loop import Plan


class Engine(Protocol):
    """Takes jobs while it has room, and hands back what came of them."""

    workers: int

    def room(self) -> bool:
        """Whether a job handed in now would be started at once."""
        ...

    def submit(self, job: Job, plan: Plan) -> None: ...

    def wait(self, timeout: float) -> list[Outcome]:
        """What has ended, or was lost with its worker, after at most `timeout` seconds; empty when nothing has."""
        ...

    def stop(self) -> None:
        """Asks running jobs to save and pause at the end of their epoch."""
        ...

    def close(self) -> None: ...
