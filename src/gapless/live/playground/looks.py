"""What is to be seen of a network after an epoch: scores, the plane or the pictures, norms, noise and doubt."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gapless import draws
from gapless.data import Task
from gapless.dropout.places import is_random
from gapless.dropout.uncertainty import monte_carlo
from gapless.kinds import WEIGHT_TYPES, BatchNormType
from gapless.live.playground.worlds import plane
from gapless.recipe.batch import vary
from gapless.surgery import modes_kept
from gapless.train.batches import Feed
from gapless.train.loop import Trainer, feed_of
from gapless.train.scores import score

SIDE = 40
"""Points of the plane along each axis."""
PASSES = 10
"""Passes with dropout on, of which the doubt is made."""
ASKED = 200
"""New rows on which right and wrong answers are compared by their doubt."""
SHOWN = 16
"""Pictures that are shown as the network gets them."""
PIXELS = 48
"""Sides of pictures are thinned to this before they are sent."""
SLOW = 5
"""Epochs between two looks at what takes longer than an epoch."""


class Looks:
    """Looks at a training; between two epochs only."""

    def __init__(self, trainer: Trainer, task: Task):
        assert task.confirm is not None and isinstance(trainer.feed, Feed)
        self._trainer, self._feed = trainer, trainer.feed
        new = feed_of(task.confirm, trainer.scale, trainer.classes, trainer.device, trainer.memory)
        assert isinstance(new, Feed)
        self._new = new
        self._flat = (
            task.kind == "table" and task.shape == (2,) and not any(task.categorical) and len(task.classes) == 2
        )
        self._plane = torch.from_numpy(plane(SIDE)) if self._flat else None
        self._random = any(is_random(module) for module in trainer.model.modules())
        self._norm = _Noise(trainer.model)

    def frame(self) -> dict[str, Any]:
        """One epoch's document.

        Raises:
            Diverged: the model gives numbers without bound.
        """
        trainer = self._trainer
        model, epoch = trainer.judged, trainer.epoch
        shown = trainer.plan.epochs == epoch or epoch % SLOW == 0
        train, new = score(model, self._feed), score(model, self._new)
        found: dict[str, Any] = {
            "epoch": epoch,
            "train": round(train.mean, 4),
            "new": round(new.mean, 4),
            "losses": [round(train.loss, 4), round(new.loss, 4)],
            "norms": norms(model),
        }
        if (noise := self._norm.taken()) is not None:
            found["noise"] = round(noise, 4)
        if self._plane is not None:
            found["plane"] = self._shades(model)
        if self._feed.pictures and shown:
            found["varied"] = self._varied()
        if self._random and shown:
            found |= self._doubt(model, new.each)
        return found

    @torch.no_grad()
    def _shades(self, model: nn.Module) -> str:
        """The second class's probability at each point of the plane, a byte each."""
        with modes_kept(model):
            model.eval()
            return _bytes(model(self._plane).softmax(1)[:, 1])

    def _doubt(self, model: nn.Module, right: Any) -> dict[str, Any]:
        """What passes with dropout disagree about (mutual information, in bits): on new rows that the model has right
        and wrong, and all over the plane."""
        with torch.random.fork_rng([]):
            torch.manual_seed(draws.key(self._trainer.seed, "doubt", self._trainer.epoch))
            some = self._new.inputs(torch.arange(min(ASKED, len(self._new))))
            bits = self._bits(model, some)
            found: dict[str, Any] = {}
            if self._plane is not None:
                found["doubts"] = _bytes(self._bits(model, self._plane).clamp(max=1.0))
        known = torch.from_numpy(right[: len(bits)] > 0.5)
        means = [_mean(bits[known]), _mean(bits[~known])]
        return {**found, "doubt": means}

    def _bits(self, model: nn.Module, inputs: Tensor) -> Tensor:
        return monte_carlo(model, inputs, passes=PASSES).classes().mutual_information / np.log(2)

    def _varied(self) -> dict[str, Any]:
        """The first pictures as the network got them in this epoch: by the same draws."""
        trainer, part = self._trainer, self._trainer.part
        rows = np.arange(min(SHOWN, len(self._feed)))
        chances = draws.uniforms(trainer.seed, "augment", max(0, trainer.epoch - 1), rows, part.policy().columns)
        return pictures(vary(part, self._feed.raw(torch.from_numpy(rows)), chances))


class _Noise:
    """How much a batch's mean differs from batch to batch at the first batch norm, in standard deviations of its units.

    Nothing where the model has none.
    """

    def __init__(self, model: nn.Module):
        self._means: list[Tensor] = []
        self._spread: list[Tensor] = []
        norms = [module for module in model.modules() if isinstance(module, BatchNormType)]
        if norms:
            norms[0].register_forward_pre_hook(self._saw)

    def _saw(self, module: nn.Module, inputs: Sequence[Tensor]) -> None:
        if module.training:
            x = inputs[0].detach()
            x = x if x.ndim == 2 else x.transpose(0, 1).flatten(1).T
            self._means.append(x.mean(0))
            self._spread.append(x.var(0))

    def taken(self) -> float | None:
        """Of the epoch that just ended; None where there were fewer than two batches."""
        means, spread = self._means, self._spread
        self._means, self._spread = [], []
        if len(means) < 2:
            return None
        within = torch.stack(spread).mean(0).sqrt()
        return float((torch.stack(means).std(0) / within.clamp(min=1e-6)).mean())


def norms(model: nn.Module) -> list[list[Any]]:
    """[name, Euclidean length] of the weights of each layer."""
    layers = [(name, m) for name, m in model.named_modules() if isinstance(m, WEIGHT_TYPES)]
    lengths = [(name, getattr(layer, "weight", None)) for name, layer in layers]
    return [[name, round(float(w.detach().norm()), 3)] for name, w in lengths if isinstance(w, Tensor)]


def pictures(x: Tensor) -> dict[str, Any]:
    """Pictures in [0, 1] (B, C, H, W) as bytes: gray or RGB, row by row, thinned where they are large."""
    step = max(1, -(-max(x.shape[2:]) // PIXELS))
    x = x[:, : 3 if x.shape[1] >= 3 else 1, ::step, ::step]
    count, channels, height, width = x.shape
    shape = {"count": count, "channels": channels, "height": height, "width": width}
    return {**shape, "bytes": _bytes(x.permute(0, 2, 3, 1))}


def _bytes(x: Tensor) -> str:
    """Numbers from 0 to 1 as bytes, in base64."""
    found = (x.detach().float().nan_to_num(0.5) * 255).round().clamp(0, 255).byte()
    return base64.b64encode(found.contiguous().numpy().tobytes()).decode("ascii")


def _mean(x: Tensor) -> float | None:
    return round(float(x.mean()), 4) if len(x) else None
