"""Is what the command tells its user right? Whole runs in worlds where the answer is known.

The short form is a handful of small runs; `pytest tests/truth --truth` makes enough of them to measure the rates.
"""

from functools import partial
from pathlib import Path

import numpy as np
from scipy import stats

from gapless.data import Rows, Task
from gapless.data.source import SourceOptions, load
from gapless.models import MLP, choose
from gapless.search import outcome
from gapless.search.result import Result
from gapless.search.run import TuneOptions
from gapless.search.tune import tune


class Silent:
    def phase(self, name: str) -> None:
        pass

    def progress(self, share: float, left: float | None, note: str) -> None:
        pass


def verdict_on(task: Task, folder: Path, seed: int, epochs: int, batch_size: int = 32) -> Result:
    options = TuneOptions(folder, minutes=None, trials=12, epochs=epochs, seed=seed, workers=1, batch_size=batch_size)
    return outcome.result(task, options, tune(task, options, Silent(), lambda: False))


def coin_flips(seed: int, rows: int = 60, confirm: int = 400, columns: int = 8) -> Task:
    """A table whose labels have nothing to do with its columns: every model is right half of the time."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows + confirm, columns)).astype(np.float32)
    y = rng.integers(0, 2, rows + confirm)
    model = partial(MLP, (columns,), 2, (), 32)
    return Task("coins", Rows(x[:rows], y[:rows]), Rows(x[rows:], y[rows:]), ("heads", "tails"), model)


def test_nothing_is_improved_where_there_is_nothing_to_learn(tmp_path: Path, long_form: bool) -> None:
    """`improved` and `worse` need an interval beyond zero: 2.5 % of the runs each, where every recipe is as good."""
    runs = 120 if long_form else 8
    said = [verdict_on(coin_flips(s), tmp_path / str(s), s, epochs=6).verdict for s in range(runs)]
    most = int(stats.binom.ppf(0.999, runs, 0.025))
    assert said.count("improved") <= most, f"{said.count('improved')} of {runs} runs"
    assert said.count("worse") <= most, f"{said.count('worse')} of {runs} runs"


def test_a_large_gain_is_found(tmp_path: Path, long_form: bool) -> None:
    """100 digits: the plain model is right on about 85 % of new ones, and known recipes gain more than five points."""
    for seed in range(10 if long_form else 1):
        task = load("digits", SourceOptions(train_size=100, seed=seed))
        name, build = choose("cnn", task.kind, task.shape, task.outputs)
        task = Task(task.name, task.develop, task.confirm, task.classes, build, model_name=name)
        result = verdict_on(task, tmp_path / str(seed), seed, epochs=40)
        assert result.verdict == "improved", f"training set {seed}: {result.gain}"
        assert result.best.gap.mean < result.plain.gap.mean
