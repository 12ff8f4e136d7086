"""Texts whose label follows from a rule: safe operations keep it, and without the protection of negation it breaks.

The rules read the augmented text with words of their own, not with the tables of gapless.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

import pytest

from gapless.augment.text import OPS, Policy, Protect, Resources, Step

Rule = Callable[[str], str | None]

# ── judgements: the sign of the judging words, turned around by a negation up to three words before ──

GOOD = {"excellent", "wonderful", "charming", "enjoyed", "enjoy", "recommend", "liked", "like", "impress"}
BAD = {"terrible", "boring", "dreadful", "hated", "hate", "disappointing"}
NOT = {"not", "never", "hardly", "failed", "no"}
WORD = re.compile(r"[\w'’]+")


def judgement(text: str) -> str | None:
    """positive, negative, or None where nothing or both is said."""
    words = WORD.findall(text.lower())
    total = 0
    for place, word in enumerate(words):
        sign = (word in GOOD) - (word in BAD)
        before = words[max(0, place - 3) : place]
        turned = sum(other in NOT or other.endswith(("n't", "n’t")) for other in before) % 2
        total += -sign if turned else sign
    return "positive" if total > 0 else "negative" if total < 0 else None


OPENINGS = [
    "We visited the house near the harbour in autumn.",
    "My brother bought the tickets, and the children came with us.",
    "The journey to the village took the whole afternoon.",
]
CLOSINGS = ["The rain began in the evening.", "Later the neighbours cooked a large meal and opened a bottle."]
JUDGEMENTS = [
    "The {thing} was excellent.",
    "The {thing} wasn't charming.",
    "The {thing} was not really disappointing.",
    "I did not enjoy the {thing}.",
    "Everybody enjoyed the {thing}, but the building looked old.",
    "The {thing} failed to impress the guests.",
    "I would never recommend the {thing} to a friend.",
    "People hated the {thing} for years.",
    "The {thing} was hardly wonderful.",
    "They said it was boring, a terrible {thing}.",
]
THINGS = ["film", "hotel", "dinner", "concert"]


def judged() -> list[str]:
    return [
        " ".join([opening, judgement.format(thing=thing), closing])
        for opening, judgement, thing, closing in itertools.product(OPENINGS, JUDGEMENTS, THINGS, CLOSINGS)
    ]


# ── inference: the square of opposition ──

SQUARE = {
    ("A", "I"): "entailed", ("E", "O"): "entailed", ("A", "E"): "contradicted", ("E", "A"): "contradicted",
    ("A", "O"): "contradicted", ("O", "A"): "contradicted", ("E", "I"): "contradicted", ("I", "E"): "contradicted",
    ("I", "A"): "open", ("I", "O"): "open", ("O", "E"): "open", ("O", "I"): "open",
    **{(form, form): "entailed" for form in "AEIO"},
}  # fmt: skip
"""Of all, no, some, some not: what follows from the first sentence for the second."""


def form(sentence: str) -> str | None:
    """A: all are. E: none is. I: some are. O: some are not."""
    words = WORD.findall(sentence.lower())
    quantifier = next((word for word in words if word in ("all", "no", "some")), None)
    negated = any(word == "not" or word.endswith("n't") for word in words)
    return {("all", False): "A", ("no", False): "E", ("some", False): "I", ("some", True): "O"}.get(
        (quantifier or "", negated)
    )


PEOPLE = ["the engineers", "students in the library", "sailors on the ship", "neighbours of the old woman"]
DEEDS = ["repaired the wooden fence", "read the letter in the garden", "watched the game after the meal"]
SENTENCES = {
    "A": "All {people} {deed}.",
    "E": "No {people} {deed}.",
    "I": "Some {people} {deed}.",
    "O": "Some {people} did not do it: they never {deed}.",
}


def pairs() -> list[tuple[str, str]]:
    return [
        tuple(SENTENCES[kind].format(people=people, deed=deed) for kind in kinds)  # type: ignore[misc]  # pairs in, pairs out
        for kinds, people, deed in itertools.product(SQUARE, PEOPLE, DEEDS)
    ]


# ── what is measured ──


def reworded(text: str) -> tuple[str, ...]:
    """Paraphrases as a translator makes them: two that say the same, and one that has lost its negation."""
    lost = re.sub(r"n't\b| not\b| never\b| no\b|No\b|failed to ", "", text)
    return f"As they said: {text}", text.replace("The ", "That same ").replace("the ", "that same "), lost


def policy(name: str, protect: Protect | None = None) -> Policy:
    """The operation, strong: three words of ten, the whole text, neighbours within two sentences."""
    strength = {"share": 0.3, "switch": 1.0, "whole": 2.0}[OPS[name].law]
    if name == "reorder":
        strength = 1.0
    return Policy((Step(name, strength),), protect=protect or Protect())


def augmented(name: str, texts: list[str], protect: Protect | None = None, epochs: int = 3) -> list[tuple[str, str]]:
    """Texts with their variants, those that changed only."""
    known = {text: reworded(text) for text in texts}
    resources = Resources(paraphrases={"back_translate": known, "contextual": known})
    after = [
        (before, text)
        for epoch in range(epochs)
        for before, text in zip(
            texts, policy(name, protect).apply(texts, 0, epoch, range(len(texts)), resources), strict=True
        )
    ]
    return [(before, text) for before, text in after if before != text]


def kept(rule: Rule, changed: list[tuple[str, str]]) -> float:
    """The share of changed texts whose label is the same."""
    assert len(changed) > 50
    return sum(rule(before) == rule(after) for before, after in changed) / len(changed)


SAFE = sorted(name for name, op in OPS.items() if op.safe)


def test_the_templates_have_labels_of_every_kind() -> None:
    labels = [judgement(text) for text in judged()]
    assert labels.count("positive") >= 60 and labels.count("negative") >= 100 and None not in labels
    forms = [(form(a), form(b)) for a, b in pairs()]
    assert {SQUARE[key] for key in forms} == {"entailed", "contradicted", "open"}


@pytest.mark.parametrize("name", SAFE)
def test_safe_operations_keep_judgements(name: str) -> None:
    assert kept(judgement, augmented(name, judged())) >= 0.98


@pytest.mark.parametrize("name", [name for name in SAFE if OPS[name].size != "sentences"])
def test_safe_operations_keep_what_follows_from_what(name: str) -> None:
    """Premise and hypothesis are augmented by themselves, as a model of pairs is given them."""
    sentences = sorted({sentence for pair in pairs() for sentence in pair})
    variants: dict[str, list[str]] = {}
    for before, after in augmented(name, sentences):
        variants.setdefault(before, []).append(after)
    labels = [
        (SQUARE[form(a), form(b)], SQUARE.get((form(x) or "", form(y) or "")))  # type: ignore[index]  # templates have forms
        for a, b in pairs()
        for x, y in zip(variants.get(a, []), variants.get(b, []), strict=False)
    ]
    assert len(labels) > 100
    assert sum(before == after for before, after in labels) / len(labels) >= 0.98


def test_deleting_negations_breaks_judgements() -> None:
    """The measure can fail: without the protection of negation a strong deletion turns many labels around."""
    negated = [text for text in judged() if re.search(r"n't|not|never|failed|hardly", text)]
    assert kept(judgement, augmented("delete", negated)) >= 0.98
    bare = kept(judgement, augmented("delete", negated, Protect(negation=False)))
    assert bare < 0.9
    everything = Protect(negation=False, polarity=False, numbers=False, contractions=False)
    assert kept(judgement, augmented("delete", judged(), everything)) < 0.8


def test_deleting_negations_breaks_inference() -> None:
    sentences = [sentence for sentence in {s for pair in pairs() for s in pair} if sentence.startswith(("No", "Some"))]
    loose = Protect(negation=False, numbers=False, names=False)
    assert kept(form, augmented("delete", sentences)) >= 0.98
    assert kept(form, augmented("delete", sentences, loose)) < 0.8


def test_a_paraphrase_that_lost_its_negation_is_passed_over() -> None:
    negated = [text for text in judged() if judgement(text) != judgement(reworded(text)[2])]
    assert len(negated) > 50
    assert kept(judgement, augmented("back_translate", negated)) == 1
    assert kept(judgement, augmented("back_translate", negated, Protect(negation=False))) < 0.8


def test_swap_is_not_safe_because_it_changes_who_did_it() -> None:
    def who(text: str) -> str | None:
        found = re.search(r"\b(gardener|neighbour)\b.*\b(gardener|neighbour)\b", text.lower())
        return found[1] if found else None

    texts = [f"The {a} {verb} the {b} near the old {place}."
             for a, b in (("gardener", "neighbour"), ("neighbour", "gardener"))
             for verb in ("paid", "called", "helped", "saw", "followed", "taught")
             for place in ("gate", "road", "shop", "bridge", "tower")]  # fmt: skip
    assert not OPS["swap"].safe
    assert kept(who, augmented("swap", texts)) < 0.9
    assert kept(who, augmented("casing", texts)) == 1
