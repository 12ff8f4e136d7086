"""Where regularization must help, it finds and proves it; and what it reports holds on rows that nobody has seen."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from worlds import few_digits, fresh, noisy_rows, run, true_scores

from gapless.data import Task
from gapless.evidence.result import Result
from gapless.search.stages import Finished

Run = tuple[Task, Finished, Result]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, long_form: bool) -> list[Run]:
    """Runs in the world of noisy rows, each with data of its own."""
    folder: Path = tmp_path_factory.mktemp("planted")
    tasks = [noisy_rows(n) for n in range(60 if long_form else 2)]
    return [(task, *run(task, folder / str(n), 10, 40, seed=n)) for n, task in enumerate(tasks)]


def test_a_gain_that_is_there_is_found_and_proved(runs: list[Run]) -> None:
    words = [result.verdict for _, _, result in runs]
    assert words.count("improved") >= 0.7 * len(words), words
    assert "worse" not in words[:2]
    assert np.mean([result.gain.mean for _, _, result in runs]) > 0.05


def test_the_gap_shrinks(runs: list[Run]) -> None:
    """A plain model learns sixty noisy rows by heart: the gap before is large, and smaller after."""
    before, after = ([getattr(r, side).gap.mean for _, _, r in runs] for side in ("plain", "best"))
    assert np.mean(before) > 0.5
    assert np.mean(after) < np.mean(before)


def test_reported_gain_holds_on_fresh_rows_and_seeds(runs: list[Run], long_form: bool) -> None:
    """The verdict is about this training set, new seeds and new rows: so is the truth it is held against."""
    seeds = 40 if long_form else 10
    held: list[bool] = []
    for n, (task, finished, result) in enumerate(runs):
        rows = fresh(n)
        best = true_scores(finished, task, finished.best.recipe, finished.best.lr, rows, seeds)
        plain = true_scores(finished, task, finished.plain.recipe, finished.plain.lr, rows, seeds)
        truth = float((best - plain).mean())
        doubt = float((best - plain).std(ddof=1)) / np.sqrt(seeds)  # of the truth itself
        held.append(result.gain.low - 2 * doubt <= truth <= result.gain.high + 2 * doubt)
        assert abs(result.gain.mean - truth) < 6 * (result.gain.high - result.gain.low), (n, result.gain, truth)
    assert sum(held) >= stats.binom.ppf(0.0001, len(held), 0.95), held


def test_on_a_hundred_digits_a_large_gain_is_found(tmp_path: Path, long_form: bool) -> None:
    for seed in range(10 if long_form else 1):
        _, result = run(few_digits(seed), tmp_path / str(seed), 12, 30, seed=seed, batch=32)
        assert result.verdict == "improved", (seed, result.gain)
        assert result.best.gap.mean < result.plain.gap.mean
