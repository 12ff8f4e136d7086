"""The door: a task in, its diagnosis out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gapless.data import Task
from gapless.data.splits import complete
from gapless.data.task import with_model
from gapless.diagnose.diagnosis import Diagnosis
from gapless.diagnose.experiment.options import MINUTES, DiagnoseOptions
from gapless.diagnose.experiment.stages import measure
from gapless.files import write_atomically
from gapless.run.driver import Listener
from gapless.run.surroundings import default_workers, fresh_folder

if TYPE_CHECKING:
    from torch import nn


class Silent:
    """Hears how a run goes on and says nothing."""

    def phase(self, name: str) -> None: ...

    def progress(self, share: float, left: float | None, note: str) -> None: ...


def diagnose(
    task: Task,
    *,
    model: str | Callable[[], nn.Module] | None = None,
    minutes: float = MINUTES,
    epochs: int | None = None,
    lr: float | None = None,
    batch_size: int = 64,
    optimizer: Literal["adamw", "sgd"] = "adamw",
    seed: int = 0,
    workers: int | None = None,
    device: str = "cpu",
    out: str | Path | None = None,
    listener: Listener | None = None,
) -> Diagnosis:
    """Finds out by experiment why a model does not generalize; the same as `gapless diagnose`.

    Only development rows are trained on and scored; of the confirm rows the inputs are looked at, never the labels.

        found = gapless.diagnose(task, model=network, epochs=30, lr=1e-3)
        print(found)

    Args:
        task: with its rows. Without confirm rows a share is put aside, as `tune` does.
        model: as for `tune`.
        minutes: for everything; what costs no training is asked first.
        epochs, lr: how you train the model; what is None is settled by trying.
        workers: processes that train; None: one a core, at most 8. One worker trains in this process.
        out: the run's folder; an unfinished run in it goes on. None: a fresh one below gapless-runs/.
        listener: hears how the run goes on.

    Raises:
        UsageError: options that cannot be right, or the folder belongs to another run.
        DataError: the model does not work on the data, or the disk is full.
        BudgetError: the time ends before the plain model is trained; says what would do.
    """
    folder = fresh_folder(f"diagnose-{task.name}") if out is None else Path(out)
    how = minutes, epochs, lr, batch_size, optimizer, seed, default_workers() if workers is None else workers, device
    options = DiagnoseOptions(folder, *how)
    if task.confirm is None:
        task = complete(task, None, seed)
    return find_causes(with_model(task, model), options, listener or Silent(), lambda: False)


def find_causes(task: Task, options: DiagnoseOptions, listener: Listener, stop: Callable[[], bool]) -> Diagnosis:
    """The diagnosis of a task that has its model and its confirm rows, and diagnosis.json in the run's folder."""
    task = replace(task, metric="")  # causes are told by the usual metric: their effects have no other words
    found = measure(task, options, listener, stop)
    text = json.dumps(found.to_json(), indent=1, allow_nan=False) + "\n"
    write_atomically(options.out / "diagnosis.json", text.encode())
    return found
