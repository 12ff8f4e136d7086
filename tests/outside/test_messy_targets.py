"""Targets as people have them, and what is noticed about the rows before anything is trained."""

import random
from pathlib import Path

import pytest
from messy import ROWS, noted, read, table

from gapless.errors import DataError, UsageError

# ── targets ──


def test_a_rare_class_is_left_out(tmp_path: Path) -> None:
    rows = [f"{i},{'yes' if i % 2 else 'no'}" for i in range(598)] + ["1,rare598", "2,rare599"]
    task = read(table(tmp_path, "a,y", rows))
    assert task.classes == ("no", "yes")
    assert noted(task, "Left out: 'rare598', 'rare599', with a single row each")
    assert [one.reason for one in task.skipped] == [f"the only row of class 'rare{n}'" for n in (598, 599)]
    test = table(tmp_path, "a,y", ["1,yes", "2,rare599"], "test.csv")
    confirm = read(tmp_path / "t.csv", test=test).confirm
    assert confirm is not None and len(confirm) == 1


def test_labels_that_differ_only_by_case_are_asked_about(tmp_path: Path) -> None:
    path = table(tmp_path, "a,y", [f"{i},{['yes', 'no', 'yes', 'Yes '][i % 4]}" for i in range(ROWS)])
    apart = read(path)
    assert apart.classes == ("Yes", "no", "yes")
    assert noted(apart, "differ only by case or space: 'Yes', 'yes'", "--fold-case")
    test = table(tmp_path, "a,y", ["1,YES", "2,no"], "test.csv")
    folded = read(path, fold_case=True, test=test)
    assert folded.classes == ("no", "yes")
    assert folded.confirm is not None and folded.confirm.y.tolist() == [1, 0]


@pytest.mark.parametrize("separator", ["|", ";"])
def test_several_labels_in_a_cell_are_refused_with_what_to_do(tmp_path: Path, separator: str) -> None:
    draw = random.Random(3)
    tags = ["sport", "music", "film", "art", "news"]
    rows = [f"{i},{separator.join(sorted(draw.sample(tags, draw.randint(1, 3))))}" for i in range(ROWS)]
    with pytest.raises(DataError, match=r"hold several labels each, .* \(5 labels in \d+ combinations\).*--target"):
        read(table(tmp_path, "a,tags", rows))
    with pytest.raises(
        UsageError, match="--task must be classification or regression, got 'multi-label'; gapless trains"
    ):
        read(tmp_path / "t.csv", task="multi-label")


def test_names_with_commas_are_one_label(tmp_path: Path) -> None:
    rows = [f'{i},"{["Smith, John", "Smith, Anna", "Lee, Bo"][i % 3]}"' for i in range(60)]
    assert len(read(table(tmp_path, "a,who", rows)).classes) == 3


def test_flags_before_the_last_one_may_be_labels(tmp_path: Path) -> None:
    draw = random.Random(4)
    rows = [f"{i / 2},{draw.randint(0, 1)},{draw.randint(0, 1)},{draw.randint(0, 1)}" for i in range(ROWS)]
    assert noted(read(table(tmp_path, "a,sport,music,film", rows)), "'sport', 'music' hold 0 and 1", "--ignore")


def test_the_task_can_be_said(tmp_path: Path) -> None:
    path = table(tmp_path, "a,rooms", [f"{i / 2},{1 + i % 8}" for i in range(ROWS)])
    assert len(read(path).classes) == 8
    assert read(path, task="regression").classes == ()
    path = table(tmp_path, "a,age", [f"{i / 2},{18 + i % 63}" for i in range(ROWS)])
    assert read(path).classes == ()
    assert len(read(path, task="classification").classes) == 63
    with pytest.raises(DataError, match="holds words such as 'p', so it cannot be a regression"):
        read(table(tmp_path, "a,y", [f"{i},{'pq'[i % 2]}" for i in range(60)]), task="regression")


def test_the_guess_passes_over_what_cannot_be_predicted(tmp_path: Path) -> None:
    rows = [f"{i % 9},{'pq'[i % 2]},2020-01-{1 + i % 28:02d},note {i}" for i in range(60)]
    task = read(table(tmp_path, "a,kind,day,remark", rows))
    assert noted(task, "The target is column 'kind', the last one that can be predicted; --target names another.")


# ── what is noticed before anything is trained ──


def test_rows_that_belong_together(tmp_path: Path) -> None:
    draw = random.Random(5)
    coin = [draw.randint(0, 1) for _ in range(60)]
    rows = [f"{i // 10},{draw.random():.3f},{coin[i // 10]}" for i in range(ROWS)]
    task = read(table(tmp_path, "patient,x,diagnosis", rows))
    assert noted(task, "Column 'patient' has 60 values with 10.0 rows each, all of one class", "--group patient")
    words = [f"p{i // 10},{draw.random():.3f},{coin[i // 10]}" for i in range(ROWS)]
    assert noted(read(table(tmp_path, "who,x,diagnosis", words)), "Column 'who' has 60 values with 10.0 rows each")
    fair = [f"{'abcdefgh'[i % 8]},{draw.random():.3f},{draw.randint(0, 1)}" for i in range(ROWS)]
    assert not noted(read(table(tmp_path, "letter,x,diagnosis", fair)), "rows each")


def test_order_in_time(tmp_path: Path) -> None:
    rows = [f"2020-{1 + i // 28:02d}-{1 + i % 28:02d},{i * 7 % 13},{i // 3 % 2}" for i in range(200)]
    assert noted(read(table(tmp_path, "day,x,y", rows)), "in the order of time ('day')", "say --time day")
    assert not noted(read(table(tmp_path, "day,x,y", rows[::2] + rows[1::2])), "order of time")


def test_the_guess_passes_over_what_is_mostly_empty(tmp_path: Path) -> None:
    rows = [f"{i % 9},{'pq'[i % 2]},{'x' if i % 3 == 0 else ''}" for i in range(60)]
    assert noted(read(table(tmp_path, "a,kind,remark", rows)), "The target is column 'kind', the last one that can be")


def test_imbalance(tmp_path: Path) -> None:
    rows = [f"{i / 2},{i * 7 % 13},{int(i % 60 == 0)}" for i in range(ROWS)]
    assert noted(read(table(tmp_path, "a,b,fraud", rows)), "98.3 % of the rows are of class '0': who always answers it")
    assert not noted(read(table(tmp_path, "a,b,fraud", [f"{i},{i % 7},{i % 3 % 2}" for i in range(ROWS)])), "always")


@pytest.mark.parametrize("kind", ["word", "number", "quantity"])
def test_a_column_that_is_the_target(tmp_path: Path, kind: str) -> None:
    draw = random.Random(6)
    y = [draw.random() if kind == "quantity" else draw.randint(0, 1) for _ in range(ROWS)]
    told = {
        "word": lambda v: "ab"[int(v)],
        "number": lambda v: v * 10 + draw.random(),
        "quantity": lambda v: 3 * v + 1,
    }[kind]
    rows = [f"{draw.random():.4f},{told(v)},{v}" for v in y]
    task = read(table(tmp_path, "a,copy,y", rows))
    assert noted(task, "Column 'copy' alone", "is it known when a prediction is wanted? --ignore leaves it out.")
    assert not noted(task, "Column 'a' alone")
