"""Everything that regularizes, as one frozen value with a part for each pillar; the empty recipe is the plain model."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gapless.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from torch import Generator, Tensor, nn
    from torch.optim import Optimizer

    from gapless.augment.image import Policy as ImagePolicy
    from gapless.augment.image import Step as ImageStep
    from gapless.augment.text import Policy as TextPolicy
    from gapless.augment.text import Resources
    from gapless.augment.text import Step as TextStep
    from gapless.recipe.attach import Attached

PILLARS = ("dropout", "batchnorm", "decay", "augment")

Share = Field(default=0.0, ge=0.0, lt=1.0)


class Part(BaseModel):
    """One pillar's share of a recipe; every default is "off"."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @property
    def active(self) -> bool:
        """Whether anything is switched on."""
        return self != type(self)()


class Dropout(Part):
    """Probabilities of dropping.

    hidden: units that enter a Linear layer, the first layer excepted. channel: whole feature maps that enter a
    convolution. input: what enters the first layer of the model. For texts, embedding: words of the vocabulary, all
    their occurrences in a batch. word: single words, which become the unknown one.
    """

    hidden: float = Share
    channel: float = Share
    input: float = Share
    embedding: float = Share
    word: float = Share


class BatchNorm(Part):
    """insert: batch norm after every layer with weights but the last, in a model that has no normalization."""

    insert: bool = False


class Decay(Part):
    """Weight decay as torch's AdamW means it: each step multiplies the weights by 1 - lr * strength.

    on: `weights` spares biases, norms, embeddings and scales; `everything` spares nothing.
    """

    strength: float = Field(default=0.0, ge=0.0, le=10.0)
    on: Literal["weights", "everything"] = "weights"

    @property
    def active(self) -> bool:
        return self.strength > 0


class Op(Part):
    """One operation on pictures or texts: its name, its strength in its own unit, the probability of applying it."""

    op: str
    strength: float
    p: float = Field(default=1.0, gt=0.0, le=1.0)

    @model_validator(mode="after")
    def _known(self) -> Self:
        self.step()  # the engine knows its ops and their ranges, and says so
        return self

    @property
    def kind(self) -> Literal["image", "text"]:
        """What it is for: the name says it. UsageError for a name that neither pictures nor texts have."""
        from gapless.augment import image, text

        if self.op in image.OPS:
            return "image"
        if self.op in text.OPS:
            return "text"
        raise UsageError(f"there is no operation {self.op!r}.{did_you_mean(self.op, [*image.OPS, *text.OPS])}")

    def step(self) -> ImageStep | TextStep:
        """The engine's form of it."""
        from gapless.augment import image, text

        if self.kind == "image":
            return image.Step(self.op, self.strength, self.p)
        return text.Step(self.op, self.strength, self.p)


class Augment(Part):
    """Variations of what the model sees while it trains.

    ops: operations on pictures or on texts, in order; pick: None applies every op, n draws n of them (or none) for each
    picture or text. fill: what stands where a moved picture has no pixels. mixup, cutmix: the alpha of their Beta
    distribution (Zhang et al., arXiv 1710.09412; Yun et al., arXiv 1905.04899); with both, each batch takes one of them
    at random; texts are mixed after their embedding.
    label_smoothing: the share of the target given to all classes alike (Szegedy et al., arXiv 1512.00567, section 7).
    noise: tables only: Gaussian noise on numeric columns, in standard deviations of the column.
    cutoff: texts only: the share of a text's words whose embedding is erased (Shen et al., arXiv 2009.13818).
    """

    ops: tuple[Op, ...] = Field(default=(), strict=False)  # lists are tuples here; their entries stay strict
    pick: int | None = Field(default=None, ge=1, le=10)
    fill: Literal["black", "gray", "edge", "reflect"] = "black"
    mixup: float = Field(default=0.0, ge=0.0, le=10.0)
    cutmix: float = Field(default=0.0, ge=0.0, le=10.0)
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=1.0)
    noise: float = Field(default=0.0, ge=0.0, le=10.0)
    cutoff: float = Share

    @model_validator(mode="after")
    def _fits(self) -> Self:
        kinds = {o.kind: o.op for o in self.ops}
        if len(kinds) > 1:
            raise UsageError(
                f"{kinds['image']} is an operation on pictures and {kinds['text']} one on texts: a recipe is for one "
                "kind of data; leave one of them out"
            )
        if "text" in kinds:
            self.text_policy()
        else:
            self.policy()  # the engine knows which ops go together, and says so
        return self

    @property
    def active(self) -> bool:
        return bool(self.ops or self.mixup or self.cutmix or self.label_smoothing or self.noise or self.cutoff)

    def require(self, kind: str) -> None:
        """UsageError where an op is for another kind of data (`image`, `table` or `text`); tables have no ops."""
        for op in self.ops:
            if op.kind != kind and "table" not in (kind, op.kind):
                called = {"image": "pictures", "text": "texts"}
                raise UsageError(
                    f"augment.ops: {op.op} is an operation on {called[op.kind]}, and these are {called[kind]}; use a "
                    "recipe that was made for them"
                )
        if self.cutoff and kind != "text":
            raise UsageError("augment.cutoff erases words of texts: use a recipe that was made for this kind of data")

    def policy(self) -> ImagePolicy:
        """The engine's form of `ops`, `pick` and `fill` for pictures."""
        from gapless.augment.image import Policy, Step

        return Policy(tuple(Step(o.op, o.strength, o.p) for o in self.ops), self.pick, self.fill)

    def text_policy(self) -> TextPolicy:
        """The engine's form of `ops` and `pick` for texts; one and the same each time, for it keeps what it read."""
        return _text_policy(self.ops, self.pick)


