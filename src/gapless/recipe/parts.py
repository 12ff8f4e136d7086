"""The parts of a recipe, one for each pillar: frozen values, every default is "off"."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gapless.augment import image, text
from gapless.errors import UsageError, did_you_mean
from gapless.recipe.problems import first_problem

PILLARS = ("dropout", "batchnorm", "decay", "augment")

Share = Field(default=0.0, ge=0.0, lt=1.0)


class _Explained(type(BaseModel)):
    """What is built in Python gets the same errors as what is read from a file."""

    if not TYPE_CHECKING:  # the signature that a type checker sees is the model's own

        def __call__(cls, *args: Any, **values: Any) -> Any:
            try:
                return super().__call__(*args, **values)
            except ValidationError as error:
                raise UsageError(f"{cls.__name__}: {first_problem(cls, error)[1]}") from error


class Part(BaseModel, metaclass=_Explained):
    """One pillar's share of a recipe; every default is "off".

    Raises:
        UsageError: an unknown name, a value of the wrong type or out of range.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @property
    def active(self) -> bool:
        """Whether anything is switched on."""
        return self != type(self)()


class Dropout(Part):
    """Probabilities of dropping.

    hidden: units that enter a Linear layer, the first layer excepted. channel: whole feature maps that enter a
    convolution. input: what enters the first layer of the model. For texts, embedding: words of the vocabulary, all
    their occurrences in a batch. word: single words, which become the unknown one. where: patterns of module paths;
    hidden and channel go nowhere else.
    """

    hidden: float = Share
    channel: float = Share
    input: float = Share
    embedding: float = Share
    word: float = Share
    where: tuple[str, ...] = Field(default=("*",), min_length=1, strict=False)

    @property
    def active(self) -> bool:
        return bool(self.hidden or self.channel or self.input or self.embedding or self.word)


class BatchNorm(Part):
    """insert: batch norm after every layer with weights but the heads, in a model that has no normalization.

    skip: patterns of module paths that get none.
    """

    insert: bool = False
    skip: tuple[str, ...] = Field(default=(), strict=False)

    @property
    def active(self) -> bool:
        return self.insert


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
        if self.op in image.OPS:
            return "image"
        if self.op in text.OPS:
            return "text"
        raise UsageError(f"there is no operation {self.op!r}.{did_you_mean(self.op, [*image.OPS, *text.OPS])}")

    def step(self) -> image.Step | text.Step:
        """The engine's form of it."""
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

    def policy(self) -> image.Policy:
        """The engine's form of `ops`, `pick` and `fill` for pictures."""
        return image.Policy(tuple(image.Step(o.op, o.strength, o.p) for o in self.ops), self.pick, self.fill)

    def text_policy(self) -> text.Policy:
        """The engine's form of `ops` and `pick` for texts; one and the same each time, for it keeps what it read."""
        return _text_policy(self.ops, self.pick)


@lru_cache(maxsize=2)
def _text_policy(ops: tuple[Op, ...], pick: int | None) -> text.Policy:
    return text.Policy(tuple(text.Step(o.op, o.strength, o.p) for o in ops), pick)
