"""Upper and lower case, carried from the word that stood there to the word that takes its place."""

from __future__ import annotations


def cased_like(word: str, model: str) -> str:
    """The word in the case of the model: all capitals, a capital first, or as it is."""
    if len(model) > 1 and model.isupper():
        return word.upper()
    if model[:1].isupper():
        return word[:1].upper() + word[1:]
    return word
