"""A nursery for searches without a whole run around them: one worker, in this process."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from gapless.data import Task
from gapless.policies.children import Ended, Nursery
from gapless.run.driver import Run
from gapless.run.engines.local import Inline
from gapless.run.journal import Journal, replay
from gapless.train.loop import Plan


class Silent:
    def phase(self, name: str) -> None: ...

    def progress(self, share: float, left: float | None, note: str) -> None: ...


@contextmanager
def nursery(
    task: Task, folder: Path, full: int, seed: int = 0, lr: float = 0.01, stop: Callable[[], bool] = lambda: False
) -> Generator[Nursery]:
    """full: epochs of a full training."""
    with Journal(folder / "journal.jsonl") as journal:
        ended = Ended()
        replay(journal.events, ended.take)
        run = Run(task, journal, (ended,), lambda: Inline(task, seed, stop), Silent(), stop, None, None, seed)
        try:
            yield Nursery(run, ended, Plan(1, 32), "search", lr, full, lambda: None)
        finally:
            run.close()
