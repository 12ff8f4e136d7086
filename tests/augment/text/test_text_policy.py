"""Policies of text operations: order, choice, schedules, caches, errors; and their files."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gapless.augment.text import OPS, Policy, Protect, Resources, Step
from gapless.augment.text import policy_toml as toml
from gapless.augment.text.document import Kept
from gapless.augment.text.known import CAPITAL, LONGEST, Known, known
from gapless.augment.text.lexicon.thesaurus import Thesaurus
from gapless.augment.text.lexicon.wordnet import Wordnet
from gapless.augment.text.lexicon.words import Kind

TEXTS = [
    f"The {a} stood on the {b} behind the wooden door." for a in ("lamp", "vase") for b in ("table", "shelf", "box")
]
ROWS = range(len(TEXTS))


def test_steps_are_taken_in_order() -> None:
    blank, shout = Step("word_dropout", 0.4), Step("casing", 1.0)
    first = Policy((blank,)).apply(TEXTS, 0, 0, ROWS)
    both = Policy((blank, shout)).apply(TEXTS, 0, 0, ROWS)
    assert all(a.count("_") == b.count("_") > 0 for a, b in zip(first, both, strict=True))
    assert all(a != b and a.lower() == b.lower() for a, b in zip(first, both, strict=True))


def test_pick_takes_one_of_the_steps_or_none_all_as_likely() -> None:
    policy = Policy((Step("delete", 1.0), Step("punctuate", 1.0), Step("word_dropout", 1.0)), pick=1)
    text = "lamp table shelf vase stool"
    after = policy.apply([text] * 4000, 0, 0, range(4000))
    deleted = sum(len(out.split()) == 1 for out in after)
    marked = sum(len(out.split()) == 9 for out in after)
    blank = sum(out == "_ _ _ _ _" for out in after)
    same = sum(out is text for out in after)
    assert deleted + marked + blank + same == 4000
    assert min(deleted, marked, blank, same) > 900


def test_pick_two_may_take_two() -> None:
    policy = Policy((Step("word_dropout", 1.0), Step("punctuate", 1.0)), pick=2)
    after = policy.apply(["lamp table shelf"] * 300, 0, 0, range(300))
    assert sum("_" in text and len(text.split()) == 5 for text in after) > 30


def test_a_scaled_policy_is_weaker_and_keeps_what_was_read() -> None:
    policy = Policy((Step("delete", 0.8), Step("reorder_near", 4, 0.5), Step("typos", 0.4)))
    half = policy.scaled(0.5)
    assert half.steps == (Step("delete", 0.4), Step("reorder_near", 4, 0.25), Step("typos", 0.2))
    assert policy.scaled(1.0) == policy
    off = policy.scaled(0.0).apply(TEXTS, 0, 0, ROWS)
    assert all(a is b for a, b in zip(TEXTS, off, strict=True))
    with pytest.raises(ValueError, match=r"share must be in \[0, 1\], got 1.5"):
        policy.scaled(1.5)


def test_what_was_read_is_kept_up_to_a_limit_and_does_not_travel() -> None:
    kept = Kept(Protect(), most=20)
    (first,) = kept.texts(["a lamp"])
    assert kept.texts(["a lamp", "a lamp"]) == [first, first]
    one, other = kept.texts(["a long text of many words"] * 2)
    assert one is not other
    assert kept.texts(["a lamp"]) == [first]
    policy = Policy((Step("delete", 0.5),))
    fresh = len(pickle.dumps(policy))
    before = policy.apply(TEXTS * 50, 0, 0, range(300))
    copy = pickle.loads(pickle.dumps(policy))
    assert len(pickle.dumps(policy)) < fresh + 200
    assert copy == policy and copy.apply(TEXTS * 50, 0, 0, range(300)) == before


def test_words_are_known_up_to_a_limit_and_do_not_travel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gapless.augment.text.known.MOST", 2)
    words = Known(Protect().kinds, frozenset({"given"}), True)
    facts = ("lamp", Kind.FREE), ("The", CAPITAL + Kind.STOP), ("GIVEN", Kind.GIVEN), ("Mr", Kind.NAME)
    for _ in range(2):
        assert [words[word] for word, _ in facts] == [(word.lower(), kind) for word, kind in facts]
    assert list(words) == ["lamp", "The"]
    assert words["can’t"] == ("can't", Kind.NEGATION) and words["I"] == ("i", Kind.HELD)
    monkeypatch.setattr("gapless.augment.text.known.MOST", 99)
    address = "https://example.org/" + "a" * LONGEST
    assert words[address][1] == Kind.ADDRESS and address not in words
    protect = Protect(words=("lamp",))
    Policy((Step("delete", 0.5),), protect=protect).apply(TEXTS, 0, 0, ROWS)
    copy = pickle.loads(pickle.dumps(protect))
    assert copy == protect and copy.known is protect.known and len(protect.known) > 10
    known.cache_clear()
    assert len(pickle.loads(pickle.dumps(protect)).known) == 0


def test_synonyms_are_known_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gapless.augment.text.lexicon.thesaurus.MOST", 1)
    thesaurus = Thesaurus(Wordnet.shipped())
    house, film = thesaurus.choice("house"), thesaurus.choice("film")
    assert thesaurus.choice("house") is house
    assert thesaurus.choice("film") == film and thesaurus.choice("film") is not film


def test_a_text_that_is_read_again_gives_the_same_variant() -> None:
    policy = Policy((Step("synonyms", 0.5), Step("delete", 0.3), Step("typos", 0.3)))
    first = policy.apply(TEXTS, 5, 2, ROWS)
    assert policy.apply(TEXTS, 5, 2, ROWS) == first == replace(policy).apply(TEXTS, 5, 2, ROWS)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: p.apply("a text", 0, 0, [0]), "texts must be a sequence of texts, got one text"),
        (lambda p: p.apply(["a"], 0, 0, [0, 1]), r"one number for each of the 1 texts, got shape \(2,\)"),
        (lambda p: p.apply(["a"], 0, 0, [-1]), "indices must be at least 0, got -1"),
        (lambda p: p.apply(["a"], -1, 0, [0]), r"seed must be from 0 to 2\*\*64 - 1, got -1"),
        (lambda p: p.apply(["a"], 0, 2**31, [0]), r"epoch must be from 0 to 2\*\*31 - 1, got 2147483648"),
        (lambda p: p.apply(["a"], 0, 0, [0], spans=[]), "spans must be one list for each of the 1 texts, got 0"),
    ],
)
def test_wrong_arguments_are_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(Policy((Step("delete", 0.5),)))


def test_wrong_policies_are_named() -> None:
    with pytest.raises(ValueError, match="pick must be at least 1, or None for every step in order, got 0"):
        Policy((), pick=0)
    whole = "back_translate puts in another text: it must be the first step, or picked alone"
    for policy in (
        lambda: Policy((Step("delete", 0.1), Step("back_translate", 1))),
        lambda: Policy((Step("back_translate", 1),), pick=2),
    ):
        with pytest.raises(ValueError, match=whole):
            policy()


def test_paraphrases_are_asked_for_and_may_be_none() -> None:
    policy = Policy((Step("back_translate", 1), Step("casing", 1.0)))
    with pytest.raises(ValueError, match=r"give Resources\(paraphrases=\{'back_translate': ...\}\)"):
        policy.apply(TEXTS, 0, 0, ROWS)
    with pytest.raises(ValueError, match="there are no paraphrases of the text 'The lamp stood on the table"):
        policy.apply(TEXTS, 0, 0, ROWS, Resources(paraphrases={"back_translate": {}}))
    none = Resources(paraphrases={"back_translate": dict.fromkeys(TEXTS, ())})
    alone = Policy((Step("back_translate", 1),)).apply(TEXTS, 0, 0, ROWS, none)
    assert all(a is b for a, b in zip(TEXTS, alone, strict=True))
    some = Resources(paraphrases={"back_translate": dict.fromkeys(TEXTS, ("a shelf held the lamp",))})
    after = policy.apply(TEXTS, 0, 0, ROWS, some)
    assert all(text.lower() == "a shelf held the lamp" and text != text.lower() for text in after)


@pytest.mark.parametrize(
    ("text", "paraphrase", "taken"),
    [
        ("Anna met the sailor.", "The sailor was met by Anna.", True),
        ("Anna met the sailor.", "She met the sailor.", False),
        ("He does not sing at home.", "At home he doesn't sing.", True),
        ("He does not sing at home.", "He sings at home.", False),
        ("The shop sold 12 boats.", "The shop had 12 boats and sold them.", True),
        ("The shop sold 12 boats.", "The shop sold twelve boats.", False),
        ("The film was excellent.", "The picture was great.", True),
        ("Films like it are excellent.", "Pictures like it are great.", False),
        ("the page www.a.org is new 😀", "www.a.org is a new page 😀", True),
        ("the page www.a.org is new 😀", "www.a.org is a new page", False),
        ("the old house", "  ", False),
    ],
)
def test_paraphrases_that_lose_what_is_protected_are_passed_over(text: str, paraphrase: str, taken: bool) -> None:
    resources = Resources(paraphrases={"back_translate": {text: (paraphrase,)}})
    (after,) = Policy((Step("back_translate", 1),)).apply([text], 0, 0, [0], resources)
    assert after == (paraphrase if taken else text)


def test_given_spans_stay_protected_in_a_paraphrase() -> None:
    text, other = "the lamp by the wooden door is old", "old is the lamp that stands by the wooden door"
    resources = Resources(paraphrases={"back_translate": {text: (other, "an old lamp")}})
    policy = Policy((Step("back_translate", 1), Step("casing", 1.0), Step("delete", 0.9)))
    for seed in range(20):
        (after,) = policy.apply([text], seed, 0, [0], resources, spans=[[(12, 27)]])
        assert text[12:27] == "the wooden door" and text[12:27] in after


def test_indices_may_be_of_any_kind_and_size() -> None:
    policy = Policy((Step("delete", 0.5),))
    rows = [0, 7, 2**40, 3, 5, 9]
    assert policy.apply(TEXTS, 0, 0, rows) == policy.apply(TEXTS, 0, 0, np.array(rows))
    assert policy.apply(TEXTS, 0, 0, np.array([1, 2, 3, 4, 5, 6], np.int32))


# ── files ──


def test_a_policy_is_written_so_that_reading_gives_it_back(tmp_path: Path) -> None:
    protect = Protect(polarity=False, words=('gap"less', "naïve"), patterns=(r"\d+ [a-z]+", "\x7f\n"))
    policy = Policy((Step("synonyms", 0.25), Step("reorder_near", 3, 0.5)), pick=2, protect=protect)
    path = tmp_path / "policy.toml"
    path.write_text(toml.dumps(policy), encoding="utf-8")
    assert toml.load(path) == policy
    for name in toml.presets():
        assert toml.loads(toml.dumps(toml.preset(name))) == toml.preset(name)


def test_the_shipped_policies_change_texts_and_stay_in_the_papers_ranges() -> None:
    assert {"eda", "aeda", "synonyms", "typos", "reorder", "gentle"} <= {*toml.presets()}
    texts = [f"{' '.join(TEXTS)} The author saw a movie about cars."] * 40
    for name in toml.presets():
        policy = toml.preset(name)
        after = policy.apply(texts, 0, 0, range(40))
        assert sum(a != b for a, b in zip(texts, after, strict=True)) >= 20, name
        assert all(OPS[step.op].law != "share" or step.strength <= 0.2 for step in policy.steps if step.op != "reorder")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("schema = 2", "policy: schema must be 1, got 2"),
        ("schema = ", "policy is not TOML"),
        ("schema = 1\nstep = []", "policy: there is no key 'step'. Did you mean 'steps'?"),
        ("schema = 1\npick = 1.5", "policy: pick must be a whole number, got 1.5"),
        ("schema = 1\npick = true", "policy: pick must be a whole number, got True"),
        ("schema = 1\nsteps = 3", "policy: steps must be a list, got 3"),
        ("schema = 1\nsteps = [1]", r"policy: steps\[0\] must be a table with op and strength, got 1"),
        ("schema = 1\n[[steps]]\nop = 'swap'", r"steps\[0\]: strength must be given"),
        ("schema = 1\n[[steps]]\nop = 'swop'\nstrength = 0.1", "'swop'. Did you mean 'swap'?"),
        ("schema = 1\n[[steps]]\nop = 'swap'\nstrength = 2", r"steps\[0\]: swap: strength must be from 0 to 1 "),
        ("schema = 1\n[[steps]]\nop = 'swap'\nstrength = 'much'", r"steps\[0\]: strength must be a number, got 'much'"),
        ("schema = 1\n[protect]\nname = true", "protect: there is no key 'name'. Did you mean 'names'?"),
        ("schema = 1\n[protect]\nnames = 1", "protect: names must be true or false, got 1"),
        ("schema = 1\n[protect]\nwords = 'a'", "protect: words must be a list, got 'a'"),
        ("schema = 1\n[protect]\nwords = [1]", r"protect: words\[0\] must be a text, got 1"),
        ("schema = 1\n[protect]\npatterns = ['(']", r"'\(' is not a regular expression"),
        ("schema = 1\nprotect = 3", "protect must be a table, got 3"),
    ],
)
def test_errors_name_the_place(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        toml.loads(text)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"the policy .*none.toml cannot be read: No such file"):
        toml.load(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"the policy .*bytes.toml is not UTF-8 text"):
        toml.load(tmp_path / "bytes.toml")
    with pytest.raises(ValueError, match=r"there is no text policy 'gentl'. Did you mean 'gentle'?"):
        toml.preset("gentl")
