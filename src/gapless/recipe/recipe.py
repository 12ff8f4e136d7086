"""Everything that regularizes, as one frozen value with a part for each pillar; the empty recipe is the plain model."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from pydantic import ValidationError

from gapless.errors import UsageError, did_you_mean
from gapless.recipe import attach, batch, mixing, optimizer, toml
from gapless.recipe.parts import PILLARS, Augment, BatchNorm, Decay, Dropout, Part
from gapless.recipe.problems import first_problem

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn
    from torch.optim import Optimizer

    from gapless.augment.text import Resources
    from gapless.decay.leaves import Trained
    from gapless.flow import Example
    from gapless.surgery import Change


class Recipe(Part):
    """A part per pillar. Build it in Python, or read it: `Recipe.load("recipe.toml")`.

    In a training loop of your own:

        attached = recipe.attach(model, example=inputs)     # dropout and batch norm; attached.undo() takes them out
        optimizer = recipe.optimizer(model, lr=3e-3)        # weight decay on the right parameters
        inputs, targets = recipe.batch(inputs, labels, generator, classes=10)   # in every training step

    With texts, the last line becomes:

        texts = recipe.vary(texts, seed=0, epoch=epoch, indices=rows)              # texts of these rows
        with recipe.mixing(model, labels, generator, classes=2) as targets:        # cutoff, mixup, smoothing
            outputs = model(model.encode(texts))
    """

    dropout: Dropout = Dropout()
    batchnorm: BatchNorm = BatchNorm()
    decay: Decay = Decay()
    augment: Augment = Augment()

    def part(self, pillar: str) -> Part:
        """The part of one pillar, by the pillar's name; UsageError if there is no such pillar."""
        if pillar not in PILLARS:
            raise UsageError(f"there is no pillar {pillar!r}.{did_you_mean(pillar, PILLARS)}")
        return getattr(self, pillar)

    @property
    def active(self) -> bool:
        return bool(self.pillars())

    def pillars(self) -> tuple[str, ...]:
        """The pillars that are switched on."""
        return tuple(name for name in PILLARS if self.part(name).active)

    def replace(self, pillar: str, part: Part) -> Recipe:
        """The same recipe with another part for one pillar; UsageError if it is no part of that pillar."""
        if type(part) is not type(self.part(pillar)):
            wanted = type(self.part(pillar)).__name__
            raise UsageError(f"the part for {pillar} must be a gapless.recipe.{wanted}, got {part!r}")
        return self.model_copy(update={pillar: part})

    def without(self, pillar: str) -> Recipe:
        """The same recipe with one pillar switched off."""
        return self.replace(pillar, type(self.part(pillar))())

    # ── apply ──

    def attach(
        self,
        model: nn.Module,
        *,
        example: Example | None = None,
        where: Sequence[str] | None = None,
        skip: Sequence[str] | None = None,
    ) -> Change:
        """Puts dropout and batch norm on the model, in place. See `gapless.recipe.attach.attach`."""
        return attach.attach(self.dropout, self.batchnorm, model, example, where, skip)

    def optimizer(
        self,
        model: Trained,
        lr: float,
        kind: Literal["adamw", "sgd"] = "adamw",
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        momentum: float = 0.9,
        nesterov: bool | None = None,
        fused: bool | None = None,
        foreach: bool | None = None,
        names: bool = False,
    ) -> Optimizer:
        """AdamW or SGD with this recipe's weight decay on the parameters it is meant for.

        Either way each step multiplies weights by 1 - lr * strength: SGD is SGDW, whose decay does not pass through
        the momentum. Call it after `attach`, which may bring parameters, and after `fully_shard`, which replaces them.

        Args:
            model: the model, whose frozen parameters are left out. Or parameters, (name, parameter) pairs or groups of
                them, as torch's optimizers take them; see `gapless.decay.groups`.
            kind: "adamw" with `betas` and `eps`, or "sgd" with `momentum` and `nesterov`, which is on where there is
                momentum unless you say otherwise.
            fused: torch's fused kernels. None takes them where torch has them: its foreach form is several times
                slower on a CPU. Lightning needs False to clip gradients in mixed precision.
            foreach: torch's foreach form, instead of the fused one.
            names: whether groups have `param_names`. torch then refuses groups without names that are added later.

        Raises:
            UsageError: an unknown kind, or what `gapless.decay.groups` raises.
        """
        options = optimizer.Options(betas, eps, momentum, nesterov, fused, foreach, names)
        return optimizer.optimizer(self.decay, model, lr, kind, options)

    def batch(
        self,
        inputs: Tensor,
        labels: Tensor,
        generator: Generator,
        classes: int | None = None,
        categorical: Sequence[int] = (),
        outside: int = 0,
    ) -> tuple[Tensor, Tensor]:
        """A training batch, varied. See `gapless.recipe.batch.augment_batch`."""
        return batch.augment_batch(self.augment, inputs, labels, generator, classes, categorical, outside)

    def vary(
        self,
        texts: Sequence[str],
        seed: int,
        epoch: int,
        indices: Sequence[int],
        resources: Resources | None = None,
    ) -> list[str]:
        """Texts as this recipe shows them to a model, keyed by seed, epoch and the numbers of the texts.

        See `gapless.augment.text.Policy.apply`. UsageError: the recipe's ops are for pictures.
        """
        self.augment.require("text")
        return self.augment.text_policy().apply(texts, seed, epoch, indices, resources)

    def mixing(
        self, model: nn.Module, labels: Tensor, generator: Generator, classes: int | None = None
    ) -> AbstractContextManager[Tensor]:
        """Within, the next batch of a model for texts is mixed; gives its targets. See `gapless.recipe.mixing.mixing`.

        Raises:
            UsageError: class labels are to be mixed or smoothed and `classes` is missing, or they have another form.
        """
        part, hard = self.augment, not labels.is_floating_point()
        batch.check_labels(part, labels)
        if hard and classes is None and (part.mixup or part.label_smoothing):
            raise UsageError(
                "this recipe mixes or smooths labels: say how many classes there are, mixing(..., classes=2)"
            )
        stream = np.random.Generator(np.random.Philox(int(torch.randint(2**62, (), generator=generator))))
        return mixing.mixing(part, model, labels, stream, (classes or 0) if hard else 0)

    # ── read and write ──

    def to_dict(self) -> dict[str, Any]:
        """Only what differs from "off", as plain values."""
        parts = {name: self.part(name).model_dump(exclude_defaults=True, mode="json") for name in PILLARS}
        return {name: values for name, values in parts.items() if values}

    @classmethod
    def from_dict(cls, values: dict[str, Any], where: str = "recipe") -> Recipe:
        """The recipe that `to_dict` came from.

        Raises:
            UsageError: an unknown key, a value of the wrong type or out of range; the message names it.
        """
        return cls._read(values, where, None)

    @classmethod
    def _read(cls, values: dict[str, Any], where: str, text: str | None) -> Recipe:
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            place, sentence = first_problem(cls, error)
            at = where if text is None else toml.where_at(text, place, where)
            raise UsageError(f"{at}: {sentence}") from error

    def to_toml(self, comment: str = "") -> str:
        return toml.dumps(self.to_dict(), comment)

    @classmethod
    def from_toml(cls, text: str, where: str = "recipe") -> Recipe:
        """A recipe from TOML text; `where` names the text in errors.

        Raises:
            UsageError: not TOML, an unknown key or a value out of range; the message names file and line.
        """
        return cls._read(toml.loads(text, where), where, text)

    @classmethod
    def load(cls, path: str | Path) -> Recipe:
        """A recipe from a TOML file.

        Raises:
            UsageError: no such file, or what `from_toml` raises.
        """
        try:
            text = Path(path).read_text(encoding="utf-8-sig")  # some editors begin a file with a byte order mark
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path}: cannot be read as a recipe: {error}") from error
        return cls.from_toml(text, str(path))
