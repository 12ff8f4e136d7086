"""Rows that belong together stay together, the latest rows are put aside, and candidates for both are noticed."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import gapless
from gapless.data import Rows, Task
from gapless.data.readers.folders import File, group_notes, groups_of
from gapless.data.splits import complete, divide, grouped, select_of, select_split
from gapless.errors import DataError, UsageError

seeds = st.integers(0, 2**32)
sizes = st.lists(st.integers(1, 12), min_size=15, max_size=60)


def group_of(counts: list[int], seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))


def patients(cases: int = 40, rows: int = 6, seed: int = 0) -> pd.DataFrame:
    """Rows of patients who are sick or not, with the values of a patient nearly the same, in no order."""
    rng = np.random.default_rng(seed)
    case = np.repeat(np.arange(cases), rows)
    values = rng.normal(size=(cases, 3))[case] + 0.1 * rng.normal(size=(cases * rows, 3))
    frame = pd.DataFrame(values, columns=pd.Index(["a", "b", "c"]))
    frame["patient"] = [f"p{number:03d}" for number in case]
    frame["when"] = pd.date_range("2024-01-01", periods=len(case), freq="D").strftime("%Y-%m-%d")
    frame["sick"] = np.where(rng.random(cases) < 0.5, "yes", "no")[case]
    return frame.sample(frac=1, random_state=seed).reset_index(drop=True)


# ── the laws of the splits ──


@settings(deadline=None, max_examples=60)
@given(sizes, seeds, st.integers(0, 4))
def test_a_group_is_on_one_side_of_every_split(counts: list[int], seed: int, classes: int) -> None:
    group, rng = group_of(counts, seed), np.random.default_rng(seed)
    y = rng.integers(0, classes, len(group)) if classes else rng.normal(size=len(group)).astype(np.float32)
    develop, confirm = divide(y, None, False, seed % 1000, group=group)
    assert np.array_equal(np.sort(np.concatenate([develop, confirm])), np.arange(len(y)))
    assert not set(group[develop]) & set(group[confirm])
    for repeat in range(7):
        train, select = select_split(y[develop], repeat, seed % 1000, group=group[develop])
        assert np.array_equal(np.sort(np.concatenate([train, select])), np.arange(len(develop)))
        assert len(select)
        assert not set(group[develop][train]) & set(group[develop][select])


@settings(deadline=None, max_examples=30)
@given(seeds, st.integers(40, 80))
def test_parts_of_whole_groups_have_nearly_the_size_and_the_classes_asked_for(seed: int, cases: int) -> None:
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(cases), rng.integers(3, 7, cases))
    y = (rng.permutation(cases) < cases // 3).astype(np.int64)[group]
    develop, confirm = divide(y, None, False, 3, group=group)
    assert abs(len(confirm) - 0.3 * len(y)) <= 7
    assert abs(y[confirm].mean() - y.mean()) < 0.12
    folds = [select_split(y[develop], repeat, 3, group=group[develop])[1] for repeat in range(5)]
    assert np.array_equal(np.sort(np.concatenate(folds)), np.arange(len(develop)))
    assert max(map(len, folds)) - min(map(len, folds)) <= 14
    others = [select_split(y[develop], repeat, 3, group=group[develop])[1] for repeat in range(5, 10)]
    assert not {tuple(fold) for fold in folds} & {tuple(fold) for fold in others}


def test_ten_groups_are_put_aside_where_there_are_fifteen() -> None:
    group = np.repeat(np.arange(15), 8)
    develop, confirm = divide(np.arange(120) % 2, None, False, 0, group=group)
    assert (grouped(group[develop]), grouped(group[confirm])) == (5, 10)


def test_a_class_that_one_group_has_stays_in_develop_and_in_train() -> None:
    group = np.repeat(np.arange(30), 6)
    y = (group == 7).astype(np.int64)
    develop, _ = divide(y, None, False, 0, group=group)
    assert y[develop].sum() == 6
    for repeat in range(5):
        train, _ = select_split(y[develop], repeat, 0, group=group[develop])
        assert y[develop][train].sum() == 6


@settings(deadline=None, max_examples=40)
@given(seeds, st.booleans(), st.integers(0, 12))
def test_the_latest_rows_are_put_aside_and_select_comes_after_train(seed: int, ties: bool, repeat: int) -> None:
    rng = np.random.default_rng(seed)
    time = rng.integers(0, 12, 100).astype(float) if ties else rng.permutation(100).astype(float)
    develop, confirm = divide(np.arange(100) % 2, None, False, 0, time=time)
    assert time[develop].max() < time[confirm].min()
    assert abs(len(confirm) - 30) <= (15 if ties else 0)
    rows = Rows(np.zeros((len(develop), 1), np.float32), np.arange(len(develop)) % 2, time=time[develop])
    train, select = select_of(rows, repeat, 0)
    assert rows.time is not None
    assert rows.time[train].max() < rows.time[select].min()
    if not ties:
        assert len(select) == 14
        assert 0.6 <= len(train) / 70 <= 0.8


def test_a_group_stands_where_its_first_row_stands_in_time() -> None:
    group = np.repeat(np.arange(30), 4)
    time = (np.repeat(np.arange(30), 4) + np.tile([0, 1, 2, 50], 30)).astype(float)
    develop, confirm = divide(np.arange(120) % 2, None, False, 0, group=group, time=time)
    assert set(group[confirm]) == set(range(21, 30))
    rows = Rows(np.zeros((len(develop), 1), np.float32), np.arange(len(develop)) % 2, group[develop], time[develop])
    train, select = select_of(rows, 0, 0)
    assert rows.group is not None
    assert rows.group[train].max() < rows.group[select].min()


def test_rows_of_one_moment_cannot_be_divided_by_time() -> None:
    with pytest.raises(DataError, match="of one moment"):
        divide(np.arange(40) % 2, None, False, 0, time=np.zeros(40))


# ── tasks ──


def task_of(groups: int, rows: int = 8) -> Task:
    y = np.arange(groups * rows) % 2
    x = np.random.default_rng(0).normal(size=(len(y), 2)).astype(np.float32)
    return Task("made", Rows(x, y, np.repeat(np.arange(groups), rows)), classes=("a", "b"), group="patient")


def test_fewer_than_ten_groups_give_no_verdict() -> None:
    assert grouped((complete(task_of(20), None, 0).confirm or Rows(np.zeros(0), np.zeros(0))).group) == 10
    with pytest.raises(DataError, match=r"are of \d groups \(patient; 12 in all\).*fewer than 10"):
        complete(task_of(12), None, 0)


def test_both_parts_have_groups_or_neither() -> None:
    task = task_of(20)
    with pytest.raises(DataError, match="develop rows have groups, confirm rows have none"):
        Task("made", task.develop, Rows(task.develop.x, task.develop.y), classes=("a", "b"))
    with pytest.raises(DataError, match="group must be whole numbers"):
        Task("made", Rows(task.develop.x, task.develop.y, np.arange(5)), classes=("a", "b"))


# ── from tables, texts, arrays and folders ──


def test_a_table_by_groups() -> None:
    frame = patients()
    task = gapless.load(frame, target="sick", group="patient", ignore=["when"])
    assert task.confirm is not None
    assert not set(task.develop.group.tolist()) & set(task.confirm.group.tolist())  # pyright: ignore[reportOptionalMemberAccess]
    assert grouped(task.develop.group) + grouped(task.confirm.group) == 40
    assert task.features == ("a", "b", "c")
    assert any("28 groups to develop with, 12 for the verdict" in note for note in task.notes)
    assert "left out" in next(str(one) for one in task.account if one.column == "patient")
    kept = gapless.load(frame, target="sick", group="patient", keep=["patient"], ignore=["when"])
    assert "patient" in kept.features


def test_a_table_by_time() -> None:
    frame = patients(cases=30, rows=4)
    task = gapless.load(frame, target="sick", time="when", ignore=["patient"])
    assert task.confirm is not None
    develop, confirm = task.develop.time, task.confirm.time
    assert develop is not None
    assert confirm is not None
    assert (len(confirm), develop.max() < confirm.min()) == (36, True)
    assert task.features == ("a", "b", "c")
    with pytest.raises(DataError, match="--time patient: the column holds neither dates nor numbers, but 'p0"):
        gapless.load(frame, target="sick", time="patient")


def test_rows_without_a_group_are_left_out_and_listed() -> None:
    frame = patients()
    frame.loc[[3, 5], "patient"] = None
    task = gapless.load(frame, target="sick", group="patient")
    assert [one.reason for one in task.skipped] == ["no value in column 'patient'"] * 2


def test_test_data_has_the_same_groups_by_name() -> None:
    frame = patients()
    names = sorted(frame["patient"].unique())
    first, second = frame[frame["patient"].isin(names[:25])], frame[frame["patient"].isin(names[22:])]
    task = gapless.load(first, target="sick", group="patient", test=second, also={"again": second})
    assert any("3 of the 18 groups (patient) of the test data also stand in" in note for note in task.notes)
    assert grouped(task.also[0][1].group) == 18
    with pytest.raises(DataError, match="must have the columns of the source, 'patient' is missing"):
        gapless.load(first, target="sick", group="patient", test=second.drop(columns="patient"))


def test_columns_that_are_not_there() -> None:
    with pytest.raises(UsageError, match=r"--group patent: .* has no such column\. Did you mean 'patient'"):
        gapless.load(patients(), target="sick", group="patent")
    with pytest.raises(UsageError, match="--group sick: it is the target"):
        gapless.load(patients(), target="sick", group="sick")


def test_texts_and_arrays() -> None:
    frame = patients()
    texts = [f"a text of number {row}" for row in range(len(frame))]
    told = frame.assign(text=texts)[["text", "patient", "sick"]]
    task = gapless.load(told, target="sick", text="text", group="patient")
    assert task.confirm is not None
    assert not np.intersect1d(task.develop.group, task.confirm.group).size  # pyright: ignore
    x, y, group = frame[["a", "b", "c"]].to_numpy(), frame["sick"].to_numpy(dtype=str), frame["patient"].to_numpy()
    for inputs in (x, texts, np.zeros((len(x), 4, 4), np.uint8) + np.arange(len(x))[:, None, None].astype(np.uint8)):
        task = gapless.load(inputs, y, group=group)
        assert task.confirm is not None
        assert grouped(task.develop.group) + grouped(task.confirm.group) == 40
        assert not np.intersect1d(task.develop.group, task.confirm.group).size  # pyright: ignore
    when = frame["when"].to_numpy(dtype="datetime64[s]")
    task = gapless.load(x, y, time=when)
    assert task.confirm is not None
    assert task.develop.time.max() < task.confirm.time.min()  # pyright: ignore
    with pytest.raises(DataError, match="group must have one value a row"):
        gapless.load(x, y, group=group[:5])


def test_a_file_of_arrays(tmp_path: Path) -> None:
    frame = patients()
    y = frame["sick"].to_numpy(dtype=str)
    np.savez(tmp_path / "a.npz", x=frame[["a", "b"]].to_numpy(), y=y, case=frame["patient"].to_numpy(dtype=str))
    task = gapless.load(tmp_path / "a.npz", group="case")
    assert (task.group, grouped(task.develop.group)) == ("case", 28)
    with pytest.raises(DataError, match="has x, y, but no who; --group is for an array one a row"):
        gapless.load(tmp_path / "a.npz", group="who")


def folder_of(root: Path, name: str, cases: int = 20, each: int = 3) -> Path:
    """Pictures of cases in two classes; `name` says where they lie, from case and number."""
    rng = np.random.default_rng(0)
    for case in range(cases):
        for number in range(each):
            place = root / "data" / ("sick" if case % 2 else "well") / name.format(case=case, number=number)
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).save(place)
    return root / "data"


@pytest.mark.parametrize(("by", "name"), [("stem", "p{case:03d}_{number}.png"), ("folder", "p{case:03d}/{number}.png")])
def test_a_folder_by_groups(tmp_path: Path, by: str, name: str) -> None:
    root = folder_of(tmp_path, name)
    task = gapless.load(root, group=by)
    assert task.confirm is not None
    assert (grouped(task.develop.group), grouped(task.confirm.group)) == (10, 10)
    assert not np.intersect1d(task.develop.group, task.confirm.group).size  # pyright: ignore
    noticed = [note for note in gapless.load(root).notes if f"say --group {by}" in note]
    assert len(noticed) == 1
    assert "20 in all, such as" in noticed[0]


def test_files_of_which_nothing_is_known() -> None:
    files = [File(Path(f"data/cat/cat_{i}.png"), f"cat/cat_{i}.png", "cat") for i in range(40)]
    files += [File(Path(f"data/dog/dog_{i}.png"), f"dog/dog_{i}.png", "dog") for i in range(40)]
    assert group_notes(files, 2) == ()
    with pytest.raises(DataError, match=r"cat/cat_0\.png lies in its class folder itself"):
        groups_of(files, "folder", {})
    with pytest.raises(UsageError, match="--group must be folder or stem for files, got 'patient'"):
        groups_of(files, "patient", {})
    assert groups_of(files, None, {}) is None


# ── noticed ──


def said(frame: pd.DataFrame, word: str) -> list[str]:
    return [note for note in gapless.load(frame, target="sick").notes if word in note]


def test_candidates_are_named() -> None:
    frame = patients()
    assert "say --group patient" in said(frame, "--group")[0]
    assert "all of one class" in said(frame, "--group")[0]
    assert "say --time when" in said(frame, "--time")[0]
    given = gapless.load(frame, target="sick", group="patient", time="when")
    assert not [note for note in given.notes if "--group" in note or "--time" in note]


def test_rows_that_are_nearly_equal_are_noticed_under_any_name() -> None:
    frame = patients(cases=30, rows=5).drop(columns=["when", "sick"])
    for column in ("a", "b", "c"):
        frame[column] = frame.groupby("patient")[column].transform("first")
    frame["sick"] = np.where(np.random.default_rng(1).random(len(frame)) < 0.5, "yes", "no")
    frame = frame.rename(columns={"patient": "herd"})
    assert "nearly equal ones" in said(frame, "--group herd")[0]
    frame[["a", "b", "c"]] = np.random.default_rng(2).normal(size=(len(frame), 3))
    assert said(frame, "--group") == []
