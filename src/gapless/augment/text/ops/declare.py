"""What a text operation is, and how a file of operations declares its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gapless.augment.prior import Prior
from gapless.augment.text.document import Text
from gapless.augment.text.edits import Plain
from gapless.augment.text.resources import Resources

Law = Literal["share", "whole", "switch"]
Size = Literal["words", "sentences", "text"]
Counts = NDArray[np.int64]
Function = Callable[[Text, int, Sequence[float], Resources], Sequence[Plain]]
"""The edits that make n changes in a text, by uniform numbers, with what it may read besides the text."""
Needs = Callable[[Counts, Counts], Counts]
"""How many uniform numbers, for the number of changes n and the size of the text."""


@dataclass(frozen=True)
class Op:
    """What an operation is called and what it takes.

    weak, strong: the strengths it accepts, in `unit`; weak is the identity. law: a `share` of the text's words or
    sentences is changed (share * size on average, never more than one off), a `whole` number, or a `switch` that is on
    or off. size: what the share is of. needs: how many uniform numbers it takes. safe: it keeps the meaning, not only
    the label that a bag of words would give; tests/laws/test_text_labels.py measures it. whole_text: it puts another
    text in the place of this one. source: where it comes from. prior: what a search tries; None: nothing, it is used
    where a recipe or policy names it.
    """

    name: str
    weak: float
    strong: float
    unit: str
    law: Law
    size: Size
    needs: Needs
    safe: bool
    whole_text: bool
    source: str
    summary: str
    function: Function
    prior: Prior | None

    def sizes(self, texts: Sequence[Text]) -> Counts:
        """How many words or sentences the texts have."""
        if self.size == "words":
            return np.array([len(text.tokens.starts) for text in texts], np.int64)
        if self.size == "sentences":
            return np.array([len(text.sentences) for text in texts], np.int64)
        return np.ones(len(texts), np.int64)


class Declared(dict[str, Op]):
    """The operations of one file, in the order of their declarations."""

    def op(
        self,
        unit: str,
        *,
        strong: float = 1.0,
        law: Law = "share",
        size: Size = "words",
        needs: Needs,
        safe: bool,
        whole_text: bool = False,
        source: str,
        prior: Prior | None = None,
    ) -> Callable[[Function], Function]:
        """Declare the function below as an operation of its name; a second one of the same name is an error.

        The function takes the text, the number of changes n, its uniform numbers, and the `Resources`.
        """

        def declare(function: Function) -> Function:
            name = function.__name__
            if name in self:
                raise ValueError(f"the text operation {name!r} is declared twice")
            summary = (function.__doc__ or "").strip()
            self[name] = Op(
                name, 0.0, strong, unit, law, size, needs, safe, whole_text, source, summary, function, prior
            )
            return function

        return declare


def each(numbers: int) -> Needs:
    """So many uniform numbers for each change."""

    def needs(n: Counts, size: Counts) -> Counts:
        return n * numbers

    return needs


def chosen(items: Sequence[Any], n: int, u: Sequence[float]) -> list[Any]:
    """n of the items, each at most once, all sets as likely, by n uniform numbers; all items if there are fewer."""
    return list(items) if n >= len(items) else shuffled(items, n, u)


def shuffled(items: Sequence[Any], n: int, u: Sequence[float]) -> list[Any]:
    """`chosen`, in an order that is drawn as well: the first n places of a Fisher-Yates shuffle."""
    pool = list(items)
    count = len(pool)
    n = min(n, count)
    for place in range(n):
        other = place + int(u[place] * (count - place))
        pool[place], pool[other] = pool[other], pool[place]
    return pool[:n]
