"""Leaky columns, data from elsewhere, luck and batch norm's statistics, from measurements that are written down."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from cases import PLAIN, case_of, scores
from small_tasks import Drops, pictures

from gapless.data import Rows, Task
from gapless.diagnose.case import Case, NotAsked, plain
from gapless.diagnose.causes.reach import seeds
from gapless.diagnose.causes.rows import elsewhere, leaky_column
from gapless.diagnose.causes.training import statistics
from gapless.diagnose.estimators.shift import told_apart
from gapless.diagnose.experiment.training import Training
from gapless.recipe import Recipe
from gapless.run.job import Found
from gapless.train.loop import Plan, Trainer

AWAY = plain(PLAIN.epochs, PLAIN.lr, away=True)


def rows(seed: int, count: int = 400, errors: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Three columns, of which the last is the label but for some errors."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, count)
    x = rng.standard_normal((count, 3)).astype(np.float32)
    x[:, 2] = y ^ (rng.random(count) < errors)
    return x, y


def table(errors: float) -> Task:
    x, y = rows(0, errors=errors)
    return Task("t", Rows(x, y), Rows(x[:20], y[:20]), ("a", "b"), categories=(0, 0, 2), features=("one", "two", "end"))


def right(share: float, training: Training, task: Task, seed: int = 1) -> Found:
    """The same rows are right at the same share, whatever the training."""
    hard = np.random.default_rng(seed).random(len(task.develop))
    return scores((hard[training.rows(task, 0)[1]] < share).astype(np.float32))


# ── leaky columns ──


def test_a_column_that_tells_all_and_without_which_little_is_left() -> None:
    task = table(0.01)
    without = replace(PLAIN, without=2)
    told = {PLAIN: lambda t: right(0.97, t, task), without: lambda t: right(0.6, t, task)}
    case = case_of(task, told)
    assert leaky_column.CAUSE.needs(case) == (without,)
    found = leaky_column.CAUSE.judge(case)
    assert found.effect.mean == pytest.approx(0.37, abs=0.03)
    assert found.p < 1e-3
    assert "'end'" in found.what
    kept, _ = without.material(task, 0)
    assert len(np.unique(kept.x[:, 2])) == 1  # the commonest category, in the rows held out as well
    assert (kept.x[:, :2] == task.develop.x[:, :2]).all()
    needless = case_of(task, {PLAIN: told[PLAIN], without: told[PLAIN]})
    assert leaky_column.CAUSE.judge(needless).p > 0.5  # the others tell the same


def test_a_good_column_is_no_leak() -> None:
    task = table(0.25)
    case = case_of(task, {PLAIN: lambda t: right(0.8, t, task)})
    assert leaky_column.CAUSE.needs(case) == ()
    assert leaky_column.CAUSE.judge(case).p == 1
    with pytest.raises(NotAsked, match="pictures have no columns"):
        leaky_column.CAUSE.judge(case_of(pictures(40), {}))


# ── elsewhere ──


def away(place: Rows, here: float, renewed: float | None = None, shift: float = 0.0) -> Case:
    """A model that is right on 0.9 at home and on `here` elsewhere, where its outputs are moved by `shift`."""
    x, y = rows(3)
    task = Task("t", Rows(x, y), Rows(x[:20], y[:20]), ("a", "b"), also=(("B", place),))
    rng = np.random.default_rng(4)

    def told(training: Training) -> Found:
        found = right(0.9, training, task)
        outputs = rng.standard_normal((len(found["held"]), 2))
        there = rng.standard_normal((len(place), 2)) + shift
        scored = {"away 0": here, **({} if renewed is None else {"away 0 renewed": renewed})}
        hard = np.random.default_rng(5).random(len(place))
        values = {name: (hard < share).astype(np.float32) for name, share in scored.items()}
        return {**found, "logits": outputs, "away 0 logits": there, **values}

    return replace(case_of(task, {AWAY: told}), reference=AWAY)


def judged(case: Case) -> str:
    found = elsewhere.CAUSE.judge(case)
    assert found.p < 1e-3
    return f"{found.what} {found.do}"


def test_a_drop_elsewhere_and_what_of_it_has_a_name() -> None:
    place = Rows(*rows(6, 300))
    moved = judged(away(place, 0.6, shift=1.5))
    assert "tells rows from there" in moved
    assert "Label some rows of 'B'" in moved
    assert "no different from home" in judged(away(place, 0.6))
    again = judged(away(place, 0.6, renewed=0.9))
    assert "batch norm's statistics renewed there win back" in again
    assert "gapless.batchnorm.adapt" in again


def test_no_drop_is_no_alarm() -> None:
    found = elsewhere.CAUSE.judge(away(Rows(*rows(6, 300)), 0.9))
    assert found.p > 0.1
    assert found.effect.low < 0 < found.effect.high
    with pytest.raises(NotAsked, match="--also"):
        elsewhere.CAUSE.judge(case_of(table(0.0), {}))


def test_other_shares_of_the_classes_are_told_apart() -> None:
    """At home class 0 is always right and class 1 in half the rows; elsewhere nearly all are of class 1."""
    x, y = rows(3)
    there, _ = rows(7, 300)
    mostly = (np.random.default_rng(8).random(300) < 0.95).astype(np.int64)
    task = Task("t", Rows(x, y), Rows(x[:20], y[:20]), ("a", "b"), also=(("B", Rows(there, mostly)),))
    rng = np.random.default_rng(9)

    def told(training: Training) -> Found:
        held = training.rows(task, 0)[1]
        home, far = ((y == 0) | (rng.random(len(y)) < 0.5) for y in (task.develop.y[held], mostly))
        outputs = {"logits": rng.standard_normal((len(held), 2)), "away 0 logits": rng.standard_normal((300, 2))}
        return {**scores(home.astype(np.float32)), **outputs, "away 0": far.astype(np.float32)}

    found = elsewhere.CAUSE.judge(replace(case_of(task, {AWAY: told}), reference=AWAY))
    assert found.p < 1e-3
    assert "other shares" in found.do
    assert found.effect.mean == pytest.approx(0.22, abs=0.05)


def test_who_is_alike_is_seldom_told_apart() -> None:
    """10 pairs of like sets: at a level of 1 %, one at the most; far ones always."""
    rng, alarms = np.random.default_rng(10), 0

    def sets(shift: float) -> tuple[Mapping[int, np.ndarray], ...]:
        home, here = ({f: rng.standard_normal((60, 3)) + move for f in range(5)} for move in (0.0, shift))
        return home, here, {f: (rng.random(60) < 0.8).astype(float) for f in range(5)}

    for _ in range(10):
        found = told_apart(*sets(0.0))
        alarms += found.apart
        assert 0.3 < found.area < 0.7
    assert alarms <= 1
    far = told_apart(*sets(1.0))
    assert far.apart
    assert far.area > 0.8
    assert told_apart(*sets(4.0)).score is None  # hardly a row at home is like them


# ── luck and statistics ──


@pytest.mark.parametrize(("luck", "alarms"), [(0.0, False), (0.01, False), (0.2, True)])
def test_seeds_that_decide_the_score(luck: float, alarms: bool) -> None:
    task = table(0.25)
    rng = np.random.default_rng(11)

    def told(training: Training) -> Found:
        return right(0.7 + luck * rng.standard_normal(), training, task, seed=training.seed)

    again = replace(PLAIN, seed=1)
    found = seeds.CAUSE.judge(case_of(task, {PLAIN: told, again: told}))
    assert (found.p < 0.005) == alarms
    assert found.effect.low <= found.effect.mean <= found.effect.high


def test_renewed_statistics_change_what_a_model_says_and_leave_it_as_it_was() -> None:
    """Batch norm that was hardly trained has statistics far from its inputs'."""
    task = replace(pictures(60), model=Drops)
    training = replace(PLAIN, epochs=1)
    train, _ = training.rows(task, 0)
    trainer = Trainer(task, train, Recipe(), 0.01, 0, Plan(1, 16), task.develop)
    trainer.run_to(1)
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    found = training.found(task, 0, trainer, {})
    assert found["held renewed"].shape == found["held"].shape
    assert all((before[name] == value).all() for name, value in trainer.model.state_dict().items())
    assert "held renewed" not in replace(training, seed=1).found(task, 0, trainer, {})

    def told(asked: Training) -> Found:
        held = np.zeros(len(asked.rows(task, 0)[1]), np.float32)
        held[::3] = 1
        return {**scores(held), "held renewed": np.ones_like(held)}

    renewed = statistics.CAUSE.judge(case_of(task, {PLAIN: told}))
    assert renewed.effect.mean == pytest.approx(2 / 3, abs=0.05)
    assert renewed.p < 1e-3
    with pytest.raises(NotAsked, match="no batch norm"):
        statistics.CAUSE.judge(case_of(task, {PLAIN: lambda t: right(0.9, t, task)}))


def test_further_data_is_scored_by_every_fold() -> None:
    task = replace(pictures(60), model=Drops)
    assert task.confirm is not None
    also = task.confirm.take(np.arange(30))
    task = replace(task, also=(("B", also),))
    training = replace(AWAY, epochs=1)
    train, held = training.rows(task, 0)
    trainer = Trainer(task, train, Recipe(), 0.01, 0, Plan(1, 16), task.develop)
    trainer.run_to(1)
    found = training.found(task, 0, trainer, {})
    assert found["away 0"].shape == found["away 0 renewed"].shape == (30,)
    assert found["away 0 logits"].shape == (30, 10)
    assert found["logits"].shape == (len(held), 10)
    assert ((found["away 0 logits"].argmax(1) == also.y) == found["away 0"]).all()
