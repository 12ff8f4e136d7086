"""The label guard: who judges what, what is estimated, and what it says of wrong input."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from gapless.diagnose.label_estimates import Estimate, agreement, changed_share, collision_tests, skills, taken_share
from gapless.diagnose.label_judges import SIDE, image_classifier, text_classifier
from gapless.diagnose.labels import Table, measure
from gapless.errors import DataError, UsageError
from gapless.evidence.rivals import pixels

TEXTS = [f"{word} {n}" for n in range(20) for word in ("good", "bad", "odd")]
LABELS = ["yes", "no", "maybe"] * 20


class Keyword:
    """Knows three words by heart and remembers what it was fitted on."""

    seen: list[list[str]]

    def __init__(self, seed: int):
        self.seed = seed

    def fit(self, examples: Sequence[str], labels: NDArray[np.int64]) -> None:
        type(self).seen.append(list(examples))
        assert set(labels) == {0, 1, 2}

    def predict_proba(self, examples: Sequence[str]) -> NDArray[np.float64]:
        rows = {"odd": [0.8, 0.1, 0.1], "bad": [0.1, 0.8, 0.1], "good": [0.1, 0.0, 0.9]}
        return np.array([rows.get(text.split()[0], [0.3, 0.3, 0.4]) for text in examples])


@pytest.fixture(autouse=True)
def fresh() -> None:
    Keyword.seen = []


def swap(strength: float, texts: Sequence[str], seed: int) -> list[str]:
    """Turns good into bad for the first share of the texts."""
    return [text.replace("good", "bad") if n < strength * len(texts) else text for n, text in enumerate(texts)]


def same(strength: float, texts: Sequence[str], seed: int) -> Sequence[str]:
    return texts


def test_what_is_measured() -> None:
    table = measure(TEXTS, LABELS, Keyword, {"swap": swap, "same": same}, (0.0, 0.5, 1.0), worst=3)
    assert table.classes == ("maybe", "no", "yes")
    assert (table.examples, table.folds, table.draws) == (60, 5, 1)
    assert table.error == Estimate.of_share(0, 60)
    rows = {(row.op, row.strength): row for row in table.rows}
    assert list(rows) == [(op, s) for op in ("swap", "same") for s in (0.0, 0.5, 1.0)]
    for key in (("swap", 0.0), ("same", 0.0), ("same", 1.0)):
        assert rows[key].agreement.mean == 1 and not rows[key].collisions and not rows[key].edge
        assert rows[key].changed == rows[key].lost
        assert rows[key].changed.mean == 0 and rows[key].changed.low < 0 < rows[key].changed.high < 0.06
    half, full = rows["swap", 0.5], rows["swap", 1.0]
    assert half.agreement.mean == pytest.approx(5 / 6) and full.agreement.mean == pytest.approx(2 / 3)
    assert half.changed.mean == pytest.approx(1 / 6) and full.changed.mean == pytest.approx(1 / 3)
    assert full.changed.low < 1 / 3 < full.changed.high
    (collision,) = full.collisions
    assert (collision.label, collision.becomes, collision.share.mean) == ("yes", "no", 1.0)
    assert collision.p == pytest.approx(6 * 0.5**20) and collision.stays and collision.lost == collision.share
    assert [(edge.original, edge.variant) for edge in full.edge] == [(f"good {n}", f"bad {n}") for n in range(3)]
    edge = full.edge[1]
    assert (edge.index, edge.label, edge.becomes, edge.before, edge.after) == (3, "yes", "no", 0.9, 0.1)
    assert edge.seed == 0


def test_no_one_judges_what_they_have_learned() -> None:
    asked: list[tuple[int, set[str]]] = []

    class Strict(Keyword):
        def fit(self, examples: Sequence[str], labels: NDArray[np.int64]) -> None:
            super().fit(examples, labels)
            self.known = {text.split()[1] + text.split()[0] for text in examples}

        def predict_proba(self, examples: Sequence[str]) -> NDArray[np.float64]:
            names = {text.split()[1] + text.split()[0] for text in examples}
            asked.append((len(self.known & names), names))
            return super().predict_proba(examples)

    def mark(strength: float, texts: Sequence[str], seed: int) -> list[str]:
        return [f"{text} variant" for text in texts]

    Strict.seen = []
    measure(TEXTS, LABELS, Strict, {"mark": mark}, (1.0,), folds=4)
    assert len(asked) == 4 * 4, "originals, originals learned twice, variants before and after learning such"
    assert all(overlap == 0 for overlap, _ in asked)
    for turn in range(4):
        assert sorted(n for _, names in asked[4 * turn : 4 * turn + 4] for n in names) == sorted(
            text.split()[1] + text.split()[0] for text in TEXTS
        )
    sizes = [len(seen) for seen in Strict.seen]
    assert sizes == [45] * 4 + [90] * 8
    assert sum("variant" in text for text in Strict.seen[-1]) == 45
    assert not any("variant" in text for seen in Strict.seen[:8] for text in seen)


def test_folds_hold_every_class_alike_and_follow_the_seed() -> None:
    def held_out(seed: int) -> list[list[str]]:
        Keyword.seen = []
        measure(TEXTS, LABELS, Keyword, {}, (), folds=5, seed=seed)
        return [sorted(set(TEXTS) - set(seen)) for seen in Keyword.seen[:5]]

    first = held_out(0)
    assert all([text.split()[0] for text in fold] == ["bad"] * 4 + ["good"] * 4 + ["odd"] * 4 for fold in first)
    assert held_out(0) == first != held_out(1)


def test_several_draws_have_seeds_of_their_own() -> None:
    seeds: list[int] = []

    def noted(strength: float, texts: Sequence[str], seed: int) -> Sequence[str]:
        seeds.append(seed)
        return swap(1.0 if seed == 8 else 0.0, texts, seed)

    (row,) = measure(TEXTS, LABELS, Keyword, {"noted": noted}, (0.3,), draws=3, seed=7).rows
    assert seeds == [7, 8, 9]
    assert row.agreement.mean == pytest.approx(8 / 9) and row.changed.mean == pytest.approx(1 / 9)
    assert {edge.seed for edge in row.edge} == {8}


def test_arrays_and_numbered_labels() -> None:
    rng = np.random.default_rng(0)
    y = np.repeat([7, 3], 30)
    x = rng.normal(size=(60, 4, 4)).astype(np.float32)
    x[:30, :2] += 5

    def turn(strength: float, images: Any, seed: int) -> Any:
        assert isinstance(images, np.ndarray)
        return images[:, ::-1] if strength else images

    table = measure(x, y, image_classifier, {"turn": turn}, (0.0, 1.0))
    assert table.classes == ("3", "7")
    calm, strong = table.rows
    assert calm.agreement.mean == 1 and strong.changed.mean > 0.3
    assert strong.lost.mean < 0.1 and not any(c.stays for c in strong.collisions), "what is only strange is learned"
    assert all(edge.original == "" for edge in strong.edge)


def test_the_table_is_json_and_the_same_again() -> None:
    tables = [measure(TEXTS, LABELS, text_classifier, {"swap": swap}, (0.5,), draws=2) for _ in range(2)]
    assert tables[0] == tables[1]
    said = json.loads(json.dumps(tables[0].to_json(), allow_nan=False))
    assert said["schema"] == 1 and said["rows"][0]["op"] == "swap"
    assert said["rows"][0]["changed"]["low"] <= said["rows"][0]["changed"]["mean"]


def test_progress_counts_folds() -> None:
    told: list[tuple[int, int]] = []
    measure(TEXTS, LABELS, Keyword, {"a": same, "b": same}, (0.1,), progress=lambda n, of, left: told.append((n, of)))
    assert told == [(n + 1, 20) for n in range(20)]


@pytest.mark.parametrize(
    ("texts", "labels", "folds", "message"),
    [
        (TEXTS, LABELS[1:], 5, "one label for each example, got 60 and 59"),
        (TEXTS, ["a"] * 60, 5, "at least two classes, got 1"),
        (TEXTS, ["b"] * 2 + ["a"] * 58, 5, "class b has 2 examples, fewer than the 5 folds"),
        (TEXTS, LABELS, 1, "at least 2 folds and 1 draw, got 1 and 1"),
    ],
)
def test_input_that_cannot_be_right(texts: list[str], labels: list[str], folds: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        measure(texts, labels, Keyword, {}, (), folds=folds)


def test_operations_and_classifiers_that_return_something_else() -> None:
    with pytest.raises(DataError, match="short: 60 examples went in and 59 variants came back"):
        measure(TEXTS, LABELS, Keyword, {"short": lambda s, texts, seed: list(texts)[1:]}, (1.0,))

    class Wide(Keyword):
        def predict_proba(self, examples: Sequence[str]) -> NDArray[np.float64]:
            return np.ones((len(examples), 4)) / 4

    class Lost(Keyword):
        def predict_proba(self, examples: Sequence[str]) -> NDArray[np.float64]:
            return np.full((len(examples), 3), np.nan)

    Wide.seen = Lost.seen = []
    with pytest.raises(DataError, match=r"of shape \(12, 3\), got \(12, 4\)$"):
        measure(TEXTS, LABELS, Wide, {}, ())
    with pytest.raises(DataError, match=r"got \(12, 3\) with values that are not finite"):
        measure(TEXTS, LABELS, Lost, {}, ())


def test_a_judge_that_knows_nothing_says_so() -> None:
    rng = np.random.default_rng(0)
    table = measure(TEXTS, rng.permutation(LABELS), Keyword, {"swap": swap}, (1.0,))
    assert table.error.mean > 0.6
    assert table.rows[0].changed is None and table.rows[0].lost is None


# ── estimates ──


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_shares_have_wilsons_interval(counts: tuple[int, int]) -> None:
    k, n = counts
    expected = stats.binomtest(k, n).proportion_ci(0.95, "wilson")
    found = Estimate.of_share(k / n, n)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert found.low <= found.mean <= found.high


def test_agreement_counts_variants_and_examples() -> None:
    was, now = np.array([0, 1, 1, 0]), np.array([[0, 1, 1, 0], [1, 1, 1, 0]])
    assert agreement(was, now) == Estimate.of_share(7 / 8, 4)


def test_the_changed_share_takes_the_classifiers_mistakes_out() -> None:
    """20 % mistakes in one class and 10 % in the other, the same before and after; 30 % and 40 % of labels changed."""
    n = np.arange(1000)
    y = np.repeat([0, 1], [600, 400])
    mistake = n % 10 < np.where(y == 0, 2, 1)
    changed = n // 10 % 10 < np.where(y == 0, 3, 4)
    was = np.where(mistake, 1 - y, y)
    truth = np.where(changed, 1 - y, y)
    # a changed one is judged as its new class is: of those that are now 1, 10 % are mistaken, of those now 0, 20 %
    now = np.where(n % 10 < np.where(truth == 0, 2, 1), 1 - truth, truth)
    assert skills(y, was, 2) == pytest.approx([0.7, 0.7])
    found = changed_share(y, was, now[None], 2)
    assert found is not None
    assert found.mean == pytest.approx(0.6 * 0.3 + 0.4 * 0.4)
    d0, d = (was != y).astype(float), (now != y).astype(float)
    c, e, weight = np.array([0.3, 0.4])[y], np.array([0.2, 0.1])[y], np.array([4 / 6 * 0.4, 6 / 4 * 0.3])[y]
    other = (was != y) - np.array([0.2, 0.1])[y]  # what an example says of r of the other class
    u = (d - d0 + c * (d0 - e)) / 0.7 + weight / 0.7 * other
    u = np.concatenate([u, [1 / 0.7, -1 / 0.7]])
    half = stats.t.ppf(0.975, 1001) * u.std(ddof=1) / np.sqrt(1002)
    assert (found.low, found.high) == pytest.approx((u.mean() - half, u.mean() + half))


def test_who_always_names_the_commonest_class_cannot_tell() -> None:
    """Wrong on 5 % only, and blind: every label could change without a sign."""
    y = (np.arange(200) % 20 == 0).astype(np.int64)
    was = np.zeros(200, dtype=np.int64)
    assert skills(y, was, 2) == pytest.approx([0, 0])
    assert changed_share(y, was, was[None], 2) is None
    rng = np.random.default_rng(0)
    texts = [f"{word} {n}" for n, word in enumerate(rng.permutation(["odd", "good"] * 30))]
    labels = ["maybe", "yes"] * 25 + ["no"] * 10
    table = measure(texts, labels, Keyword, {"swap": swap}, (1.0,))
    assert "no" in table.unjudged


def test_the_skill_that_is_needed() -> None:
    y = np.arange(100) % 2
    for errors, told in ((44, True), (46, False), (100, False)):
        was = np.where(np.arange(100) < errors, 1 - y, y)
        assert (changed_share(y, was, was[None], 2) is not None) == told


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(1, 3))
def test_estimates_stay_within_their_bounds(seed: int, classes: int, draws: int) -> None:
    rng = np.random.default_rng(seed)
    y, was = rng.integers(classes, size=(2, 40))
    was = np.where(rng.random(40) < 0.8, y, was)
    now = rng.integers(classes, size=(draws, 40))
    found = changed_share(y, was, now, classes)
    assert found is None or -1 <= found.low <= found.mean <= found.high <= 1
    for label, other, p in collision_tests(y, was, now, classes):
        share = taken_share(y, was, now, label, other)
        assert label != other and p < 0.05 and 0 < share.mean <= share.high <= 1 and share.low <= share.mean


def test_holm_asks_for_more_where_there_are_more_pairs() -> None:
    """6 of 6 examples that turn: p = 1/64, enough among 2 pairs (2/64) but not among 6 (6/64)."""
    y = np.repeat([0, 1], 30)
    now = y.copy()
    now[:6] = 1
    assert [found[:2] for found in collision_tests(y, y, now[None], 2)] == [(0, 1)]
    y = np.repeat([0, 1, 2], 20)
    now = y.copy()
    now[:6] = 1
    assert collision_tests(y, y, now[None], 3) == []


def test_pictures_are_averaged_over_blocks() -> None:
    images = np.arange(2 * 40 * 20 * 3, dtype=np.float32).reshape(2, 40, 20, 3)
    found = pixels(images, SIDE).reshape(2, 14, 10, 3)
    assert max(found.shape[1:3]) <= SIDE
    np.testing.assert_allclose(found[1, 2, 3], images[1, 6:9, 6:8].mean((0, 1)), rtol=1e-6)
    np.testing.assert_allclose(found[0, 13, 9], images[0, 39:, 18:].mean((0, 1)), rtol=1e-6)
    small = images[:, :8, :8, 0]
    np.testing.assert_array_equal(pixels(small, SIDE), small.reshape(2, -1))


def test_a_table_without_operations_still_says_how_good_the_judge_is() -> None:
    table = measure(TEXTS, LABELS, text_classifier, {}, ())
    assert table == Table(("maybe", "no", "yes"), 60, 5, 1, Estimate.of_share(0, 60), (), ())
