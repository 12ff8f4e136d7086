"""Words put in the place of words of the same sense, and beside them."""

from __future__ import annotations

from collections.abc import Sequence

from gapless.augment.prior import Prior
from gapless.augment.text.document import Text
from gapless.augment.text.edits import Edit, Plain
from gapless.augment.text.ops.declare import Declared, chosen, each, shuffled
from gapless.augment.text.resources import Resources

SYNONYMS = Declared()


@SYNONYMS.op(
    "of the words",
    needs=each(2),
    safe=True,
    source="Zhang, Zhao and LeCun, arXiv 1509.01626, section 2.4; Wei and Zou, EDA, arXiv 1901.11196, section 2 (SR)",
    prior=Prior("synonyms", 0.05, 0.5, 0.2),
)
def synonyms(text: Text, n: int, u: Sequence[float], resources: Resources) -> list[Plain]:
    """n words are replaced by synonyms of WordNet, in the form and the case of the word.

    Wei and Zou, arXiv 1901.11196: any synset of the word. Differs: only senses that are frequent for both words, of the
    part of speech that the word before or the counts of the word's uses tell; never in an idiom that WordNet knows.
    Fewer than n where fewer words have synonyms: in reviews about one word in nine has.
    """
    edits: list[Plain] = []
    for start, stop, fit in chosen(resources.thesaurus.replacements(text), n, u):
        edits.append((start, stop, fit[int(u[n] * len(fit))], -1))
        n += 1
    return edits


@SYNONYMS.op(
    "of the words, words for them",
    needs=each(3),
    safe=True,
    source="Wei and Zou, EDA, arXiv 1901.11196, section 2 (RI)",
    prior=Prior("insert", 0.02, 0.3, 0.1),
)
def insert(text: Text, n: int, u: Sequence[float], resources: Resources) -> list[Edit]:
    """n times, a synonym of a word of the text is put in between two words; never within a protected span.

    Wei and Zou, arXiv 1901.11196. Differs: the synonym is one that `synonyms` would take; no word and no place twice.
    """
    words = chosen(resources.thesaurus.replacements(text), n, u)
    holes = shuffled(text.tokens.holes, n, u[n:])
    return [
        Edit(hole, hole, fit[int(u[2 * n + i] * len(fit))] + " ")
        for i, (hole, (_, _, fit)) in enumerate(zip(holes, words, strict=False))
    ]
