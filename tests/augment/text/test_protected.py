"""What is protected in two hundred sentences that can be checked by eye, and that no operation touches it."""

from collections import Counter
from dataclasses import fields, replace

import pytest
from marked_texts import Marked, marked_texts

from gapless.augment.text import OPS, Policy, Protect, Resources, Step
from gapless.augment.text.document import Text
from gapless.augment.text.lexicon.words import LEXICON, Kind
from gapless.augment.text.policy_toml import preset, presets
from gapless.augment.text.tokens import PARTS, TOKEN

MARKED = marked_texts()
TEXTS = [marked.text for marked in MARKED]
WORDS = [name for name, op in OPS.items() if not op.whole_text]


def found(text: str, protect: Protect) -> list[str]:
    return [text[start:stop] for start, stop, _ in Text(text, protect).tokens.guarded]


def test_there_are_two_hundred_of_every_kind() -> None:
    assert len(MARKED) >= 200
    groups = Counter(marked.group for marked in MARKED)
    assert len(groups) == 12 and min(groups.values()) >= 8
    assert {"", "  "} <= set(TEXTS)


@pytest.mark.parametrize("marked", MARKED, ids=lambda marked: repr(marked.text))
def test_what_is_marked_is_protected_and_nothing_else(marked: Marked) -> None:
    assert found(marked.text, Protect()) == marked.shown()


@pytest.mark.parametrize("marked", MARKED, ids=lambda marked: repr(marked.text))
def test_a_token_is_what_it_is_by_itself(marked: Marked) -> None:
    """What is known of a word is kept by its letters alone."""
    tokens = [(match[0], match.lastgroup) for match in TOKEN.finditer(marked.text)]
    assert PARTS.split(marked.text)[1::2] == [token for token, _ in tokens]
    for token, group in tokens:
        alone = TOKEN.match(token)
        assert alone is not None and alone[0] == token
        assert alone.lastgroup == group or {alone.lastgroup, group} == {"word", "any"}


def test_a_capital_is_a_name_unless_the_text_has_the_word_in_small_letters() -> None:
    """The small letter at the head of iPhone is no other word."""
    assert found("Lamps stood there. Lamps and lamps.", Protect()) == []
    assert found("iPhone cases lay there. Ruby lay there.", Protect()) == ["iPhone", "Ruby"]
    assert found("here XD.there XD", Protect()) == ["XD", "XD"]
    assert found("here ➁there and ➁ there", Protect()) == ["➁", "➁"]


def kept_in_order(spans: list[str], text: str) -> bool:
    at = 0
    for span in spans:
        place = text.find(span, at)
        if place < 0:
            return False
        at = place + len(span)
    return True


@pytest.mark.parametrize("name", WORDS)
def test_no_operation_changes_a_protected_span(name: str) -> None:
    policy = Policy((Step(name, OPS[name].strong),))
    for epoch in range(5):
        for marked, after in zip(MARKED, policy.apply(TEXTS, 3, epoch, range(len(TEXTS))), strict=True):
            assert kept_in_order(marked.shown(), after), (marked.text, after)
            assert bool(after.strip()) == bool(marked.text.strip())


@pytest.mark.parametrize("name", presets())
def test_no_shipped_policy_changes_a_protected_span(name: str) -> None:
    policy = preset(name)
    strong = replace(policy, steps=tuple(Step(step.op, OPS[step.op].strong) for step in policy.steps))
    for epoch in range(5):
        for marked, after in zip(MARKED, strong.apply(TEXTS, 1, epoch, range(len(TEXTS))), strict=True):
            assert kept_in_order(marked.shown(), after), (marked.text, after)
            assert bool(after.strip()) == bool(marked.text.strip())
            after.encode("utf-8")


@pytest.mark.parametrize("name", WORDS)
def test_p_0_gives_the_same_objects(name: str) -> None:
    policy = Policy((Step(name, OPS[name].strong, p=0.0),))
    after = policy.apply(TEXTS, 0, 0, range(len(TEXTS)))
    assert all(a is b for a, b in zip(TEXTS, after, strict=True))


def test_the_operations_do_change_what_is_not_protected() -> None:
    """The tests above can fail: at full strength nearly every sentence with a free word comes out different."""
    free = [
        text for text in TEXTS if any(text[a:].isascii() for a in [0]) and len(Text(text, Protect()).tokens.free) > 2
    ]
    assert len(free) > 120
    for name in ("swap", "delete", "word_dropout", "casing"):
        after = Policy((Step(name, 1.0),)).apply(free, 0, 0, range(len(free)))
        assert sum(a != b for a, b in zip(free, after, strict=True)) >= 0.9 * len(free)


SWITCHES = {
    "negation": ("We do not open the door, but the window.", ["not open", "but"]),
    "polarity": ("The zebra was friendly at the gate.", ["friendly"]),
    "numbers": ("The shelf holds 12 books and three lamps.", ["12", "three"]),
    "names": ("The road to New York is closed.", ["New York"]),
    "addresses": ("The page www.example.org lists the rooms.", ["www.example.org"]),
    "emoji": ("The picnic was sunny 😀 there.", ["😀"]),
    "contractions": ("The film's music plays in the hall.", ["film's"]),
    "quotes": ("The sign reads “closed for repairs” there.", ["“closed for repairs”"]),
}


@pytest.mark.parametrize("name", SWITCHES)
def test_every_protection_can_be_switched_off(name: str) -> None:
    text, spans = SWITCHES[name]
    assert found(text, Protect()) == spans
    assert found(text, replace(Protect(), **{name: False})) == []


def test_the_switches_are_all_of_them() -> None:
    assert {field.name for field in fields(Protect)} == {*SWITCHES, "discourse", "words", "patterns"}


def test_given_words_patterns_and_spans_are_protected() -> None:
    text = "The ticket for order of rolls goes to the harbour office"
    assert found(text, Protect(words=("Harbour",))) == ["harbour"]
    assert found(text, Protect(patterns=(r"order of \w+",))) == ["order of rolls"]
    spans = [[(4, 20)]]
    for name in ("delete", "swap", "word_dropout", "punctuate", "casing", "typos"):
        policy = Policy((Step(name, 1.0),))
        for epoch in range(5):
            (after,) = policy.apply([text], 0, epoch, [0], spans=spans)
            assert text[4:20] in after


def test_a_span_beyond_the_text_and_a_wrong_pattern_are_errors() -> None:
    with pytest.raises(ValueError, match=r"start and stop within the text's 3 characters, got \(1, 9\)"):
        Policy((Step("swap", 1.0),)).apply(["abc"], 0, 0, [0], spans=[[(1, 9)]])
    with pytest.raises(ValueError, match=r"protect: '\(' is not a regular expression"):
        Protect(patterns=("(",))


def test_the_tables_of_words_name_each_word_in_small_letters() -> None:
    assert all(word == word.lower() and word.strip() == word for word in LEXICON)
    for word, kind in {"not": Kind.NEGATION, "but": Kind.NEGATION, "good": Kind.POLARITY, "seven": Kind.NUMBER}.items():
        assert LEXICON[word] == kind
    assert LEXICON["hated"] == LEXICON["disappointing"] == Kind.POLARITY
    assert LEXICON["failed"] == Kind.NEGATION


def test_what_an_operation_puts_in_carries_no_label() -> None:
    """Synonyms and insertions are never negations, judging words or numbers."""
    thesaurus = Resources().thesaurus
    for marked in MARKED:
        for _, choices in thesaurus.candidates(Text(marked.text, Protect())):
            assert not [word for choice in choices for word in choice.split() if LEXICON.get(word, 0) >= Kind.NEGATION]
