"""Which classes gained, what is taken for what, which rows turned, and errors by the size of the target."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from gapless.evidence.answers.classes import confusions, recalls
from gapless.evidence.answers.sizes import sizes
from gapless.evidence.answers.turned import LISTED, turned
from gapless.evidence.paired import BEST, PLAIN, Confirmation, Entry

LABELS = np.repeat([0, 1, 2], [60, 40, 3])
NAMES = ("ant", "bee", "cat")


def confirmation(labels: NDArray[np.generic], **answers: list[NDArray[np.generic]]) -> Confirmation:
    found = Confirmation(unit=1.0)
    for model, tables in answers.items():
        for seed, table in enumerate(tables):
            each = (table == labels).astype(np.float32)
            entry = Entry(model, seed, each, each, 1.0, answers=table.astype(np.float32))
            found.take({**entry.event(), "at": 0.0})  # through the journal and back
    return found


def world() -> Confirmation:
    """The plain model takes bees for ants in every training; the best recipe takes cats for bees, and two ants for
    bees in one of three trainings."""
    plain = np.where(LABELS == 1, 0, LABELS)
    best = np.where(LABELS == 2, 1, LABELS)
    once = best.copy()
    once[:2] = 1
    return confirmation(LABELS, **{PLAIN: [plain] * 3, BEST: [best, best, once]})


def test_a_class_that_gained_is_told_from_chance_and_from_too_few_rows() -> None:
    ant, bee, cat = recalls(world(), LABELS, NAMES)
    assert [one.name for one in (ant, bee, cat)] == list(NAMES)
    assert (ant.reached, bee.reached, cat.reached) == ("may be chance", "gained", "unknown")
    assert bee.change is not None and bee.change.mean == 1.0 and bee.change.low > 0.5
    assert cat.change is None and (cat.plain.mean, cat.best.mean) == (1.0, 0.0)
    assert ant.change is not None and ant.change.mean == pytest.approx(-2 / 180)


def test_precision_is_of_those_called_so() -> None:
    ant, bee, cat = recalls(world(), LABELS, NAMES)
    assert ant.plain_precision is not None and ant.plain_precision.mean == pytest.approx(0.6)
    assert bee.plain_precision is None, "the plain model never says bee"
    assert bee.best_precision is not None and bee.best_precision.mean == pytest.approx(40 / (43 + 2 / 3))
    assert cat.best_precision is None


def test_many_classes_asked_at_once_need_more_each() -> None:
    """Sixteen classes without a change, one of them off by luck: alone it would be called gained, among all it is
    not."""
    labels = np.repeat(np.arange(16), 8)
    plain, best = labels.copy(), labels.copy()
    plain[:4] = 1
    one = recalls(confirmation(labels, **{PLAIN: [plain] * 3, BEST: [best] * 3}), labels, tuple("abcdefghijklmnop"))
    first = next(r for r in one if r.name == "a")
    assert first.change is not None and first.change.low > 0
    assert first.reached == "may be chance"


def test_confusions_are_rows_a_training() -> None:
    found = [(c.true, c.answered, c.plain, c.best) for c in confusions(world(), LABELS, NAMES)]
    assert found == [
        ("bee", "ant", 40.0, 0.0),
        ("cat", "bee", 0.0, 3.0),
        ("ant", "bee", 0.0, pytest.approx(2 / 3)),
    ]


def test_rows_that_turned_are_counted_by_most_trainings_and_listed_with_what_was_said() -> None:
    found = turned(world(), LABELS, NAMES)
    assert found is not None
    assert (found.better, found.worse, found.right, found.wrong) == (40, 3, 60, 0)
    assert len(found.better_rows) == LISTED and len(found.worse_rows) == 3
    first = found.better_rows[0]
    assert (first.row, first.label, first.plain, first.best) == (60, "bee", "ant", "bee")
    assert (first.plain_right, first.best_right) == (0.0, 1.0)
    assert [row.row for row in found.worse_rows] == [100, 101, 102]


def test_without_answers_or_a_recipe_nothing_is_said() -> None:
    old = world()
    old.entries = [replace(entry, answers=None) for entry in old.entries]
    assert (recalls(old, LABELS, NAMES), confusions(old, LABELS, NAMES), turned(old, LABELS, NAMES)) == ((), (), None)
    plain = confirmation(LABELS, **{PLAIN: [LABELS] * 3})
    assert turned(plain, LABELS, NAMES) is None
    assert [r.change for r in recalls(plain, LABELS, NAMES)] == [None] * 3


def test_a_seed_that_one_side_lacks_counts_on_neither() -> None:
    found = world()
    found.entries = [e for e in found.entries if (e.model, e.seed) != (BEST, 2)]
    assert [c.best for c in confusions(found, LABELS, NAMES)] == [0.0, 3.0]


def test_errors_by_the_size_of_the_target() -> None:
    """The plain model is as far off as the target is large, and too low; the best recipe is always off by one."""
    targets = np.linspace(1, 100, 100, dtype=np.float32)
    sign = np.where(np.arange(100) % 2, 1.0, -1.0)
    noise = np.random.default_rng(0).normal(0, 0.1, (4, 100))
    plain, best = [0.5 * targets + noise[s] for s in (0, 1)], [targets + sign + noise[s] for s in (2, 3)]
    found = sizes(confirmation(targets, **{PLAIN: plain, BEST: best}), targets)
    assert [one.rows for one in found] == [20] * 5
    assert [(one.low, one.high) for one in found][:2] == [(1.0, 20.0), (21.0, 40.0)]
    assert found[-1].plain == pytest.approx(45.25, abs=0.1) and found[-1].plain_bias == pytest.approx(-45.25, abs=0.1)
    assert found[-1].best == pytest.approx(1.0, abs=0.1) and found[-1].best_bias == pytest.approx(0.0, abs=0.1)
    assert found[-1].change is not None and found[-1].change.low > 30
    rows = turned(confirmation(targets, **{PLAIN: plain, BEST: best}), targets, ())
    assert rows is not None and rows.better + rows.worse == 100 and rows.better_rows[0].row == 99


def test_targets_of_few_values_and_few_rows() -> None:
    targets = np.array([0.0] * 30 + [1.0] * 2, dtype=np.float32)
    answers = [targets + s for s in (0.1, 0.2)]
    assert [one.rows for one in sizes(confirmation(targets, **{PLAIN: answers}), targets)] == []
    few = targets[:15]
    assert sizes(confirmation(few, **{PLAIN: [few, few]}), few) == ()
