"""The parts of a recipe, one for each pillar: frozen values, every default is "off"."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

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
    """One operation on pictures or texts: its name, its strength in its own unit, the probability of applying it.

    magnitude: pictures: `uniform` draws it up to the strength, `full` takes the strength itself, its sign drawn.
    """

    op: str
    strength: float
    p: float = Field(default=1.0, gt=0.0, le=1.0)
    magnitude: Literal["uniform", "full"] = "uniform"

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
            return image.Step(self.op, self.strength, self.p, self.magnitude)
        if self.magnitude != "uniform":
            raise UsageError(f"{self.op}: magnitude is for operations on pictures; leave it out")
        return text.Step(self.op, self.strength, self.p)


Options = tuple[Annotated[tuple[Op, ...], Field(strict=False)], ...]
"""Lists of operations of which each picture gets one."""


class Augment(Part):
    """Variations of what the model sees while it trains.

    ops: operations on pictures or on texts, in order; pick: None applies every op, n draws n of them (or none) for each
    picture or text. one_of: pictures only, after `ops`: each gets one of these lists of operations, all equally likely,
    drawn anew `times` times; the sub-policies of AutoAugment are such lists. fill: what stands where a moved picture
    has no pixels. mixup, cutmix: the alpha of their Beta distribution (Zhang et al., arXiv 1710.09412; Yun et al.,
    arXiv 1905.04899); with both, each batch takes one of them at random; texts are mixed after their embedding.
    label_smoothing: the share of the target given to all classes alike (Szegedy et al., arXiv 1512.00567, section 7).
    noise: tables only: Gaussian noise on numeric columns, in standard deviations of the column.
    cutoff: texts only: the share of a text's words whose embedding is erased (Shen et al., arXiv 2009.13818).
    """

    ops: tuple[Op, ...] = Field(default=(), strict=False)  # lists are tuples here; their entries stay strict
    pick: int | None = Field(default=None, ge=1, le=10)
    one_of: Options = Field(default=(), strict=False)
    times: int = Field(default=1, ge=1, le=10)
    fill: Literal["black", "gray", "edge", "reflect"] = "black"
    mixup: float = Field(default=0.0, ge=0.0, le=10.0)
    cutmix: float = Field(default=0.0, ge=0.0, le=10.0)
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=1.0)
    noise: float = Field(default=0.0, ge=0.0, le=10.0)
    cutoff: float = Share

    @model_validator(mode="after")
    def _fits(self) -> Self:
        kinds = {o.kind: o.op for o in self.every_op}
        if len(kinds) > 1:
            raise UsageError(
                f"{kinds['image']} is an operation on pictures and {kinds['text']} one on texts: a recipe is for one "
                "kind of data; leave one of them out"
            )
        if "text" in kinds:
            if self.one_of:
                raise UsageError("one_of is for operations on pictures; give texts `ops` with pick = 1")
            self.text_policy()
        else:
            self.policy()  # the engine knows which ops go together, and says so
        return self

    @property
    def every_op(self) -> tuple[Op, ...]:
        """The operations in order, those of all lists of `one_of` among them."""
        return self.ops + sum(self.one_of, ())

    @property
    def active(self) -> bool:
        return bool(self.every_op or self.mixup or self.cutmix or self.label_smoothing or self.noise or self.cutoff)

    def require(self, kind: str) -> None:
        """UsageError where an op is for another kind of data (`image`, `table` or `text`); tables have no ops."""
        for op in self.every_op:
            if op.kind != kind and "table" not in (kind, op.kind):
                called = {"image": "pictures", "text": "texts"}
                raise UsageError(
                    f"augment.ops: {op.op} is an operation on {called[op.kind]}, and these are {called[kind]}; use a "
                    "recipe that was made for them"
                )
        if self.cutoff and kind != "text":
            raise UsageError("augment.cutoff erases words of texts: use a recipe that was made for this kind of data")

    def policy(self) -> image.Policy:
        """The engine's form of `ops`, `pick`, `one_of` and `fill` for pictures."""
        choices = (image.Choice(tuple(map(_steps, self.one_of))),) * self.times if self.one_of else ()
        return image.Policy((*_steps(self.ops), *choices), self.pick, self.fill)

    @classmethod
    def of(cls, policy: image.Policy | text.Policy) -> Augment:
        """A policy as a part of a recipe.

        Raises:
            UsageError: a policy for pictures that sets a size or reads the nearest pixel, or whose choices are not all
                alike and last.
        """
        if isinstance(policy, text.Policy):
            return cls(ops=tuple(Op(op=s.op, strength=s.strength, p=s.p) for s in policy.steps), pick=policy.pick)
        choices = [step for step in policy.steps if isinstance(step, image.Choice)]
        alone = policy.steps[: len(policy.steps) - len(choices)]
        if policy.size or policy.reading != "bilinear" or len(set(choices)) > 1 or set(alone) & set(choices):
            raise UsageError("a recipe has a policy's steps, then one choice several times; not this one's form")
        options = tuple(_ops(option) for option in choices[0].options) if choices else ()
        ops = _ops(tuple(step for step in alone if isinstance(step, image.Step)))
        return cls(ops=ops, pick=policy.pick, one_of=options, times=max(1, len(choices)), fill=policy.fill)

    def text_policy(self) -> text.Policy:
        """The engine's form of `ops` and `pick` for texts; one and the same each time, for it keeps what it read."""
        return _text_policy(self.ops, self.pick)


def _steps(ops: tuple[Op, ...]) -> tuple[image.Step, ...]:
    return tuple(image.Step(o.op, o.strength, o.p, o.magnitude) for o in ops)


def _ops(steps: tuple[image.Step, ...]) -> tuple[Op, ...]:
    """What a policy's steps are in a recipe; a step that never does anything is none."""
    return tuple(Op(op=s.op, strength=s.strength, p=s.p, magnitude=s.magnitude) for s in steps if s.p > 0)


@lru_cache(maxsize=2)
def _text_policy(ops: tuple[Op, ...], pick: int | None) -> text.Policy:
    return text.Policy(tuple(text.Step(o.op, o.strength, o.p) for o in ops), pick)
