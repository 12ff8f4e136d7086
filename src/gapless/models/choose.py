"""Which model to train: a built-in one by name, the default for the data, or the user's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from gapless.errors import UsageError, did_you_mean
from gapless.functions import find

if TYPE_CHECKING:
    from torch import nn

BUILTIN = {"cnn": ("image",), "resnet": ("image",), "mlp": ("image", "table")}
"""Each built-in model and the kinds of data it takes."""


@dataclass(frozen=True)
class ModelOptions:
    """Width and depth of a built-in model; None leaves the model's own."""

    width: int | None = None
    depth: int | None = None


def choose(
    word: str | None,
    kind: str,
    shape: tuple[int, ...],
    outputs: int,
    categories: tuple[int, ...] = (),
    options: ModelOptions | None = None,
) -> tuple[str, Callable[[], nn.Module]]:
    """A name and a function that builds the model.

    Args:
        word: `cnn`, `resnet`, `mlp`, `module:function`, or None for the default of this kind of data.
        kind, shape, outputs, categories: of the task (see `gapless.Task`).

    Raises:
        UsageError: an unknown name, a model that does not take this kind of data, or options that it does not take.
        DataError: a `module:function` that cannot be imported.
    """
    word, options = word or {"image": "cnn", "table": "mlp"}[kind], options or ModelOptions()
    if ":" in word:
        if options != ModelOptions():
            raise UsageError(f"--width and --depth are for built-in models and mean nothing to {word}; leave them out")
        return word, find(word, "a torch.nn.Module")
    if word not in BUILTIN:
        raise UsageError(f"--model: there is no built-in model {word!r}.{did_you_mean(word, BUILTIN)}")
    if kind not in BUILTIN[word]:
        able = [name for name, kinds in BUILTIN.items() if kind in kinds]
        raise UsageError(f"--model: {word} takes pictures, this is a {kind}; choose one of: {', '.join(able)}")
    for name, value in (("--width", options.width), ("--depth", options.depth)):
        if value is not None and value < 1:
            raise UsageError(f"{name} must be at least 1, got {value}")
    return word, _builtin(word, shape, outputs, categories, options)


def _builtin(
    word: str, shape: tuple[int, ...], outputs: int, categories: tuple[int, ...], options: ModelOptions
) -> Callable[[], nn.Module]:
    from gapless.models.cnn import CNN
    from gapless.models.mlp import MLP
    from gapless.models.resnet import ResNet

    chosen: dict[str, Any] = {k: v for k, v in (("width", options.width), ("depth", options.depth)) if v is not None}
    if word == "mlp":
        return partial(MLP, shape, outputs, categories, **chosen)
    if word == "cnn" and "depth" in chosen:
        raise UsageError("--depth: cnn has three convolutions; use resnet or mlp to choose a depth")
    return partial({"cnn": CNN, "resnet": ResNet}[word], shape[0], outputs, min(shape[1:]), **chosen)
