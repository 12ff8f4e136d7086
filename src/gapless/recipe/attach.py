"""A recipe on a model: dropout and batch norm put in place, undone exactly, and an optimizer with the right decay."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import torch

from gapless import batchnorm, decay, dropout
from gapless.errors import UsageError, did_you_mean
from gapless.recipe.words import attach_words, detach_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn
    from torch.optim import Optimizer

    from gapless.recipe.recipe import Recipe


@dataclass(frozen=True)
class Attached:
    """What a recipe did to a model: `account` has a line for each place; `undo()` gives the model back as it was."""

    account: tuple[str, ...]
    _undo: tuple[Callable[[], None], ...]

    def undo(self) -> None:
        for step in self._undo:
            step()


def attach(recipe: Recipe, model: nn.Module) -> Attached:
    """Puts the recipe's dropout and batch norm on `model`, in place; parameter names stay as they are.

    Batch norm comes after each layer with weights, dropout before the next one. Attach before you build the optimizer,
    and before DistributedDataParallel or torch.compile. A model that normalises already keeps its own norms; the
    account says so. For the model's original architecture after training, fold what was inserted into the weights:
    `gapless.batchnorm.fold(model)` (with `new_bias=True` for layers that have none).

    Raises:
        ValueError: the model is wrapped or compiled already, or has no place for any dropout of the recipe.
    """
    account: list[str] = []
    undo: list[Callable[[], None]] = []
    if recipe.batchnorm.insert:
        inserted = batchnorm.insert(model)
        account += [f"{p.path}: {p.what} ({p.why})" for p in inserted.account]
        undo.insert(0, inserted.undo)
    part = recipe.dropout
    try:
        if part.hidden or part.channel or part.input:
            dropped = dropout.attach(model, hidden=part.hidden, channel=part.channel, input=part.input)
            account += [f"{p.path}: {p.what} {p.p:.3g} ({p.why})" for p in dropped.account]
            undo.insert(0, dropped.undo)
        if part.embedding or part.word:
            account += attach_words(model, part.embedding, part.word)
            undo.insert(0, partial(detach_words, model))
    except ValueError:
        for step in undo:
            step()
        raise
    return Attached(tuple(account), tuple(undo))


def optimizer(recipe: Recipe, model: nn.Module, lr: float, kind: Literal["adamw", "sgd"] = "adamw") -> Optimizer:
    """AdamW, or SGD with Nesterov momentum 0.9, with the recipe's weight decay on the parameters it is meant for.

    torch's fused form is used: its foreach form is several times slower on CPU. SGD couples the decay (adds
    weight_decay * w to the gradient), AdamW does not; without momentum both shrink weights by lr * strength a step.
    """
    rules = {"weights": decay.RULES, "everything": decay.EVERYTHING}[recipe.decay.on]
    groups: list[dict[str, Any]] = decay.groups(model, recipe.decay.strength, rules=rules)
    if kind == "adamw":
        return torch.optim.AdamW(groups, lr=lr, fused=True)
    if kind == "sgd":
        return torch.optim.SGD(groups, lr=lr, momentum=0.9, nesterov=True, fused=True)
    raise UsageError(f"optimizer: there is no {kind!r}.{did_you_mean(kind, ['adamw', 'sgd'])}")
