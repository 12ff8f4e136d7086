"""The quick rivals: each is as good as it must be where it must be, and none of them breaks or overstays."""

from dataclasses import replace

import numpy as np
import pytest
import small_tasks

from gapless.data import Rows, Task
from gapless.data.readers.texts import as_array
from gapless.data.splits import select_split
from gapless.evidence.rivals import Rival, pixels, rivals


def by_name(found: tuple[Rival, ...]) -> dict[str, Rival]:
    return {rival.name: rival for rival in found}


def table(x: np.ndarray, y: np.ndarray, categories: tuple[int, ...] = ()) -> Task:
    """The first half of the rows is develop, the second confirm."""
    half, x = len(y) // 2, x.astype(np.float32)
    classes = ("no", "yes", "perhaps")[: int(y.max()) + 1] if y.dtype == np.int64 else ()
    return Task("t", Rows(x[:half], y[:half]), Rows(x[half:], y[half:]), classes, categories=categories)


ALL = {
    "table": lambda: small_tasks.table(90),
    "table regression": lambda: small_tasks.table(90, 0),
    "texts": lambda: small_tasks.texts(80),
    "texts regression": lambda: small_tasks.texts(80, 0),
    "pictures": lambda: small_tasks.pictures(80),
}


@pytest.mark.parametrize("word", ALL)
def test_every_kind_of_data_has_its_rivals(word: str) -> None:
    """The floor first, then one that learned something; every score is the mean of its rows."""
    task = ALL[word]()
    assert task.confirm is not None
    for rows, expected in ((None, len(select_split(task.develop.y, 0, 0)[1])), (task.confirm, len(task.confirm))):
        found = rivals(task, 600, rows)
        assert [rival.skipped for rival in found] == [""] * len(found)
        assert found[0].name == ("commonest class" if task.classes else "mean")
        assert len(found) == (2 if task.kind == "text" else 3)
        for rival in found:
            assert rival.each is not None and rival.each.shape == (expected,) and rival.each.dtype == np.float32
            assert rival.score == pytest.approx(float(rival.each.mean(dtype=np.float64)))
            assert rival.seconds >= 0
        assert all((rival.score or 0) > (found[0].score or 0) + 0.3 for rival in found[1:])


def test_the_split_is_the_first_of_the_seed() -> None:
    task = small_tasks.table(90)
    for seed in (0, 5):
        train, select = select_split(task.develop.y, 0, seed)
        commonest = np.bincount(task.develop.y[train]).argmax()
        assert rivals(task, 600, seed=seed)[0].score == pytest.approx(np.mean(task.develop.y[select] == commonest))


def test_the_same_seed_gives_the_same() -> None:
    for word in ("table", "texts"):
        once, again = rivals(ALL[word](), 600, seed=3), rivals(ALL[word](), 600, seed=3)
        for one, two in zip(once, again, strict=True):
            np.testing.assert_array_equal(one.each, two.each)


def test_boosting_sees_what_no_line_separates() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (1200, 2))
    found = by_name(rivals(table(x, (x.prod(1) > 0).astype(np.int64)), 600))
    assert (found["logistic regression"].score or 1) < 0.65
    assert (found["gradient boosting"].score or 0) > 0.95


def test_a_line_is_found_in_any_unit() -> None:
    """Columns are standardised: one in millions and one in millionths weigh the same."""
    x = np.random.default_rng(0).standard_normal((400, 2))
    y = (x.sum(1) > 0).astype(np.int64)
    task = table(x * [1e30, 1e-30], y)
    assert (by_name(rivals(task, 600, task.confirm))["logistic regression"].score or 0) > 0.97


def test_categories_are_no_numbers() -> None:
    """The middle category is the odd one out, which no line over the codes can say; one was never seen."""
    x = np.random.default_rng(0).integers(0, 3, (300, 1))
    y = (x[:, 0] == 1).astype(np.int64)
    x[-1] = 3
    task = table(x, y, categories=(4,))
    found = by_name(rivals(task, 600, task.confirm))
    assert (found["logistic regression"].score or 0) > 0.99
    assert (found["gradient boosting"].score or 0) > 0.99


def test_more_categories_than_boosting_has_room_for() -> None:
    x = np.random.default_rng(0).integers(0, 400, (800, 1))
    task = table(x, (x[:, 0] > 200).astype(np.int64), categories=(400,))
    assert (by_name(rivals(task, 600, task.confirm))["gradient boosting"].score or 0) > 0.97


