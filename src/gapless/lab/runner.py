"""Runs experiments: seeds one after the other, the verdict, and what is kept of it on this machine."""

from __future__ import annotations

import hashlib
import inspect
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gapless.data import Task
from gapless.errors import DataError, UsageError
from gapless.evidence.result import Interval
from gapless.files import write_atomically
from gapless.lab.evidence import Evidence, Measured, Shown
from gapless.lab.experiment import Experiment, Finding
from gapless.lab.setting import Lab

Tell = Callable[[int, int, float | None], None]
"""Hears how much is done, of how much, and the seconds left."""
TRAININGS = 1000
"""Parts of a seed on the progress bar."""


@dataclass(frozen=True)
class Record:
    """The last run of an experiment on this machine: its finding, and of what.

    key: changes with the experiment, the data, the model and the versions. at: when, UTC. data, model: the reader's
    own, or empty.
    """

    name: str
    row: str
    pillar: str
    claim: str
    finding: Finding
    seconds: float
    seeds: int
    key: str
    at: str
    data: str = ""
    model: str = ""
    schema: int = 1

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, document: dict[str, Any]) -> Record:
        found: dict[str, Any] = dict(document["finding"])
        found["numbers"] = {
            name: (Shown if "unit" in value else Interval)(**value) for name, value in found["numbers"].items()
        }
        whole: dict[str, Any] = {**document, "finding": Finding(**found)}
        return cls(**whole)


def run(experiment: Experiment, lab: Lab, tell: Tell | None = None, first: int = 0, seeds: int | None = None) -> Record:
    """Measures every seed and judges.

    Args:
        first: the first seed; the others follow. seeds: how many, None for the experiment's own.

    Raises:
        UsageError: a reader's own data or model that the experiment does not run on.
    """
    fits(experiment, lab)
    count = seeds or lab.pick(experiment.seeds, 2)
    begun = time.perf_counter()
    progress = _Progress(count, tell, begun)
    lab = replace(lab, tick=progress.tick)
    measured: list[Measured] = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the models are small: more threads only wait for each other
    try:
        for seed in range(first, first + count):
            with torch.random.fork_rng([]):
                torch.manual_seed(seed)
                measured.append(experiment.trial(lab, seed))
            progress.seed()
        finding = experiment.judge(Evidence(measured))
    finally:
        torch.set_num_threads(threads)
    seconds = time.perf_counter() - begun
    at = datetime.now(UTC).isoformat(timespec="seconds")
    about = experiment.name, experiment.row, experiment.pillar, experiment.claim
    data = "" if lab.data is None else lab.data.name
    return Record(*about, finding, round(seconds, 1), count, key(experiment, lab), at, data, lab.model or "")


def fits(experiment: Experiment, lab: Lab) -> None:
    """UsageError where a reader's own data or model is given to an experiment that does not run on it."""
    if lab.data is None and not lab.model:
        return
    kind = "image" if lab.data is None else lab.data.kind
    if kind in experiment.takes and (lab.data is None or lab.data.classes):
        return
    takes = " and ".join({"image": "pictures", "table": "tables", "text": "texts"}[k] for k in experiment.takes)
    raise UsageError(
        f"{experiment.name} runs on data and a model of its own"
        if not takes
        else f"{experiment.name} takes {takes} with classes as data of your own; these are {kind} rows"
    )


class _Progress:
    """Parts done, from the trainings of the seeds before."""

    def __init__(self, seeds: int, tell: Tell | None, begun: float):
        self._seeds, self._tell, self._begun = seeds, tell, begun
        self._done, self._ticks, self._most = 0, 0, 0

    def tick(self) -> None:
        self._ticks += 1
        self._say(self._ticks / self._most if self._most else self._ticks / (self._ticks + 10))

    def seed(self) -> None:
        self._done, self._most, self._ticks = self._done + 1, max(self._most, self._ticks), 0
        self._say(0.0)

    def _say(self, part: float) -> None:
        if self._tell is None:
            return
        share = (self._done + min(1.0, part)) / self._seeds
        spent = time.perf_counter() - self._begun
        left = spent * (1 - share) / share if self._done and share else None
        self._tell(int(TRAININGS * share), TRAININGS, left)


# ── what is kept ──


def key(experiment: Experiment, lab: Lab) -> str:
    """Of the inputs: the experiment's own file, the data, the model, the form and the versions that compute."""
    source = Path(inspect.getfile(experiment.trial)).read_text("utf-8")
    parts = [source, str(lab.short), lab.model or "", _fingerprint(lab.data), torch.__version__, np.__version__]
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()


def _fingerprint(task: Task | None) -> str:
    if task is None:
        return ""
    digest = hashlib.blake2b(digest_size=8)
    for rows in (task.develop, task.confirm):
        if rows is not None:
            x = (
                "\0".join(map(str, rows.x)).encode()
                if rows.x.dtype == object
                else np.ascontiguousarray(rows.x).tobytes()
            )
            digest.update(x + rows.y.tobytes())
    return digest.hexdigest()


def default_folder() -> Path:
    """Where verdicts and pages are kept: the user's folder for the data of programs."""
    from platformdirs import user_data_path

    return user_data_path("gapless", appauthor=False) / "lab"


@dataclass(frozen=True)
class Store:
    """The verdicts of this machine, one file for each experiment and each reader's data or model."""

    folder: Path

    def path(self, experiment: Experiment, lab: Lab, ending: str) -> Path:
        own = f"{_fingerprint(lab.data)}{lab.model or ''}"
        beside = "-" + hashlib.blake2b(own.encode(), digest_size=4).hexdigest() if own else ""
        return self.folder / f"{experiment.name}{beside}.{ending}"

    def last(self, experiment: Experiment, lab: Lab) -> Record | None:
        """The last verdict, also of other versions; None where there is none, or none that can be read."""
        path = self.path(experiment, lab, "json")
        try:
            return Record.of(json.loads(path.read_text("utf-8")))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from error
        except (ValueError, TypeError, KeyError):  # of another version, or damaged: it is measured again
            return None

    def valid(self, experiment: Experiment, lab: Lab) -> Record | None:
        """The last verdict where its inputs are those of today."""
        found = self.last(experiment, lab)
        return found if found is not None and found.key == key(experiment, lab) else None

    def write(self, experiment: Experiment, lab: Lab, record: Record, page: str) -> Path:
        """Keeps a verdict and its page; the page's path.

        Raises:
            DataError: the disk is full or the folder cannot be written.
        """
        write_atomically(self.path(experiment, lab, "json"), (json.dumps(record.to_json()) + "\n").encode())
        path = self.path(experiment, lab, "html")
        write_atomically(path, page.encode())
        return path
