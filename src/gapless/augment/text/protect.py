"""What is protected by default, and a text as the operations see it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from gapless.augment.text.edits import Plain, applied, carried
from gapless.augment.text.known import Known, known
from gapless.augment.text.reading import Span, Tokens, read
from gapless.augment.text.sentences import units
from gapless.augment.text.words import Kind
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


class Text:
    """A text that is read once: its tokens and sentences are found when they are first asked for.

    Args:
        spans: (start, stop) of characters that are protected besides what `protect` finds.
    """

    __slots__ = ("_sentences", "_tokens", "protect", "replacements", "source", "spans", "thesaurus")

    def __init__(self, source: str, protect: Protect, spans: Sequence[Span] = ()) -> None:
        for start, stop in spans:
            if not 0 <= start <= stop <= len(source):
                raise UsageError(
                    f"a protected span must be start and stop within the text's {len(source)} characters, "
                    f"got ({start}, {stop})"
                )
        self.source = source
        self.protect = protect
        self.spans = tuple(spans)
        self.thesaurus: object = None
        """What says what its words may be replaced by, and keeps it here: start, stop, words."""
        self.replacements: tuple[tuple[int, int, tuple[str, ...]], ...] = ()
        self._tokens: Tokens | None = None
        self._sentences: list[Span] | None = None

    @property
    def tokens(self) -> Tokens:
        if self._tokens is None:
            self._tokens = read(self.source, self.protect, self.spans)
        return self._tokens

    @property
    def sentences(self) -> list[Span]:
        """What may change places, as `sentences.units` finds it."""
        if self._sentences is None:
            whole = [*self.spans, *self.protect.matches(self.source)]
            self._sentences = units(self.source, whole, self.protect.discourse)
        return self._sentences

    def edited(self, edits: Sequence[Plain]) -> Text:
        """The text after the edits; what was protected stays protected. The same object if nothing changes."""
        source = applied(self.source, edits)
        if source is self.source:
            return self
        after = Text.__new__(_Edited)
        after.source, after.protect, after.spans = source, self.protect, ()
        after.thesaurus = after._tokens = after._sentences = None
        after.replacements = ()
        assert isinstance(after, _Edited)
        after.before, after.edits = self, edits
        return after


class _Edited(Text):
    """A text that came out of edits: the spans that it must keep are worked out only if another operation follows."""

    __slots__ = ("before", "edits")
    before: Text
    edits: Sequence[Plain]

    def _carry(self) -> None:
        if self._tokens is not None or self._sentences is not None:
            return
        before = self.before
        if any(start == 0 and stop == len(before.source) for start, stop, _, _ in self.edits):
            # Another text: look for them.
            given = [before.source[start:stop] for start, stop in before.spans if start < stop]
            found = [(self.source.find(span), len(span)) for span in given]
            self.spans = tuple((start, start + length) for start, length in found if start >= 0)
        else:
            guarded = [(start, stop) for start, stop, _ in before.tokens.guarded]
            self.spans = tuple(carried(guarded, self.edits))

    @property
    def tokens(self) -> Tokens:
        self._carry()
        return super().tokens

    @property
    def sentences(self) -> list[Span]:
        self._carry()
        return super().sentences
