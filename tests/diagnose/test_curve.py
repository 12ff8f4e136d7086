"""What more rows would give: intervals of the learning curve hold the truth; what augmentation is worth in rows."""

from dataclasses import replace

import numpy as np
import pytest
from cases import PLAIN, case_of, scores

from gapless.data import Rows, Task
from gapless.diagnose.case import NotAsked
from gapless.diagnose.causes.reach import augmentation, more_data
from gapless.diagnose.estimators.curve import Curve, hull
from gapless.diagnose.experiment.folds import estimate
from gapless.diagnose.experiment.training import Training
from gapless.run.job import Found

SHARES = (0.125, 0.25, 0.5, 1.0)


def score(share: float, a: float, b: float, c: float) -> float:
    return 1 - a - b * share**-c


def curve(rng: np.random.Generator, law: tuple[float, float, float], rows: int = 60) -> Curve:
    """Held rows that are mostly hard or easy at every share, and a training's own luck."""
    each: list[dict[int, np.ndarray]] = [{} for _ in SHARES]
    for fold in range(5):
        hard = rng.random(rows)
        for place, share in enumerate(SHARES):
            own = np.where(rng.random(rows) < 0.3, rng.random(rows), hard)
            each[place][fold] = (own < score(share, *law) + 0.015 * rng.standard_normal()).astype(float)
    return Curve(SHARES, tuple(each), estimate)


@pytest.mark.parametrize("law", [(0.05, 0.08, 0.5), (0.0, 0.1, 0.35), (0.1, 0.02, 1.0)])
def test_intervals_at_twice_the_rows_hold_the_truth(law: tuple[float, float, float]) -> None:
    """Of 40 curves each; the goal is nine in ten."""
    rng, held, refused = np.random.default_rng(1), 0, 0
    for _ in range(40):
        if not (forms := curve(rng, law).more(2.0)):
            refused += 1
            continue
        found = hull(forms)
        held += found.low <= score(2, *law) - score(1, *law) <= found.high
    assert held >= 0.9 * (40 - refused)
    assert refused <= 3


def test_a_curve_that_no_form_foretells_is_not_drawn_out() -> None:
    each = tuple({f: np.full(50, value) for f in range(5)} for value in (0.5, 0.5, 0.5, 0.95))
    assert Curve(SHARES, each, estimate).forms() == ()


def test_an_exact_curve_tells_what_more_rows_give_and_what_a_gain_is_worth() -> None:
    law = (0.05, 0.08, 0.5)
    exact = tuple({f: np.full(400, score(s, *law)) for f in range(5)} for s in SHARES)
    found = Curve(SHARES, exact, estimate)
    assert 0.5 in found.forms()
    truth = score(2, *law) - score(1, *law)
    assert min(abs(one.mean - truth) for one in found.more(2.0)) < 1e-6
    share, ends = found.worth({f: np.full(400, score(2, *law)) for f in range(5)})
    assert share == pytest.approx(2, rel=0.05)
    assert ends.low < 2 < ends.high
    _, beyond = found.worth({f: np.full(400, 0.999) for f in range(5)})
    assert beyond.high > 3.9  # an end at the bound: so much or more


def task(rows: int = 400) -> Task:
    rng = np.random.default_rng(2)
    x, y = rng.integers(0, 255, (rows, 4, 4, 1), dtype=np.uint8), rng.integers(0, 2, rows)
    return Task("t", Rows(x, y), Rows(x[:20], y[:20]), ("a", "b"))


def test_more_rows_and_augmentation_as_causes() -> None:
    """A steep curve alarms, and augmentation that does as well as twice the rows is told to be worth that."""
    law, rows, rng = (0.02, 0.13, 0.45), task(), np.random.default_rng(3)
    hard = rng.random(400)

    def told(training: Training) -> Found:
        _, held = training.rows(rows, 0)
        share = 2.0 if training.recipe.active else training.share
        return scores((hard[held] < score(share, *law)).astype(np.float32))

    draft = case_of(rows, {PLAIN: told})
    parts = more_data.parts(draft)
    assert [p.share for p in parts] == [0.125, 0.25, 0.5]
    assert [p.epochs * p.share for p in parts] == [PLAIN.epochs] * 3  # as many steps
    (augmented,) = augmentation.CAUSE.needs(draft)
    assert augmented.recipe.pillars() == ("augment",)
    case = case_of(rows, {PLAIN: told, augmented: told, **dict.fromkeys(parts, told)})
    more = more_data.CAUSE.judge(case)
    truth = score(2, *law) - score(1, *law)
    assert more.effect.low <= truth <= more.effect.high
    assert "on 1/8" in more.what
    gained = augmentation.CAUSE.judge(case)
    assert gained.effect.mean == pytest.approx(truth, abs=0.03)
    assert gained.recipe == augmented.recipe
    assert "times the pictures without it would" in gained.what
    flat = case_of(rows, {PLAIN: told, augmented: told, **{p: lambda t: told(replace(t, share=1.0)) for p in parts}})
    assert more_data.CAUSE.judge(flat).p > 0.3


def test_parts_of_few_rows_are_not_trained_on() -> None:
    few = case_of(task(30), {})
    assert more_data.parts(few) == ()
    with pytest.raises(NotAsked, match="too few pictures"):
        more_data.curve(few)
    half = case_of(task(), {PLAIN: lambda t: scores(np.ones(len(t.rows(task(), 0)[1]), np.float32))})
    with pytest.raises(NotAsked, match="no time for all trainings"):
        more_data.curve(half)
