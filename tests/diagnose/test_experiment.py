"""What a diagnosis trains, and the intervals it draws from it."""

from dataclasses import replace

import numpy as np
import pytest
from small_tasks import table

from gapless.diagnose.experiment.folds import difference, estimate
from gapless.diagnose.experiment.training import Training
from gapless.diagnose.finding import Finding, ranked
from gapless.evidence.result import Interval
from gapless.recipe import Recipe

PLAIN = Training(Recipe(), 0.01, 3, 0)


def test_smaller_subsets_are_parts_of_larger_ones_and_hold_every_class() -> None:
    task = table(90)
    train, held = PLAIN.rows(task, 0)
    before = set(train.tolist())
    for share in (0.5, 0.25, 0.125):
        rows, same = replace(PLAIN, share=share).rows(task, 0)
        assert set(rows.tolist()) < before
        assert len(rows) == round(share * len(train))
        assert len(np.unique(task.develop.y[rows])) == 3
        assert (same == held).all()
        before = set(rows.tolist())
    other, _ = replace(PLAIN, share=0.5, draw=1).rows(task, 0)
    assert set(other.tolist()) != set(replace(PLAIN, share=0.5).rows(task, 0)[0].tolist())


def test_labels_put_wrong_are_wrong_and_those_held_out_stay() -> None:
    task = table(90)
    training = replace(PLAIN, flipped=0.25)
    rows, train = training.material(task, 0)
    changed, labels = training.wrong(task, 0)
    assert len(changed) == round(0.25 * len(train))
    assert set(changed.tolist()) <= set(train.tolist())
    assert (labels != task.develop.y[changed]).all()
    different = np.flatnonzero(rows.y != task.develop.y)
    assert sorted(different.tolist()) == sorted(changed.tolist())
    shuffled, train = replace(PLAIN, shuffled=True).material(task, 0)
    assert sorted(shuffled.y[train].tolist()) == sorted(task.develop.y[train].tolist())
    assert (shuffled.y[train] != task.develop.y[train]).sum() > len(train) / 3


def test_the_key_tells_trainings_apart() -> None:
    others = [
        replace(PLAIN, fold=1),
        replace(PLAIN, lr=0.02),
        replace(PLAIN, share=0.5),
        replace(PLAIN, draw=1),
        replace(PLAIN, seed=1),
        replace(PLAIN, shuffled=True),
        replace(PLAIN, recipe=Recipe.from_dict({"decay": {"strength": 0.1}})),
    ]
    assert len({PLAIN.key, *(t.key for t in others)}) == len(others) + 1


@pytest.mark.parametrize(("seed_sd", "row_sd"), [(0.0, 0.3), (0.03, 0.3), (0.0, 1.0)])
def test_intervals_of_folds_hold_the_truth(seed_sd: float, row_sd: float) -> None:
    """1,000 differences of truth 0, 30 rows a fold; the chance of error where five folds vary is bounded, too."""
    rng = np.random.default_rng(3)
    held = wrong = 0
    for _ in range(1000):
        each = {f: seed_sd * rng.standard_normal() + row_sd * rng.standard_normal(30) for f in range(5)}
        found = estimate(each, 0.0)
        held += found.interval.low <= 0 <= found.interval.high
        wrong += found.above(0) <= 0.005
    assert held / 1000 > 0.93
    assert wrong / 1000 < 0.015


def test_no_difference_is_not_certain() -> None:
    same = {fold: np.ones(20) for fold in range(5)}
    found = difference(same, same)
    assert found is not None
    assert found.interval.low < 0 < found.interval.high
    assert difference(same, {0: np.ones(20)}) is None


def finding(cause: str, effect: float, p: float, floor: int = 1) -> Finding:
    return Finding(cause, floor, "what", Interval(effect, effect, effect), p, "do", "refute")


def test_holm_then_severity_then_floor_then_effect() -> None:
    found = [
        finding("a", 0.01, 1e-9),
        finding("b", 0.30, 1e-3, floor=2),
        finding("c", 0.10, 1e-3, floor=0),
        finding("d", 0.50, 0.04),
        finding("e", 0.40, 0.03),
    ]
    standing, others = ranked(found)
    assert [f.cause for f in standing] == ["c", "b", "a"]  # 0.03 > 0.05 / 2: from there on nothing stands
    assert [f.severity for f in standing] == ["grave", "grave", "slight"]
    assert [f.cause for f in others] == ["e", "d"]
    assert ranked([]) == ((), ())
