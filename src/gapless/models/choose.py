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

BUILTIN = {
    "cnn": ("image",),
    "resnet": ("image",),
    "mlp": ("image", "table"),
    "text-bag": ("text",),
    "text-cnn": ("text",),
}
"""Each built-in model and the kinds of data it takes."""
_DEFAULT = {"image": "cnn", "table": "mlp", "text": "text-bag"}
_CALLED = {"image": "pictures", "table": "tables", "text": "texts"}


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
        word: a built-in name, `module:function`, or None for the default of this kind of data.
        kind, shape, outputs, categories: of the task (see `gapless.Task`).

    Raises:
        UsageError: an unknown name, a model that does not take this kind of data, or options that it does not take.
        DataError: a `module:function` that cannot be imported.
    """
    word, options = word or _DEFAULT[kind], options or ModelOptions()
    if ":" in word:
        if options != ModelOptions():
            raise UsageError(f"--width and --depth are for built-in models and mean nothing to {word}; leave them out")
        return word, find(word, "a torch.nn.Module")
    if word not in BUILTIN:
        raise UsageError(f"--model: there is no built-in model {word!r}.{did_you_mean(word, BUILTIN)}")
    if kind not in BUILTIN[word]:
        able = [name for name, kinds in BUILTIN.items() if kind in kinds]
        takes = " and ".join(_CALLED[kind] for kind in BUILTIN[word])
        raise UsageError(f"--model: {word} takes {takes}, these are {_CALLED[kind]}; choose one of: {', '.join(able)}")
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
    from gapless.models.text import TextBag, TextCNN

    chosen: dict[str, Any] = {k: v for k, v in (("width", options.width), ("depth", options.depth)) if v is not None}
    if word == "mlp":
        return partial(MLP, shape, outputs, categories, **chosen)
    if word == "cnn" and "depth" in chosen:
        raise UsageError("--depth: cnn has three convolutions; use resnet or mlp to choose a depth")
    if word == "text-bag":
        return partial(TextBag, outputs, **chosen)
    if word == "text-cnn":
        if "depth" in chosen:
            raise UsageError("--depth: text-cnn has one layer of convolutions; use text-bag to choose a depth")
        return partial(TextCNN, outputs, **chosen)
    return partial({"cnn": CNN, "resnet": ResNet}[word], shape[0], outputs, min(shape[1:]), **chosen)
