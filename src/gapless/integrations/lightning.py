"""Lightning: `Trainer(callbacks=[Gapless("recipe.toml")])`, with `lightning` as well as `pytorch_lightning`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial, wraps
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import torch
from torch import Tensor, nn

from gapless.decay import DecaySchedule
from gapless.errors import UsageError
from gapless.integrations.batches import Fields, Key, Place, Shown
from gapless.integrations.clean import rank, ranks
from gapless.integrations.fold import fold_in_place
from gapless.integrations.gap import answers_in, score_rows
from gapless.integrations.groups import held_in, regularize
from gapless.integrations.watch import Watch
from gapless.recipe import Recipe

if TYPE_CHECKING:
    from pytorch_lightning import Callback, LightningModule, Trainer

    from gapless.integrations.clean import Score, Scored
    from gapless.schedule import Schedule
    from gapless.surgery import Change
elif "pytorch_lightning" in sys.modules or find_spec("lightning") is None:
    from pytorch_lightning import Callback
else:  # the same code under another name; a Trainer takes callbacks of either
    from lightning.pytorch import Callback

Found = TypeVar("Found")


class Gapless(Callback):
    """A recipe in a Lightning training; without one it only watches.

    In `fit` the recipe is attached to the module, the optimizers of `configure_optimizers` decay what it says, training
    batches are varied after they have reached the device, and after each epoch the gap is measured in eval mode and
    logged: `gapless/gap` with `gapless/gap_low` and `gapless/gap_high`, and loss and share of right answers of training
    rows and of new ones. Validation, test and prediction see the data as they are.

    What varies is keyed by (seed, epoch, batch, row), so a resumed training goes on as it would have; the step of a
    decay schedule and the state of torch's generator, from which dropout draws, stand in the checkpoint. A
    checkpoint with batch norm of the recipe's has keys of its own; `Trainer.test(ckpt_path=)` and the like take them
    with this callback.

    Args:
        recipe: a Recipe or the path of its TOML; None changes nothing.
        classes: how many classes there are, where the recipe mixes or smooths class labels. `training_step` then gets
            shares of classes (B, classes), which torch's cross_entropy takes.
        inputs, labels: where they stand in a batch: numbers in a tuple, keys in a dict; found where they are usual.
        mean, std: what your loader normalises pictures by; without them they must come in [0, 1] if the recipe has
            operations on pictures.
        seed: of the augmentation.
        decay_schedule: what weight decay is multiplied by over the training, e.g. `gapless.schedule.Cosine()`.
        at_end: "keep" leaves the recipe on the module after `fit`; "fold" folds inserted batch norm into the weights
            and takes dropout out, so that the module is what its author wrote.
        rows: how many training rows and new rows the gap is measured on; 0 measures none.
        every: epochs between two measurements.
        clean: a loader of training rows without random transforms; where the training data set has some.
        score: how to score a batch that the usual way does not fit: (module, batch) to (B,) losses.

    Raises:
        UsageError: the recipe cannot be read or does not fit the module, or a batch is none that it can vary.
    """

    def __init__(
        self,
        recipe: Recipe | str | Path | None,
        *,
        classes: int | None = None,
        inputs: Key | None = None,
        labels: Key | None = None,
        mean: Sequence[float] = (),
        std: Sequence[float] = (),
        categorical: Sequence[int] = (),
        seed: int = 0,
        decay_schedule: Schedule | None = None,
        at_end: Literal["keep", "fold"] = "keep",
        rows: int = 1000,
        every: int = 1,
        clean: Any = None,
        score: Callable[[nn.Module, Any], Tensor] | None = None,
    ) -> None:
        self.recipe = recipe if recipe is None or isinstance(recipe, Recipe) else Recipe.load(recipe)
        if every < 1:
            raise UsageError(f"every must be at least 1, got {every!r}")
        self.change: Change | None = None
        """What was put on the module; `print(callback.change)` tells each place."""
        self.watched: Watch | None = None
        """What was measured; `.history` has the gap of each epoch."""
        self._fields = Fields(inputs, labels)
        self._shown = Shown(
            self.recipe or Recipe(), seed, classes, self._fields, tuple(mean), tuple(std), tuple(categorical)
        )
        self._decay_schedule = decay_schedule
        self._at_end, self._rows, self._every = at_end, rows, every
        self._clean, self._score = clean, score
        self._patched: list[tuple[object, str, object]] = []
        self._batch = ExitStack()
        self._loaded: dict[str, Any] = {}
        self._between_epochs = False

    @classmethod
    def watch(
        cls,
        *,
        inputs: Key | None = None,
        labels: Key | None = None,
        rows: int = 1000,
        every: int = 1,
        clean: Any = None,
        score: Callable[[nn.Module, Any], Tensor] | None = None,
    ) -> Gapless:
        """Changes nothing and only measures: the gap with its interval each epoch; at the end it says when overfitting
        began, what is switched on, and what to try. Arguments as of the class."""
        return cls(None, inputs=inputs, labels=labels, rows=rows, every=every, clean=clean, score=score)

    # ── the module ──

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Called by Lightning."""
        if self.recipe is None:
            return
        if stage != "fit":
            self._patch(pl_module, "on_load_checkpoint", self._attached_first(pl_module))
            return
        if next(pl_module.parameters(), None) is not None:
            self._attach(pl_module)
        self._patch(pl_module, "configure_model", self._then_attached(pl_module))
        self._patch(pl_module, "configure_optimizers", self._then_regularized(trainer, pl_module))
        if self.recipe.augment.active:
            for home in (pl_module, getattr(trainer, "datamodule", None)):  # Lightning calls one of the two
                if home is not None:
                    self._patch(home, "on_after_batch_transfer", self._then_varied(trainer, pl_module))

    def _attach(self, module: nn.Module) -> None:
        assert self.recipe is not None
        if self.change is None or self.change.model is not module:
            self.change = self.recipe.attach(module)

    def _patch(self, home: object, name: str, around: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        original, own = getattr(home, name), vars(home).get(name)
        if any(known is home and done == name for known, done, _ in self._patched):
            return
        setattr(home, name, wraps(original)(around(original)))
        self._patched.append((home, name, own))

    def _then_attached(self, module: nn.Module) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def around(original: Callable[..., Any]) -> Callable[..., Any]:
            def configure_model() -> None:
                original()
                self._attach(module)

            return configure_model

        return around

    def _attached_first(self, module: nn.Module) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """A checkpoint with inserted batch norm needs it on the module; one of a folded module does not."""

        def around(original: Callable[..., Any]) -> Callable[..., Any]:
            def on_load_checkpoint(checkpoint: dict[str, Any]) -> None:
                original(checkpoint)
                if set(checkpoint["state_dict"]) - set(module.state_dict()):
                    self._attach(module)

            return on_load_checkpoint

        return around

    # ── the optimizer ──

    def _then_regularized(
        self, trainer: Trainer, module: nn.Module
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def around(original: Callable[..., Any]) -> Callable[..., Any]:
            def configure_optimizers() -> Any:
                assert self.recipe is not None
                made = original()
                schedulers = list(held_in(made, torch.optim.lr_scheduler.LRScheduler))
                for optimizer in held_in(made, torch.optim.Optimizer):
                    holding = [s for s in schedulers if s.optimizer is optimizer]
                    regularize(optimizer, self.recipe.decay, module, holding)
                    if self._decay_schedule is not None and self.recipe.decay.active:
                        steps = int(trainer.estimated_stepping_batches)
                        DecaySchedule(optimizer, self._decay_schedule, steps)  # its step stands in the groups
                return made

            return configure_optimizers

        return around

    # ── the batch ──

    def _then_varied(self, trainer: Trainer, module: nn.Module) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def around(original: Callable[..., Any]) -> Callable[..., Any]:
            def on_after_batch_transfer(batch: Any, dataloader_idx: int) -> Any:
                batch = original(batch, dataloader_idx)
                if not trainer.training:
                    return batch
                self._batch.close()
                number = trainer.fit_loop.epoch_loop.batch_progress.current.ready
                place = Place(trainer.current_epoch, number, trainer.global_rank, trainer.world_size)
                return self._batch.enter_context(self._shown.shown(module, batch, place))

            return on_after_batch_transfer

        return around

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Called by Lightning."""
        self._between_epochs = False

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Called by Lightning."""
        self._batch.close()

    # ── the gap ──

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Called by Lightning."""
        new = _first_of(trainer.val_dataloaders)
        if self._rows and new is None and self.recipe is None:
            raise UsageError(
                "there is nothing to watch without validation: give fit() a loader and the module its step"
            )
        if self._rows and new is not None:
            train = trainer.train_dataloader if self._clean is None else self._clean
            self.watched = Watch(_first_of(train), new, self._rows)
            if "watched" in self._loaded:
                self.watched.load_state_dict(self._loaded["watched"])
            self._looking(trainer, pl_module, partial(self.watched.try_out, pl_module))
        if "random" in self._loaded and ranks() == 1:
            torch.set_rng_state(self._loaded["random"])
            if self._loaded["between_epochs"]:  # the next epoch's loader was begun already, and draws its order from it
                iter(trainer.fit_loop._data_fetcher)  # pyright: ignore[reportPrivateUsage, reportArgumentType, reportCallIssue]
        self._loaded = {}

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Called by Lightning."""
        self._between_epochs = True
        if self.watched is not None and not (trainer.current_epoch + 1) % self._every:
            gap = self._looking(trainer, pl_module, partial(self.watched.measure, pl_module, trainer.current_epoch))
            figures = {f"gapless/{name}": value for name, value in gap.figures().items()}
            pl_module.log_dict(figures, on_step=False, on_epoch=True, sync_dist=ranks() > 1, batch_size=1)

    def _looking(self, trainer: Trainer, pl_module: LightningModule, look: Callable[[Score], Found]) -> Found:
        def score(batch: Any) -> Scored:
            batch = trainer.strategy.batch_to_device(trainer.precision_plugin.convert_input(batch), dataloader_idx=0)
            with trainer.precision_plugin.forward_context():
                if self._score is not None:
                    return self._score(pl_module, batch), None
                inputs, labels = self._fields.get(batch)
                return score_rows(answers_in(pl_module(inputs)), labels)

        trainer.validating = True  # as in Lightning's own validation: hooks of the module then leave the data clean
        try:
            return look(score)
        finally:
            trainer.training = True

    # ── the end ──

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Called by Lightning."""
        if self.watched is not None and rank() == 0:
            trainer.print(self.watched.report(pl_module, trainer.optimizers, self.recipe))
        elif self._rows:
            trainer.print("There was no validation, so the gap was not measured.")
        if self._at_end == "fold" and self.change is not None:
            fold_in_place(self.change)
            self.change = None

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Called by Lightning."""
        self._let_go()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Called by Lightning."""
        self._let_go()

    def _let_go(self) -> None:
        self._batch.close()
        for home, name, own in reversed(self._patched):
            vars(home).pop(name, None)
            if own is not None:
                setattr(home, name, own)
        self._patched.clear()

    # ── checkpoints: plain values, which weights_only loading takes ──

    def state_dict(self) -> dict[str, Any]:
        """Called by Lightning."""
        state: dict[str, Any] = {"random": torch.get_rng_state(), "between_epochs": self._between_epochs}
        if self.recipe is not None:
            state["recipe"] = self.recipe.to_dict()
        if self.watched is not None:
            state["watched"] = self.watched.state_dict()
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Called by Lightning."""
        self._loaded = state_dict


def _first_of(loaders: Any) -> Any:
    """The loader itself, or the first where a trainer has several."""
    if isinstance(loaders, dict):
        loaders = list(loaders.values())
    if isinstance(loaders, list | tuple) and loaders and hasattr(loaders[0], "__iter__") and not _is_batch(loaders[0]):
        return loaders[0]
    return loaders


def _is_batch(value: Any) -> bool:
    return isinstance(value, Tensor | dict) or (isinstance(value, list | tuple) and isinstance(value[0], Tensor))
