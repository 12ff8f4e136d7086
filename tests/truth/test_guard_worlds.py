"""Worlds whose share of changed labels is known: the guard finds it, and finds nothing where there is nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from gapless.diagnose.label_estimates import changed_share, collision_tests
from gapless.diagnose.label_judges import _OneThread, image_classifier, text_classifier
from gapless.diagnose.labels import Row, measure

JUDGES = {"good": 1, "bad": 0, "funny": 1, "dull": 0, "warm": 1, "cold": 0, "bright": 1, "grim": 0}
THINGS = ["film", "plot", "cast", "music", "story", "ending", "hotel", "food", "service", "room"]


def reviews(n: int, seed: int, wrong: float) -> tuple[list[str], list[str]]:
    """Half of them negated: "The plot was not dull, ..." is positive. A share of the labels is wrong."""
    rng = np.random.default_rng(seed)
    texts: list[str] = []
    labels: list[str] = []
    for _ in range(n):
        word, negated = list(JUDGES)[rng.integers(len(JUDGES))], bool(rng.integers(2))
        one, other = (THINGS[rng.integers(len(THINGS))] for _ in range(2))
        texts.append(f"The {one} was {'not ' if negated else ''}{word}, said the {other} of {rng.integers(100)}.")
        positive = JUDGES[word] ^ negated ^ (rng.random() < wrong)
        labels.append("positive" if positive else "negative")
    return texts, labels


def delete_negations(strength: float, texts: Sequence[str], seed: int) -> list[str]:
    going = np.random.default_rng([seed, 1]).random(len(texts)) < strength
    return [text.replace("not ", "") if gone else text for text, gone in zip(texts, going, strict=True)]


def swap_things(strength: float, texts: Sequence[str], seed: int) -> list[str]:
    """Another thing in the place of each: what it is about has nothing to do with the label."""
    rng = np.random.default_rng([seed, 2])
    found: list[str] = []
    for text in texts:
        words = text.split(" ")
        for place in (1, -3):
            if rng.random() < strength:
                words[place] = THINGS[rng.integers(len(THINGS))]
        found.append(" ".join(words))
    return found


@pytest.mark.parametrize("wrong", [0.0, 0.05])
def test_deleted_negations_are_counted_and_safe_swaps_are_not(wrong: float) -> None:
    texts, labels = reviews(800, seed=3, wrong=wrong)
    ops = {"delete_negations": delete_negations, "swap_things": swap_things}
    table = measure(texts, labels, text_classifier, ops, (0.3, 1.0))
    assert abs(table.error.mean - wrong) < 0.04
    rows = {(row.op, row.strength): row for row in table.rows}
    for strength in (0.3, 1.0):
        true = np.mean([a != b for a, b in zip(texts, delete_negations(strength, texts, 0), strict=True)])
        row = rows["delete_negations", strength]
        assert row.changed is not None and row.lost is not None
        assert row.changed.low - 0.01 <= true <= row.changed.high + 0.01
        assert abs(row.changed.mean - true) < 0.04
        assert row.lost.low > 0.5 * true, "learning such variants does not bring the labels back"
        assert sorted(pairs(row)) == [("negative", "positive"), ("positive", "negative")]
        assert all(c.stays for c in row.collisions)
        assert row.edge and all("not" in edge.original and "not" not in edge.variant for edge in row.edge)
        safe = rows["swap_things", strength]
        assert safe.agreement.mean > 0.97 and safe.collisions == ()
        assert safe.changed is not None and safe.changed.low <= 0 <= safe.changed.high < 0.03


def linear(seed: int) -> Any:
    regression = LogisticRegression(C=0.1, max_iter=1000)
    return _OneThread(make_pipeline(FunctionTransformer(_flat), StandardScaler(), regression))


def _flat(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    return images.reshape(len(images), -1).astype(np.float64)


def digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    found = load_digits()
    return (found.images * 15).astype(np.uint8)[:1200, :, :, None], found.target[:1200]


def half_round(strength: float, images: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    turned = np.random.default_rng([seed, 3]).random(len(images)) < strength
    return np.where(turned[:, None, None, None], images[:, ::-1, ::-1], images)


def mirror(strength: float, images: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    turned = np.random.default_rng([seed, 4]).random(len(images)) < strength
    return np.where(turned[:, None, None, None], images[:, :, ::-1], images)


def pairs(row: Row) -> list[tuple[str, str]]:
    return [(c.label, c.becomes) for c in row.collisions]


def test_a_six_upside_down_is_a_nine() -> None:
    """Half a turn makes 6 and 9 alike, and leaves 0 and 8 what they are; so does a mirror leave 0 and 8."""
    x, y = digits()
    turned, mirrored = measure(x, y, image_classifier, {"turn": half_round, "mirror": mirror}, (1.0,), folds=4).rows
    assert turned.changed is not None and mirrored.changed is not None and mirrored.lost is not None
    assert set(sorted(pairs(turned), key=lambda p: -shares(turned)[p])[:2]) == {("6", "9"), ("9", "6")}
    assert shares(turned)["6", "9"] > 0.8
    for row in (turned, mirrored):
        assert row.changed is not None and row.changed.low > 0.4
        assert not {"0", "8"} & {label for label, _ in pairs(row)}
    assert mirrored.lost.high < 0.02 and not any(c.stays for c in mirrored.collisions), "strange, but still told apart"


def shares(row: Row) -> dict[tuple[str, str], float]:
    return {(c.label, c.becomes): c.share.mean for c in row.collisions}


def test_what_stays_alike_for_a_judge_that_has_learned_it() -> None:
    """A linear judge that has learned digits upside down confuses 6 and 9 and nothing else; mirrored ones, none."""
    x, y = digits()
    turned, mirrored = measure(x, y, linear, {"turn": half_round, "mirror": mirror}, (0.5,), folds=4).rows
    assert {(c.label, c.becomes) for c in turned.collisions if c.stays} == {("6", "9"), ("9", "6")}
    assert pairs(turned)[:2] == [("6", "9"), ("9", "6")], "those that stay come first"
    assert len(pairs(mirrored)) > 3 and not any(c.stays for c in mirrored.collisions)
    assert mirrored.lost is not None and turned.lost is not None and turned.changed is not None
    assert mirrored.lost.mean < turned.lost.mean < turned.changed.mean
    among = [{edge.label, edge.becomes} for edge in turned.edge]
    assert sum(pair == {"6", "9"} for pair in among) >= 3, among


def test_a_six_upside_down_is_only_strange_where_there_is_no_nine() -> None:
    x, y = digits()
    kept = np.isin(y, [0, 6, 8])
    (row,) = measure(x[kept], y[kept], image_classifier, {"turn": half_round}, (0.5,), folds=4).rows
    assert all(c.label == "6" and not c.stays for c in row.collisions)
    assert row.lost is not None and row.lost.mean < 0.02


# ── coverage ──


def judged(
    rng: np.random.Generator, y: NDArray[np.int64], mistakes: float, shared: float, classes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A mistake or none for originals and variants, as offsets to the true class; a share of them in common."""
    first = np.where(rng.random(len(y)) < mistakes, rng.integers(1, classes, len(y)), 0)
    again = np.where(rng.random(len(y)) < mistakes, rng.integers(1, classes, len(y)), 0)
    return first, np.where(rng.random(len(y)) < shared, first, again)


