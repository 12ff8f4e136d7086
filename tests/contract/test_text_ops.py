"""What every text operation owes, run over the whole table of operations."""

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gapless.augment.text import OPS, Policy, Protect, Resources, Step
from gapless.augment.text.document import Text
from gapless.augment.text.lexicon.words import Kind
from gapless.augment.text.ops import find

NAMES = sorted(OPS)
WORDS = [name for name in NAMES if not OPS[name].whole_text]

DOCUMENTS = [
    "The old house stands on the hill. A narrow road leads to the gate. The gardener repaired the wooden fence.",
    "We watched the film in a small cinema near the river. The music played before the picture began. It rained.",
    "The students read the letter from Dr. Weber. The train to Oslo stopped at 5.30 p.m. and the passengers waited.",
    "Her brother did not open the box. The key lay under the carpet; the dog slept. Later the neighbours arrived.",
    "Read https://example.org for the rules. The child asked “where is the boat?” again. The sailor mended the net.",
    "I do not recommend this hotel to anyone. The staff ignored the guests 😀. The room smelled of old smoke.",
]


def paraphrased(text: str) -> tuple[str, ...]:
    """In other words without a change of what is protected: remarks before and behind."""
    return f"As they say: {text}", f"{text} That is what they say."


def known(texts: list[str]) -> Resources:
    table = {text: paraphrased(text) for text in texts}
    return Resources(paraphrases={name: table for name, op in OPS.items() if op.whole_text})


def strong(name: str, p: float = 1.0, share: float = 1.0) -> Policy:
    op = OPS[name]
    return Policy((Step(name, op.strong * (share if op.law == "share" else 1.0), p),))


def augment(policy: Policy, texts: list[str], seed: int = 0, epoch: int = 0) -> list[str]:
    return policy.apply(texts, seed, epoch, range(len(texts)), known(texts))


def keeps(before: str, after: str, name: str) -> bool:
    """Whether every protected span stands in the text that came out: in order, or as often where order may change."""
    spans = [
        before[start:stop]
        for start, stop, kind in Text(before, Protect()).tokens.guarded
        if not OPS[name].whole_text or kind in (Kind.NAME, Kind.ADDRESS, Kind.EMOJI, Kind.QUOTE)
    ]
    if OPS[name].size == "sentences":
        return all(len(re.findall(f"(?={re.escape(span)})", after)) >= n for span, n in Counter(spans).items())
    at = 0
    for span in spans:
        place = after.find(span, at)
        if place < 0:
            return False
        at = place + len(span)
    return True


