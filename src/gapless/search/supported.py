"""What a model can take: it is tried once on a batch, and each place for dropout and batch norm is tried on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from gapless import batchnorm, dropout
from gapless.errors import DataError, UsageError
from gapless.recipe import Recipe
from gapless.recipe.mixing import why_no_cutoff
from gapless.recipe.words import why_no_embedding_dropout, why_no_word_dropout, word_table
from gapless.search.space import PARAPHRASED, Knob, knobs
from gapless.train.batches import Scale
from gapless.train.loop import build, feed_of
from gapless.train.memory import picture_format
from gapless.train.texts import answer

if TYPE_CHECKING:
    from gapless.data import Task


def check_device(name: str) -> None:
    """Raises a UsageError where torch cannot compute on the device."""
    try:
        torch.zeros(1, device=name).add(1)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        said = str(error).splitlines()[0]
        why = "there is no such device; cpu and cuda are usual" if "Expected one of" in said else said
        raise UsageError(f"--device {name}: torch cannot use it here: {why}") from error


def check(task: Task) -> int:
    """Tries the task's model on one batch, forward and backward; returns the number of its parameters.

    Raises:
        DataError: it raises, gives another shape than (B, classes), gives NaN, has nothing to train, or cannot be
            built anew or saved.
    """
    import numpy as np

    index = np.arange(min(4, len(task.develop)))
    scale = Scale.of(task.develop, len(task.classes), index)
    model = _built(task)
    feed = feed_of(task.develop.take(index), scale, len(task.classes), torch.device("cpu"), picture_format(model))
    inputs = feed.inputs(torch.arange(len(index)))
    batch = f"{len(inputs)} texts" if isinstance(inputs, list) else f"a batch {tuple(inputs.shape)}"
    try:
        with torch.random.fork_rng([]):  # its dropout draws, and the user's generator is none of ours
            model.train()
            outputs = answer(model, inputs, feed.device) if isinstance(inputs, list) else model(inputs)
    except DataError as error:
        raise DataError(f"model {task.model_name}: {error}") from error
    except (Exception, SystemExit) as error:  # the user's model may raise anything
        raise DataError(f"model {task.model_name}: raised {type(error).__name__} on {batch}: {error}") from error
    wanted = (len(index), task.outputs)
    if not isinstance(outputs, torch.Tensor) or tuple(outputs.shape) != wanted:
        got = tuple(outputs.shape) if isinstance(outputs, torch.Tensor) else type(outputs).__name__
        raise DataError(
            f"model {task.model_name}: must return a tensor {wanted} for a batch of {len(index)}, got {got}"
        )
    if not outputs.isfinite().all():
        raise DataError(
            f"model {task.model_name}: returned NaN or infinite numbers on its first batch, before any training; "
            "look at its initialisation and at divisions and logarithms"
        )
    trained = [p for p in model.parameters() if p.requires_grad]
    if not trained or not outputs.requires_grad:
        raise DataError(f"model {task.model_name}: has no parameters to train")
    outputs.square().mean().backward()
    return sum(p.numel() for p in trained)


def _built(task: Task) -> nn.Module:
    """A model that can be built, changed, saved and trained from the start again and again, or a DataError."""
    where = f"model {task.model_name}"
    try:
        model, other = cast("list[object]", [build(task, 0), build(task, 0)])
    except (Exception, SystemExit) as error:  # the user's function may raise anything
        raise DataError(f"{where}: building it raised {type(error).__name__}: {error}") from error
    if not isinstance(model, nn.Module) or not isinstance(other, nn.Module):
        raise DataError(f"{where}: must be a torch.nn.Module, got a {type(model).__name__}")
    if {id(p) for p in model.parameters()} & {id(p) for p in other.parameters()}:
        raise DataError(f"{where}: the same weights came back at the second call; build a new module at every call")
    state = [*model.parameters(), *model.buffers()]
    if any(is_lazy(p) for p in state):
        raise DataError(
            f"{where}: has lazy layers, whose sizes nobody knows before the first batch; give them their sizes, or "
            "pass a batch through the model before you return it"
        )
    if not all(isinstance(value, torch.Tensor) for value in model.state_dict().values()):
        raise DataError(f"{where}: its state_dict holds more than tensors (get_extra_state), which cannot be saved")
    try:
        batchnorm.insert(other)  # refuses a model that is wrapped or compiled, and says why
    except ValueError as error:
        raise DataError(f"{where}: {error}") from error
    return model


def supported(task: Task) -> tuple[Knob, ...]:
    """The knobs that mean something for this task and its model: without a Linear layer there is no hidden dropout,
    without a paraphrase no back-translation."""
    tries: dict[str, Callable[[nn.Module], bool]] = {
        "dropout": lambda m: _takes(m, hidden=0.1),
        "channel dropout": lambda m: _takes(m, channel=0.1),
        "input dropout": lambda m: _takes(m, input=0.1),
        "batch norm": lambda m: bool(batchnorm.insert(m).paths),
        "embedding dropout": lambda m: not why_no_embedding_dropout(m),
        "word dropout": lambda m: not why_no_word_dropout(m),
    }
    if task.kind == "text":
        tries["mixup"] = lambda m: word_table(m) is not None
        tries["cutoff"] = lambda m: not why_no_cutoff(m)
    paraphrased = {op for op, each in task.paraphrases.items() if any(each.values())}
    found = [k for k in knobs(task.kind, len(task.classes)) if PARAPHRASED.get(k.name) in (None, *paraphrased)]
    return tuple(k for k in found if k.name not in tries or tries[k.name](build(task, 0)))


def _takes(model: nn.Module, hidden: float = 0.0, channel: float = 0.0, input: float = 0.0) -> bool:
    try:
        dropout.attach(model, hidden=hidden, channel=channel, input=input)
    except ValueError:
        return False
    return True


def only(recipe: Recipe, kept: tuple[Knob, ...], kind: str, classes: int) -> Recipe:
    """The recipe with every knob off that is not among `kept`."""
    names = {k.name for k in kept}
    for knob in knobs(kind, classes):
        if knob.name not in names and knob.read(recipe) > 0:
            recipe = knob.write(recipe, 0.0)
    return recipe
