"""Which operations, how strong, how likely: a policy turns texts into texts.

Every draw is keyed by (seed, epoch, index of the text, place in the policy), so the same text of a data set comes out
the same in any batch, on any machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gapless.augment.steps import check
from gapless.augment.text.document import Kept, Text
from gapless.augment.text.draws import uniforms
from gapless.augment.text.edits import Span, applied
from gapless.augment.text.ops import Op, find
from gapless.augment.text.protect import Protect
from gapless.augment.text.resources import Resources
from gapless.errors import UsageError

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Step:
    """One operation of a policy.

    Args:
        op: the operation's name.
        strength: in the operation's unit, most often the share of the words that change; 0 is the identity.
        p: the probability that a text gets it, in [0, 1].
    """

    op: str
    strength: float
    p: float = 1.0

    def __post_init__(self) -> None:
        check(self.record, self.strength, self.p, whole=self.record.law != "share")

    @property
    def record(self) -> Op:
        return find(self.op)

    @property
    def idle(self) -> bool:
        """Whether it never changes anything."""
        return self.p == 0 or self.strength == 0

    def scaled(self, share: float) -> Step:
        if self.record.law == "share":
            return replace(self, strength=self.strength * share)
        return replace(self, p=self.p * share)

    def changes(self, sizes: Rows, u: NDArray[np.float64]) -> Rows:
        """How many changes n each text gets, by its size and a uniform number: strength * size on average."""
        if self.record.law == "share":
            return np.floor(self.strength * sizes + u).astype(np.int64)
        return np.full(len(sizes), int(self.strength))


@dataclass(frozen=True)
class Policy:
    """Operations to draw from.

    Args:
        steps: operations, in order.
        pick: None: every step, in order. n: n of the steps for each text, drawn with replacement from the steps and
            "leave it as it is", all equally likely.
        protect: what no operation changes.
    """

    steps: tuple[Step, ...]
    pick: int | None = None
    protect: Protect = field(default_factory=Protect)

    def __post_init__(self) -> None:
        if self.pick is not None and self.pick < 1:
            raise UsageError(f"pick must be at least 1, or None for every step in order, got {self.pick}")
        later = self.steps[1:] if self.pick is None else self.steps if self.pick > 1 else ()
        for step in later:
            if step.record.whole_text:
                raise UsageError(
                    f"{step.op} puts in another text: it must be the first step, or picked alone (pick = 1)"
                )

    @cached_property
    def _kept(self) -> Kept:
        return Kept(self.protect)

    def scaled(self, share: float) -> Policy:
        """The same policy with every strength times `share`, in [0, 1]; switches and whole numbers take it in p.

        For a schedule over epochs: `policy.scaled(epoch / epochs)`.
        """
        if not 0 <= share <= 1:
            raise UsageError(f"share must be in [0, 1], got {share!r}")
        scaled = replace(self, steps=tuple(step.scaled(share) for step in self.steps))
        scaled.__dict__["_kept"] = self._kept
        return scaled

    def apply(
        self,
        texts: Sequence[str],
        seed: int,
        epoch: int,
        indices: Sequence[int] | NDArray[np.integer],
        resources: Resources | None = None,
        spans: Sequence[Sequence[Span]] | None = None,
    ) -> list[str]:
        """The texts, augmented; a text that nothing changes comes back as the same object.

        Args:
            texts: B texts.
            seed: from 0 to 2**64 - 1.
            epoch: from 0 to 2**31 - 1.
            indices: (B,) the texts' numbers in their data set: the key of what is drawn for them.
            resources: what the operations read; None: the synonyms that are shipped, no paraphrases.
            spans: for each text, the (start, stop) of characters that are protected besides what `protect` finds.
        """
        rows = _checked(texts, seed, epoch, indices, spans)
        if spans is None:
            read = self._kept.texts(texts)
        else:
            read = [Text(text, self.protect, some) for text, some in zip(texts, spans, strict=True)]
        batch = _Batch(texts, read, rows, (seed, epoch), resources or Resources())
        slots = len(self.steps) if self.pick is None else self.pick
        for slot in range(slots):
            for step, some in self._turns(slot, batch):
                batch.take(step, slot, some, last=slot == slots - 1)
        return batch.after

    def _turns(self, slot: int, batch: _Batch) -> list[tuple[Step, Rows]]:
        """Which step is taken by which texts of the batch, at this place of the policy."""
        whole = np.arange(len(batch.rows))
        if self.pick is None:
            return [(self.steps[slot], whole)]
        u = batch.heads(slot, _PICK, whole)[:, 0]
        choice = np.floor(u * (len(self.steps) + 1))
        return [(step, whole[choice == number]) for number, step in enumerate(self.steps)]


_PICK, _WHETHER, _HOW = range(3)
"""What is drawn at a place of the policy: the step, whether and how much it changes, what it changes."""


class _Batch:
    """The texts of one call, on their way through a policy."""

    def __init__(
        self,
        sources: Sequence[str],
        texts: list[Text],
        rows: Rows,
        key: tuple[int, int],
        resources: Resources,
    ) -> None:
        self.rows = rows
        self.after = list(sources)
        self._texts, self._key, self._resources = texts, key, resources

    def heads(self, slot: int, what: int, some: Rows) -> NDArray[np.float64]:
        """(len(some), 4) uniform numbers."""
        u, _ = uniforms(*self._key, self.rows[some], 3 * slot + what, np.full(len(some), 4))
        return np.array(u, np.float64).reshape(len(some), 4)

    def take(self, step: Step, slot: int, some: Rows, last: bool) -> None:
        """Take some of the texts through a step; `last`: no other follows."""
        if step.idle or not len(some):
            return
        op, head = step.record, self.heads(slot, _WHETHER, some)
        going = head[:, 0] < step.p
        some, head = some[going], head[going]
        texts = [self._texts[row] for row in some.tolist()]
        sizes = op.sizes(texts)
        n = step.changes(sizes, head[:, 1])
        going = np.flatnonzero(n)
        if not len(going):
            return
        some, n, texts = some[going], n[going], [texts[place] for place in going.tolist()]
        u, starts = uniforms(*self._key, self.rows[some], 3 * slot + _HOW, op.needs(n, sizes[going]))
        edits_of, resources, after = op.function, self._resources, self.after
        stops = [*starts[1:], len(u)]
        for row, text, count, start, stop in zip(some.tolist(), texts, n.tolist(), starts, stops, strict=True):
            edits = edits_of(text, count, u[start:stop], resources)
            if edits and last:
                after[row] = applied(text.source, edits)
            elif edits:
                self._texts[row] = text = text.edited(edits)
                after[row] = text.source


def _checked(
    texts: Sequence[str],
    seed: int,
    epoch: int,
    indices: Sequence[int] | NDArray[np.integer],
    spans: Sequence[Sequence[Span]] | None,
) -> Rows:
    if isinstance(texts, str):
        raise UsageError("texts must be a sequence of texts, got one text; put it into a list")
    rows = np.asarray(indices, np.int64)
    if rows.shape != (len(texts),):
        raise UsageError(f"indices must be one number for each of the {len(texts)} texts, got shape {rows.shape}")
    if len(rows) and rows.min() < 0:
        raise UsageError(f"indices must be at least 0, got {rows.min()}")
    if not 0 <= seed < 2**64:
        raise UsageError(f"seed must be from 0 to 2**64 - 1, got {seed}")
    if not 0 <= epoch < 2**31:
        raise UsageError(f"epoch must be from 0 to 2**31 - 1, got {epoch}")
    if spans is not None and len(spans) != len(texts):
        raise UsageError(f"spans must be one list for each of the {len(texts)} texts, got {len(spans)}")
    return rows
