"""Worlds whose truth is known, and tiny runs in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from small_tasks import with_model

from gapless.data import Rows, Task
from gapless.data.source import SourceOptions, load
from gapless.evidence.result import Result
from gapless.recipe import Recipe
from gapless.report import collect as outcome
from gapless.search.options import TuneOptions
from gapless.search.stages import Finished, tune
from gapless.train.batches import Feed
from gapless.train.loop import Trainer
from gapless.train.scores import score


class Silent:
    """Hears how a run goes on and says nothing."""

    def phase(self, name: str) -> None: ...

    def progress(self, share: float, left: float | None, note: str) -> None: ...


def run(task: Task, folder: Path, trials: int, epochs: int, seed: int = 0, batch: int = 16) -> tuple[Finished, Result]:
    """A whole run of one worker; small batches, so that a few rows make several steps."""
    options = TuneOptions(folder, minutes=None, trials=trials, epochs=epochs, batch_size=batch, seed=seed, workers=1)
    finished = tune(task, options, Silent(), lambda: False)
    return finished, outcome.result(task, options, finished)


def _task(name: str, x: NDArray[np.generic], y: NDArray[np.generic], rows: int, classes: str, width: int) -> Task:
    word = "cnn" if x.ndim == 4 else "mlp"
    return with_model(Task(name, Rows(x[:rows], y[:rows]), Rows(x[rows:], y[rows:]), tuple(classes)), word, width)


def few_digits(seed: int) -> Task:
    """100 digits: the plain model is right on about 85 % of new ones, and known recipes gain more than five points."""
    return with_model(load("digits", SourceOptions(train_size=100, seed=seed)), "cnn")


def null_table(seed: int, rows: int = 60, confirm: int = 400) -> Task:
    """Labels that have nothing to do with the rows: every model is right half of the time, so every gain is 0."""
    rng = np.random.default_rng([seed, 1])
    x = rng.standard_normal((rows + confirm, 6)).astype(np.float32)
    return _task("null", x, rng.integers(0, 2, rows + confirm), rows, "ab", 8)


def null_pictures(seed: int, rows: int = 60, confirm: int = 400) -> Task:
    """The same for pictures."""
    rng = np.random.default_rng([seed, 2])
    x = rng.integers(0, 256, (rows + confirm, 6, 6, 1), dtype=np.uint8)
    return _task("null pictures", x, rng.integers(0, 2, rows + confirm), rows, "ab", 4)


def noisy_rows(seed: int, rows: int = 60, confirm: int = 4000) -> Task:
    """A line through two of twenty columns under noise twice as large, which a plain perceptron learns by heart."""
    rng = np.random.default_rng([seed, 4])
    x = rng.standard_normal((rows + confirm, 20)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] + 2 * rng.standard_normal(rows + confirm)).astype(np.float32)
    return _task("noisy rows", x, y, rows, "", 64)


def fresh(seed: int, rows: int = 20_000) -> Rows:
    """More rows of the world of `noisy_rows` than any run has seen."""
    return noisy_rows(1_000_000 + seed, rows=2, confirm=rows).confirm or Rows(np.zeros((0, 20)), np.zeros(0))


def true_scores(
    finished: Finished, task: Task, recipe: Recipe, lr: float, rows: Rows, seeds: int
) -> NDArray[np.float64]:
    """Scores on fresh rows of models trained on all development rows, with seeds that the run has not used."""
    found: list[float] = []
    for seed in range(seeds):
        index = np.arange(len(task.develop))
        trainer = Trainer(task, index, recipe, lr, 10_000_000 + seed, finished.plan, task.develop)
        trainer.run_to(finished.plan.epochs)
        feed = Feed(rows, trainer.scale, len(task.classes), trainer.device)
        found.append(score(trainer.judged, feed).mean)
    return np.array(found)
