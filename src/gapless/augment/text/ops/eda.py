"""Words moved, left out and blanked, marks put in: what needs nothing but the text."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from gapless.augment.prior import Prior
from gapless.augment.text.document import Text
from gapless.augment.text.edits import Edit
from gapless.augment.text.lexicon.inflect import cased_like
from gapless.augment.text.ops.declare import Declared, chosen, each, shuffled
from gapless.augment.text.resources import Resources

EDA = Declared()

_WEI_ZOU = "Wei and Zou, EDA, arXiv 1901.11196"
MARKS = ".", ";", "?", ":", "!", ","
"""What `punctuate` puts in, each as likely: table 1 of the AEDA paper's code."""
BLANK = "_"


@EDA.op(
    "of the words, pairs of them",
    needs=each(2),
    safe=False,
    source=_WEI_ZOU + ", section 2 (RS)",
    prior=Prior("swap", 0.02, 0.3, 0.1),
)
def swap(text: Text, n: int, u: Sequence[float], _: Resources) -> list[Edit]:
    """Two words change places, n times; each word at most once, and each takes the case of its place.

    Wei and Zou, arXiv 1901.11196: n = alpha * l pairs. Differs: they may swap a word again, and protect none.
    """
    tokens, source = text.tokens, text.source
    words = shuffled(tokens.free, 2 * min(n, len(tokens.free) // 2), u)
    edits: list[Edit] = []
    for one, other in zip(words[::2], words[1::2], strict=True):
        a, b = tokens.starts[one], tokens.starts[other]
        c, d = tokens.stops[one], tokens.stops[other]
        edits.append(Edit(a, c, _moved(source[b:d], source[a:c])))
        edits.append(Edit(b, d, _moved(source[a:c], source[b:d])))
    return edits


def _moved(word: str, place: str) -> str:
    """The word in the case of its new place; a capital it only had from its old one is taken back."""
    lowered = word[:1].lower() + word[1:] if word[1:] == word[1:].lower() else word.lower() if word.isupper() else word
    return cased_like(lowered, place) or word


@EDA.op(
    "of the words",
    needs=each(1),
    safe=True,
    source=_WEI_ZOU + ", section 2 (RD)",
    prior=Prior("delete", 0.02, 0.3, 0.1),
)
def delete(text: Text, n: int, u: Sequence[float], _: Resources) -> list[Edit]:
    """n words are left out; one word at least stays.

    Wei and Zou, arXiv 1901.11196: each word with probability p. Differs: so many of the words as p says, not a number
    that varies binomially, and never a protected one.
    """
    tokens = text.tokens
    runs: list[tuple[int, int]] = []
    for word in sorted(chosen(tokens.free, min(n, len(tokens.starts) - 1), u)):
        start, stop = tokens.starts[word], tokens.stops[word]
        if runs and text.source[runs[-1][1] : start] == " " and not _inside(text, start - 1):
            runs[-1] = runs[-1][0], stop
        else:
            runs.append((start, stop))
    return [Edit(*_with_space(text, *run), "") for run in runs]


def _with_space(text: Text, start: int, stop: int) -> tuple[int, int]:
    """Words with one blank before them, or behind where they start a line, if that blank is not protected."""
    source = text.source
    if start and source[start - 1] == " ":
        return (start, stop) if _inside(text, start - 1) else (start - 1, stop)
    if stop < len(source) and source[stop] == " " and not _inside(text, stop):
        return start, stop + 1
    return start, stop


def _inside(text: Text, place: int) -> bool:
    guarded = text.tokens.guarded
    before = bisect_right(guarded, place, key=lambda span: span.start) - 1
    return before >= 0 and place < guarded[before].stop


@EDA.op(
    "of the words",
    needs=each(1),
    safe=True,
    source="Xie et al., arXiv 1703.02573, section 3 (blank noising); Iyyer et al., ACL 2015 (word dropout)",
)
def word_dropout(text: Text, n: int, u: Sequence[float], _: Resources) -> list[Edit]:
    """n words are blanked: "_" stands in their place, so that the model learns to do without them.

    Xie et al., arXiv 1703.02573: each word with probability gamma. Differs: so many of the words as the share says.
    """
    tokens = text.tokens
    return [Edit(tokens.starts[word], tokens.stops[word], BLANK) for word in chosen(tokens.free, n, u)]


@EDA.op(
    "of the words, marks for them",
    needs=each(2),
    safe=True,
    source="Karimi et al., AEDA, arXiv 2108.13230",
    prior=Prior("punctuate", 0.02, 0.3, 0.1),
)
def punctuate(text: Text, n: int, u: Sequence[float], _: Resources) -> list[Edit]:
    """n marks of . ; ? : ! , are put in between words, at most one at a place, none within a protected span.

    Karimi et al., AEDA, arXiv 2108.13230: n is drawn from 1 to a third of the words. Differs: n is the share given.
    """
    holes = chosen(text.tokens.holes, n, u)
    marks = u[n:]
    return [Edit(hole, hole, f"{MARKS[int(marks[i] * len(MARKS))]} ") for i, hole in enumerate(holes)]
