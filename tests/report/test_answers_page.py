"""Class by class, and row by row: what the page says of it, and of runs that kept no answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from report_contents import by_class, by_size, digits, page_of, plain_won, regression, with_result
from report_dom import Node, parse

from gapless.data import Rows, Task
from gapless.evidence.result import Interval, Recall, Turned, TurnedRow
from gapless.report.answers.rows import shown_rows
from gapless.report.html import render


def section(html: str) -> Node:
    return parse(html).one("section", id="answers")


def cells(table: Node) -> list[list[str]]:
    rows = table.one("tbody").all("tr")
    return [[c.words for c in row.children if isinstance(c, Node)] for row in rows]


def test_the_classes_that_gained_are_named() -> None:
    page = section(page_of(by_class))
    assert page.one("h2").words == "Which classes gained"
    said = [p.words for p in page.all("p")]
    assert said[0].startswith("Always answering the commonest class of the training pictures gets 10.2")
    assert said[1] == (
        "1 class gained: 3; of 1 class the change may be chance; 1 class has too few pictures to say. Gained and lost "
        "count that all were asked at once (Bonferroni)."
    )
    rows = cells(page.one("table", id="class-table"))
    assert [row[0] for row in rows] == ["3", "5", "8"]
    assert rows[0][2:6] == ["75.0 (70.0 to 80.0)", "90.0 (80.0 to 95.0)", "+15.0 (10.0 to 20.0)", "gained"]
    assert rows[2][4:7] == ["", "too few to say", ""], "no change and no precision where there is none to give"
    assert cells(page.one("table", id="confusion-table"))[0] == ["3", "5", "16.4", "2.0"]


def test_rows_that_turned_are_shown_both_ways() -> None:
    page = section(page_of(by_class))
    assert [h.words for h in page.all("h3")][1:] == [
        "Pictures that turned",
        "Wrong before, right after",
        "Right before, wrong after",
    ]
    assert len(page.all("img")) == 3
    captions = [span.words for ul in page.all("ul") for span in ul.all("span")]
    assert captions[0] == "is 3; before 5 (20% right), after 3"
    assert captions[2] == "is 5; before 5 (80% right), after 8 (40% right)"
    assert "175 were wrong before and are right after, 16 the other way round" in page.words


def test_a_regression_has_errors_by_the_size_of_its_target() -> None:
    page = section(page_of(by_size))
    assert page.one("h2").words == "Where the errors are"
    assert cells(page.one("table"))[1] == [
        "180,000 to 600,000",
        "41",
        "64,000",
        "40,000",
        "24,000 (12,000 to 36,000)",
        "−51,000",
        "−9,000",
    ]
    assert "furthest off where the target is 180,000 to 600,000: 64,000 on average, 76% of the whole" in page.words
    assert "The best recipe is closer where the target is 180,000 to 600,000." in page.words
    assert "rooms 5, town 'Aa', age missing" in page.words
    assert "is 512,000; before 298,000, after 470,500" in page.words


def test_runs_of_before_say_that_answers_were_not_kept() -> None:
    for make, row in ((digits, "picture"), (regression, "row")):
        page = section(page_of(make))
        assert f"What the models answered to each {row} was not kept" in page.words
        assert not page.all("table")


def test_where_the_plain_model_won_there_is_no_after() -> None:
    share = Interval(0.9, 0.8, 0.95)
    page = section(render(with_result(plain_won(), recalls=(Recall("3", 168, share, share, None, "unknown", share),))))
    assert page.one("h2").words == "Class by class"
    assert [h.words for h in page.one("table").all("th")] == ["class", "pictures", "recall", "precision", "3"]


def test_a_row_of_a_table_is_shown_by_its_columns() -> None:
    x = np.arange(16, dtype=np.float32).reshape(2, 8)
    task = Task("t", Rows(x, np.array([0, 1])), Rows(x, np.array([0, 1])), ("no", "yes"), features=tuple("abcdefgh"))
    row = TurnedRow(1, "yes", "no", "yes", 0.0, 1.0)
    shown = shown_rows(task, Turned(1, 0, 1, 0, (row,), ()))
    assert shown is not None
    assert shown.better[0].text == "a 8, b 9, c 10, d 11, e 12, f 13, and 2 more columns"
    texts = np.array(["fine\nfilm" * 80, "bad"], dtype=object)
    words = Task("t", Rows(texts, np.array([0, 1])), Rows(texts, np.array([0, 1])), ("no", "yes"))
    shown = shown_rows(words, Turned(0, 1, 1, 0, (), (replace(row, row=0),)))
    assert shown is not None and len(shown.worse[0].text) == 300 and "\n" not in shown.worse[0].text
    assert shown_rows(task, None) is None
