"""What the sliders say, and the recipe that it is."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gapless.errors import UsageError
from gapless.recipe import Recipe
from gapless.recipe.parts import Augment, BatchNorm, Decay, Dropout, Op
from gapless.recipe.problems import first_problem

Data = Literal["moons", "circles", "spirals", "digits", "own"]
MOVES = ("rotate", "scale", "shift")
"""The sliders that move pictures; a shift is one of each direction."""


class Settings(BaseModel):
    """Everything that can be set on the page; the defaults are what it opens with.

    rows: to train on. flipped: the share of them whose label is drawn anew. width, depth: of the perceptron; a
    reader's own pictures have their own model, of this width. epochs: the whole length. hidden, input: dropout.
    rotate: degrees; scale, shift: shares of the side. jitter: noise on points and tables, in standard deviations.

    Raises:
        UsageError: (by `of`) an unknown name, or a value out of range.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Data = "moons"
    rows: int = Field(default=60, ge=10, le=1000)
    flipped: float = Field(default=0.0, ge=0.0, le=0.5)
    width: int = Field(default=64, ge=2, le=256)
    depth: int = Field(default=2, ge=1, le=4)
    epochs: int = Field(default=200, ge=2, le=1000)
    lr: float = Field(default=0.01, gt=0.0, le=1.0)
    batch: int = Field(default=16, ge=2, le=256)
    seed: int = Field(default=0, ge=0, le=2**31)
    hidden: float = Field(default=0.0, ge=0.0, le=0.95)
    input: float = Field(default=0.0, ge=0.0, le=0.95)
    batchnorm: bool = False
    decay: float = Field(default=0.0, ge=0.0, le=10.0)
    rotate: float = Field(default=0.0, ge=0.0, le=180.0)
    scale: float = Field(default=0.0, ge=0.0, le=0.5)
    shift: float = Field(default=0.0, ge=0.0, le=0.5)
    jitter: float = Field(default=0.0, ge=0.0, le=2.0)
    mixup: float = Field(default=0.0, ge=0.0, le=2.0)
    smoothing: float = Field(default=0.0, ge=0.0, le=0.5)

    @classmethod
    def of(cls, sent: dict[str, Any]) -> Settings:
        try:
            return cls.model_validate(sent)
        except ValidationError as error:
            raise UsageError(f"playground: {first_problem(cls, error)[1]}") from error

    def recipe(self, pictures: bool) -> Recipe:
        """The recipe; sliders that are not for this kind of data count as off."""
        moves = {"rotate": self.rotate, "scale": self.scale, "translate_x": self.shift, "translate_y": self.shift}
        ops = tuple(Op(op=name, strength=value) for name, value in moves.items() if value and pictures)
        return Recipe(
            dropout=Dropout(hidden=self.hidden, input=self.input),
            batchnorm=BatchNorm(insert=self.batchnorm),
            decay=Decay(strength=self.decay),
            augment=Augment(
                ops=ops,
                mixup=self.mixup,
                label_smoothing=self.smoothing,
                noise=0.0 if pictures else self.jitter,
            ),
        )
