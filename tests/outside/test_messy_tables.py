"""Small tables as people have them: each is loaded without an option, and what was made of it is told."""

import random
from pathlib import Path

import numpy as np
import pytest
from messy import ROWS, made, noted, read, table, values

from gapless.errors import DataError, UsageError

# ── columns that nothing can be learned from ──


@pytest.fixture(scope="module")
def customers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As every company has it: an id, a name, a date, a city."""
    draw = random.Random(0)
    rows = [
        f'C-{10000 + i},"Smith, Mr {draw.choice("ABC")}{i}",20{10 + i % 10}-{1 + i % 12:02d}-{1 + i % 28:02d}'
        f"T11:00:00Z,"
        f"City{draw.randint(0, 40)},{draw.choice(['basic', 'plus'])},{draw.random():.2f},{draw.choice(['yes', 'no'])}"
        for i in range(ROWS)
    ]
    folder = tmp_path_factory.mktemp("customers")
    return table(folder, "customer_id,name,signup_date,city,plan,tenure,churn", rows)


def test_ids_and_names_are_left_out_dates_and_cities_are_used(customers: Path) -> None:
    task = read(customers)
    assert made(task) == {
        "customer_id": ("identifier", "left out"),
        "name": ("identifier", "left out"),
        "signup_date": ("date", "elapsed days, year, month, weekday"),
        "city": ("category", made(task)["city"][1]),
        "plan": ("category", "2 categories"),
        "tenure": ("number", "a number"),
        "churn": ("target", "2 classes"),
    }
    assert noted(task, "'customer_id', 'name' left out", "--keep COLUMN keeps one")
    assert task.features[:3] == ("signup_date (days)", "signup_date (year)", "tenure")


def test_ignore_and_keep(customers: Path) -> None:
    task = read(customers, ignore=("tenure",), keep=("name",))
    assert made(task)["tenure"] == ("identifier", "left out")
    assert made(task)["name"][1].startswith("the tf-idf of ")
    assert any(feature.startswith("name: ") for feature in task.features)
    for options, message in (
        ({"ignore": ("tenur",)}, r"--ignore tenur: .* has no such column\. Did you mean 'tenure'\?"),
        ({"keep": ("churn",), "target": "churn"}, "--keep churn: it is the target"),
        ({"keep": ("city",), "ignore": ("city",)}, "--ignore and --keep both name city"),
    ):
        with pytest.raises(UsageError, match=message):
            read(customers, **options)


def test_test_rows_need_only_what_is_used(customers: Path, tmp_path: Path) -> None:
    test = table(
        tmp_path,
        "churn,tenure,plan,city,signup_date",
        ["yes,0.5,basic,City1,2012-01-01T11:00:00Z", "no,0.5,plus,Nowhere,2013-01-01"],
    )
    task = read(customers, test=test)
    assert task.confirm is not None and task.confirm.x.shape == (2, len(task.features))


@pytest.mark.parametrize("name", ["customer_id", "phone", "PassengerId", "ticket_no", "SSN"])
def test_numbers_that_name_cases_are_left_out_whatever_their_order(tmp_path: Path, name: str) -> None:
    numbers = list(range(100_000, 100_000 + ROWS))
    random.Random(1).shuffle(numbers)
    task = read(table(tmp_path, f"{name},x,y", [f"{n},{n % 7},{n % 2}" for n in numbers]))
    assert task.features == ("x",)
    assert made(task)[name] == ("identifier", "left out")
    assert read(tmp_path / "t.csv", keep=(name,)).features == (name, "x")


def test_postcodes_are_codes(tmp_path: Path) -> None:
    task = read(table(tmp_path, "zip,x,y", [f"{[10115, 20095, 80331][i % 3]},{i % 7},{i % 2}" for i in range(ROWS)]))
    assert made(task)["zip"] == ("category", "3 categories")


def test_a_table_of_identifiers_alone_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no column is left to learn from; 'customer': .*; --keep COLUMN keeps one"):
        read(table(tmp_path, "customer,y", [f"C-{i},{i % 2}" for i in range(60)]))


def test_text_among_other_columns_is_counted_in_words(tmp_path: Path) -> None:
    draw = random.Random(2)
    rows = [
        f"{i % 50},the {draw.choice(['food', 'room'])} was {draw.choice(['good', 'bad'])} and we went home {i},{i % 2}"
        for i in range(ROWS)
    ]
    task = read(table(tmp_path, "n,comment,y", rows))
    assert made(task)["comment"] == ("text", f"the tf-idf of {len(task.features) - 1} of its words")
    assert {"comment: 'good'", "comment: 'room'"} <= set(task.features)
    block = task.develop.x[:, 1:]
    assert abs(float(np.sqrt((block**2).mean())) - 1) < 1e-5
    test = table(tmp_path, "y,n,comment", ["1,3,", "0,4,good good"], "test.csv")
    confirm = read(tmp_path / "t.csv", test=test).confirm
    assert confirm is not None and not confirm.x[0, 1:].any() and confirm.x[1, 1:].any()


# ── dates ──


@pytest.mark.parametrize(
    ("first", "second", "noted_as"),
    [
        ("2013-01-31T11:00:00Z", "2013-07-01T11:00:00Z", ""),
        ("2013-01-31", "2013-07-01", ""),
        ("31.01.2013", "01.07.2013", ""),
        ("31.1.13", "1.7.13", ""),
        ("1/31/2013", "7/1/2013", ""),
        ("31/01/2013", "01/07/2013", ""),
        ("01/02/2013", "07/01/2013", "month/day/2024, which could be day/month/2024 as well"),
        ("31 Jan 2013", "1 Jul 2013", ""),
        ("January 31, 2013", "July 1, 2013", ""),
        ("31-Jan-13 14:30", "01-Jul-13 09:00", ""),
        ("1/31/2013 2:30 PM", "7/1/2013 9:00 AM", ""),
        ("Jan-13", "Jul-13", ""),
        ("2013/01/31 14:30:00", "2013/07/01 09:00:00", ""),
    ],
)
def test_dates_as_they_are_written(tmp_path: Path, first: str, second: str, noted_as: str) -> None:
    rows = [f'"{second if i % 3 else first}",{i % 7},{i % 2}' for i in range(60)]
    task = read(table(tmp_path, "when,n,y", rows))
    assert made(task)["when"][0] == "date"
    months = task.develop.x[:, task.features.index("when (month)")]
    assert set(months) == {1.0, 2.0}  # January and July, told apart
    assert noted(task, noted_as) or not noted_as
    clocked = ("14:30" in first and "09:00" in second) or "PM" in first
    assert ("when (hour)" in task.features) == clocked


def test_days_elapse_and_times_of_the_day_are_hours(tmp_path: Path) -> None:
    rows = [f"2020-01-{1 + i % 3:02d},{10 + i % 2}:30,{i // 2 % 2}" for i in range(60)]
    task = read(table(tmp_path, "when,clock,y", rows))
    assert values(task, "when (days)") == pytest.approx([0, 0.5, 1], abs=1e-3)
    assert made(task)["clock"] == ("time of day", "a number")


def test_words_and_versions_are_no_dates(tmp_path: Path) -> None:
    rows = [f"may,1.2.{i % 3},{'12-b' if i % 2 else '7-a'},{i % 2}" for i in range(60)]
    task = read(table(tmp_path, "word,version,flat,y", rows))
    assert {made(task)[name][0] for name in ("version", "flat")} == {"category"}


# ── numbers as people write them ──


@pytest.mark.parametrize(
    "cells",
    [
        ("1.002,30", "2.004,60", "1.503,45"),
        ("1,002.30", "2,004.60", "1,503.45"),
        ("10,16 €", "20,32 €", "15,24 €"),
        ("12.5%", "25.0%", "18.75%"),
        ("12.5 %", "25 %", "18.75 %"),
        ("$1,114", "$2,228", "$1,671"),
        ("USD 11.5", "USD 23", "USD 17.25"),
        ("1 234", "2 468", "1 851"),
        ("1'234.00", "2'468.00", "1'851.00"),
        ("170 cm", "340 cm", "255 cm"),
        ("(300)", "(100)", "(200)"),
        ("−3,5", "-1,5", "-2,5"),
    ],
)
def test_numbers_as_people_write_them(tmp_path: Path, cells: tuple[str, str, str]) -> None:
    rows = [f"{cells[i % 3]};{i % 7};{i % 2}" for i in range(90)]
    task = read(table(tmp_path, "a;n;y", rows))
    assert made(task)["a"] == ("number", "a number")
    assert values(task, "a") == pytest.approx([0, 0.5, 1], abs=1e-3)
    assert noted(task, "Column 'a' is read with") or cells[0] == "(300)"


def test_prices_to_predict_are_a_quantity(tmp_path: Path) -> None:
    task = read(table(tmp_path, "a,price", [f'{i % 7},"${1000 + 37 * i:,}"' for i in range(ROWS)]))
    assert task.classes == ()
    assert task.confirm is not None
    both = np.sort(np.concatenate([task.develop.y, task.confirm.y]))
    np.testing.assert_allclose(both, 1000 + 37 * np.arange(ROWS))
    assert noted(task, "thousands grouped by commas and the unit '$'")


@pytest.mark.parametrize(
    "cells", [("1st", "2nd", "3rd"), ("12A", "12B", "7C"), ("5 kg", "300 g", "2 kg"), ("1.2.3", "1.2.4", "2.0.0")]
)
def test_what_only_looks_like_numbers(tmp_path: Path, cells: tuple[str, str, str]) -> None:
    task = read(table(tmp_path, "a;n;y", [f"{cells[i % 3]};{i % 7};{i % 2}" for i in range(90)]))
    assert made(task)["a"] == ("category", "3 categories")


# ── missing values ──


@pytest.mark.parametrize("mark", ["-", ".", "missing", "unknown", "n.a.", "Nan", "#VALUE!"])
def test_marks_among_numbers_are_no_values(tmp_path: Path, mark: str) -> None:
    task = read(table(tmp_path, "a,y", [f"{mark if i % 7 == 0 else i},{i % 2}" for i in range(ROWS)]))
    assert made(task)["a"] == ("number", "a number, whether it is missing")


def test_marks_among_words_are_words(tmp_path: Path) -> None:
    task = read(table(tmp_path, "a,n,y", [f"{'+-'[i % 2]},{i % 9},{i // 2 % 2}" for i in range(60)]))
    assert made(task)["a"] == ("category", "2 categories")


def test_sentinels_are_noticed_and_missing_takes_them_out(tmp_path: Path) -> None:
    path = table(tmp_path, "a,y", [f"{'-999.0' if i % 5 == 0 else i % 40},{i % 2}" for i in range(ROWS)])
    assert noted(read(path), "-999 stands 120 times", "--missing=-999")
    assert made(read(path, missing=("-999",)))["a"] == ("number", "a number, whether it is missing")
    fine = read(table(tmp_path, "a,y", [f"{i * 2 - 1000},{i % 2}" for i in range(ROWS)]))
    assert not noted(fine, "stands")
