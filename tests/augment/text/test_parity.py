"""The check of paraphrases: what negates, and what may stand for what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gapless.augment.text.paraphrase.parity import form_objection, negation_objection, negations, objection

HOTEL = "I do not recommend this hotel to anyone."

COUNTS = {
    HOTEL: 1,
    "I would highly recommend this hotel to anyone.": 0,
    "I don't think that nobody came.": 2,
    "I don’t know.": 1,
    "dont go there": 1,
    "You cannot see it, you can't.": 2,
    "Neither the room nor the food was good.": 1,
    "Neither. Nor do I.": 2,
    "It is not only good but cheap.": 0,
    "No doubt, it is good.": 0,
    "I can't wait to see it again!": 0,
    "NOT GOOD": 1,
    "A knot, a note, a nose, nothings and notary": 0,
    "It ain't over.": 1,
    "Hardly a film.": 1,
    "It lacks charm and fails to move.": 2,
    "": 0,
    "😀 !!! 123": 0,
    "never_mind snake_case_not": 2,
}


@pytest.mark.parametrize(("text", "count"), COUNTS.items())
def test_negations_are_counted(text: str, count: int) -> None:
    assert negations(text) == count


def test_the_hotel_is_not_recommended() -> None:
    """The paraphrase that a real translator made, which embeddings find close."""
    assert objection(HOTEL, "I would highly recommend this hotel to anyone.") == "1 negations became 0"
    assert objection(HOTEL, "I don't advocate this hotel to anybody.") is None


KEPT = [
    ("I am unhappy with it.", "I am not happy with it."),
    ("She is not happy.", "She is unhappy."),
    ("I have no money and no friends.", "I don't have money and no friend."),
    ("We dislike the plot.", "We do not like the plot."),
    ("This is a useless tool.", "This is a tool that is not useful."),
    ("It costs 12.50 at 8:30.", "At 8:30 the price is 12.50."),
    ("Nobody came.", "No one came."),
    ("I like the film.", "The film pleases me."),
    ("An uncle came home.", "The uncle came to the house."),
]
CHANGED = [
    ("I am unhappy with it.", "I am happy with it."),
    ("We dislike the plot.", "We like the plot."),
    ("A painless procedure.", "A painful procedure."),
    ("It is not bad.", "It is bad."),
    ("Good.", "Not good, I say."),
    ("It is not uncommon.", "It is common."),
    ("I never laughed.", "I always laughed."),
    ("It works without trouble.", "It works with trouble."),
]


@pytest.mark.parametrize(("original", "variant"), KEPT)
def test_what_keeps_its_meaning_passes(original: str, variant: str) -> None:
    assert objection(original, variant) is None
    assert objection(variant, original) is None


@pytest.mark.parametrize(("original", "variant"), CHANGED)
def test_what_turns_around_is_refused(original: str, variant: str) -> None:
    assert "negations became" in str(objection(original, variant))
    assert "negations became" in str(objection(variant, original))


@pytest.mark.parametrize(
    ("original", "variant", "reason"),
    [
        ("Good film.", "", "nothing is left"),
        ("Good film.", "  \n", "nothing is left"),
        ("Good film.", "good  FILM.", "the same words"),
        ("3 stars of 5", "5 stars of 5", "other numbers: 3, 5"),
        ("Room 12", "The room", "other numbers: 12"),
        ("I liked this film a great deal, as did my friends.", "Film.", "50 characters became 5"),
        ("Good!", "the word the word the word the word", "5 characters became 35"),
    ],
)
def test_form(original: str, variant: str, reason: str) -> None:
    assert form_objection(original, variant) == objection(original, variant) == reason


@given(st.text(), st.text())
def test_any_two_texts_can_be_compared(a: str, b: str) -> None:
    assert objection(a, a) is not None  # a text is no paraphrase of itself
    assert (negation_objection(a, b) is None) == (negation_objection(b, a) is None)
    assert (form_objection(a, b) is None) == (form_objection(b, a) is None) or not (a.strip() and b.strip())
    assert negations(f"{a} {b}") <= negations(a) + negations(b)
