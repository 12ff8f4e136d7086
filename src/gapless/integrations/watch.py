"""Watching a training: the gap epoch by epoch, when overfitting began, what is switched on, what to try."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import stats
from torch import nn

from gapless.decay.optimizers import unwrapped
from gapless.dropout.places import rated
from gapless.integrations.clean import Sample, Score, measure, sample
from gapless.integrations.gap import Estimate, Floats, Gap, gap_of
from gapless.kinds import is_norm
from gapless.surgery import plain_class

if TYPE_CHECKING:
    from gapless.recipe import Recipe


@dataclass(frozen=True)
class Overfitting:
    """Since the end of epoch `best` (from 0) the loss of new rows has risen while that of training rows fell.

    rise: of the loss of new rows, up to the latest epoch; low, high: its 95 % interval, paired row by row.
    """

    best: int
    rise: float
    low: float
    high: float

    def __str__(self) -> str:
        return (
            f"Overfitting began after epoch {self.best + 1}: since then the loss of new rows has risen by "
            f"{self.rise:.3g} ({self.low:.3g} to {self.high:.3g}), while that of training rows fell."
        )


class Watch:
    """Measures the gap of a model in training, on the same rows each time, and changes nothing.

    Args:
        train, new: loaders of training rows and of rows the model is not trained on.
        rows: how many of each are measured at the most.
    """

    def __init__(self, train: Any, new: Any, rows: int = 1000) -> None:
        self._train, self._new = sample(train, rows), sample(new, rows)
        self.history: list[Gap] = []
        self._best: Floats | None = None  # the losses of new rows where their mean was least, and the latest ones
        self._latest: Floats | None = None

    @property
    def varies(self) -> bool:
        """Whether the data set gives training rows differently each time: they are not clean then."""
        return self._train.varies

    def try_out(self, model: nn.Module, score: Score) -> None:
        """Scores a batch of each side, so that a training does not end at its first measurement.

        Raises:
            UsageError: they cannot be scored.
        """
        for each in (self._train, self._new):
            measure(model, Sample(lambda each=each: islice(each.batches(), 1), None), score)

    def measure(self, model: nn.Module, epoch: int, score: Score) -> Gap:
        """The gap after an epoch, from 0; an epoch that was measured before is measured anew."""
        train, new = measure(model, self._train, score), measure(model, self._new, score)
        found = gap_of(epoch, train, new)
        self.history = [gap for gap in self.history if gap.epoch < epoch]
        if self._best is None or all(found.loss.new < gap.loss.new for gap in self.history):
            self._best = new.losses
        self._latest = new.losses
        self.history.append(found)
        return found

    def overfitting(self) -> Overfitting | None:
        """When it began, if it did: a rise of the loss of new rows that is more than chance."""
        if len(self.history) < 2 or self._best is None or self._latest is None:
            return None
        best, latest = min(self.history, key=lambda gap: gap.loss.new), self.history[-1]
        if best is latest or latest.loss.train >= best.loss.train or len(self._best) != len(self._latest):
            return None
        rises = self._latest - self._best
        rise, error = float(rises.mean()), float(rises.std(ddof=1)) / math.sqrt(len(rises))
        half = float(stats.t.isf(0.025, len(rises) - 1)) * error
        return Overfitting(best.epoch, rise, rise - half, rise + half) if rise - half > 0 else None

    def report(self, model: nn.Module, optimizers: Sequence[Any] = (), recipe: Recipe | None = None) -> str:
        """What was found, in lines."""
        lines = [f"After epoch {self.history[-1].epoch + 1}: {self.history[-1]}." if self.history else "No epoch yet."]
        found = self.overfitting()
        lines += [] if found is None else [str(found)]
        if self.varies:
            lines.append(
                "The data set varies its training rows by itself, so they were measured varied, and the gap is larger "
                "than it looks; give clean= a loader that does not."
            )
        on = switched_on(model, optimizers, recipe)
        lines.append("Switched on: " + ("; ".join(on.values()) or "nothing") + ".")
        if self.history:
            lines.append(_advice(self.history[-1], {*on, *(("augmentation",) if self.varies else ())}))
        return "\n".join(lines)

    # ── plain values, for a checkpoint ──

    def state_dict(self) -> dict[str, Any]:
        best = None if self._best is None else torch.from_numpy(self._best.astype(np.float32))
        return {"history": [asdict(gap) for gap in self.history], "best": best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.history = [_gap(values) for values in state["history"]]
        self._best = None if state["best"] is None else state["best"].double().numpy()


def _gap(values: dict[str, Any]) -> Gap:
    right = values["right"]
    rows = (int(values["rows"][0]), int(values["rows"][1]))
    return Gap(values["epoch"], Estimate(**values["loss"]), None if right is None else Estimate(**right), rows)


# ── what is switched on ──


def switched_on(model: nn.Module, optimizers: Sequence[Any] = (), recipe: Recipe | None = None) -> dict[str, str]:
    """Pillars that act on a model in training, each with what was found of it.

    Augmentation is seen only where it is a recipe's.
    """
    found = {
        "dropout": _dropouts(model),
        "normalization": _norms(model),
        "weight decay": _decays(optimizers),
        "augmentation": _augmentation(recipe),
    }
    return {name: words for name, words in found.items() if words}


def _dropouts(model: nn.Module) -> str:
    rates = Counter(round(place.rate, 4) for place in rated(model) if place.rate > 0)
    return (
        "dropout " + ", ".join(f"{rate:g} in {n} place{'s' * (n > 1)}" for rate, n in sorted(rates.items()))
        if rates
        else ""
    )


def _norms(model: nn.Module) -> str:
    kinds = Counter(plain_class(module).__name__ for module in model.modules() if is_norm(module))
    return ", ".join(f"{n} {name}" for name, n in kinds.most_common())


def _decays(optimizers: Sequence[Any]) -> str:
    found: Counter[float] = Counter()
    for optimizer in optimizers:
        for group in unwrapped(optimizer).param_groups:
            strength = float(group.get("weight_decay", 0))
            found[strength] += sum(p.numel() for p in group["params"]) if strength else 0
    parts = [f"{strength:g} on {n:,} parameters" for strength, n in sorted(found.items()) if strength and n]
    return "weight decay " + ", ".join(parts) if parts else ""


def _augmentation(recipe: Recipe | None) -> str:
    if recipe is None or not recipe.augment.active:
        return ""
    part = recipe.augment
    rest = [
        f"{name.replace('_', ' ')} {getattr(part, name):g}"
        for name in ("mixup", "cutmix", "label_smoothing", "noise", "cutoff")
        if getattr(part, name)
    ]
    return "augmentation " + ", ".join([*(f"{op.op} {op.strength:g}" for op in part.every_op), *rest])


# ── what to try ──

_TRY = {
    "augmentation": "augmentation (for pictures rotate 15, scale 0.15 and mixup 0.2)",
    "weight decay": "weight decay 0.05 with AdamW",
    "dropout": "dropout 0.1 to 0.3 before the last layers",
    "normalization": "batch norm after the layers with weights",
}
"""Where to begin, the likeliest first: the strengths with which the search of `gapless tune` begins as well."""


def _advice(gap: Gap, on: set[str]) -> str:
    if gap.main.low <= 0 and gap.loss.low <= 0:
        return "No gap that is more than chance: more regularization is not what this model lacks."
    ways = list(_ways(gap, on))
    return f"To try: {'; '.join(ways)}. `gapless tune` measures which of them helps, and how strong."


def _ways(gap: Gap, on: set[str]) -> Iterator[str]:
    if gap.right is not None and gap.right.low <= 0:
        yield "label smoothing 0.1, for only the loss has a gap: the model is too sure of itself"
    missing = [name for name in _TRY if name not in on]
    yield from (_TRY[name] for name in missing)
    if not missing:
        yield "more of what is on, or more rows"
