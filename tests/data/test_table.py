"""A table file becomes standardised numbers and codes, by what the develop rows hold."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gapless.data import Task
from gapless.data.source import SourceOptions, load
from gapless.data.tables.columns import Numbers, Words, fit


def table(folder: Path, header: str, rows: list[str], name: str = "t.csv") -> Path:
    (folder / name).write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return folder / name


def read(path: Path, **options: object) -> Task:
    return load(str(path), SourceOptions(**options))  # pyright: ignore[reportArgumentType]  # each test its own


def plain(folder: Path, rows: int = 100) -> Path:
    """Two numbers, one column of words, two classes."""
    generator = np.random.default_rng(0)
    numbers = generator.normal([5, 1000], [2, 300], (rows, 2))
    words = generator.choice(["red", "green", "blue"], rows)
    return table(
        folder,
        "small,large,colour,kind",
        [f"{a:.4f},{b:.2f},{c},{'yes' if a > 5 else 'no'}" for (a, b), c in zip(numbers, words, strict=True)],
    )


def column(task: Task, name: str, part: str = "develop") -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    rows = task.develop if part == "develop" else task.confirm
    assert rows is not None
    return rows.x[:, task.features.index(name)]  # pyright: ignore[reportReturnType]


def noted(task: Task, words: str) -> bool:
    return any(words in note for note in task.notes)


def test_the_layout(tmp_path: Path) -> None:
    task = read(plain(tmp_path))
    assert task.confirm is not None
    assert task.name == "t.csv"
    assert task.features == ("small", "large", "colour")
    assert task.categories == (0, 0, 4)
    assert task.classes == ("no", "yes")
    assert (len(task.develop), len(task.confirm)) == (70, 30)
    assert task.develop.x.dtype == np.float32
    assert set(column(task, "colour")) == {1.0, 2.0, 3.0}
    assert task.skipped == ()


def test_rows_keep_their_labels_and_codes(tmp_path: Path) -> None:
    # The number tells the label and the word: whatever is shuffled, they must stay together.
    rows = [f"{i},{'abc'[i % 3]},{'odd' if i % 2 else 'even'}" for i in range(60)]
    task = read(table(tmp_path, "n,letter,kind", rows))
    assert task.confirm is not None
    for part in (task.develop, task.confirm):
        number = np.unique(np.concatenate([task.develop.x[:, 0], task.confirm.x[:, 0]]))
        original = np.searchsorted(number, part.x[:, 0])
        np.testing.assert_array_equal(part.x[:, 1], original % 3 + 1)
        np.testing.assert_array_equal(part.y, original % 2)


def test_numbers_are_standardised_by_the_develop_rows_alone(tmp_path: Path) -> None:
    path = plain(tmp_path)
    task = read(path)
    for name in ("small", "large"):
        assert abs(float(column(task, name).mean())) < 1e-6
        assert abs(float(column(task, name).std()) - 1) < 1e-6
        assert abs(float(column(task, name, "confirm").mean())) > 1e-4
    # Confirm values have no influence: a wild one in a test file leaves the develop rows as they are.
    wild = table(tmp_path, "small,large,colour,kind", ["1e300,5,red,no", "-1e300,6,grey,yes"], "test.csv")
    alone = read(path, test=wild)
    tame = read(path, test=table(tmp_path, "small,large,colour,kind", ["1,5,red,no", "2,6,red,yes"], "tame.csv"))
    np.testing.assert_array_equal(alone.develop.x, tame.develop.x)
    assert column(alone, "small", "confirm").tolist() == [1e6, -1e6]


def test_the_target_is_taken_by_name_or_is_the_last(tmp_path: Path) -> None:
    rows = [f"{i % 7},{i % 2},{i % 3}" for i in range(60)]
    for header, features, note in (
        ("a,Target,c", ("a", "c"), "The target is column 'Target'; --target names another."),
        ("label,b,y", ("b", "y"), "The target is column 'label'; --target names another."),
        ("Y,y,c", ("y", "c"), "The target is column 'Y'; --target names another."),
        ("a,b,c", ("a", "b"), "The target is column 'c', the last one; --target names another."),
    ):
        task = read(table(tmp_path, header, rows))
        assert task.features == features
        assert note in task.notes
    chosen = read(table(tmp_path, "a,b,target", rows), target="a")
    assert chosen.features == ("b", "target")
    assert not noted(chosen, "--target names another")


@pytest.mark.parametrize(
    ("cells", "classes"),
    [
        (["yes", "no"] * 30, ("no", "yes")),
        (["10", "9", "2"] * 20, ("2", "9", "10")),
        (["1.0", "0", "1", "0.0"] * 15, ("0", "1")),
        (["True", "False"] * 30, ("False", "True")),
        ([str(i % 6) for i in range(60)], tuple("012345")),
        (["1", "2", "unknown"] * 20, ("1", "2", "unknown")),
        ([*(["1", "2"] * 50), "other", "other", "other"], ("1", "2", "other")),
        ([str(i % 7) for i in range(60)], ()),
        ([str(i / 2) for i in range(60)], ()),
        ([str(i % 21) for i in range(400)], ()),
        ([str(i % 20) for i in range(400)], tuple(str(i) for i in range(20))),
        (["0.5", "1.5"] * 30, ()),
    ],
)
def test_classes_or_a_quantity(tmp_path: Path, cells: list[str], classes: tuple[str, ...]) -> None:
    task = read(table(tmp_path, "a,y", [f"{i * 0.5},{cell}" for i, cell in enumerate(cells)]))
    assert task.classes == classes
    assert noted(task, "this is a classification" if classes else "this is a regression")
    assert task.judged_by.name == ("accuracy" if classes else "r2")


def test_a_small_table_with_two_whole_numbers_is_a_classification(tmp_path: Path) -> None:
    assert read(table(tmp_path, "a,y", [f"{i},{i % 2}" for i in range(12)])).classes == ("0", "1")


def test_a_regression_keeps_its_units(tmp_path: Path) -> None:
    task = read(table(tmp_path, "a,y", [f"{i},{1000 + i / 4}" for i in range(100)]))
    assert task.confirm is not None
    assert task.develop.y.dtype == np.float32
    together = np.concatenate([task.develop.y, task.confirm.y])
    np.testing.assert_allclose(np.sort(together), 1000 + np.arange(100) / 4)


def test_rows_without_a_target_are_listed(tmp_path: Path) -> None:
    rows = [f"{i},{'' if i in (3, 5) else 'NA' if i == 7 else i % 2}" for i in range(40)]
    task = read(table(tmp_path, "a,y", rows))
    assert task.confirm is not None
    assert len(task.develop) + len(task.confirm) == 37
    assert [(one.where, one.reason) for one in task.skipped] == [
        ("t.csv line 5", "no target: 'y' is ''"),
        ("t.csv line 7", "no target: 'y' is ''"),
        ("t.csv line 9", "no target: 'y' is 'NA'"),
    ]


def test_words_in_the_target_of_a_regression_are_missing(tmp_path: Path) -> None:
    rows = [f"{i},{'broken' if i == 3 else i / 3:}" for i in range(60)]
    task = read(table(tmp_path, "a,y", rows))
    assert task.classes == ()
    assert [one.where for one in task.skipped] == ["t.csv line 5"]


@pytest.mark.parametrize("mark", ["", "NA", "N/A", "NaN", "nan", "null", "None", "?", " ", "  NA "])
def test_missing_numbers_become_the_median_with_an_indicator(tmp_path: Path, mark: str) -> None:
    rows = [f"{mark if i % 10 == 0 else i},{i},{i % 2}" for i in range(100)]
    task = read(table(tmp_path, "a,b,y", rows))
    assert task.confirm is not None
    assert task.features == ("a", "b", "a is missing")
    assert task.categories == (0, 0, 0)
    for part in (task.develop, task.confirm):
        missing = part.x[:, 2] == 1
        assert 0 < missing.sum() < len(part)
        assert set(part.x[:, 2]) == {0.0, 1.0}
        assert len(set(part.x[missing, 0])) == 1
    present = task.develop.x[task.develop.x[:, 2] == 0, 0]
    assert np.isclose(task.develop.x[task.develop.x[:, 2] == 1, 0][0], np.median(present))
    assert abs(float(present.mean())) < 1e-6


def test_a_single_missing_number_needs_no_indicator(tmp_path: Path) -> None:
    rows = [f"{'' if i == 50 else i},{i % 2}" for i in range(300)]
    assert read(table(tmp_path, "a,y", rows)).features == ("a",)


def test_a_few_words_among_numbers_are_missing_and_noted(tmp_path: Path) -> None:
    rows = [f"{'oops' if i in (4, 44) else i},{i % 2}" for i in range(100)]
    task = read(table(tmp_path, "a,y", rows))
    assert task.categories[0] == 0
    assert noted(task, "Column 'a': 2 cells are not numbers, such as 'oops', and taken as missing.")


def test_infinite_cells_are_missing(tmp_path: Path) -> None:
    rows = [f"{'inf' if i == 4 else '-Infinity' if i == 5 else '1_0' if i == 6 else i},{i % 2}" for i in range(100)]
    assert noted(read(table(tmp_path, "a,y", rows)), "3 cells are not numbers, such as 'inf'")


def test_words_and_numbers_mixed_are_categories(tmp_path: Path) -> None:
    rows = [f"{'1st' if i % 4 == 0 else i % 4},{i % 2}" for i in range(100)]
    task = read(table(tmp_path, "a,y", rows))
    assert task.categories == (5,)


def test_missing_and_unknown_words_are_code_zero(tmp_path: Path) -> None:
    path = table(tmp_path, "c,n,y", [f"{['red', 'blue', 'NA'][i % 3]},{i},{i % 2}" for i in range(60)])
    test = table(tmp_path, "y,extra,n,c", ["1,9,4,blue", "0,9,5,pink", "1,9,6,?", "0,9,7,red"], "test.csv")
    task = read(path, test=test)
    assert task.features == ("n", "c")
    assert task.categories == (0, 3)
    assert column(task, "c", "confirm").tolist() == [1.0, 0.0, 0.0, 2.0]
    assert task.confirm is not None and task.confirm.y.tolist() == [1, 0, 1, 0]
    assert noted(task, "test.csv: 1 category of column 'c', such as 'pink', does not stand in the develop rows")


def test_words_that_only_confirm_holds_are_code_zero(tmp_path: Path) -> None:
    rows = [f"{'rare' if i == 13 else 'ab'[i % 2]},{i % 2},{i}" for i in range(50)]
    path = table(tmp_path, "c,y,n", rows)
    for seed in range(20):
        task = read(path, seed=seed, target="y")
        if task.categories == (0, 3):
            assert (column(task, "c", "confirm") == 0).sum() == 1
            break
    else:
        raise AssertionError("no seed put the rare row aside")


def test_constant_and_empty_columns_are_left_out(tmp_path: Path) -> None:
    rows = [f"{i},7,same,,NA,0.1,{i % 2}" for i in range(50)]
    task = read(table(tmp_path, "a,seven,word,empty,na,tenth,y", rows))
    assert task.features == ("a",)
    assert "3 columns 'seven', 'word', 'tenth' left out: constant in the develop rows." in task.notes
    assert "2 columns 'empty', 'na' left out: without a value in the develop rows." in task.notes


def test_a_constant_that_is_sometimes_missing_tells_by_that(tmp_path: Path) -> None:
    rows = [f"{i},{7 if i % 2 else ''},{'x' if i % 2 else ''},{i // 3 % 2}" for i in range(50)]
    task = read(table(tmp_path, "a,seven,word,y", rows))
    assert task.features == ("a", "seven is missing", "word")
    assert task.categories == (0, 0, 2)


@pytest.mark.parametrize("name", ["id", "ID", "index", "customer_id", "PassengerId", "", "Unnamed: 0"])
@pytest.mark.parametrize("step", [1, -3])
def test_identifiers_are_left_out(tmp_path: Path, name: str, step: int) -> None:
    rows = [f"{500 + step * i},{i * 7 % 50},{i % 2}" for i in range(60)]
    task = read(table(tmp_path, f"{name},b,y", rows))
    assert task.features == ("b",)
    assert noted(task, f"Column {name or 'column 1'!r} left out: it numbers the rows.")


@pytest.mark.parametrize(
    ("name", "cells"), [("years", "unsorted"), ("size", "sorted"), ("id", "halves"), ("solid", "sorted")]
)
def test_what_is_no_identifier(tmp_path: Path, name: str, cells: str) -> None:
    value = {"unsorted": lambda i: i * 7 % 60, "sorted": lambda i: i, "halves": lambda i: i / 2}[cells]
    rows = [f"{value(i)},{i * 7 % 50},{i % 2}" for i in range(60)]
    assert read(table(tmp_path, f"{name},b,y", rows)).features == (name, "b")


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_decimal_commas(tmp_path: Path, separator: str) -> None:
    rows = [separator.join([f"{i / 4:.2f}".replace(".", ","), f"{i},5", str(i % 2)]) for i in range(80)]
    task = read(table(tmp_path, separator.join("aby"), rows))
    assert task.categories == (0, 0)
    assert noted(task, "Column 'a' is read with decimal commas.")
    assert len(set(column(task, "a"))) == 56


def test_a_point_among_decimal_commas_is_no_number(tmp_path: Path) -> None:
    rows = [f"{i},5\t{i % 2}" for i in range(80)] + ["2.5\t1"]
    task = read(table(tmp_path, "a\ty", rows))
    assert noted(task, "Column 'a' is read with decimal commas.")
    assert noted(task, "Column 'a': 1 cell is not numbers, such as '2.5', and taken as missing.")


def test_thousands_are_not_read_as_decimals(tmp_path: Path) -> None:
    rows = [f"{i * 1237 + 1000:,}\t{i % 2}" for i in range(80)]
    task = read(table(tmp_path, "a\ty", rows))
    assert noted(task, "Column 'a' is read with thousands grouped by commas.")
    assert task.confirm is not None
    z = np.sort(np.concatenate([column(task, "a"), column(task, "a", "confirm")]))
    np.testing.assert_allclose(np.diff(z), np.diff(z)[0], rtol=1e-4)  # evenly spaced, as written


def test_train_size_and_test_file(tmp_path: Path) -> None:
    path = plain(tmp_path)
    task = read(path, train_size=20)
    assert task.confirm is not None
    assert (len(task.develop), len(task.confirm)) == (20, 80)
    assert abs(float(column(task, "small").mean())) < 1e-6
    task = read(path, train_size=20, test=path)
    assert task.confirm is not None
    assert (len(task.develop), len(task.confirm)) == (20, 100)
    assert noted(task, "20 of the 100 confirm rows also stand in the develop rows")


def test_seeds(tmp_path: Path) -> None:
    path = plain(tmp_path)
    first, again, other = (read(path, seed=seed).develop.x for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_tsv_and_an_upper_case_ending(tmp_path: Path) -> None:
    rows = [f"{i}\t{i % 2}" for i in range(40)]
    assert read(table(tmp_path, "a\ty", rows, "t.TSV")).features == ("a",)


finite = st.floats(allow_nan=False, allow_infinity=False)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.one_of(finite, st.just(float("nan"))), min_size=4, max_size=60), st.data())
def test_any_numbers_are_encoded_finite_and_standardised(values: list[float], data: st.DataObject) -> None:
    chosen = data.draw(st.integers(2, len(values)))
    numbers = Numbers("a", np.array(values))
    words = Words("w", np.arange(len(values)) % 2, ("x", "y"))
    encoder = fit([numbers, words], np.arange(chosen), "here")
    x = encoder.encode({"a": numbers, "w": words}, np.arange(len(values)))
    assert x.shape == (len(values), len(encoder.features)) == (len(values), len(encoder.categories))
    assert np.isfinite(x).all()
    present = ~np.isnan(values[:chosen])
    if "a" in encoder.features:
        z = x[:chosen, 0][present].astype(np.float64)
        assert abs(z.mean()) < 1e-4
        assert abs(z.std() - 1) < 1e-3


def test_a_row_is_decoded_to_what_its_columns_held() -> None:
    values = np.array([1.5, -2000.0, 7.25, np.nan, 3.0, 0.0, 12.0, 5.0])
    words = Words("w", np.array([0, 1, 2, 0, -1, 1, 2, 0]), ("x", "y", "z"))
    encoder = fit([Numbers("a", values), words], np.arange(len(values)), "here")
    x = encoder.encode({"a": Numbers("a", values), "w": words}, np.arange(len(values)))
    rows = [encoder.decode(row) for row in x]
    assert [row["w"] for row in rows] == ["x", "y", "z", "x", None, "y", "z", "x"]
    assert rows[3]["a"] is None, "a missing value is marked in a column of its own"
    assert [rows[i]["a"] for i in (0, 1, 2, 4)] == pytest.approx([1.5, -2000.0, 7.25, 3.0], abs=1e-3)
