"""A text's words in order: which may be touched, which belong together, where something may be put in."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import cached_property
from sys import intern
from typing import TYPE_CHECKING, NamedTuple

from gapless.augment.text.sentences import NEVER_LAST
from gapless.augment.text.tokens import TOKEN, quotes
from gapless.augment.text.words import LEXICON, TITLES, Kind, turns

if TYPE_CHECKING:
    from gapless.augment.text.protect import Protect

Span = tuple[int, int]

_WORD, _ADDRESS, _EMOJI, _NUMBER, _CODE, _POINTS, _ANY = range(1, 8)
_WORDS = _WORD, _ANY
_OF_GROUP = {
    _ADDRESS: int(Kind.ADDRESS),
    _EMOJI: int(Kind.EMOJI),
    _NUMBER: int(Kind.NUMBER),
    _CODE: int(Kind.ADDRESS),
    _POINTS: int(Kind.NAME),
}
_KINDS = tuple(Kind)
_FREE, _STOP, _HELD, _NEGATION, _DIGITS, _NAME = (
    int(kind) for kind in (Kind.FREE, Kind.STOP, Kind.HELD, Kind.NEGATION, Kind.NUMBER, Kind.NAME)
)
"""Plain integers: comparing members of an enumeration takes longer than all else in the loops below."""

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

    def __init__(
        self,
        source: str,
        starts: array[int],
        stops: array[int],
        lows: list[str],
        kinds: bytearray,
        joined: bytearray,
        blocks: list[Guarded],
    ) -> None:
        self.source, self.starts, self.stops, self.lows = source, starts, stops, lows
        self.kinds, self.joined, self.blocks = kinds, joined, blocks

    @cached_property
    def free(self) -> list[int]:
        """The numbers of the words that may be touched."""
        return [number for number, kind in enumerate(self.kinds) if kind < _HELD]

    @property
    def content(self) -> list[int]:
        """The numbers of the words that may be touched and are no stop words."""
        return [number for number, kind in enumerate(self.kinds) if kind == _FREE]

    @cached_property
    def holes(self) -> list[int]:
        """Where a word may be put in: the starts of words behind white space, not within a protected span."""
        source, joined = self.source, self.joined
        return [
            start
            for number, start in enumerate(self.starts)
            if number and not joined[number] and (source[start - 1] == " " or _blank(source[start - 1]))
        ]

    @cached_property
    def guarded(self) -> list[Guarded]:
        """The protected spans, in order, apart from each other."""
        found: list[Guarded] = []
        for number, kind in enumerate(self.kinds):
            if kind >= _NEGATION:
                if self.joined[number] == 1:
                    found[-1] = Guarded(found[-1].start, self.stops[number], found[-1].kind)
                else:
                    found.append(Guarded(self.starts[number], self.stops[number], _KINDS[kind]))
        return _merged(found + self.blocks) if self.blocks else found


def _blank(character: str) -> bool:
    return character.isspace() and character not in "\n\r"


def read(source: str, protect: Protect, spans: Sequence[Span] = ()) -> Tokens:
    """The tokens of a text."""
    starts, stops, lows, kinds = _words(source, protect)
    joined = bytearray(len(lows))
    if protect.names and _NAME in kinds:
        _join_names(source, starts, stops, lows, kinds, joined)
    if protect.negation and _NEGATION in kinds:
        _join_negated(source, starts, stops, lows, kinds, joined)
    if protect.numbers and bytes((_DIGITS, _DIGITS)) in kinds:
        _join_numbers(source, starts, stops, kinds, joined)
    blocks = [Guarded(*span, Kind.QUOTE) for span in quotes(source)] if protect.quotes else []
    if protect.patterns or spans:
        given = (*protect.matches(source), *spans)
        blocks = _merged(blocks + [Guarded(*span, Kind.GIVEN) for span in given if span[0] < span[1]])
    if blocks:
        _block(starts, stops, kinds, joined, blocks)
    return Tokens(source, starts, stops, lows, kinds, joined, blocks)


def _words(source: str, protect: Protect) -> tuple[array[int], array[int], list[str], bytearray]:
    """Starts, stops, lower-case forms and kinds of all tokens, each by itself."""
    starts, stops, lows, kinds = array("I"), array("I"), list[str](), bytearray()
    kind_of, taken, given, names = LEXICON.get, protect.kinds, protect.given, protect.names
    shouted: bool | None = None
    openers: list[int] = []
    last = 0
    for match in TOKEN.finditer(source):
        start, stop = match.span()
        word = match[0]
        low = intern(word.lower())
        group = match.lastindex
        if group in _WORDS:
            kind = kind_of(low, _FREE)
            if not kind and ("'" in low or "’" in low):
                low = low.replace("’", "'")
                kind = _NEGATION if turns(low) else int(Kind.CONTRACTION)
            if word != low and kind < _HELD and names:
                if shouted is None and len(word) > 1 and word.isupper():
                    shouted = source.upper() == source
                if low in TITLES:
                    kind = _NAME
                elif not (shouted and len(word) > 1):
                    if last and (source[last:start] == " " or _FRESH.isdisjoint(source[last:start])):
                        kind = _NAME
                    elif kind == _FREE:
                        openers.append(len(lows))
            if low == "i":
                kind = _HELD
        else:
            kind = _OF_GROUP[group or _ANY]
        starts.append(start)
        stops.append(stop)
        lows.append(low)
        kinds.append(taken[kind] if low not in given else int(Kind.GIVEN))
        last = stop
    for number in openers:
        if not any(low == lows[number] and source[starts[other]].islower() for other, low in enumerate(lows)):
            kinds[number] = _NAME
    return starts, stops, lows, kinds


def _join_names(
    source: str, starts: array[int], stops: array[int], lows: list[str], kinds: bytearray, joined: bytearray
) -> None:
    """Adjacent names are one, with titles and initials, and with small words between two: Lord of the Rings."""
    last = kinds.find(_NAME)
    while (number := kinds.find(_NAME, last + 1)) >= 0:
        run = range(last + 1, number + 1)
        if number - last <= 3 and all(lows[other] in _INSIDE_NAMES for other in run[:-1]):
            title = lows[last] in _DOTTED and source[stops[last] : starts[number]] == ". "
            if title or all(_side_by_side(source, starts, stops, other) for other in run):
                for other in run:
                    kinds[other] = _NAME
                    joined[other] = 1
        last = number


def _join_negated(
    source: str, starts: array[int], stops: array[int], lows: list[str], kinds: bytearray, joined: bytearray
) -> None:
    """A word that negates and what it negates are one: up to the first word that is not a stop word, at most three."""
    number = kinds.find(_NEGATION)
    while number >= 0:
        if turns(lows[number]):
            for other in range(number + 1, min(number + 1 + _SCOPE, len(lows))):
                if not _side_by_side(source, starts, stops, other):
                    break
                joined[other] = 1
                carries = kinds[other] != _STOP
                if kinds[other] < _NEGATION:
                    kinds[other] = int(Kind.NEGATED)
                if carries:
                    break
        number = kinds.find(_NEGATION, number + 1)


def _join_numbers(source: str, starts: array[int], stops: array[int], kinds: bytearray, joined: bytearray) -> None:
    """Adjacent numbers are one: +49 30 123456, two hundred."""
    pair = bytes((_DIGITS, _DIGITS))
    number = kinds.find(pair)
    while number >= 0:
        if _side_by_side(source, starts, stops, number + 1):
            joined[number + 1] = 1
        number = kinds.find(pair, number + 1)


def _side_by_side(source: str, starts: array[int], stops: array[int], number: int) -> bool:
    gap = source[stops[number - 1] : starts[number]]
    return gap == " " or (gap.isspace() and "\n" not in gap)


def _block(starts: array[int], stops: array[int], kinds: bytearray, joined: bytearray, blocks: list[Guarded]) -> None:
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
