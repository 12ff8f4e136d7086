"""Which model to train: a built-in one by name, the default for the data, or the user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gapless.errors import DataError, UsageError, did_you_mean
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


@dataclass(frozen=True)
class Builtin:
    """Builds a built-in model when it is called; knows how, so that a file can say it.

    shape, outputs, categories: of the task (see `gapless.Task`).
    """

    name: str
    shape: tuple[int, ...]
    outputs: int
    categories: tuple[int, ...]
    size: ModelOptions

    @property
    def sizes(self) -> dict[str, int]:
        """The sizes that were chosen."""
        chosen = {"width": self.size.width, "depth": self.size.depth}
        return {word: value for word, value in chosen.items() if value is not None}

    def __call__(self) -> nn.Module:
        from gapless.models.cnn import CNN
        from gapless.models.mlp import MLP
        from gapless.models.resnet import ResNet
        from gapless.models.text import TextBag, TextCNN

        sizes: dict[str, Any] = self.sizes
        if self.name == "mlp":
            return MLP(self.shape, self.outputs, self.categories, **sizes)
        if self.name in ("text-bag", "text-cnn"):
            return {"text-bag": TextBag, "text-cnn": TextCNN}[self.name](self.outputs, **sizes)
        return {"cnn": CNN, "resnet": ResNet}[self.name](self.shape[0], self.outputs, min(self.shape[1:]), **sizes)

    def facts(self) -> dict[str, Any]:
        """What `builtin` makes the same of."""
        shape = {"shape": list(self.shape), "outputs": self.outputs, "categories": list(self.categories)}
        return {**shape, "width": self.size.width, "depth": self.size.depth}


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
    if "depth" in (chosen := Builtin(word, shape, outputs, categories, options)).sizes:
        if word == "cnn":
            raise UsageError("--depth: cnn has three convolutions; use resnet or mlp to choose a depth")
        if word == "text-cnn":
            raise UsageError("--depth: text-cnn has one layer of convolutions; use text-bag to choose a depth")
    return word, chosen


def builtin(name: str, facts: Mapping[str, Any]) -> Builtin:
    """A built-in model from what `Builtin.facts` gave.

    Raises:
        DataError: they are not those of a built-in model.
    """
    try:
        shape, categories = (tuple(int(n) for n in facts[word]) for word in ("shape", "categories"))
        size = ModelOptions(*(None if facts[word] is None else int(facts[word]) for word in ("width", "depth")))
        found = Builtin(name, shape, int(facts["outputs"]), categories, size)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"what is said of its model, {name!r}, is damaged ({error!r})") from error
    if name not in BUILTIN:
        raise DataError(f"there is no built-in model {name!r}.{did_you_mean(name, BUILTIN)}")
    return found
