"""What the rows of a verdict can show: a gain of that size is shown about four times in five."""

import numpy as np
import pytest

from gapless.data import Rows, Task
from gapless.evidence.intervals import mean_interval
from gapless.evidence.power import ALIKE, effective, expected


def task_of(rows: int, size: int = 1, classes: tuple[str, ...] = ("a", "b")) -> Task:
    y = np.arange(rows) % 2 if classes else np.arange(rows, dtype=np.float32)
    group = np.arange(rows) // size if size > 1 else None
    part = Rows(np.zeros((rows, 1), np.float32), y, group)
    return Task("t", part, part, classes=classes)


def test_the_line_of_45_rows() -> None:
    found = expected(task_of(45))
    assert (round(found.smallest, 2), found.rows, found.known) == (0.12, 45, False)


@pytest.mark.parametrize(("rows", "size"), [(100, 1), (400, 10)])
def test_a_gain_of_that_size_is_shown_four_times_in_five(rows: int, size: int) -> None:
    plain, rng = 0.85, np.random.default_rng(0)
    found = expected(task_of(rows, size), plain)
    sd = (0.5 * plain * (1 - plain)) ** 0.5
    group = np.arange(rows) // size
    shown = 0
    for _ in range(300):
        shared = rng.standard_normal(rows // size)[group] * ALIKE**0.5 if size > 1 else 0.0
        own = rng.standard_normal(rows) * ((1 - ALIKE) if size > 1 else 1.0) ** 0.5
        seeds = 0.01 * rng.standard_normal((5, 1))
        d = found.smallest + sd * (shared + own) + seeds
        shown += mean_interval(d, None, group if size > 1 else None).low > 0
    assert 0.68 < shown / 300 < 0.9


def test_what_is_known_changes_what_is_expected() -> None:
    task = task_of(200)
    assert expected(task, 0.97).smallest < expected(task, 0.8).smallest == pytest.approx(expected(task).smallest)
    assert expected(task, 0.9, 0.98).smallest > expected(task, 0.9).smallest
    assert expected(task_of(200, classes=()), 0.9).smallest < expected(task_of(200, classes=())).smallest


def test_rows_of_one_group_are_worth_less() -> None:
    assert effective(60, None) == 60
    assert effective(60, np.arange(60)) == pytest.approx(60)
    assert effective(60, np.arange(60) // 10) == pytest.approx(60 / 3.7)
    assert effective(60, np.zeros(60, np.int64)) == pytest.approx(60 / (1 + 59 * ALIKE))
