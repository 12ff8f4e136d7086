"""A recipe in a loop of your own, compiled or not, in one process or several; also in Fabric's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn

from gapless.integrations.batches import Fields, Key, Place, Shown
from gapless.integrations.clean import rank, ranks
from gapless.integrations.fold import fold_in_place
from gapless.integrations.gap import Gap, answers_in, score_rows
from gapless.integrations.groups import regularize
from gapless.integrations.watch import Watch
from gapless.recipe import Recipe

if TYPE_CHECKING:
    from gapless.integrations.clean import Scored
    from gapless.surgery import Change

Made = TypeVar("Made")


class Gapless:
    """A recipe on a model; without one it only watches.

        gapless = Gapless("recipe.toml", model, classes=10)
        optimizer = gapless.optimizer(torch.optim.SGD(model.parameters(), lr=0.1))
        for inputs, targets in gapless.batches(loader, epoch):
            ...
        print(gapless.measure(loader, new_loader, epoch))

    Make it before torch.compile, DistributedDataParallel or Fabric's `setup`. Draws are keyed by (seed, epoch, batch,
    row), so a training that goes on at an epoch sees what it would have seen, and in processes among which a
    DistributedSampler deals the rows out, every picture looks as in one process; mixing stays within a process.

    Args:
        recipe: a Recipe or the path of its TOML; None changes nothing.
        model: the bare module; the recipe is attached at once.
        classes: how many classes there are, where the recipe mixes or smooths class labels; targets are then shares of
            classes (B, classes), which torch's cross_entropy takes.
        inputs, labels: where they stand in a batch: numbers in a tuple, keys in a dict; found where they are usual.
        mean, std: what your loader normalises pictures by; without them they must come in [0, 1] if the recipe has
            operations on pictures.
        categorical: tables: the numbers of the columns that hold categories.
        seed: of the augmentation.
        rows: how many training rows and new rows the gap is measured on at the most.
        score: how to score a batch that the usual way does not fit: (model, batch) to (B,) losses.

    Raises:
        UsageError: the recipe cannot be read or does not fit the model, or the model is wrapped already.
    """

    dealt = True
    """Whether processes share an epoch row by row; else batch by batch."""

    def __init__(
        self,
        recipe: Recipe | str | Path | None,
        model: nn.Module,
        *,
        classes: int | None = None,
        inputs: Key | None = None,
        labels: Key | None = None,
        mean: Sequence[float] = (),
        std: Sequence[float] = (),
        categorical: Sequence[int] = (),
        seed: int = 0,
        rows: int = 1000,
        score: Callable[[nn.Module, Any], Tensor] | None = None,
    ) -> None:
        self.recipe = recipe if recipe is None or isinstance(recipe, Recipe) else Recipe.load(recipe)
        self.model = model
        before = {id(p) for p in model.parameters()}
        self.change: Change | None = None if self.recipe is None else self.recipe.attach(model)
        """What was put on the model; `print(gapless.change)` tells each place, `.undo()` takes it out."""
        self.watched: Watch | None = None
        """What was measured; `.history` has the gap of each epoch."""
        self._new = [p for p in model.parameters() if id(p) not in before]
        self._fields = Fields(inputs, labels)
        shape = tuple(mean), tuple(std), tuple(categorical)
        self._shown = Shown(self.recipe or Recipe(), seed, classes, self._fields, *shape)
        self._rows, self._score = rows, score
        self._loaded: dict[str, Any] | None = None

    @classmethod
    def watch(
        cls, model: nn.Module, *, rows: int = 1000, score: Callable[[nn.Module, Any], Tensor] | None = None
    ) -> Gapless:
        """Changes nothing and only measures, with `measure` and `report`."""
        return cls(None, model, rows=rows, score=score)

    def optimizer(self, optimizer: Made, *schedulers: object) -> Made:
        """The same optimizer, which now decays what the recipe says and trains what the recipe brought.

        Args:
            optimizer: any of torch's kind, plain or wrapped by accelerate.
            schedulers: those that hold it already.

        Raises:
            UsageError: it cannot decay.
        """
        if self.recipe is not None:
            bare = [getattr(scheduler, "scheduler", scheduler) for scheduler in schedulers]
            regularize(optimizer, self.recipe.decay, self.model, bare, self._new)  # pyright: ignore[reportArgumentType]
        return optimizer

    def batches(self, loader: Iterable[Any], epoch: int, start: int = 0) -> Iterator[Any]:
        """The batches of an epoch, from 0, as the recipe shows them; each is to be used before the next is asked for.

        Args:
            start: the number of the first batch that the loader gives, where an epoch goes on in its middle.

        Raises:
            UsageError: a batch that the recipe is not for, or `classes` is missing.
        """
        for number, batch in enumerate(loader, start):
            with self._shown.shown(self.model, batch, Place(epoch, number, rank(), ranks(), self.dealt)) as shown:
                yield shown

    def measure(self, train: Any, new: Any, epoch: int) -> Gap:
        """The gap of the model after an epoch, in eval mode and on rows as they are; the same rows each time.

        In several processes each measures its share, and all get the result.

        Args:
            train, new: loaders of training rows and of others; those of the first call are used.

        Raises:
            UsageError: a batch that cannot be scored; give `score`.
        """
        if self.watched is None:
            self.watched = Watch(train, new, self._rows)
            if self._loaded is not None:
                self.watched.load_state_dict(self._loaded)
        device = next((p.device for p in self.model.parameters()), torch.device("cpu"))

        def score(batch: Any) -> Scored:
            batch = on(device, batch)
            if self._score is not None:
                return self._score(self.model, batch), None
            inputs, labels = self._fields.get(batch)
            return score_rows(answers_in(self.model(inputs)), labels)

        return self.watched.measure(self.model, epoch, score)

    def report(self, *optimizers: Any) -> str:
        """The gap, when overfitting began, what is switched on, and what to try."""
        watched = Watch((), ()) if self.watched is None else self.watched
        return watched.report(self.model, optimizers, self.recipe)

    def fold(self) -> None:
        """The model as its author wrote it: batch norm folded into the weights, dropout taken out."""
        if self.change is not None:
            fold_in_place(self.change)
            self.change = None

    def state_dict(self) -> dict[str, Any]:
        """What was measured, for a checkpoint; nothing else has a state."""
        return {} if self.watched is None else self.watched.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from what `state_dict` gave."""
        self._loaded = state or None
        if self.watched is not None and state:
            self.watched.load_state_dict(state)


def on(device: torch.device, batch: Any) -> Any:
    """A batch on a device: the tensors in its lists, tuples and dicts."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, Mapping):
        return {key: on(device, value) for key, value in batch.items()}
    if isinstance(batch, list | tuple) and not hasattr(batch, "_fields"):
        return type(batch)(on(device, value) for value in batch)
    return batch
