"""Which words may stand in the place of a word as it is written: part of speech, sense, inflection, article."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from gapless.augment.text.document import Text
from gapless.augment.text.lexicon.inflect import VERBS, Pos, Tag, cased_like, inflected, possible_bases
from gapless.augment.text.lexicon.wordnet import Sense, Wordnet
from gapless.augment.text.lexicon.words import LEXICON, Kind

SURE = 0.7
"""The share of its uses that a word must have as one part of speech, where the word before does not tell."""
FREQUENT = 0.3
"""The share of its uses that a word must have in a sense for the sense to be meant."""

MOST = 100_000
"""Choices, and readings, that are kept, below 40 MB; common words come early, and the rest are worked out each time."""

_BEFORE = {
    "a": "a",
    "an": "an",
    "the": "the this that these those my your his her its our their whose every each some any no another such",
    "to": "to will would can could should may might must shall i you we they do does did let lets don't didn't doesn't "
    "won't can't couldn't wouldn't shouldn't",
    "be": "be am is are was were been being isn't aren't wasn't weren't it's he's she's that's i'm you're we're "
    "they're",
    "have": "have has had having haven't hasn't hadn't i've we've you've they've",
    "very": "very so too really quite rather as more most less least extremely",
    "of": "of in on at by for with from about into through over under between against without during",
}
BEFORE: Mapping[str, str] = MappingProxyType({word: key for key, words in _BEFORE.items() for word in words.split()})
"""What a word tells of the one behind it: an article, a verb's place, a form of be, ..."""

_PLACES: dict[str, tuple[tuple[Pos, tuple[Tag, ...] | None], ...]] = {
    "a": (("n", ("",)), ("a", None)),
    "an": (("n", ("",)), ("a", None)),
    "the": (("n", None), ("a", None)),
    "to": (("v", ("", "past")),),
    "be": (("a", None), ("v", ("ing", "past", "part"))),
    "have": (("v", ("past", "part")),),
    "very": (("a", None), ("r", None)),
    "of": (("n", None), ("a", None)),
}
"""Parts of speech and forms that are looked for first behind such a word."""


class Choice(NamedTuple):
    """What may stand in a word's place; bases: what the word is a form of, to see idioms by."""

    words: tuple[str, ...]
    bases: tuple[str, ...]


_NOTHING = Choice((), ())

Replacement = tuple[int, int, tuple[str, ...]]
"""Where a word starts and stops, and what may stand there. Plain tuples: the garbage collector forgets them."""
Reading = tuple[str, Pos, Tag]
"""What a written word is a form of."""
_FREE = int(Kind.FREE)