@lru_cache(maxsize=2)
def _text_policy(ops: tuple[Op, ...], pick: int | None) -> TextPolicy:
    from gapless.augment.text import Policy, Step

    return Policy(tuple(Step(o.op, o.strength, o.p) for o in ops), pick)


class Recipe(Part):
    """A part per pillar. Build it in Python, or read it: `Recipe.load("recipe.toml")`.

    In a training loop of your own:

        attached = recipe.attach(model)                     # dropout and batch norm; attached.undo() takes them out
        optimizer = recipe.optimizer(model, lr=3e-3)        # weight decay on the right parameters
        inputs, targets = recipe.augment(inputs, labels, generator, classes=10)   # in every training step

    With texts, the last line becomes:

        texts = recipe.vary(texts, seed=0, epoch=epoch, indices=rows)              # texts of these rows
        with recipe.mixing(model, labels, generator, classes=2) as targets:        # cutoff, mixup, smoothing
            outputs = model(model.encode(texts))
    """

    dropout: Dropout = Dropout()
    batchnorm: BatchNorm = BatchNorm()
    decay: Decay = Decay()
    augment_part: Augment = Field(default=Augment(), alias="augment")

    def part(self, pillar: str) -> Part:
        """The part of one pillar, by the pillar's name; UsageError if there is no such pillar."""
        if pillar not in PILLARS:
            raise UsageError(f"there is no pillar {pillar!r}.{did_you_mean(pillar, PILLARS)}")
        return self.augment_part if pillar == "augment" else getattr(self, pillar)

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
        field = "augment_part" if pillar == "augment" else pillar
        return self.model_copy(update={field: part})

    def without(self, pillar: str) -> Recipe:
        """The same recipe with one pillar switched off."""
        return self.replace(pillar, type(self.part(pillar))())

    # ── apply ──

    def attach(self, model: nn.Module) -> Attached:
        """Puts dropout and batch norm on the model, in place. See `gapless.recipe.attach.attach`."""
        from gapless.recipe.attach import attach

        return attach(self, model)

    def optimizer(self, model: nn.Module, lr: float, kind: Literal["adamw", "sgd"] = "adamw") -> Optimizer:
        """A torch optimizer with this recipe's weight decay. Call it after `attach`: batch norm brings parameters."""
        from gapless.recipe.attach import optimizer

        return optimizer(self, model, lr, kind)

    def augment(
        self,
        inputs: Tensor,
        labels: Tensor,
        generator: Generator,
        classes: int | None = None,
        categorical: Sequence[int] = (),
    ) -> tuple[Tensor, Tensor]:
        """A training batch, varied. See `gapless.recipe.augment.augment_batch`."""
        from gapless.recipe.augment import augment_batch

        return augment_batch(self, inputs, labels, generator, classes, categorical)

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
        self.augment_part.require("text")
        return self.augment_part.text_policy().apply(texts, seed, epoch, indices, resources)

    def mixing(
        self, model: nn.Module, labels: Tensor, generator: Generator, classes: int | None = None
    ) -> AbstractContextManager[Tensor]:
        """Within, the next batch of a model for texts is mixed; gives its targets. See `gapless.recipe.words.mixing`.

        Raises:
            UsageError: class labels are to be mixed or smoothed and `classes` is missing.
        """
        import numpy as np
        import torch

        from gapless.recipe.words import mixing

        part, hard = self.augment_part, not labels.is_floating_point()
        if hard and classes is None and (part.mixup or part.label_smoothing):
            raise UsageError(
                "this recipe mixes or smooths labels: say how many classes there are, mixing(..., classes=2)"
            )
        stream = np.random.Generator(np.random.Philox(int(torch.randint(2**62, (), generator=generator))))
        return mixing(part, model, labels, stream, (classes or 0) if hard else 0)

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
        from gapless.recipe.toml import validated

        return validated(values, where, text=None)

    def to_toml(self, comment: str = "") -> str:
        from gapless.recipe.toml import dumps

        return dumps(self, comment)

    @classmethod
    def from_toml(cls, text: str, where: str = "recipe") -> Recipe:
        """A recipe from TOML text; `where` names the text in errors.

        Raises:
            UsageError: not TOML, an unknown key or a value out of range; the message names file and line.
        """
        from gapless.recipe.toml import loads

        return loads(text, where)

    @classmethod
    def load(cls, path: str | Path) -> Recipe:
        """A recipe from a TOML file.

        Raises:
            UsageError: no such file, or what `from_toml` raises.
        """
        from pathlib import Path

        try:
            text = Path(path).read_text(encoding="utf-8-sig")  # some editors begin a file with a byte order mark
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path}: cannot be read as a recipe: {error}") from error
        return cls.from_toml(text, str(path))
