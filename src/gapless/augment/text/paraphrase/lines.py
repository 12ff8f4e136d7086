"""Line by line through a translator that knows no line breaks."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_WORD = re.compile(r"[^\W_]")


def has_words(text: str) -> bool:
    """Whether there is a letter or a digit in it."""
    return _WORD.search(text) is not None


def by_lines(texts: Sequence[str], translate: Callable[[list[str]], list[str]]) -> list[str]:
    """The translations of texts whose lines are translated one by one; white space around lines stays as it is.

    Args:
        translate: takes lines with at least one letter or digit and returns as many.
    """
    split = [text.splitlines(keepends=True) for text in texts]
    asked = [line.strip() for lines in split for line in lines if has_words(line)]
    answers = iter(translate(asked) if asked else [])
    return ["".join(_around(line, next(answers)) if has_words(line) else line for line in lines) for lines in split]


def _around(line: str, answer: str) -> str:
    """The answer with the white space that stood around the line."""
    before, _, after = line.partition(line.strip())
    return before + answer + after
