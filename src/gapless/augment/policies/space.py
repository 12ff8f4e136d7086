"""What a search over policies may draw: operations, each up to a strength, with a probability and a magnitude in bins.

A policy is five sub-policies, a sub-policy two operations in order, an operation three whole numbers: which one, the
bin of its probability, the bin of its magnitude (Cubuk et al., AutoAugment, arXiv 1805.09501, section 3). The paper's
magnitudes run to fixed ends; here each operation has its own, such as the strength up to which labels survive.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gapless import draws
from gapless.augment import image, text
from gapless.errors import UsageError, did_you_mean

Codes = NDArray[np.int64]
"""(sub-policies, operations, 3): operation, bin of the probability, bin of the magnitude."""
Policy = image.Policy | text.Policy
Fill = Literal["black", "gray", "edge", "reflect"]

PROBABILITIES, MAGNITUDES = 11, 10
"""Bins: probabilities 0, 0.1 ... 1; magnitudes a tenth of the range ... all of it."""
SUB_POLICIES, OPERATIONS = 5, 2


@dataclass(frozen=True)
class Range:
    """An operation and its greatest strength, in the operation's unit; both kinds of operations have names apart."""

    op: str
    high: float

    def __post_init__(self) -> None:
        known = [*image.OPS, *text.OPS]
        if self.op not in known:
            raise UsageError(f"there is no operation {self.op!r}.{did_you_mean(self.op, known)}")
        if not 0 < self.high <= self.record.strong:
            raise UsageError(
                f"{self.op}: a range must end above 0 and at most at {self.record.strong:g}, got {self.high:g}"
            )

    @property
    def record(self) -> image.Op | text.Op:
        return image.OPS[self.op] if self.op in image.OPS else text.OPS[self.op]

    @property
    def graded(self) -> bool:
        """Whether its strength can be any number."""
        return self.record.law in ("uniform", "share")

    def strength(self, share: float) -> float:
        """The strength at a share of the range; whole numbers are rounded up, switches are on."""
        if self.record.law == "switch":
            return 1.0
        return self.high * share if self.graded else float(max(1, round(self.high * share)))


@dataclass(frozen=True)
class Space:
    """Operations of one kind with their ranges, in a fixed order; fill: what moved pictures are filled with.

    Raises:
        UsageError: no operation, one twice, or operations on pictures and on texts.
    """

    ranges: tuple[Range, ...]
    fill: Fill = "black"

    def __post_init__(self) -> None:
        names = [r.op for r in self.ranges]
        if not names:
            raise UsageError("a policy needs at least one operation to draw from")
        if len(set(names)) < len(names):
            raise UsageError(f"an operation is given twice: {', '.join(sorted(names))}")
        if len({name in image.OPS for name in names}) > 1:
            raise UsageError("a policy is for pictures or for texts: leave the operations of one kind out")

    @property
    def kind(self) -> Literal["image", "text"]:
        return "image" if self.ranges[0].op in image.OPS else "text"

    @property
    def decisions(self) -> tuple[int, ...]:
        """How many choices each decision has, in the order in which a controller takes them."""
        return (len(self.ranges), PROBABILITIES, MAGNITUDES) * (SUB_POLICIES * OPERATIONS)

    def codes(self, decided: Sequence[int] | Codes) -> Codes:
        """Decisions in their order as codes."""
        return np.asarray(decided, np.int64).reshape(-1, OPERATIONS, 3)

    def sub_policies(self, codes: Codes) -> image.Policy:
        """Each picture gets one of the sub-policies, its magnitudes at their strength with a drawn sign.

        Raises:
            UsageError: texts, whose policies have no choices.
        """
        if self.kind == "text":
            raise UsageError("sub-policies are for pictures; for texts use the strength search")
        options = tuple(tuple(self._step(*map(int, code)) for code in sub) for sub in codes)
        return image.Policy((image.Choice(options),), fill=self.fill)

    def _step(self, op: int, probability: int, magnitude: int) -> image.Step:
        found = self.ranges[op]
        return image.Step(
            found.op, found.strength((magnitude + 1) / MAGNITUDES), probability / (PROBABILITIES - 1), "full"
        )

    def spread(self, names: Iterable[str], share: float) -> Policy:
        """One of these operations for each picture or text, or none, up to a share of its range: TrivialAugment's form.

        Müller and Hutter, TrivialAugment, arXiv 2103.10158, section 3, with the set and the ranges given.
        """
        wanted = set(names)
        chosen = [r for r in self.ranges if r.op in wanted]
        if missing := wanted - {r.op for r in chosen}:
            raise UsageError(f"there is no {', '.join(sorted(missing))} among the operations of this space")
        if self.kind == "image":
            return image.Policy(tuple(image.Step(r.op, r.strength(share)) for r in chosen), pick=1, fill=self.fill)
        return text.Policy(tuple(text.Step(r.op, r.strength(share)) for r in chosen), pick=1)

    def drawn(self, seed: int, number: int) -> Policy:
        """A policy at random, from the same table as every search: sub-policies, or for texts a set and a share."""
        stream = draws.stream(seed, "random policy", number)
        if self.kind == "image":
            return self.sub_policies(self.codes([int(stream.integers(n)) for n in self.decisions]))
        kept = [r.op for r in self.ranges if stream.random() < 0.5] or [self.ranges[0].op]
        return self.spread(kept, float(stream.uniform(0.1, 1)))

    def drawn_spread(self, seed: int, number: int) -> Policy:
        """A set of operations and a share of their ranges at random, in TrivialAugment's form."""
        stream = draws.stream(seed, "random spread", number)
        kept = [r.op for r in self.ranges if stream.random() < 0.5]
        return self.spread(
            kept or [self.ranges[int(stream.integers(len(self.ranges)))].op], float(stream.uniform(0.1, 1))
        )
