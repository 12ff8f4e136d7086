"""One training of a diagnosis: on which rows and labels, and what is kept of the trained model."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from gapless import draws
from gapless.batchnorm.layers import FrozenBatchNorm
from gapless.batchnorm.statistics import reestimate
from gapless.data.splits import select_of
from gapless.data.task import Rows
from gapless.diagnose.twins.found import sampled
from gapless.kinds import BatchNormType
from gapless.recipe import Recipe
from gapless.run.job import Found
from gapless.train.loop import Trainer, feed_of
from gapless.train.scores import Scores, answers, score
from gapless.train.texts import answer

if TYPE_CHECKING:
    from torch import nn

    from gapless.data import Task
    from gapless.train.batches import Feed
    from gapless.train.texts import TextFeed

Index = NDArray[np.int64]

FOLDS = 5
"""Folds of a cross-fit: each development row is new to one of the trainings."""
SCORED = 4096
"""Rows trained on, at most, that are scored."""
AWAY = 1000
"""Rows of each set from elsewhere, at most, that are scored."""
RENEWED = 256
"""Rows, about, on which batch norm's statistics are taken at a time."""
WATCHED = 12
"""Epochs, at most, after which margins are read."""


@dataclass(frozen=True)
class Training:
    """A training, told apart from others by all that stands here. It is its own study (see `gapless.run.job.Study`).

    fold: which repeat of the train/select split; select is what is held out. share: of the rows to train on, drawn
    class by class; smaller shares are parts of larger ones with the same draw. flipped: share of the labels trained on
    that are put wrong (another class; of a regression another row's target). shuffled: whether they are all shuffled
    among the rows.
    draw: of the subset and the labels. seed: of weights and order, beside the fold's own.
    apart: the groups that stay together in the folds, one of `Rows.maybe`. without: the column of a table that is put
    to one value, from 0; -1 for none.
    logits: whether what the model says of held rows is kept. margins: likewise the mean margin of each row trained on.
    away: whether the further test data is scored.
    """

    recipe: Recipe
    lr: float
    epochs: int
    fold: int
    share: float = 1.0
    flipped: float = 0.0
    shuffled: bool = False
    draw: int = 0
    seed: int = 0
    apart: str = ""
    without: int = -1
    logits: bool = False
    margins: bool = False
    away: bool = False

    @property
    def key(self) -> str:
        """Its name in the journal: everything that is not as usual."""
        return json.dumps(self.facts(), sort_keys=True)

    def facts(self) -> dict[str, Any]:
        usual = Training(Recipe(), 0.0, 0, -1)
        names = [name for name in self.__dataclass_fields__ if name != "recipe"]
        facts = {name: getattr(self, name) for name in names if getattr(self, name) != getattr(usual, name)}
        return {**facts, **({"recipe": self.recipe.to_dict()} if self.recipe.active else {})}

    def rows(self, task: Task, seed: int) -> tuple[Index, Index]:
        """Rows trained on, and rows held out."""
        y, develop = task.develop.y, task.develop
        if self.apart:
            develop = replace(develop, group=develop.maybe[self.apart])
        train, held = select_of(develop, self.fold, seed)
        if self.share >= 1:
            return train, held
        strata = y[train] if task.classes else np.zeros(len(train), np.int64)
        order = draws.stream(seed, "diagnose subset", self.fold, self.draw).permutation(len(train))
        place = np.empty(len(train))
        for stratum in np.unique(strata):
            members = order[strata[order] == stratum]
            place[members] = (np.arange(len(members)) + 0.5) / len(members)
        count = max(2 * max(1, len(task.classes)), round(self.share * len(train)))
        return np.sort(train[np.argsort(place, kind="stable")[:count]]), held

    def wrong(self, task: Task, seed: int) -> tuple[Index, NDArray[np.generic]]:
        """Which of the rows trained on have labels put wrong, and these labels."""
        train, _ = self.rows(task, seed)
        y, stream = task.develop.y, draws.stream(seed, "diagnose labels", self.fold, self.draw)
        if self.shuffled:
            return train, y[stream.permutation(train)]
        chosen = np.sort(stream.permutation(train)[: round(self.flipped * len(train))])
        if not task.classes:
            return chosen, y[stream.permutation(len(y))[: len(chosen)]]
        return chosen, (y[chosen].astype(np.int64) + stream.integers(1, len(task.classes), len(chosen))) % len(
            task.classes
        )

    def material(self, task: Task, seed: int) -> tuple[Rows, Index]:
        train, _ = self.rows(task, seed)
        develop = task.develop
        if self.without >= 0:
            x = develop.x.copy()
            x[:, self.without] = _usual(x[train, self.without], self.without in task.categorical)
            develop = replace(develop, x=x)
        if self.flipped or self.shuffled:
            y = develop.y.copy()
            changed, labels = self.wrong(task, seed)
            y[changed] = labels
            develop = replace(develop, y=y)
        return develop, train

    def watch(self, trainer: Trainer, seen: Found) -> None:
        epochs = trainer.plan.epochs
        points = np.linspace(0, epochs, min(WATCHED, epochs) + 1)[1:].round()
        if not self.margins or trainer.epoch not in points:
            return
        outputs = answers(trainer.judged, trainer.feed, torch.from_numpy(trainer.rows)).cpu()
        labels = trainer.feed.labels.cpu()[torch.from_numpy(trainer.rows)].view(-1, 1)
        own = outputs.gather(1, labels)[:, 0]
        others = outputs.scatter(1, labels, float("-inf")).amax(1)
        seen["margins"] = seen.get("margins", np.zeros(len(own))) + (own - others).numpy() / len(points)

    def found(self, task: Task, seed: int, trainer: Trainer, seen: Found) -> Found:
        _, held = self.rows(task, seed)
        some = trainer.rows[np.linspace(0, len(trainer.rows) - 1, min(SCORED, len(trainer.rows))).round().astype(int)]
        known, new = (score(trainer.judged, trainer.feed, rows) for rows in (some, held))
        kept: Found = {
            "train": each_row(known, len(task.classes)).mean(keepdims=True),
            "held": each_row(new, len(task.classes)),
            "losses": new.losses,
        }
        if self.logits:
            kept["logits"] = answers(trainer.judged, trainer.feed, torch.from_numpy(held)).cpu().numpy()
        if self == self.plain:
            kept |= scored_renewed(trainer, trainer.feed, trainer.rows, held, "held")
        if self.away:
            kept |= scored_away(trainer, task)
        return kept | seen

    @property
    def plain(self) -> Training:
        """The same length, rate and fold with nothing changed of rows and labels, without a recipe."""
        return Training(Recipe(), self.lr, self.epochs, self.fold, logits=self.logits, away=self.away)


