"""Labels that were put wrong are counted, listed and not confused with hard rows; all arithmetic, nothing trained."""

import re

import numpy as np
import pytest
from cases import PLAIN, case_of, scores

from gapless.data import Rows, Task
from gapless.diagnose.case import Case, NotAsked
from gapless.diagnose.causes.rows.wrong_labels import CAUSE, judging
from gapless.diagnose.estimators.suspicion import confident_joint, margins
from gapless.diagnose.experiment.training import Training
from gapless.run.job import Found

CLASSES = 4


def world(seed: int, noise: float, blur: float, rows: int = 600, classes: int = CLASSES) -> tuple[Case, set[int]]:
    """Judges that see each row's true class under noise of their own (blur), and labels of which some are wrong."""
    rng = np.random.default_rng([seed, 1])
    true = rng.integers(0, classes, rows)
    wrong = rng.permutation(rows)[: round(noise * rows)]
    y = true.copy()
    y[wrong] = (true[wrong] + rng.integers(1, classes, len(wrong))) % classes
    # hard rows: another class is likelier for the best of judges, too
    seen = np.eye(classes)[true] * 4 + blur * rng.standard_normal((rows, classes))
    x = rng.standard_normal((rows, 3)).astype(np.float32)
    task = Task("noise", Rows(x, y), Rows(x[:20], y[:20]), ("a", "b", "c", "d")[:classes])
    said = seen + 0.5 * rng.standard_normal(seen.shape)

    def told(training: Training) -> Found:
        material, train = training.material(task, 0)
        _, held = training.rows(task, 0)
        # along the way the label that is learned gains on what the row looks like
        area = margins(seen[train] + 2 * np.eye(classes)[material.y[train]], material.y[train])
        right = (said[held].argmax(1) == y[held]).astype(np.float32)
        return {**scores(right), "logits": said[held], "margins": area + 0.5 * rng.standard_normal(len(train))}

    draft = case_of(task, {PLAIN: told})
    return case_of(task, {PLAIN: told, judging(draft): told}), set(wrong.tolist())


@pytest.mark.parametrize("noise", [0.1, 0.2, 0.4])
def test_wrong_labels_are_counted_and_listed(noise: float) -> None:
    """Six sets each: the share is told by the interval, and nearly all that is listed is wrong."""
    alarms = held = 0
    for seed in range(6):
        case, wrong = world(seed, noise, 1.0)
        found = CAUSE.judge(case)
        alarms += found.p < 0.005
        held += found.effect.low <= noise <= found.effect.high
        listed = {s.row for s in found.suspects}
        assert len(listed & wrong) > 0.6 * min(200, len(wrong))
        assert len(listed & wrong) > 0.9 * len(listed)
        assert all(s.given != s.better for s in found.suspects)
        match = re.search(r"of (\d+) put wrong (\d+) were found again", found.what)
        assert match is not None
        planted, again = map(int, match.groups())
        assert 0.6 < again / planted <= 1
    assert alarms >= 5
    assert held >= 5


@pytest.mark.parametrize(("blur", "precision"), [(1.0, 0.95), (1.6, 0.8)])
def test_of_two_classes_most_that_is_listed_is_wrong(blur: float, precision: float) -> None:
    """With two classes whatever is no longer its own label is the other: hard rows are nearer to wrong ones."""
    listed_wrong, listed, told = 0, 0, 0
    for seed in range(4):
        case, wrong = world(seed, 0.1, blur, classes=2)
        found = CAUSE.judge(case)
        suspects = {s.row for s in found.suspects}
        listed, listed_wrong = listed + len(suspects), listed_wrong + len(suspects & wrong)
        match = re.search(r"about (\d+) are expected to be wrong", found.what)
        assert match is not None
        told += int(match.group(1))
        assert found.effect.low <= 0.1 <= found.effect.high
    assert listed_wrong >= precision * listed
    assert 0.6 * listed_wrong < told <= listed  # what is promised is not more than what is there by far
    assert listed_wrong > 0.8 * 4 * 60


def test_hard_rows_alarm_in_no_more_than_one_of_twenty() -> None:
    """A fifth of the rows are labelled as the judge does not expect, but none that it is sure of."""
    found = [CAUSE.judge(world(seed, 0.0, 1.9, 400)[0]) for seed in range(20)]
    assert sum(f.p <= 0.05 for f in found) <= 1
    assert max(f.effect.mean for f in found) < 0.08


def test_what_quick_models_do_not_say_too_is_not_counted() -> None:
    case, _ = world(1, 0.1, 1.0)
    sure = Case(case.task, case.reference, True, case.measured, 0, {"one": {f: np.ones(120) for f in range(5)}})
    assert CAUSE.judge(sure).effect.mean == 0


def test_a_model_that_learns_nothing_is_no_judge() -> None:
    case, _ = world(0, 0.1, 1.0)
    dull = Case(case.task, case.reference, True, case.measured, 0, {"one": {f: np.full(120, 1.1) for f in range(5)}})
    assert not CAUSE.needs(dull)
    with pytest.raises(NotAsked, match="cannot judge"):
        CAUSE.judge(dull)


def test_the_joint_names_the_classes_that_are_confused() -> None:
    rng = np.random.default_rng(2)
    true = rng.integers(0, 3, 900)
    y = np.where((true == 2) & (rng.random(900) < 0.3), 0, true)
    p = np.where(np.eye(3)[true] > 0, 0.9, 0.05)
    joint = confident_joint(p, y)
    assert joint.sum() == pytest.approx(1)
    assert joint[0, 2] == pytest.approx(((y == 0) & (true == 2)).mean())
    assert joint[0, 1] == joint[1, 0] == joint[2, 0] == 0
