"""Rows that belong together: intervals count groups, what was noticed is tried, and the loaders notice it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cases import PLAIN, case_of, scores

from gapless.data import Rows, Task
from gapless.data.door import load
from gapless.diagnose.case import NotAsked
from gapless.diagnose.causes.rows.groups import CAUSE
from gapless.diagnose.estimators.suspicion import contradicted
from gapless.diagnose.experiment.folds import estimate
from gapless.diagnose.experiment.training import Training
from gapless.diagnose.labels import measure
from gapless.errors import UsageError
from gapless.run.job import Found


def patients(rows: int = 400, each: int = 10) -> Task:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((rows, 3)).astype(np.float32), rng.integers(0, 2, rows)
    return Task("p", Rows(x, y, maybe={"patient": np.arange(rows) // each}), Rows(x[:20], y[:20]), ("a", "b"))


def test_intervals_count_groups() -> None:
    """1,000 means of truth 0 over 5 folds of 6 groups of 10 rows that share most of their noise."""
    rng, held, alone = np.random.default_rng(1), 0, 0
    group = {fold: np.repeat(np.arange(6), 10) for fold in range(5)}
    for _ in range(1000):
        each = {f: rng.standard_normal(6).repeat(10) + 0.5 * rng.standard_normal(60) for f in range(5)}
        held += (inside := estimate(each, 0.0, group).interval).low <= 0 <= inside.high
        alone += (naive := estimate(each, 0.0).interval).low <= 0 <= naive.high
    assert held / 1000 > 0.93
    assert alone / 1000 < 0.85  # so the test can fail


def test_groups_of_one_row_change_nothing() -> None:
    rng = np.random.default_rng(2)
    each = {f: rng.standard_normal(30) for f in range(5)}
    plain, same = estimate(each), estimate(each, groups={f: np.arange(30) for f in range(5)})
    assert same.mean == pytest.approx(plain.mean)
    assert same.error == pytest.approx(plain.error)


def test_what_the_score_owes_to_known_groups() -> None:
    """All right where others of the group were trained on, a third of the groups right where none was."""
    task = patients()
    knows = np.random.default_rng(3).random(40) < 1 / 3

    def told(training: Training) -> Found:
        _, held = training.rows(task, 0)
        right = knows[task.develop.maybe["patient"][held]] if training.apart else np.ones(len(held))
        return scores(right.astype(np.float32))

    apart = replace(PLAIN, apart="patient")
    case = case_of(task, {PLAIN: told, apart: told})
    assert CAUSE.needs(case) == (apart,)
    for fold in range(5):  # no group stands on both sides
        train, held = replace(apart, fold=fold).rows(task, 0)
        sides = (task.develop.maybe["patient"][rows] for rows in (train, held))
        assert not np.intersect1d(*sides).size
    found = CAUSE.judge(case)
    assert found.effect.mean == pytest.approx(1 - knows.mean())
    assert found.effect.high - found.effect.low > 0.2  # 40 patients, not 400 rows
    assert found.p < 1e-4
    assert "--group patient" in found.do


def test_groups_that_play_no_part_or_are_given_raise_no_alarm() -> None:
    task = patients()
    rng = np.random.default_rng(4)

    def told(training: Training) -> Found:
        return scores((rng.random(len(training.rows(task, 0)[1])) < 0.8).astype(np.float32))

    found = [CAUSE.judge(case_of(task, {PLAIN: told, replace(PLAIN, apart="patient"): told})) for _ in range(10)]
    assert min(f.p for f in found) > 0.005
    some = task.develop.take(np.arange(20))
    develop, confirm = (replace(rows, group=np.arange(len(rows)) // 10) for rows in (task.develop, some))
    given = replace(task, develop=develop, confirm=confirm)
    with pytest.raises(NotAsked, match="the groups are given"):
        CAUSE.judge(case_of(given, {PLAIN: told}))
    assert CAUSE.needs(case_of(given, {PLAIN: told})) == ()


def test_wrong_labels_of_one_group_are_one_mistake() -> None:
    rng = np.random.default_rng(5)
    logits = 4 * np.eye(2)[rng.integers(0, 2, 600)] + 0.1 * rng.standard_normal((600, 2))
    y, group = logits.argmax(1), np.arange(600) // 20
    y[group < 3] = 1 - y[group < 3]
    alike = np.ones(600, bool)
    rows, groups = contradicted(logits, y, alike), contradicted(logits, y, alike, group)
    assert groups.share.mean == rows.share.mean
    assert groups.share.high - groups.share.low > 2 * (rows.share.high - rows.share.low)
    assert rows.above(0.03) < 1e-4 < 0.01 < groups.above(0.03)


def test_a_table_notices_its_patients(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    lines = [f"p{n // 5},{rng.normal():.3f},{rng.normal():.3f},{'ny'[n // 5 % 2]}" for n in range(300)]
    path = tmp_path / "wards.csv"
    path.write_text("\n".join(["patient_id,a,b,ill", *lines]))
    task = load(path, target="ill")
    numbers = task.develop.maybe["patient_id"]
    assert len(numbers) == len(task.develop)
    assert 55 <= len(np.unique(numbers)) <= 60
    assert task.develop.take(np.arange(7)).maybe["patient_id"].tolist() == numbers[:7].tolist()
    given = load(path, target="ill", group="patient_id")
    assert not given.develop.maybe
    assert given.develop.group is not None


def test_a_folder_of_clips_is_noticed(tmp_path: Path) -> None:
    for label in ("calm", "wild"):
        for clip in range(6):
            for frame in range(3):
                place = tmp_path / label / f"{label}{clip}-{frame}.txt"
                place.parent.mkdir(exist_ok=True)
                place.write_text(f"{label} scene {clip} {frame} and more words")
    task = load(tmp_path)
    numbers = task.develop.maybe["stem"]
    assert len(numbers) == len(task.develop)
    known: dict[str, int] = {}
    for text, number in zip(task.develop.x.tolist(), numbers.tolist(), strict=True):
        name = " ".join(text.split()[:3])
        assert known.setdefault(name, number) == number


class Names:
    """Says the class that most rows with the same first letter had."""

    def fit(self, examples: list[str], labels: np.ndarray) -> None:
        self.known = {e: int(y) for e, y in zip(examples, labels, strict=True)}

    def predict_proba(self, examples: list[str]) -> np.ndarray:
        return np.eye(2)[[self.known.get(e, 0) for e in examples]]


def test_judges_of_labels_have_not_seen_the_group() -> None:
    """Every text of a group is the same: who has seen one of them knows all, who has not says the first class."""
    y = np.arange(120) // 4 % 2
    texts = [f"case {n // 4}" for n in range(120)]
    groups = np.arange(120) // 4

    def same(strength: float, examples: list[str], seed: int) -> list[str]:
        return list(examples)

    apart = measure(texts, y, lambda seed: Names(), {"same": same}, (1.0,), groups=groups)
    assert apart.error.mean == pytest.approx(0.5)
    mixed = measure(texts, y, lambda seed: Names(), {"same": same}, (1.0,))
    assert mixed.error.mean < 0.05
    assert apart.error.high - apart.error.low > 0.3  # 30 groups
    with pytest.raises(UsageError, match="stands in 2 groups, fewer than the 5 folds"):
        measure(texts, y, lambda seed: Names(), {"same": same}, (1.0,), groups=np.arange(120) % 2)
