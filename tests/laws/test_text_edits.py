"""Edits, draws and orders of texts: the laws they keep."""

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gapless.augment.text import OPS, Policy, Protect, Step
from gapless.augment.text.document import Text
from gapless.augment.text.draws import philox, uniforms
from gapless.augment.text.edits import Edit, applied, carried
from gapless.augment.text.ops.declare import chosen, shuffled

# ── edits ──


@st.composite
def edited(draw: st.DrawFn) -> tuple[str, list[Edit]]:
    """A text and edits of it that do not overlap."""
    source = draw(st.text(max_size=40))
    cuts = sorted(draw(st.lists(st.integers(0, len(source)), max_size=8)))
    pairs = zip(cuts[::2], cuts[1::2], strict=False)
    return source, [Edit(start, stop, draw(st.text(max_size=4))) for start, stop in pairs]


@given(edited(), st.randoms())
def test_edits_replace_their_spans_and_nothing_else(case: tuple[str, list[Edit]], random) -> None:
    source, edits = case
    pieces, at = "", 0
    for edit in edits:
        pieces += source[at : edit.start] + edit.text
        at = edit.stop
    mixed = random.sample(edits, len(edits))
    places = [edit.start for edit in edits]
    if len(set(places)) == len(places):
        assert applied(source, mixed) == pieces + source[at:]


@given(st.text())
def test_no_edit_gives_the_same_object(source: str) -> None:
    assert applied(source, []) is source
    assert applied(source, [Edit(0, len(source), source)]) is source


def test_edits_that_overlap_are_an_error() -> None:
    for edits in ([Edit(0, 3, "x"), Edit(2, 4, "y")], [Edit(3, 2, "x")]):
        with pytest.raises(ValueError, match="edits overlap at character"):
            applied("abcdef", edits)


@given(edited(), st.data())
def test_spans_are_carried_to_where_their_text_stands(case: tuple[str, list[Edit]], data: st.DataObject) -> None:
    source, edits = case
    after = applied(source, edits)
    places = [(edit.start, edit.stop) for edit in edits]
    gaps = list(zip([0, *(stop for _, stop in places)], [*(start for start, _ in places), len(source)], strict=True))
    spans = []
    for low, high in gaps:
        start = data.draw(st.integers(low, high))
        stop = data.draw(st.integers(start, high))
        if start < stop:
            spans.append((start, stop))
    found = carried(spans, edits)
    assert [after[start:stop] for start, stop in found] == [source[start:stop] for start, stop in spans]


def test_a_span_moves_with_its_sentence() -> None:
    source = "Anna ran. Bob sat still."
    edits = [Edit(0, 9, "Bob sat still.", 10), Edit(10, 24, "Anna ran.", 0)]
    after = applied(source, edits)
    assert after == "Bob sat still. Anna ran."
    assert [after[a:b] for a, b in carried([(0, 4), (10, 13)], edits)] == ["Bob", "Anna"]


WORD_OPS = [name for name, op in OPS.items() if op.size == "words"]


@given(st.lists(st.sampled_from(["reorder", *WORD_OPS]), min_size=2, max_size=4), st.integers(0, 99))
def test_what_is_protected_stays_so_through_many_operations(names: list[str], seed: int) -> None:
    text = "Anna met Dr. Weber. He does not like “old maps” much. The box of 12 keys lay there. Rose grew roses."
    spans = [text[start:stop] for start, stop, _ in Text(text, Protect()).tokens.guarded]
    (after,) = Policy(tuple(Step(name, 1.0) for name in names)).apply([text], seed, 0, [0])
    assert all(span in after for span in spans), after


# ── draws ──


