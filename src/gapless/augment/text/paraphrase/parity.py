"""Whether a paraphrase may stand for its original: it negates as often, keeps the numbers, and is of like length.

A cosine between sentence embeddings cannot tell "I do not recommend it" from "I would highly recommend it" (0.88, above
many good paraphrases); counting negations can. The count is for English.
"""

from __future__ import annotations

import re
from collections import Counter

from gapless.augment.text.lexicon.words import turns

_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "´": "'", "`": "'", "＇": "'"})
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")

_IDIOMS = re.compile(
    r"\b(?:not only|not just|not merely|not simply|no doubts?|without (?:a )?doubts?|no wonder|not to mention|"
    r"no matter|no sooner|(?:can't|cant|cannot|can not) wait)\b"
)
"""Where a word of negation does not negate."""

_NEITHER = re.compile(r"\bneither\b[^.!?]{0,200}?\bnor\b")
_PREFIXED = re.compile(r"(?:un|dis|in|im|il|ir|non)-?([^\W\d_]{3,})")
_LESS = re.compile(r"([^\W\d_]{3,})less(?:ly|ness)?")


def negations(text: str) -> int:
    """How many negations an English text has ("not", "don't", "lacks", "failed to"); "neither ... nor" is one."""
    return _count(_normal(text))


def negation_objection(original: str, variant: str) -> str | None:
    """Why the two do not negate alike, or None.

    The numbers of negations must be equal. A word negated by its form (unhappy, dislike, useless) counts as a negation
    where the other text has the word itself: "unhappy" may become "not happy", not "happy". Two negations that cancel
    ("not uncommon" for "common") are refused as well: better one paraphrase less.
    """
    a, b = _normal(original), _normal(variant)
    words_a, words_b = set(_WORD.findall(a)), set(_WORD.findall(b))
    before, after = _count(a) + _by_form(words_a, words_b), _count(b) + _by_form(words_b, words_a)
    return None if before == after else f"{before} negations became {after}"


def form_objection(original: str, variant: str) -> str | None:
    """Why the variant cannot stand for a text of any language, or None: empty, the same, other numbers, other length.

    The same is what differs in case and white space only. The length in characters may change by a factor of 3.
    """
    if not variant.strip():
        return "nothing is left"
    if variant.casefold().split() == original.casefold().split():
        return "the same words"
    before, after = Counter(_NUMBER.findall(original)), Counter(_NUMBER.findall(variant))
    if before != after:
        changed = sorted(((before - after) + (after - before)).elements())
        return f"other numbers: {', '.join(changed[:4])}"
    if not len(original) <= 3 * len(variant) + 10 or not len(variant) <= 3 * len(original) + 10:
        return f"{len(original)} characters became {len(variant)}"
    return None


def objection(original: str, variant: str) -> str | None:
    """Why the variant must not stand for an English original, or None."""
    return form_objection(original, variant) or negation_objection(original, variant)


def _normal(text: str) -> str:
    return text.translate(_APOSTROPHES).casefold()


def _count(text: str) -> int:
    text = _NEITHER.sub("neither", _IDIOMS.sub(" ", text))
    return sum(turns(word) for word in _WORD.findall(text))


def _by_form(words: set[str], others: set[str]) -> int:
    """How many words are negated forms of words that only the other text has."""
    only = others - words
    stems = (_PREFIXED.fullmatch(word) or _LESS.fullmatch(word) for word in words - others)
    return sum(found is not None and _has_stem(found[1], only) for found in stems)


def _has_stem(stem: str, words: set[str]) -> bool:
    """useless and useful, painless and painful, dislike and like: the word itself, or with -ful."""
    return bool({stem, f"{stem}ful", f"{stem}fully"} & words)