@pytest.mark.parametrize("name", NAMES)
class TestEveryOp:
    def test_its_weak_end_and_p_0_are_the_identity(self, name: str) -> None:
        for policy in (Policy((Step(name, OPS[name].weak),)), strong(name, p=0.0)):
            assert all(a is b for a, b in zip(DOCUMENTS, augment(policy, DOCUMENTS), strict=True))

    def test_it_changes_texts_at_its_strong_end(self, name: str) -> None:
        changed = [
            a != b for e in range(4) for a, b in zip(DOCUMENTS, augment(strong(name), DOCUMENTS, 0, e), strict=True)
        ]
        assert sum(changed) >= 0.6 * len(changed)

    def test_the_same_key_gives_the_same_text_in_any_batch(self, name: str) -> None:
        policy, resources = strong(name, 0.7, 0.4), known(DOCUMENTS)
        together = policy.apply(DOCUMENTS, 7, 3, range(6), resources)
        assert together == policy.apply(DOCUMENTS, 7, 3, range(6), resources)
        alone = [policy.apply([text], 7, 3, [i], resources)[0] for i, text in enumerate(DOCUMENTS)]
        turned = policy.apply(DOCUMENTS[::-1], 7, 3, np.arange(6)[::-1], resources)[::-1]
        many = policy.apply(DOCUMENTS * 30, 7, 3, list(range(180)), resources)[:6]
        assert together == alone == turned == many

    def test_seed_epoch_and_index_each_make_a_difference(self, name: str) -> None:
        policy, texts = strong(name, 0.7, 0.5), DOCUMENTS * 4
        first = augment(policy, texts)
        assert augment(policy, texts, seed=1) != first
        assert augment(policy, texts, epoch=1) != first
        assert policy.apply(texts, 0, 0, range(100, 124), known(texts)) != first
        assert policy.apply(texts, 0, 0, [i + 2**32 for i in range(24)], known(texts)) != first

    def test_p_is_the_share_of_texts_that_change(self, name: str) -> None:
        texts = DOCUMENTS * 70
        always = [a != b for a, b in zip(texts, augment(strong(name), texts), strict=True)]
        half = [a != b for a, b in zip(texts, augment(strong(name, 0.5), texts), strict=True)]
        assert not any(b and not a for a, b in zip(always, half, strict=True))
        assert 0.4 < sum(half) / sum(always) < 0.6

    def test_it_keeps_what_is_protected_and_leaves_a_text(self, name: str) -> None:
        for epoch in range(10):
            for before, after in zip(DOCUMENTS, augment(strong(name), DOCUMENTS, 2, epoch), strict=True):
                assert keeps(before, after, name), (before, after)
                assert after.strip()
                after.encode("utf-8")

    def test_texts_without_words_come_back_as_they_are(self, name: str) -> None:
        texts = ["", " ", "\n\t", "...", "!?", "\u200b"]
        resources = Resources(paraphrases={name: dict.fromkeys(texts, ())})
        after = strong(name).apply(texts, 0, 0, range(len(texts)), resources)
        assert all(a is b for a, b in zip(texts, after, strict=True))
        assert strong(name).apply([], 0, 0, [], resources) == []

    def test_it_says_what_it_does_and_where_it_comes_from(self, name: str) -> None:
        op = OPS[name]
        summary, _, rest = op.summary.partition("\n")
        assert op.name == name and summary.endswith(".") and op.unit
        assert op.weak == 0 < op.strong
        assert re.search(r"arXiv \d{4}\.\d{5}|ACL \d{4}|HLT \d{4}", op.source)
        assert re.search(r"arXiv \d{4}\.\d{5}|HLT \d{4}", rest), "the docstring names its source"

    def test_a_strength_out_of_range_names_value_and_range(self, name: str) -> None:
        op = OPS[name]
        for wrong in (-1.0, op.strong + 1, float("nan")):
            with pytest.raises(ValueError, match=rf"{name}: strength must be from 0 to {op.strong:g} .*got {wrong}"):
                Step(name, wrong)
        if op.law != "share":
            with pytest.raises(ValueError, match=rf"{name}: strength must be a whole number of .*got 0.5"):
                Step(name, 0.5)
        with pytest.raises(ValueError, match=rf"{name}: p must be in \[0, 1\], got 1.5"):
            Step(name, op.strong, 1.5)

    def test_a_misspelt_name_is_answered_with_the_right_one(self, name: str) -> None:
        with pytest.raises(ValueError, match=rf"there is no text operation '{name}z'. Did you mean '{name}'\?"):
            find(name + "z")


AWKWARD = """
the film not good don't Dr. Smith 3.5 https://a.b/c @bob #tag :-) 😀 👨‍👩‍👧 “ ” " ' ( ) [ ] < > . ... ! ? , ; - — 。
Straße İ ß ﬁ é नमस्ते 日本 & &amp; <br> $5 1,000 e.g. U.S. However Paris New York _ a_b I ½ a
"""
PIECES = st.sampled_from([*AWKWARD.split(), "e\u0301", "\u200d", "\u202e", "\x00", "\xad", "\n", "\t", " "])
ANY_TEXT = st.text() | st.lists(PIECES, max_size=30).map(" ".join) | st.lists(PIECES, max_size=30).map("".join)


@pytest.mark.parametrize("name", WORDS)
@settings(max_examples=60)
@given(
    texts=st.lists(ANY_TEXT, min_size=1, max_size=6), seed=st.integers(0, 2**64 - 1), epoch=st.integers(0, 2**31 - 1)
)
def test_any_text_comes_out_whole(name: str, texts: list[str], seed: int, epoch: int) -> None:
    for before, after in zip(texts, strong(name).apply(texts, seed, epoch, range(len(texts))), strict=True):
        after.encode("utf-8")
        assert bool(before.strip()) == bool(after.strip())
        assert keeps(before, after, name), (before, after)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_search_tries_is_accepted(name: str) -> None:
    """The ends of the prior are strengths of the operation, or probabilities where it is a switch."""
    op = OPS[name]
    if op.prior is None:
        return
    assert 0 < op.prior.low <= op.prior.usual <= op.prior.high
    assert op.prior.chance == (op.law == "switch")
    for value in (op.prior.low, op.prior.usual, op.prior.high):
        assert not (Step(name, 1.0, value) if op.prior.chance else Step(name, value)).idle


def test_a_knob_has_one_prior() -> None:
    """Operations of one prior share its knob, and no other has that name."""
    priors = [op.prior for op in OPS.values() if op.prior is not None]
    knobs = {prior.knob for prior in priors}
    assert len(knobs) == len(set(priors))
    assert OPS["typos"].prior == OPS["keyboard"].prior
    assert {"synonyms", "back translation"} <= knobs
