"""Copies are found whatever stands between them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gapless.data import Rows
from gapless.data.duplicates import duplicate_notes, group_numbers


@settings(deadline=None)
@given(arrays(np.float32, st.tuples(st.integers(1, 20), st.just(2)), elements=st.sampled_from([-1.0, 0.0, -0.0, 2.5])))
def test_groups_are_those_of_equal_rows(x: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> None:
    groups = group_numbers(x)
    for i in range(len(x)):
        for j in range(len(x)):
            assert (groups[i] == groups[j]) == bool((x[i] == x[j]).all())


def test_pictures_of_equal_bytes_are_equal() -> None:
    x = np.zeros((4, 2, 2, 3), dtype=np.uint8)
    x[2, 1, 1, 2] = 1
    assert group_numbers(x[:2], x[2:]).tolist() == [0, 0, 1, 0]


def test_a_row_that_is_not_contiguous() -> None:
    x = np.arange(24, dtype=np.uint8).reshape(2, 3, 4).transpose(0, 2, 1)
    assert group_numbers(x, np.ascontiguousarray(x)).tolist() == [0, 1, 0, 1]


def test_the_sentences() -> None:
    develop = Rows(np.array([[1], [2], [2], [3]], dtype=np.float32), np.array([0, 1, 0, 1]))
    confirm = Rows(np.array([[3], [3], [9]], dtype=np.float32), np.array([1, 1, 0]))
    across, clashing = duplicate_notes(develop, confirm)
    assert across.startswith("2 of the 3 confirm rows also stand in the develop rows")
    assert clashing == "2 rows are copies of another row but carry a different label."


def test_nothing_to_say() -> None:
    rows = Rows(np.array([[1.0], [2.0]], dtype=np.float32), np.array([0, 1]))
    assert duplicate_notes(rows, Rows(rows.x + 5, rows.y)) == ()
