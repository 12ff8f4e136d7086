"""Trains one recipe on all rows, and finds out on held-out ones how sure the model may be."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from gapless import draws
from gapless.data.inputs.kept import inputs_of
from gapless.data.splits import select_split
from gapless.data.task import Rows
from gapless.errors import DataError
from gapless.metrics import usual
from gapless.train.loop import Diverged, Plan, Trainer
from gapless.train.predictions import HeldOut
from gapless.train.scores import answers
from gapless.train.trained import TrainedModel

if TYPE_CHECKING:
    from gapless.data import Task
    from gapless.recipe import Recipe

_ENOUGH = 200
"""Held-out rows that are enough to fit one number; where a fifth of the rows is fewer, more fifths are held out."""
_FOLDS = 5
_WITHIN = 0.9  # of the answers of a regression
_SHARPEST = 20.0  # temperatures lie between its inverse and it
_PROBED = 8

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Training:
    """How a model is trained: what a run found, or what the user wants."""

    recipe: Recipe
    lr: float
    plan: Plan
    seed: int = 0


def fit(
    task: Task, training: Training, progress: Progress | None = None, hear: Callable[[], None] | None = None
) -> TrainedModel:
    """A model trained on all rows of a task, those of the verdict included.

    Before that, models trained in the same way on four fifths answer the other fifth: the temperature of its
    probabilities (Guo et al., arXiv 1706.04599, section 4.2) is fitted there, with the targets that Platt gives against
    certainty from few rows (Probabilistic Outputs for Support Vector Machines, 1999, section 2.1); of a regression, how
    far off its answers are (split conformal: Lei et al., arXiv 1604.04173, section 2.2).

    Args:
        task: with its model. Texts whose recipe needs paraphrases are trained on `develop` alone, as only it has them.
        progress: told the share that is done.
        hear: called after every epoch; what it raises ends the training.

    Raises:
        DataError: the training diverges.
    """
    build = task.model
    assert build is not None, "a task is given its model before it is trained"
    with _all_rows(task, training.recipe) as rows:
        folds = min(_FOLDS, -(-_ENOUGH // max(1, len(rows) // 5)))
        whole, done = training.plan.epochs * (folds + 1), 0

        def after_epoch(epoch: int) -> None:
            nonlocal done
            done += 1
            if progress is not None:
                progress(done / whole)
            if hear is not None:
                hear()

        outputs, held = _held_out(task, training, rows, folds, after_epoch)
        known = _judged(task, outputs, rows.y[held])
        trainer = _trained(task, training, rows, np.arange(len(rows)), draws.key(training.seed, "fit"), after_epoch)
        model = trainer.judged.eval()
        plan = training.plan
        about = {
            "data": task.name,
            "rows": len(rows),
            "model": task.model_name,
            "metric": usual(len(task.classes)).name,
            "learning rate": training.lr,
            "epochs": plan.epochs,
            "batch size": plan.batch_size,
            "optimizer": plan.optimizer,
            "averaging of weights": plan.ema,
            "seed": training.seed,
        }
        probe = rows.x[np.linspace(0, len(rows) - 1, min(_PROBED, len(rows))).astype(np.int64)].copy()
        return TrainedModel(
            model, training.recipe, task.classes, trainer.scale, inputs_of(task), known, build, about, probe
        )


def _trained(
    task: Task, training: Training, rows: Rows, index: NDArray[np.int64], seed: int, after_epoch: Callable[[int], None]
) -> Trainer:
    trainer = Trainer(task, index, training.recipe, training.lr, seed, training.plan, rows)
    try:
        trainer.run_to(training.plan.epochs, after_epoch)
    except Diverged as error:
        raise DataError(f"the model cannot be trained on all rows: {error}; try another --seed") from error
    return trainer


def _held_out(
    task: Task, training: Training, rows: Rows, folds: int, after_epoch: Callable[[int], None]
) -> tuple[torch.Tensor, NDArray[np.int64]]:
    """What models say of rows they were not trained on, (n, outputs), a regression in standard deviations of the
    target; and which rows these are."""
    found: list[torch.Tensor] = []
    places: list[NDArray[np.int64]] = []
    for fold in range(folds):
        index, held = select_split(rows.y, fold, training.seed)
        trainer = _trained(task, training, rows, index, draws.key(training.seed, "fit", fold), after_epoch)
        said = answers(trainer.judged, trainer.feed, torch.from_numpy(held)).double().cpu()
        if not task.classes:
            mean, sd = trainer.scale.target
            said = said * sd + mean
        found.append(said)
        places.append(held)
    return torch.cat(found), np.concatenate(places)


def _judged(task: Task, outputs: torch.Tensor, y: NDArray[Any]) -> HeldOut:
    labels, metric = torch.from_numpy(np.array(y)), usual(len(task.classes))
    if not torch.isfinite(outputs).all():
        raise DataError("the model gives NaN or infinite values on rows it was not trained on; try another --seed")
    if task.classes:
        score = metric.sign * float(metric.rows(outputs, labels).mean())
        return HeldOut(len(labels), score, temperature(outputs, labels))
    score = metric.sign * float(metric.rows(outputs[:, 0], labels.double()).mean())
    off = np.sort(np.abs(outputs[:, 0].numpy() - y.astype(np.float64)))
    # the quantile that holds for one more row of this kind
    place = min(len(off) - 1, int(np.ceil(_WITHIN * (len(off) + 1))) - 1)
    return HeldOut(len(labels), score, within=float(off[place]))


def temperature(outputs: torch.Tensor, labels: torch.Tensor) -> float:
    """What (n, classes) scores are divided by so that the probabilities suit held-out labels (n,) best."""
    rows, classes = outputs.shape
    sure = (rows + 1) / (rows + 2)
    targets = torch.full(outputs.shape, (1 - sure) / (classes - 1), dtype=torch.float64)
    targets[torch.arange(rows), labels] = sure

    def loss(log_inverse: float) -> float:
        return -float((targets * (outputs * np.exp(log_inverse)).log_softmax(1)).sum(1).mean())

    widest = float(np.log(_SHARPEST))
    found: Any = minimize_scalar(loss, bounds=(-widest, widest), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(-found.x))


@contextmanager
def _all_rows(task: Task, recipe: Recipe) -> Generator[Rows]:
    """Develop and confirm as one; where one is a mapped file, in a file that is gone afterwards."""
    develop, confirm = task.develop, task.confirm
    if confirm is None or (task.kind == "text" and _picks(task, recipe)):
        yield develop
        return
    y = np.concatenate([develop.y, confirm.y])
    if not isinstance(develop.x, np.memmap):
        yield Rows(np.concatenate([develop.x, confirm.x]), y)
        return
    with tempfile.TemporaryDirectory() as folder:
        shape = (len(y), *develop.x.shape[1:])
        x = open_memmap(Path(folder) / "all.npy", mode="w+", dtype=develop.x.dtype, shape=shape)
        for start, part in ((0, develop.x), (len(develop), confirm.x)):
            for at in range(0, len(part), 1024):
                x[start + at : start + at + 1024] = part[at : at + 1024]
        yield Rows(x, y)


def _picks(task: Task, recipe: Recipe) -> bool:
    """Whether the recipe needs paraphrases, which were made for the develop rows alone."""
    return any(op.op in task.paraphrases for op in recipe.augment.ops)
