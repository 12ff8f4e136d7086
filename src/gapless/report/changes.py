"""Texts and what augmentation made of them, side by side, with what changed marked.

The plain form marks as wdiff does: [-left out-]{+put in+}. The rich form strikes out and underlines; it is built of
styled pieces, so that square brackets in texts are no markup.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal, Protocol

from rich.console import Group
from rich.rule import Rule
from rich.text import Text as Rich

from gapless.augment.text import Resources
from gapless.errors import UsageError
from gapless.report.figures import visible

Mark = Literal["kept", "out", "in"]

_PIECE = re.compile(r"\s+|\w+(?:['’-]\w+)*|.", re.DOTALL)
_SENTENCE = re.compile(r"\s+|\S.*?(?:[.!?…。！？]+[\"'”’»)\]]*(?=\s|$)|(?=\n)|$)", re.DOTALL)
_STYLES: dict[Mark, str] = {"kept": "", "out": "red strike", "in": "green underline"}
_LONG = 600
"""Sentences of more pieces are not compared piece by piece: that takes the square of their number."""


class Augments(Protocol):
    """What turns texts into texts: a text policy."""

    def apply(
        self, texts: Sequence[str], seed: int, epoch: int, indices: Sequence[int], resources: Resources | None
    ) -> list[str]: ...


@dataclass(frozen=True)
class Part:
    """A piece of a text: kept, left out, or put in."""

    mark: Mark
    text: str


@dataclass(frozen=True)
class Preview:
    """A text and its variants, each as parts: kept and left out give the original, kept and put in the variant."""

    original: str
    variants: tuple[tuple[Part, ...], ...]

    def plain(self) -> list[str]:
        """The original, then every variant with its changes in brackets; control characters are made visible."""
        return [visible(self.original), *(_plain(parts) for parts in self.variants)]

    def __rich__(self) -> Group:
        rows = [Rich(visible(self.original), "bold")]
        for number, parts in enumerate(self.variants, 1):
            row = Rich.assemble((f"{number:>3}  ", "dim"))
            for part in parts:
                row.append(visible(part.text), _STYLES[part.mark])
            if not changed(parts):
                row.append("  (unchanged)", "dim")
            rows.append(row)
        return Group(*rows, Rule(style="dim"))


def preview(
    texts: Sequence[str], policy: Augments, seed: int, variants: int, resources: Resources | None = None
) -> list[Preview]:
    """Every text with so many variants, those of the first epochs: what training would see.

    Args:
        texts: the texts, numbered from 0 as in their data set.
        policy: a text policy.
        seed: the seed of the draws.
        variants: how many epochs, at least 1.
        resources: what the policy's operations read besides the texts.
    """
    if variants < 1:
        raise UsageError(f"variants must be at least 1, got {variants}")
    epochs = [policy.apply(texts, seed, epoch, range(len(texts)), resources) for epoch in range(variants)]
    return [
        Preview(text, tuple(compared(text, after[number]) for after in epochs)) for number, text in enumerate(texts)
    ]


def compared(before: str, after: str) -> tuple[Part, ...]:
    """What was kept, left out and put in: sentence by sentence, and word by word within a sentence that stayed."""
    parts: list[Part] = []
    a, b = _SENTENCE.findall(before), _SENTENCE.findall(after)
    everywhere = {*a} & {*b}
    for same, start, stop, low, high in _opcodes(a, b):
        if same:
            parts.append(Part("kept", "".join(a[start:stop])))
        elif stop - start == high - low:
            for old, new in zip(a[start:stop], b[low:high], strict=True):
                parts += _replaced(old, new) if {old, new} & everywhere else _words(old, new)
        else:
            parts += _words("".join(a[start:stop]), "".join(b[low:high]))
    return _joined([part for part in parts if part.text])


def _words(before: str, after: str) -> list[Part]:
    a, b = _PIECE.findall(before), _PIECE.findall(after)
    if max(len(a), len(b)) > _LONG:
        return _replaced(before, after)
    parts: list[Part] = []
    for same, start, stop, low, high in _opcodes(a, b):
        old, new = "".join(a[start:stop]), "".join(b[low:high])
        parts += [Part("kept", old)] if same else _replaced(old, new)
    return parts


def _replaced(old: str, new: str) -> list[Part]:
    return [Part("out", old), Part("in", new)]


def _opcodes(a: list[str], b: list[str]) -> list[tuple[bool, int, int, int, int]]:
    """What of a became what of b, and whether it is the same."""
    found = SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
    return [(tag == "equal", start, stop, low, high) for tag, start, stop, low, high in found]


def changed(parts: Sequence[Part]) -> bool:
    """Whether anything was left out or put in."""
    return any(part.mark != "kept" for part in parts)


def _joined(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Two changes with a blank between are one; so a change of three words reads as one change."""
    found: list[Part] = []
    place = 0
    while place < len(parts):
        if parts[place].mark == "kept":
            found.append(parts[place])
            place += 1
            continue
        out, new = "", ""
        while place < len(parts):
            part = parts[place]
            if part.mark == "kept":
                if not (part.text == " " and place + 1 < len(parts)):
                    break
                out, new = out + " ", new + " "
            elif part.mark == "out":
                out += part.text
            else:
                new += part.text
            place += 1
        found += [part for part in (Part("out", out), Part("in", new)) if part.text]
    return tuple(found)


def _plain(parts: Sequence[Part]) -> str:
    forms: dict[Mark, str] = {"kept": "{}", "out": "[-{}-]", "in": "{{+{}+}}"}
    return "".join(forms[part.mark].format(visible(part.text)) for part in parts)
