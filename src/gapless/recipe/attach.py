"""A recipe on a model: dropout and batch norm put in place, undone exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gapless import batchnorm, dropout
from gapless.flow import follow
from gapless.recipe.words import attach_words
from gapless.surgery import Change, refuse_wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from gapless.flow import Example
    from gapless.recipe.parts import BatchNorm, Dropout


def attach(
    part: Dropout,
    norm: BatchNorm,
    model: nn.Module,
    example: Example | None,
    where: Sequence[str] | None,
    skip: Sequence[str] | None,
) -> Change:
    """Puts a recipe's dropout and batch norm on `model`, in place; parameter names stay as they are.

    Batch norm comes after each layer with weights, dropout before the next one. Attach before you build the optimizer,
    and before DistributedDataParallel or torch.compile. A model that normalises already keeps its own norms; the
    account says so. For the model's original architecture after training, fold what was inserted into the weights:
    `gapless.batchnorm.fold(model)` (with `new_bias=True` for layers that have none).

    Args:
        example: an input of the model: a tensor, a tuple of arguments, or a dict of them by name. It is run once in
            eval mode and shows which layers take the input, which are heads, which see one tensor, and which table
            holds the words. Without one the order of registration is taken for the order of use, and the account says
            so.
        where: patterns of module paths (`["classifier.*"]`): hidden and channel dropout go nowhere else. None: what the
            recipe says.
        skip: patterns of layers that get no batch norm. None: what the recipe says.

    Raises:
        UsageError: the model is wrapped or compiled already, does not take the example, has nothing by the name of a
            pattern, or has no place for any dropout of the recipe.
    """
    where, skip = part.where if where is None else where, norm.skip if skip is None else skip
    if (norm.insert, part.active) != (False, False):
        refuse_wrapped(model, "attach a recipe")
    flow = follow(model, example) if norm.insert or part.active else None
    done: list[Change] = []
    try:
        if norm.insert:
            done.append(batchnorm.insert(model, skip=skip, example=flow))
        if part.hidden or part.channel or part.input:
            rates = {"hidden": part.hidden, "channel": part.channel, "input": part.input}
            done.append(dropout.attach(model, where=where, example=flow, **rates))
        if part.embedding or part.word:
            done.append(attach_words(model, part.embedding, part.word, flow))
    except BaseException:
        for change in reversed(done):
            change.undo()
        raise
    steps = tuple(step for change in reversed(done) for step in change.undo_steps)
    return Change(model, tuple(line for change in done for line in change.account), steps)
