"""Hugging Face's Trainer: `Gapless("recipe.toml").apply(trainer)`."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import Dataset
from transformers import PreTrainedModel, Trainer, TrainerCallback

from gapless.dropout.places import rated
from gapless.errors import UsageError
from gapless.files import write_atomically
from gapless.integrations.batches import Fields, Key, Place, Shown
from gapless.integrations.fold import fold_in_place
from gapless.integrations.gap import answers_in, score_rows
from gapless.integrations.groups import regularize
from gapless.integrations.loop import on
from gapless.integrations.watch import Watch
from gapless.recipe import Recipe
from gapless.surgery import plain_class

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

    from gapless.augment.text import Resources
    from gapless.integrations.clean import Scored
    from gapless.surgery import Change


class Gapless(TrainerCallback):
    """A recipe in a training of Hugging Face's Trainer; without one it only watches.

        trainer = Trainer(model, args, train_dataset=..., eval_dataset=...)
        Gapless("recipe.toml", classes=2).apply(trainer)
        trainer.train()

    `apply` attaches the recipe to the trainer's model and writes the rates that its modules now have into `config`, so
    that `save_pretrained` saves them. The optimizer decays what the recipe says (`args.weight_decay` is not used),
    whichever it is. Training batches are varied on the device: pictures (`pixel_values`) by the recipe's operations,
    texts by mixing and cutoff after their embedding; words are changed before they are numbers, see `Texts`. Where
    labels become shares of classes, the loss is cross-entropy here instead of in the model. After each epoch the gap
    is logged. Evaluation sees the data as they are. Each checkpoint gets the recipe, `recipe.toml`.

    Args:
        recipe: a Recipe or the path of its TOML; None changes nothing.
        classes: how many classes there are, where the recipe mixes or smooths class labels.
        inputs, labels: their keys in a batch; found where they are usual.
        mean, std: what the image processor normalises by (`processor.image_mean`, `processor.image_std`); without them
            pictures must come in [0, 1] if the recipe has operations on pictures.
        seed: of the augmentation; draws are keyed by it, the training step and the row.
        at_end: "fold" folds inserted batch norm into the weights after the training and takes dropout out; "keep" does
            not.
        rows: how many training rows and rows of `eval_dataset` the gap is measured on; 0 measures none.
        every: epochs between two measurements.
        clean: a loader of training rows without random transforms; where the training data set has some.
        score: how to score a batch that the usual way does not fit: (model, batch) to (B,) losses.

    Raises:
        UsageError: the recipe cannot be read.
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
        seed: int = 0,
        at_end: Literal["keep", "fold"] = "keep",
        rows: int = 1000,
        every: int = 1,
        clean: Any = None,
        score: Callable[[nn.Module, Any], Tensor] | None = None,
    ) -> None:
        self.recipe = recipe if recipe is None or isinstance(recipe, Recipe) else Recipe.load(recipe)
        self.change: Change | None = None
        """What was put on the model; `print(callback.change)` tells each place."""
        self.watched: Watch | None = None
        """What was measured; `.history` has the gap of each epoch."""
        self._fields = Fields(inputs, labels)
        self._shown = Shown(self.recipe or Recipe(), seed, classes, self._fields, tuple(mean), tuple(std))
        self._at_end, self._rows, self._every, self._clean, self._score = at_end, rows, every, clean, score
        self._trainer: Trainer | None = None
        self._micro = 0

    @classmethod
    def watch(
        cls,
        *,
        rows: int = 1000,
        every: int = 1,
        clean: Any = None,
        score: Callable[[nn.Module, Any], Tensor] | None = None,
    ) -> Gapless:
        """Changes nothing and only measures: the gap each epoch; at the end it says when overfitting began, what is
        switched on, and what to try. Arguments as of the class."""
        return cls(None, rows=rows, every=every, clean=clean, score=score)

    def apply(self, trainer: Trainer) -> Gapless:
        """Puts everything into a trainer that has not trained yet; a second time it does nothing.

        Raises:
            UsageError: the recipe does not fit the model, or the trainer smooths labels itself or has another loss.
        """
        if self._trainer is trainer:
            return self
        self._trainer = trainer
        trainer.add_callback(self)
        if self.recipe is None:
            return self
        self._refuse(trainer)
        model: Any = trainer.model
        before = {id(p) for p in model.parameters()}
        self.change = self.recipe.attach(model)
        new = [p for p in model.parameters() if id(p) not in before]
        if isinstance(model, PreTrainedModel):
            write_rates(model)
        if trainer.optimizer is not None:
            given: Any = trainer.optimizer
            regularize(given, self.recipe.decay, model, [trainer.lr_scheduler], new)
        _set(trainer, "create_optimizer", self._then_regularized(trainer, new))
        if self.recipe.augment.active:
            _set(trainer, "compute_loss", self._of_varied(trainer))
            if self._shown.soft and self._shown.classes:
                trainer.compute_loss_func = soft_cross_entropy
        return self

    def _refuse(self, trainer: Trainer) -> None:
        if not self._shown.soft or not self._shown.classes:
            return
        if trainer.label_smoother is not None:
            raise UsageError("this recipe has soft labels of its own: set label_smoothing_factor=0 in the arguments")
        if trainer.compute_loss_func is not None:
            raise UsageError(
                "this recipe mixes or smooths labels and needs cross-entropy, and the trainer has a compute_loss_func; "
                "leave one of them out"
            )

    # ── the optimizer and the batch ──

    def _then_regularized(self, trainer: Trainer, new: list[nn.Parameter]) -> Callable[..., Any]:
        original, recipe = trainer.create_optimizer, self.recipe or Recipe()

        @wraps(original)
        def create_optimizer(*args: Any, **kwargs: Any) -> Any:
            made = original(*args, **kwargs)
            regularize(made, recipe.decay, _bare(trainer), (), new)
            return made

        return create_optimizer

    def _of_varied(self, trainer: Trainer) -> Callable[..., Any]:
        original = trainer.compute_loss

        @wraps(original)
        def compute_loss(model: nn.Module, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            if not model.training:
                return original(model, inputs, *args, **kwargs)
            number = trainer.state.global_step * trainer.args.gradient_accumulation_steps + self._micro
            self._micro += 1
            place = Place(0, number, trainer.args.process_index, trainer.args.world_size, dealt=False)
            with self._shown.shown(_bare(trainer), inputs, place) as shown:
                return original(model, shown, *args, **kwargs)

        return compute_loss

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Called by the trainer."""
        self._micro = 0

    # ── the gap ──

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Called by the trainer."""
        trainer = self._applied()
        if self._rows and trainer.eval_dataset is not None:
            train = kwargs["train_dataloader"] if self._clean is None else self._clean
            data = trainer.eval_dataset
            first = next(iter(data)) if isinstance(data, dict) else None
            self.watched = Watch(train, trainer.get_eval_dataloader(first), self._rows)
            self.watched.try_out(_bare(trainer), self._scored)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Called by the trainer."""
        epoch, trainer = round(state.epoch or 0) - 1, self._applied()
        if self.watched is None or (epoch + 1) % self._every:
            return
        gap = self.watched.measure(_bare(trainer), epoch, self._scored)
        trainer.log({f"gapless/{name}": value for name, value in gap.figures().items()})

    def _scored(self, batch: Any) -> Scored:
        trainer = self._applied()
        model, batch = _bare(trainer), on(trainer.args.device, batch)
        if self._score is not None:
            return self._score(model, batch), None
        labels = self._fields.of(batch)[1]
        rest = {key: value for key, value in batch.items() if key != labels}
        return score_rows(answers_in(model(**rest)), batch[labels])

    def _applied(self) -> Trainer:
        if self._trainer is None:
            raise UsageError("this callback is not in callbacks=[...]: write Gapless(...).apply(trainer)")
        return self._trainer

    # ── the end ──

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Called by the trainer."""
        folder = Path(args.output_dir or ".") / f"checkpoint-{state.global_step}"
        if self.recipe is not None and state.is_world_process_zero and folder.is_dir():
            write_atomically(folder / "recipe.toml", self.recipe.to_toml().encode())

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Called by the trainer."""
        trainer = self._applied()
        if self.watched is not None and self.watched.history and state.is_world_process_zero:
            print(self.watched.report(_bare(trainer), [trainer.optimizer], self.recipe))
        if self._at_end == "fold" and self.change is not None:
            fold_in_place(self.change)
            self.change = None


class Texts(Dataset[Any]):
    """Texts with their words changed as a recipe says, other ones each epoch, and then turned into numbers.

        train_dataset = Texts(rows, "recipe.toml", tokenizer)   # with DataCollatorWithPadding(tokenizer)

    Draws are keyed by seed, epoch and the number of the text. With workers that stay (`dataloader_persistent_workers`)
    these keep the texts of the first epoch.

    Args:
        data: rows by number, each a dict with the text and the rest, which stays.
        recipe: a Recipe or the path of its TOML; its operations on words are used.
        tokenizer: called with a text and `truncation=True`.
        text: the key of the text.
        resources: what operations read that need paraphrases.

    Raises:
        UsageError: the recipe's operations are for pictures.
    """

    def __init__(
        self,
        data: Any,
        recipe: Recipe | str | Path,
        tokenizer: Callable[..., Mapping[str, Any]],
        *,
        text: str = "text",
        seed: int = 0,
        resources: Resources | None = None,
    ) -> None:
        self.recipe = recipe if isinstance(recipe, Recipe) else Recipe.load(recipe)
        self.recipe.augment.require("text")
        self.epoch = 0
        self._data, self._tokenizer, self._text, self._seed, self._resources = data, tokenizer, text, seed, resources

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, number: int) -> dict[str, Any]:
        row = dict(self._data[int(number)])
        text = row.pop(self._text)
        (varied,) = self.recipe.vary([text], self._seed, self.epoch, [int(number)], self._resources)
        return {**row, **self._tokenizer(varied, truncation=True)}

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer."""
        self.epoch = epoch


def soft_cross_entropy(outputs: Any, labels: Tensor, num_items_in_batch: Any = None) -> Tensor:
    """Cross-entropy with class numbers (B,) or shares of classes (B, classes), as a trainer's `compute_loss_func`."""
    logits = answers_in(outputs).float()
    targets = labels.float() if labels.is_floating_point() else labels
    if num_items_in_batch is None:
        return functional.cross_entropy(logits, targets)
    return functional.cross_entropy(logits, targets, reduction="sum") / num_items_in_batch


def write_rates(model: PreTrainedModel) -> tuple[str, ...]:
    """Writes the dropout rates that a model's modules have into its config; gives the names of those that changed.

    Which entry a module's rate comes from is found by building the class from the config with other rates, without
    memory for weights. An entry whose modules have different rates by now stays as it is, and so do rates of modules
    that are not of the class: a warning says so.
    """
    config: Any = model.config
    entries = [
        name
        for name, value in config.to_dict().items()
        if "drop" in name and isinstance(value, float | int) and not isinstance(value, bool) and 0 <= value < 1
    ]
    marked, marks = copy.deepcopy(config), {}
    for i, name in enumerate(entries):
        marks[round(0.011 + 0.001 * i, 3)] = name
        setattr(marked, name, 0.011 + 0.001 * i)
    with torch.device("meta"):
        probe = plain_class(model)(marked)
    found: dict[str, set[float]] = {}
    for place in rated(probe):
        if (name := marks.get(round(place.rate, 3))) is not None:
            own = model.get_submodule(place.path)
            found.setdefault(name, set()).add(float(getattr(own, place.name)))
    changed: list[str] = []
    for name, rates in found.items():
        if len(rates) > 1:
            warnings.warn(
                f"config.{name} stays {getattr(config, name)}: its modules have rates {sorted(rates)}", stacklevel=3
            )
        elif (rate := rates.pop()) != getattr(config, name):
            setattr(config, name, rate)
            changed.append(name)
    return tuple(changed)


def _bare(trainer: Trainer) -> nn.Module:
    model: Any = trainer.model
    return model


def _set(trainer: Trainer, name: str, function: Callable[..., Any]) -> None:
    setattr(trainer, name, function)