def _usual(values: NDArray[np.generic], category: bool) -> float:
    """The commonest category, or the mean."""
    if not category:
        return float(values.astype(np.float64).mean())
    found, counts = np.unique(values, return_counts=True)
    return float(found[int(counts.argmax())])


def scored_renewed(
    trainer: Trainer, feed: Feed | TextFeed, learned: Index, asked: Index, name: str
) -> dict[str, NDArray[np.float32]]:
    """What rows are worth once batch norm's running statistics are those of the rows `learned`; nothing without batch
    norm. The model is left as it was."""
    norms = [m for m in trainer.judged.modules() if isinstance(m, BatchNormType) and m.running_mean is not None]
    if not norms or all(isinstance(m, FrozenBatchNorm) for m in norms):
        return {}
    parts = np.array_split(learned, max(1, round(len(learned) / RENEWED)))

    def show(model: nn.Module, part: Index) -> object:
        inputs = feed.inputs(torch.from_numpy(part))
        return answer(model, inputs, trainer.device) if isinstance(inputs, list) else model(inputs)

    renewed = reestimate(trainer.judged, parts, feed=show)
    try:
        return {f"{name} renewed": each_row(score(trainer.judged, feed, asked), feed.classes)}
    finally:
        renewed.undo()


def scored_away(trainer: Trainer, task: Task) -> Found:
    """What rows of the further test data are worth, what the model says of them, and the former with batch norm renewed
    on them; of each set some rows, evenly spread."""
    kept: Found = {}
    for number, (_, rows) in enumerate(task.also):
        some = rows.take(sampled(len(rows), AWAY))
        feed = feed_of(some, trainer.scale, len(task.classes), trainer.device, trainer.memory)
        every = np.arange(len(some))
        kept[f"away {number}"] = each_row(score(trainer.judged, feed), len(task.classes))
        kept[f"away {number} logits"] = answers(trainer.judged, feed, torch.from_numpy(every)).cpu().numpy()
        kept |= scored_renewed(trainer, feed, every, every, f"away {number}")
    return kept


def each_row(scores: Scores, classes: int) -> NDArray[np.float32]:
    """What each row is worth: 1 or 0, or 1 - squared error in units of the variance of the target trained on.

    The last is one scale for any set of rows, where r2 has a denominator of its own on each.
    """
    return scores.each if classes else 1 - scores.losses
