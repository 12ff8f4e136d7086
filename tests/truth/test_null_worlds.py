"""Where nothing can help, it says so: "improved" is as rare as its 95 % interval allows."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from worlds import null_pictures, null_table, run

from gapless.data import Task
from gapless.evidence.result import Result

WORLDS: dict[str, tuple[Callable[[int], Task], int, int]] = {
    # the world, and how many runs in the short form and in the long one
    "table": (null_table, 12, 300),
    "pictures": (null_pictures, 4, 150),
}


@pytest.fixture(scope="module", params=WORLDS)
def results(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, long_form: bool) -> list[Result]:
    """Runs in one null world, each with data and a seed of its own."""
    world, few, many = WORLDS[request.param]
    folder: Path = tmp_path_factory.mktemp("null")
    return [run(world(n), folder / str(n), 8, 3, seed=n)[1] for n in range(many if long_form else few)]


def test_improved_is_rare(results: list[Result]) -> None:
    """The true gain is 0 in every run: the interval lies above it in 2.5 % of them, and below it in as many."""
    for word in ("improved", "worse"):
        count = sum(r.verdict == word for r in results)
        # fails once in ten thousand when the share is 2.5 %
        assert count <= stats.binom.ppf(0.9999, len(results), 0.025), [r.gain for r in results if r.verdict == word]


def test_intervals_hold_the_true_gain(results: list[Result]) -> None:
    held = sum(r.gain.low <= 0 <= r.gain.high for r in results)
    assert held >= stats.binom.ppf(0.0001, len(results), 0.95), [r.gain for r in results]
    widths = [r.gain.high - r.gain.low for r in results]
    assert np.median(widths) < 0.2  # and not because they are endless


def test_what_the_search_saw_is_shown_to_be_too_good(results: list[Result]) -> None:
    """The best of several scores on a dozen rows, where the truth is one half."""
    assert np.mean([r.selection_optimism for r in results]) > 0.03
    assert np.mean([r.best.confirm.mean for r in results]) == pytest.approx(0.5, abs=0.04)
