"""What no operation changes, by default and by choice."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from gapless.augment.text.edits import Span
from gapless.augment.text.known import Known, known
from gapless.augment.text.lexicon.words import Kind
from gapless.errors import UsageError


@dataclass(frozen=True)
class Protect:
    """What no operation deletes, replaces, moves, misspells or breaks apart.

    Where a word may be a name (a capital within a sentence, or at its start and not a stop word), it is taken as one.

    Args:
        negation: words that negate, together with what they negate ("do not recommend"), and conditions (if, but).
        polarity: words that judge (good, boring, hate).
        numbers: digits, number words and quantifiers.
        names: capitalised words and acronyms; adjacent ones are one name.
        addresses: URLs, mail addresses, paths, @mentions, #tags, markup, identifiers.
        emoji: emoji and emoticons.
        contractions: words with an apostrophe.
        quotes: everything within quotation marks on one line.
        discourse: a sentence that starts with a discourse marker (However, ...) moves only with the one before.
        words: further words, in any case.
        patterns: further regular expressions; what they match is protected.
    """

    negation: bool = True
    polarity: bool = True
    numbers: bool = True
    names: bool = True
    addresses: bool = True
    emoji: bool = True
    contractions: bool = True
    quotes: bool = True
    discourse: bool = True
    words: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for pattern in self.patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise UsageError(f"protect: {pattern!r} is not a regular expression: {error}") from error

    @cached_property
    def kinds(self) -> tuple[int, ...]:
        """What each kind is taken as: kinds that are not protected are ordinary words."""
        off = {
            Kind.NEGATION: self.negation,
            Kind.NUMBER: self.numbers,
            Kind.NAME: self.names,
            Kind.ADDRESS: self.addresses,
            Kind.EMOJI: self.emoji,
            Kind.CONTRACTION: self.contractions,
        }
        taken = [Kind.STOP if not off.get(kind, True) else kind for kind in Kind]
        if not self.polarity:
            taken[Kind.POLARITY] = Kind.FREE
        return tuple(int(kind) for kind in taken)

    @cached_property
    def given(self) -> frozenset[str]:
        return frozenset(word.lower() for word in self.words)

    @cached_property
    def known(self) -> Known:
        """What words are by themselves, under this protection."""
        return known(self.kinds, self.given, self.names)

    @cached_property
    def compiled(self) -> tuple[re.Pattern[str], ...]:
        return tuple(re.compile(pattern) for pattern in self.patterns)

    def matches(self, source: str) -> list[Span]:
        """What the patterns match."""
        return [match.span() for pattern in self.compiled for match in pattern.finditer(source) if match[0]]
