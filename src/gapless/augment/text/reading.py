"""A text's words in order: which may be touched, which belong together, where something may be put in."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from gapless.augment.text.edits import Span
from gapless.augment.text.known import CAPITAL
from gapless.augment.text.lexicon.words import TITLES, Kind, turns
from gapless.augment.text.protect import Protect
from gapless.augment.text.sentences import NEVER_LAST
from gapless.augment.text.tokens import PARTS, quotes

_KINDS = tuple(Kind)
_FREE, _STOP, _HELD, _NEGATION, _NAME = (
    int(kind) for kind in (Kind.FREE, Kind.STOP, Kind.HELD, Kind.NEGATION, Kind.NAME)
)
"""Plain integers: comparing members of an enumeration takes longer than all else in the loops below."""
_TWO_NUMBERS = bytes((Kind.NUMBER, Kind.NUMBER))

_FRESH = frozenset('.!?…:\n"“‘«(•|')
_INSIDE_NAMES = frozenset(["of", "the", "de", "la", "le", "du", "van", "der", "von", "den", "del", "da", "di", "and"])
_DOTTED = TITLES & NEVER_LAST | frozenset("abcdefghjklmnopqrstuvwxyz")
_SCOPE = 3


class Guarded(NamedTuple):
    """A span that no operation changes, and why."""

    start: int
    stop: int
    kind: Kind


class Tokens:
    """The words of a text, in order.

    starts, stops: where they stand. lows: in lower case. kinds: what they are. joined: 1 for a word that makes one
    protected span with the one before, 2 for one within a quotation or a given span. blocks: those spans.
    """

    __slots__ = ("_free", "_guarded", "_holes", "blocks", "joined", "kinds", "lows", "source", "starts", "stops")

    def __init__(
        self,
        source: str,
        starts: array[int],
        stops: array[int],
        lows: tuple[str, ...],
        kinds: bytes,
        joined: bytes,
        blocks: tuple[Guarded, ...],
    ) -> None:
        self.source, self.starts, self.stops, self.lows = source, starts, stops, lows
        self.kinds, self.joined, self.blocks = kinds, joined, blocks
        self._free: tuple[int, ...] | None = None
        self._holes: tuple[int, ...] | None = None
        self._guarded: list[Guarded] | None = None

    @property
    def free(self) -> tuple[int, ...]:
        """The numbers of the words that may be touched."""
        if self._free is None:
            self._free = tuple([number for number, kind in enumerate(self.kinds) if kind < _HELD])
        return self._free

    @property
    def content(self) -> list[int]:
        """The numbers of the words that may be touched and are no stop words."""
        return [number for number, kind in enumerate(self.kinds) if kind == _FREE]

    @property
    def holes(self) -> tuple[int, ...]:
        """Where a word may be put in: the starts of words behind white space, not within a protected span."""
        if self._holes is None:
            source, joined = self.source, self.joined
            self._holes = tuple(
                [
                    start
                    for number, start in enumerate(self.starts)
                    if number and not joined[number] and (source[start - 1] == " " or _blank(source[start - 1]))
                ]
            )
        return self._holes

    @property
    def guarded(self) -> list[Guarded]:
        """The protected spans, in order, apart from each other."""
        if self._guarded is None:
            found: list[Guarded] = []
            for number, kind in enumerate(self.kinds):
                if kind >= _NEGATION:
                    if self.joined[number] == 1:
                        found[-1] = Guarded(found[-1].start, self.stops[number], found[-1].kind)
                    else:
                        found.append(Guarded(self.starts[number], self.stops[number], _KINDS[kind]))
            self._guarded = _merged([*found, *self.blocks]) if self.blocks else found
        return self._guarded


def _blank(character: str) -> bool:
    return character.isspace() and character not in "\n\r"


def read(source: str, protect: Protect, spans: Sequence[Span] = ()) -> Tokens:
    """The tokens of a text."""
    parts = PARTS.split(source)
    places = array("I", accumulate(map(len, parts)))
    gaps, words = parts[::2], parts[1::2]
    lows, found = zip(*map(protect.known.fact_of, words), strict=True) if words else ((), ())
    kinds = bytearray(found)
    joined = bytearray(len(words))
    if not kinds.isascii():
        _name_capitals(source, gaps, words, lows, kinds)
    if protect.names and _NAME in kinds:
        _join_names(gaps, lows, kinds, joined)
    if protect.negation and _NEGATION in kinds:
        _join_negated(gaps, lows, kinds, joined)
    if protect.numbers and _TWO_NUMBERS in kinds:
        _join_numbers(gaps, kinds, joined)
    starts, stops = places[:-1:2], places[1::2]
    blocks = _blocks(source, protect, spans)
    if blocks:
        _block(starts, stops, kinds, joined, blocks)
    return Tokens(source, starts, stops, lows, bytes(kinds), bytes(joined), blocks)


def _blocks(source: str, protect: Protect, spans: Sequence[Span]) -> tuple[Guarded, ...]:
    """Spans that are protected whatever stands in them: quotations, what patterns match, what was given."""
    quoted = quotes(source) if protect.quotes else ()
    if not (quoted or spans or protect.patterns):
        return ()
    found = [Guarded(*span, Kind.QUOTE) for span in quoted]
    given = (*protect.matches(source), *spans)
    return tuple(_merged(found + [Guarded(*span, Kind.GIVEN) for span in given if span[0] < span[1]]))


def _name_capitals(
    source: str, gaps: Sequence[str], words: Sequence[str], lows: Sequence[str], kinds: bytearray
) -> None:
    """Words with capitals are names within a sentence, and at its start unless the text has them in small letters.

    In a text of capitals throughout, only single letters are.
    """
    shouted = source.upper() == source
    openers: list[int] = []
    for number, kind in enumerate(kinds):
        if kind < CAPITAL:
            continue
        kinds[number] = kind - CAPITAL
        if shouted and len(words[number]) > 1:
            continue
        if number and (gaps[number] == " " or _FRESH.isdisjoint(gaps[number])):
            kinds[number] = _NAME
        elif kind == CAPITAL + _FREE:
            openers.append(number)
    written = frozenset(words) if openers else ()
    for number in openers:
        if lows[number] not in written:
            kinds[number] = _NAME


def _join_names(gaps: Sequence[str], lows: Sequence[str], kinds: bytearray, joined: bytearray) -> None:
    """Adjacent names are one, with titles and initials, and with small words between two: Lord of the Rings."""
    last = kinds.find(_NAME)
    while (number := kinds.find(_NAME, last + 1)) >= 0:
        first, end = last + 1, number + 1
        if number - last <= 3 and _INSIDE_NAMES.issuperset(lows[first:number]):
            title = number == first and gaps[number] == ". " and lows[last] in _DOTTED
            if title or all(map(_side_by_side, gaps[first:end])):
                for other in range(first, end):
                    kinds[other] = _NAME
                    joined[other] = 1
        last = number


def _join_negated(gaps: Sequence[str], lows: Sequence[str], kinds: bytearray, joined: bytearray) -> None:
    """A word that negates and what it negates are one: up to the first word that is not a stop word, at most three."""
    number = kinds.find(_NEGATION)
    while number >= 0:
        if turns(lows[number]):
            for other in range(number + 1, min(number + 1 + _SCOPE, len(lows))):
                if not _side_by_side(gaps[other]):
                    break
                joined[other] = 1
                carries = kinds[other] != _STOP
                if kinds[other] < _NEGATION:
                    kinds[other] = int(Kind.NEGATED)
                if carries:
                    break
        number = kinds.find(_NEGATION, number + 1)


def _join_numbers(gaps: Sequence[str], kinds: bytearray, joined: bytearray) -> None:
    """Adjacent numbers are one: +49 30 123456, two hundred."""
    number = kinds.find(_TWO_NUMBERS)
    while number >= 0:
        if _side_by_side(gaps[number + 1]):
            joined[number + 1] = 1
        number = kinds.find(_TWO_NUMBERS, number + 1)


def _side_by_side(gap: str) -> bool:
    """Whether two words with this between them stand side by side: white space within a line."""
    return gap == " " or (gap.isspace() and "\n" not in gap)


def _block(
    starts: array[int], stops: array[int], kinds: bytearray, joined: bytearray, blocks: Sequence[Guarded]
) -> None:
    """Words within a block, or cut by one, become part of it."""
    place = 0
    for number, start in enumerate(starts):
        while place < len(blocks) and blocks[place].stop <= start:
            place += 1
        if place == len(blocks):
            return
        block = blocks[place]
        if block.start < stops[number]:
            kinds[number] = max(kinds[number], block.kind)
            if block.start < start and not joined[number]:
                joined[number] = 2


def _merged(spans: list[Guarded]) -> list[Guarded]:
    found: list[Guarded] = []
    for span in sorted(spans):
        if found and span.start < found[-1].stop:
            found[-1] = Guarded(found[-1].start, max(span.stop, found[-1].stop), max(span.kind, found[-1].kind))
        else:
            found.append(span)
    return found
