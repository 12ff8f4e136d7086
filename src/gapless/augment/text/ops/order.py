"""Sentences in another order, and paraphrases of the whole text."""

from __future__ import annotations

from collections.abc import Sequence

from gapless.augment.prior import Prior
from gapless.augment.text.document import Text
from gapless.augment.text.edits import Edit
from gapless.augment.text.lexicon.words import TURNING_VERBS, Kind, turns
from gapless.augment.text.ops.declare import Counts, Declared, chosen, each, shuffled
from gapless.augment.text.paraphrase.parity import negation_objection
from gapless.augment.text.resources import Resources

ORDER = Declared()

_LEWIS = "Lewis et al., BART, arXiv 1910.13461, section 2.2 (sentence permutation)"


@ORDER.op(
    "of the sentences",
    size="sentences",
    needs=each(2),
    safe=True,
    source=_LEWIS,
    prior=Prior("reorder", 0.2, 1.0, 0.5),
)
def reorder(text: Text, n: int, u: Sequence[float], _: Resources) -> list[Edit]:
    """n sentences of the text are permuted among themselves; strength 1 permutes the whole text, all orders as likely.

    Lewis et al., BART, arXiv 1910.13461. White space and the markers of list items stay in place; quotations, bracketed
    words and protected spans stay whole; with `Protect.discourse` a sentence that answers the one before moves with it.
    """
    places = sorted(chosen(range(len(text.sentences)), n, u))
    return _placed(text, places, shuffled(places, len(places), u[n:]))


def _of_all(n: Counts, size: Counts) -> Counts:
    return size


@ORDER.op(
    "sentences that one may move", strong=20, law="whole", size="sentences", needs=_of_all, safe=True, source=_LEWIS
)
def reorder_near(text: Text, n: int, u: Sequence[float], _: Resources) -> list[Edit]:
    """Every sentence moves by at most n places: sorted by i + U(0, n + 1) for sentence i.

    Within a window what `reorder` (Lewis et al., arXiv 1910.13461) does over the whole text; the same holds.
    """
    count = len(text.sentences)
    return _placed(text, range(count), sorted(range(count), key=lambda i: i + u[i] * (n + 1)))


def _placed(text: Text, places: Sequence[int], order: Sequence[int]) -> list[Edit]:
    """The sentence of number order[i] comes to stand where the sentence of number places[i] stood."""
    source, spans = text.source, text.sentences
    return [
        Edit(*spans[place], source[slice(*spans[own])], spans[own][0])
        for place, own in zip(places, order, strict=True)
        if place != own
    ]


_ALOUD = frozenset({Kind.NAME, Kind.ADDRESS, Kind.EMOJI, Kind.QUOTE, Kind.GIVEN})
"""What a paraphrase must say in the same letters; numbers in digits and the count of negations are compared as such."""


@ORDER.op(
    "on or off",
    law="switch",
    size="text",
    needs=each(1),
    safe=True,
    whole_text=True,
    source="Sennrich, Haddow and Birch, arXiv 1511.06709; Xie et al., UDA, arXiv 1904.12848, section 2.2",
    prior=Prior("back translation", 0.1, 1.0, 0.5, chance=True),
)
def back_translate(text: Text, n: int, u: Sequence[float], resources: Resources) -> list[Edit]:
    """The text as it came back from a translation: one of its paraphrases in the resources, all as likely.

    Xie et al., arXiv 1904.12848. A paraphrase is passed over if it does not have the protected names, addresses, emoji,
    quotations and given spans letter by letter, or negates differently (`parity`).
    """
    return _paraphrased("back_translate", text, u[0], resources)


@ORDER.op(
    "on or off",
    law="switch",
    size="text",
    needs=each(1),
    safe=False,
    whole_text=True,
    source="Kobayashi, arXiv 1805.06201; Wu et al., Conditional BERT, arXiv 1812.06705",
    prior=Prior("contextual", 0.1, 1.0, 0.5, chance=True),
)
def contextual(text: Text, n: int, u: Sequence[float], resources: Resources) -> list[Edit]:
    """The text with words replaced by a masked language model: one of its variants in the resources, all as likely.

    Kobayashi, arXiv 1805.06201. The variants are made ahead; they are passed over as those of `back_translate`.
    """
    return _paraphrased("contextual", text, u[0], resources)


def _paraphrased(name: str, text: Text, u: float, resources: Resources) -> list[Edit]:
    source = text.source
    fit = [new for new in resources.paraphrases_of(name, source) if _says_the_same(text, new)]
    return [Edit(0, len(source), fit[int(u * len(fit))])] if fit else []


def _says_the_same(text: Text, new: str) -> bool:
    """Whether the paraphrase keeps what is protected, as far as another wording can."""
    source = text.source
    for start, stop, kind in text.tokens.guarded:
        span = source[start:stop]
        if (kind in _ALOUD or (kind == Kind.NUMBER and not span.isalpha())) and span not in new:
            return False
    return bool(new.strip()) and (not text.protect.negation or _negates_alike(text, new))


def _negates_alike(text: Text, new: str) -> bool:
    """Where verbs turn the meaning around (failed to, refused to), they count like the negations they may become."""
    before = [low for low in text.tokens.lows if turns(low)]
    if TURNING_VERBS.isdisjoint(before):
        return negation_objection(text.source, new) is None
    return len(before) == sum(turns(low) for low in Text(new, text.protect).tokens.lows)