def test_negation_is_read_from_pairs_of_words() -> None:
    """Single words say nothing here: each stands as often in one class as in the other."""
    rng = np.random.default_rng(0)
    good, negated = rng.integers(0, 2, 400), rng.integers(0, 2, 400)
    filler = rng.choice(["the", "film", "was", "story", "town"], (400, 4))
    found = [
        " ".join([*words[:2], "not" if n else "very", "good" if g else "bad", *words[2:], "very" if n else "not"])
        for words, g, n in zip(filler, good, negated, strict=True)
    ]
    y = (good != negated).astype(np.int64)
    task = Task("t", Rows(as_array(found[:300]), y[:300]), Rows(as_array(found[300:]), y[300:]), ("no", "yes"))
    assert (rivals(task, 600, task.confirm)[1].score or 0) > 0.97


# ── time ──


@pytest.mark.parametrize("word", ALL)
def test_without_time_only_the_floor_is_scored(word: str) -> None:
    floor, *others = rivals(ALL[word](), 0)
    assert floor.score is not None
    for rival in others:
        assert rival.score is None and rival.each is None
        assert "were left" in rival.skipped


def test_rows_too_wide_for_boosting_are_named() -> None:
    x = np.random.default_rng(0).integers(0, 256, (40, 64, 48, 3)).astype(np.uint8)
    y = np.arange(40) % 2
    x[y == 1] //= 2
    found = by_name(rivals(Task("t", Rows(x, y), classes=("light", "dark")), 600))
    assert "too wide" in found["gradient boosting"].skipped
    assert found["logistic regression"].score == 1.0


# ── data with little in it ──


def test_one_class_to_learn_from() -> None:
    """The others are all in confirm: named, not broken."""
    x = np.random.default_rng(0).standard_normal((20, 2))
    task = table(x, np.repeat([0, 1], 10))
    floor, *others = rivals(task, 600, task.confirm)
    assert floor.score == 0.0
    assert ["same label" in rival.skipped for rival in others] == [True, True]


@pytest.mark.parametrize("outputs", [0, 2])
@pytest.mark.parametrize("rows", [4, 12])
def test_hardly_any_rows(rows: int, outputs: int) -> None:
    for task in (small_tasks.texts(rows, outputs), small_tasks.table(rows, outputs)):
        y = np.arange(rows) % 2 if outputs else task.develop.y
        task = replace(task, develop=Rows(task.develop.x, y))
        for rival in rivals(task, 600, task.confirm):
            assert rival.score is not None and np.isfinite(rival.score), rival


def test_columns_and_targets_that_do_not_move() -> None:
    x = np.ones((40, 2))
    for y in (np.arange(40) % 2, np.ones(40, np.float32)):
        for rival in rivals(table(x, y), 600):
            assert rival.skipped or np.isfinite(rival.score or np.nan), rival


# ── what they stand on ──


def test_pixels_are_means_over_blocks() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (3, 70, 40, 3)).astype(np.uint8)
    found = pixels(x, 32).reshape(3, 24, 20, 3)
    np.testing.assert_allclose(found[:, 0, 0], x[:, :3, :2].mean((1, 2)), rtol=1e-6)
    np.testing.assert_allclose(found[:, -1, -1], x[:, 69:, 38:].mean((1, 2)), rtol=1e-6)
    np.testing.assert_array_equal(pixels(x, 70), x.reshape(3, -1))


def test_many_pixels_are_read_a_few_pictures_at_a_time() -> None:
    x = np.random.default_rng(0).integers(0, 256, (20, 1200, 1000)).astype(np.uint8)
    np.testing.assert_array_equal(pixels(x, 10)[13], pixels(x[13:14], 10)[0])


def test_they_are_judged_by_the_metric_of_the_task() -> None:
    """Numbers in their own unit, classes by the probabilities; the floor knows the classes' shares and no more."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 4)).astype(np.float32)
    y = (50 + 10 * x[:, 0] + rng.standard_normal(200)).astype(np.float32)
    floor, ridge, _ = rivals(
        Task("t", Rows(x[:150], y[:150]), Rows(x[150:], y[150:]), metric="rmse"), 600, Rows(x[150:], y[150:])
    )
    assert -(floor.score or 0) == pytest.approx(np.sqrt(np.mean((y[150:] - y[:150].mean()) ** 2)), rel=1e-4)
    assert 0.7 < -(ridge.score or 0) < 1.5
    labels = (x[:, 0] > 0.5).astype(np.int64)
    known, asked = Rows(x[:150], labels[:150]), Rows(x[150:], labels[150:])
    floor, linear, _ = rivals(Task("t", known, asked, ("a", "b"), metric="auc"), 600, asked)
    assert floor.score == 0.5
    assert (linear.score or 0) > 0.97