class Thesaurus:
    """Synonyms of written words, found once for each word and place."""

    def __init__(self, wordnet: Wordnet) -> None:
        self.wordnet = wordnet
        self._found: dict[tuple[str, str], Choice] = {}
        self._read: dict[str, list[Reading]] = {}
        self._same: dict[tuple[str, Pos], list[str]] = {}  # of words of the table only: it cannot outgrow it
        self._forms: dict[tuple[str, Pos], list[str]] = {}
        for form, bases in wordnet.irregular.items():
            for pos, base in bases:
                self._forms.setdefault((base, pos), []).append(form)

    def replacements(self, text: Text) -> tuple[Replacement, ...]:
        """The words of a text that have synonyms: where they stand, and what may stand there in their case.

        They are kept with the text.
        """
        if text.thesaurus is self:
            return text.replacements
        tokens, source = text.tokens, text.source
        found: list[Replacement] = []
        for number, words in self.candidates(text):
            start, stop = tokens.starts[number], tokens.stops[number]
            written = source[start:stop]
            if written != tokens.lows[number]:
                words = tuple([cased_like(word, written) for word in words])
            found.append((start, stop, words))
        text.thesaurus, text.replacements = self, tuple(found)
        return text.replacements

    def candidates(self, text: Text) -> list[tuple[int, tuple[str, ...]]]:
        """The words of a text that have synonyms: their numbers, and what may stand there."""
        tokens, known, behind = text.tokens, self._found, BEFORE.get
        lows = tokens.lows
        found: list[tuple[int, tuple[str, ...]]] = []
        before = ""
        for number, (low, kind) in enumerate(zip(lows, tokens.kinds, strict=True)):
            if kind == _FREE:
                place = behind(before, "")
                choice = known.get((low, place)) or self.choice(low, place)
                if choice.words and not self._idiom(lows, number, choice.bases):
                    found.append((number, choice.words))
            before = low
        return found

    def _idiom(self, lows: Sequence[str], number: int, bases: Sequence[str]) -> bool:
        """Whether a word is a part of words that WordNet knows as one, with the word before or behind."""
        if number and f"{lows[number - 1]}_{lows[number]}" in self.wordnet:
            return True
        if number + 1 < len(lows):
            following = lows[number + 1]
            for base in bases:
                if f"{base}_{following}" in self.wordnet:
                    return True
        return False

    def choice(self, low: str, place: str = "") -> Choice:
        """What may stand for a lower-case word behind a word of this kind (a value of `BEFORE`)."""
        key = low, place
        found = self._found.get(key)
        if found is None:
            found = self._choice(low, place) if low.isalpha() and len(low) > 2 else _NOTHING
            if len(self._found) < MOST:
                self._found[key] = found
        return found

    def _choice(self, low: str, place: str) -> Choice:
        readings = self._read.get(low)
        if readings is None:
            readings = self._readings(low)
            if len(self._read) < MOST:
                self._read[low] = readings
        if not readings:
            return _NOTHING
        for_place = [reading for reading in readings if _fits(reading, _PLACES.get(place, ()))]
        weights = {reading: self._weight(reading[0], reading[1]) for reading in for_place or readings}
        reading = max(weights, key=lambda key: weights[key])
        part = sum(weight for key, weight in weights.items() if key[1] == reading[1])
        bases = tuple(dict.fromkeys((low, *(base for base, _, _ in readings))))
        if part < SURE * sum(weights.values()):
            return Choice((), bases)
        base, pos, tag = reading
        if tag == "past" and place in ("be", "have"):
            tag = "part"
        forms = (self._inflected(word, pos, tag) for word in self._synonyms(base, pos))
        fit = dict.fromkeys(form for form in forms if form and form != low and _allowed(form, place))
        return Choice(tuple(fit), bases)

    def _readings(self, low: str) -> list[Reading]:
        """What the word may be a form of."""
        found = [reading for reading in possible_bases(low) if self.wordnet.senses(reading[0], reading[1])]
        for pos, base in self.wordnet.irregular.get(low, ()):
            tag = _irregular_tag(low, base, pos)
            if tag and (base, pos, tag) not in found and self.wordnet.senses(base, pos):
                found.append((base, pos, tag))
        irregular = {pos for _, pos, tag in found if tag and (pos != "n" or low in self.wordnet.irregular)}
        return [reading for reading in found if reading[2] or reading[1] not in irregular or low == reading[0]]

    def _weight(self, base: str, pos: Pos) -> int:
        return 1 + sum(sense.seen for sense in self.wordnet.senses(base, pos))

    def _synonyms(self, base: str, pos: Pos) -> list[str]:
        """Words that share a frequent sense of the word, in a sense that is frequent for them too.

        Phrases stand for nouns only: a verb of two words may not take the object ("start out the work").
        """
        found = self._same.get((base, pos))
        if found is not None:
            return found
        found = self._same[base, pos] = [
            word.replace("_", " ")
            for sense in _frequent(self.wordnet.senses(base, pos))
            for word, seen in self.wordnet.words(sense)
            if seen and word != base and not _abbreviates(word, base) and word.count("_") <= (pos == "n")
            if any(own.place == sense.place for own in _frequent(self.wordnet.senses(word, pos)))
        ]
        return found

    def _inflected(self, base: str, pos: Pos, tag: Tag) -> str | None:
        """The form of a synonym, or None where the form is irregular and not known."""
        if not tag or " " in base:
            return inflected(base, pos, tag)
        forms = self._forms.get((base, pos), ())
        ending = {"ing": "ing", "past": "ed", "part": "ed", "er": "er", "est": "est"}.get(tag, "")
        if pos == "n":
            return next((form for form in forms if not form.endswith("ing")), inflected(base, pos, tag))
        if pos == "v" and ((base in VERBS and tag != "ing") or tag == "s"):
            return inflected(base, pos, tag)
        fitting = [form for form in forms if form.endswith(ending)]
        if fitting:
            return fitting[0]
        if pos == "v" and tag != "ing" and forms and not all(form.endswith(("ing", "ed")) for form in forms):
            return None
        return inflected(base, pos, tag)


@lru_cache(maxsize=4)
def thesaurus_of(wordnet: Wordnet) -> Thesaurus:
    """The thesaurus of a table; what it has found is kept for the next policy."""
    return Thesaurus(wordnet)


def _abbreviates(word: str, base: str) -> bool:
    """min for minute, yr for year."""
    return (
        len(word) < 3
        or (len(word) <= 4 and base.startswith(word))
        or not any(letter in "aeiouy" for letter in word[1:])
    )


def _frequent(senses: Sequence[Sense]) -> list[Sense]:
    """Senses with at least the share `FREQUENT` of the word's uses; uses that were never counted are of the first."""
    total = 1 + sum(sense.seen for sense in senses)
    return [sense for sense in senses if sense.seen + (sense.number == 1) >= FREQUENT * total]


def _fits(reading: Reading, wanted: tuple[tuple[Pos, tuple[Tag, ...] | None], ...]) -> bool:
    return any(reading[1] == pos and (tags is None or reading[2] in tags) for pos, tags in wanted)


def _irregular_tag(form: str, base: str, pos: Pos) -> Tag:
    if pos == "n":
        return "s"
    if pos == "v":
        return "ing" if form.endswith("ing") else "past" if form.endswith("ed") else ""
    return "er" if form.endswith("er") else "est" if form.endswith("est") else ""


def _allowed(form: str, place: str) -> bool:
    """No word that carries a label comes in, and the article before stays right."""
    if (
        any(LEXICON.get(word, 0) for word in form.split(" ")[:1])
        or not form.replace(" ", "").replace("-", "").isalpha()
    ):
        return False
    if any(LEXICON.get(word, 0) >= 2 for word in form.split(" ")):
        return False
    return place not in ("a", "an") or (place == "an") == sounds_like_vowel(form)


def sounds_like_vowel(word: str) -> bool:
    """Whether "an" stands before the word."""
    if word.startswith(("uni", "use", "usu", "eu", "one", "once", "ubi", "uti")):
        return False
    return word.startswith(("a", "e", "i", "o", "u", "hour", "honest", "honor", "honour", "heir"))
