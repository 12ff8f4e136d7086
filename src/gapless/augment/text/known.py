"""What a token is by itself, worked out once for each distinct one: texts say the same words again and again."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from sys import intern

from gapless.augment.text.lexicon.words import LEXICON, TITLES, Kind, turns
from gapless.augment.text.tokens import TOKEN

MOST = 100_000
"""Distinct tokens that are kept, some 20 MB; the common ones come early, and the rest are worked out each time."""
LONGEST = 60
"""Characters of a token that is kept; longer ones are addresses and seldom come twice."""

CAPITAL = 0x80
"""Added to the kind of a word with capitals: the place where it stands says whether it is a name."""

_FREE, _HELD = int(Kind.FREE), int(Kind.HELD)
_OF_GROUP = {
    "address": Kind.ADDRESS,
    "emoji": Kind.EMOJI,
    "number": Kind.NUMBER,
    "code": Kind.ADDRESS,
    "points": Kind.NAME,
}


class Known(dict[str, tuple[str, int]]):
    """Token -> in small letters, and its kind.

    Args:
        taken: what each kind is taken as, `Protect.kinds`.
        given: words that are protected besides, in small letters.
        names: whether words with capitals may be names.
    """

    def __init__(self, taken: tuple[int, ...], given: frozenset[str], names: bool) -> None:
        self.taken, self.given, self.names = taken, given, names
        self.fact_of: Callable[[str], tuple[str, int]] = self.__getitem__
        """The same as a subscript, for `map`."""

    def __missing__(self, token: str) -> tuple[str, int]:
        found = self._found(token)
        if len(self) < MOST and len(token) <= LONGEST:
            self[token] = found
        return found

    def _found(self, token: str) -> tuple[str, int]:
        match = TOKEN.match(token)
        group = match and match.lastgroup
        low = token.lower()
        if group in _OF_GROUP:
            kind = int(_OF_GROUP[group])
        else:
            kind = LEXICON.get(low, _FREE)
            if not kind and ("'" in low or "’" in low):
                low = low.replace("’", "'")
                kind = int(Kind.NEGATION if turns(low) else Kind.CONTRACTION)
            if low == "i":
                kind = _HELD
        if low in self.given:
            return intern(low), int(Kind.GIVEN)
        if kind < _HELD and self.names and token != low:
            kind = int(Kind.NAME) if low in TITLES else kind + CAPITAL
        else:
            kind = self.taken[kind]
        return intern(low), kind

    def __reduce__(self) -> tuple[Callable[..., Known], tuple[object, ...]]:
        """Another process starts with nothing known."""
        return known, (self.taken, self.given, self.names)


@lru_cache(maxsize=8)
def known(taken: tuple[int, ...], given: frozenset[str], names: bool) -> Known:
    """One table for all policies that protect the same words."""
    return Known(taken, given, names)