def test_philox_gives_the_published_words() -> None:
    """The known answers of Random123 for philox4x32-10."""
    pi = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0)
    ones = (0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2
    answers = {
        ((0, 0, 0, 0), (0, 0)): (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8),
        ones: (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
        pi: (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    }
    for (counter, key), words in answers.items():
        assert philox(counter, key) == words
        arrays = philox(tuple(np.full(3, word, np.uint64) for word in counter), key)
        assert [tuple(map(int, row)) for row in zip(*arrays, strict=True)] == [words] * 3


def test_few_and_many_counters_give_the_same_numbers() -> None:
    rows = np.array([5, 0, 2**33 + 1, 7, 2**31])
    counts = np.array([9, 0, 5, 1, 30])
    u, starts = uniforms(2**63 + 5, 11, rows, 4, counts)
    for row, count, start in zip(rows, counts, starts, strict=True):
        for first in (1, 4, 8):
            few = min(first, count)
            alone, _ = uniforms(2**63 + 5, 11, np.array([row]), 4, np.array([few]))
            assert alone[:few] == u[start : start + few]


def test_numbers_are_uniform_and_do_not_depend_on_each_other() -> None:
    rows = np.arange(4000)
    u = np.array(uniforms(1, 0, rows, 0, np.full(4000, 4))[0]).reshape(4000, 4)
    v = np.array(uniforms(1, 1, rows, 0, np.full(4000, 4))[0]).reshape(4000, 4)
    w = np.array(uniforms(2, 0, rows, 1, np.full(4000, 4))[0]).reshape(4000, 4)
    columns = np.concatenate([u, v, w], axis=1)
    assert (columns >= 0).all() and (columns < 1).all()
    assert np.abs(columns.mean(0) - 0.5).max() < 0.02
    assert np.abs(columns.var(0) - 1 / 12).max() < 0.004
    assert np.abs(np.corrcoef(columns.T) - np.eye(12)).max() < 0.07
    assert np.abs(np.corrcoef(u[:-1, 0], u[1:, 0])[0, 1]) < 0.05


def test_all_choices_are_as_likely() -> None:
    rng = np.random.default_rng(0)
    pairs = Counter(tuple(sorted(chosen("abcde", 2, rng.random(2).tolist()))) for _ in range(10000))
    assert len(pairs) == 10
    assert max(pairs.values()) < 1130 and min(pairs.values()) > 870
    orders = Counter("".join(shuffled("abc", 3, rng.random(3).tolist())) for _ in range(6000))
    assert len(orders) == 6 and min(orders.values()) > 870
    assert chosen("ab", 5, []) == shuffled("ab", 5, [0.0, 0.0]) == ["a", "b"]


@given(st.floats(0, 1), st.integers(0, 60))
def test_the_share_is_kept_on_average_and_never_missed_by_more_than_one(share: float, size: int) -> None:
    u = (np.arange(1000) + 0.5) / 1000
    n = Step("delete", share).changes(np.full(1000, size), u)
    assert abs(n.mean() - share * size) < 2e-3
    assert n.min() >= 0 and n.max() <= size and n.max() - n.min() <= 1


def test_the_share_of_words_is_what_changes() -> None:
    text = " ".join(f"word{'abcdefghij'[i]}{'klmnopqrst'[j]}" for i in range(4) for j in range(5))
    texts = [text] * 600
    for name, words in (("delete", 1), ("word_dropout", 1), ("typos", 1), ("keyboard", 1), ("casing", 1), ("swap", 2)):
        after = Policy((Step(name, 0.13),)).apply(texts, 0, 0, range(600))
        stay = [sum(a == b for a, b in zip(text.split(), out.split(), strict=False)) for out in after]
        left = [len(set(text.split()) & set(out.split())) for out in after]
        changed = [20 - n for n in (stay if name == "swap" else left)]
        assert np.mean(changed) == pytest.approx(0.13 * 20 * words, abs=0.12 * words), name
    after = Policy((Step("punctuate", 0.13),)).apply(texts, 0, 0, range(600))
    assert np.mean([len(out.split()) - 20 for out in after]) == pytest.approx(2.6, abs=0.12)


# ── orders ──

THINGS = "lamp chair table book shelf clock vase stool bench crate"
SENTENCES = [f"The {word} stood here." for word in THINGS.split()]
DOCUMENT = " ".join(SENTENCES)


def order(text: str) -> list[int]:
    return [SENTENCES.index(f"{sentence}.") for sentence in text.rstrip(".").split(". ")]


def test_an_order_is_a_permutation_and_its_share_moves() -> None:
    for strength in (0.3, 0.6, 1.0):
        after = Policy((Step("reorder", strength),)).apply([DOCUMENT] * 300, 0, 0, range(300))
        moved = [sum(i != place for place, i in enumerate(order(text))) for text in after]
        assert all(sorted(order(text)) == list(range(10)) for text in after)
        assert max(moved) <= round(10 * strength)
        assert np.mean(moved) == pytest.approx(10 * strength - 1, abs=0.35)  # one of a permutation's points is fixed


def test_all_orders_of_a_text_are_as_likely() -> None:
    text = " ".join(SENTENCES[:3])
    after = Counter(Policy((Step("reorder", 1.0),)).apply([text] * 6000, 0, 0, range(6000)))
    assert set(after) == {" ".join(some) for some in permutations(SENTENCES[:3])}
    assert min(after.values()) > 870


@pytest.mark.parametrize("window", [1, 2, 5])
def test_a_sentence_moves_no_farther_than_its_window(window: int) -> None:
    after = Policy((Step("reorder_near", window),)).apply([DOCUMENT] * 400, 0, 0, range(400))
    steps = [abs(i - place) for text in after for place, i in enumerate(order(text))]
    assert max(steps) == window
    assert sum(text != DOCUMENT for text in after) > 200
