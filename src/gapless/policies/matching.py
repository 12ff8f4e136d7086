"""One fold of density matching as a job: a plain training, then proposals scored on the rows left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from gapless import draws
from gapless.augment.policies.density import match
from gapless.augment.policies.space import Codes, Space
from gapless.data.splits import select_of
from gapless.data.task import Rows
from gapless.recipe import Augment
from gapless.recipe.batch import vary
from gapless.run.job import Found
from gapless.surgery import modes_kept
from gapless.train.scores import calibrated_losses
from gapless.train.texts import TextFeed

if TYPE_CHECKING:
    from gapless.data import Task
    from gapless.train.loop import Trainer

BATCH = 512


@dataclass(frozen=True)
class Matching:
    """A study (see `gapless.run.job.Study`).

    split: the fold. trials: policies that are proposed. keep: how many of them are kept. views: how often each row is
    drawn under a policy.
    """

    space: Space
    split: int
    trials: int
    keep: int
    views: int = 2

    def material(self, task: Task, seed: int) -> tuple[Rows, NDArray[np.int64]]:
        return task.develop, select_of(task.develop, self.split, seed)[0]

    def watch(self, trainer: Trainer, seen: Found) -> None: ...

    def found(self, task: Task, seed: int, trainer: Trainer, seen: Found) -> Found:
        """codes (keep, sub-policies, operations, 3) with their losses (keep,), and the loss of the rows as they are."""
        held = np.tile(select_of(task.develop, self.split, seed)[1], self.views)

        def loss(codes: Codes) -> float:
            return _loss(trainer, Augment.of(self.space.sub_policies(codes)), held, seed)

        kept = match(self.space, loss, self.trials, self.keep, draws.key(seed, "density", self.split) >> 1)
        return {
            "codes": np.stack([codes for _, codes in kept]).astype(np.float32),
            "losses": np.array([value for value, _ in kept], np.float32),
            "plain": np.array([_loss(trainer, Augment(), held, seed)], np.float32),
        }


@torch.no_grad()
def _loss(trainer: Trainer, part: Augment, rows: NDArray[np.int64], seed: int) -> float:
    """Mean calibrated loss of rows under a policy, in eval mode; a row that comes twice is drawn twice."""
    feed = trainer.feed
    assert not isinstance(feed, TextFeed), "sub-policies are for pictures"
    chances = draws.uniforms(seed, "density views", 0, np.arange(len(rows)), part.policy().columns)
    index = torch.from_numpy(rows).to(trainer.device)
    outputs: list[torch.Tensor] = []
    with modes_kept(trainer.judged):
        trainer.judged.eval()
        for start in range(0, len(rows), BATCH):
            some = slice(start, start + BATCH)
            outputs.append(trainer.judged(feed.normal(vary(part, feed.raw(index[some]), chances[some]))).float())
    return float(calibrated_losses(torch.cat(outputs), feed.labels[index]).mean())
