"""A recipe on a model: dropout and batch norm put in place, undone exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gapless import batchnorm, dropout
from gapless.recipe.words import attach_words
from gapless.surgery import Change

if TYPE_CHECKING:
    from torch import nn

    from gapless.recipe.parts import BatchNorm, Dropout


def attach(part: Dropout, norm: BatchNorm, model: nn.Module) -> Change:
    """Puts a recipe's dropout and batch norm on `model`, in place; parameter names stay as they are.

    Batch norm comes after each layer with weights, dropout before the next one. Attach before you build the optimizer,
    and before DistributedDataParallel or torch.compile. A model that normalises already keeps its own norms; the
    account says so. For the model's original architecture after training, fold what was inserted into the weights:
    `gapless.batchnorm.fold(model)` (with `new_bias=True` for layers that have none).

    Raises:
        UsageError: the model is wrapped or compiled already, or has no place for any dropout of the recipe.
    """
    done: list[Change] = []
    try:
        if norm.insert:
            done.append(batchnorm.insert(model))
        if part.hidden or part.channel or part.input:
            done.append(dropout.attach(model, hidden=part.hidden, channel=part.channel, input=part.input))
        if part.embedding or part.word:
            done.append(attach_words(model, part.embedding, part.word))
    except BaseException:
        for change in reversed(done):
            change.undo()
        raise
    steps = tuple(step for change in reversed(done) for step in change.undo_steps)
    return Change(model, tuple(line for change in done for line in change.account), steps)