@pytest.mark.parametrize(
    ("n", "classes", "mistakes", "change"),
    [(150, 2, 0.0, 0.0), (150, 2, 0.1, 0.0), (150, 2, 0.1, 0.05), (300, 2, 0.25, 0.3), (300, 5, 0.3, 0.2)],
)
def test_the_interval_covers_the_true_share(
    n: int, classes: int, mistakes: float, change: float, long_form: bool
) -> None:
    """At least 93.5 % of the intervals hold the truth, whatever originals and variants have in common."""
    rounds = 4000 if long_form else 800
    rng = np.random.default_rng(11)
    covered, mean = 0, 0.0
    for number in range(rounds):
        y = rng.integers(classes, size=n)
        first, then = judged(rng, y, mistakes, (0.0, 0.5, 0.9)[number % 3], classes)
        truth = np.where(rng.random(n) < change, (y + rng.integers(1, classes, n)) % classes, y)
        found = changed_share(y, (y + first) % classes, ((truth + then) % classes)[None], classes)
        assert found is not None
        covered += found.low <= change <= found.high
        mean += found.mean / rounds
    assert covered / rounds > 0.935 - 2.5 * np.sqrt(0.05 * 0.95 / rounds) * (not long_form)
    assert abs(mean - change) < 0.01


def test_the_interval_covers_where_one_class_is_rare_and_harder(long_form: bool) -> None:
    """One example in five is of the second class, which is judged wrong three times as often."""
    rounds = 4000 if long_form else 800
    rng = np.random.default_rng(12)
    covered, mean = 0, 0.0
    for _ in range(rounds):
        y = (rng.random(400) < 0.2).astype(np.int64)
        truth = np.where(rng.random(400) < 0.15, 1 - y, y)
        luck = rng.random(400)  # the same for the original and its variant
        was, now = (np.where(luck < np.where(side == 1, 0.3, 0.1), 1 - side, side) for side in (y, truth))
        found = changed_share(y, was, now[None], 2)
        assert found is not None
        covered += found.low <= 0.15 <= found.high
        mean += found.mean / rounds
    assert covered / rounds > 0.935 - 2.5 * np.sqrt(0.05 * 0.95 / rounds) * (not long_form)
    assert abs(mean - 0.15) < 0.01


def test_classes_that_do_not_collide_are_seldom_named(long_form: bool) -> None:
    """Independent mistakes before and after, ten classes: a pair is named in at most one table of twenty."""
    rounds = 1000 if long_form else 150
    rng = np.random.default_rng(5)
    named = 0
    for _ in range(rounds):
        y = rng.integers(10, size=400)
        first, then = judged(rng, y, 0.3, 0.0, 10)
        named += bool(collision_tests(y, (y + first) % 10, ((y + then) % 10)[None], 10))
    assert named / rounds <= 0.05
