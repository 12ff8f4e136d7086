"""Numbers and foreign words as they are written."""

import math
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_contents import digits, regression, with_result

from gapless.evidence.result import Interval, MetricFacts
from gapless.report.figures import Figures, count, duration, one_line, rate, visible

PERCENT = Figures("accuracy", digits=1)
PLAIN = Figures("r2", digits=3)


def test_accuracy_is_per_cent_and_points():
    assert PERCENT.score(0.9547) == "95.5 %"
    assert PERCENT.change(0.081) == "+8.1 points"
    assert PERCENT.change(-0.0123) == "-1.2 points"
    assert PERCENT.size(0.126) == "12.6 points"
    assert PERCENT.span(Interval(0.081, 0.06, 0.102)) == "6.0 to 10.2"
    assert PERCENT.span(Interval(0.004, -0.009, 0.017)) == "-0.9 to 1.7"


def test_r2_is_a_plain_number():
    assert PLAIN.score(0.8231) == "0.823"
    assert PLAIN.score(-3.5) == "-3.500"
    assert PLAIN.change(0.0821) == "+0.082 in r2"


@pytest.mark.parametrize("value", [0.0, -0.0, 1e-9, -1e-9, 0.0004, -0.0004])
def test_what_rounds_to_nothing_has_no_sign(value: float):
    assert PERCENT.change(value) == "0.0 points"
    assert PERCENT.bare(value) == "0.0"


def test_what_is_not_a_number_is_said_in_words():
    assert PERCENT.bare(math.nan) == "unknown"
    assert PERCENT.bare(math.inf) == "infinity"
    assert PERCENT.bare(-math.inf) == "-infinity"


@given(st.floats(-2, 2))
def test_the_written_number_is_the_number(value: float):
    assert float(PERCENT.bare(value)) == pytest.approx(100 * value, abs=0.0501)
    assert float(PLAIN.bare(value)) == pytest.approx(value, abs=0.000501)


def test_an_end_above_zero_never_reads_as_zero():
    """A verdict `improved` must not stand beside an interval that seems to hold zero."""
    for low, expected in ((0.02, "2.0"), (0.0004, "0.04"), (0.00004, "0.004")):
        f = Figures.of(with_result(digits(), gain=Interval(0.05, low, 0.1)).result)
        assert f.bare(low) == expected


def test_digits_stop_somewhere():
    assert Figures.of(with_result(digits(), gain=Interval(1e-9, -1e-9, 2e-9)).result).digits == 3
    assert Figures.of(with_result(regression(), gain=Interval(1e-9, -1e-9, 2e-9)).result).digits == 5
    assert Figures.of(with_result(digits(), gain=Interval(0.0, 0.0, 0.0)).result).digits == 1
    assert Figures.of(with_result(digits(), gain=Interval(0.1, -math.inf, math.inf)).result).digits == 1


@pytest.mark.parametrize(
    ("number", "noun", "words"),
    [
        (1647, "pictures", "1,647 pictures"),
        (1, "pictures", "1 picture"),
        (1, "classes", "1 class"),
        (0, "rows", "0 rows"),
        (1, "training pictures", "1 training picture"),
    ],
)
def test_count(number: int, noun: str, words: str):
    assert count(number, noun) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (8.44, "8.4 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 0 s"),
        (112, "1 min 52 s"),
        (3599.7, "1 h 0 min"),
        (7500, "2 h 5 min"),
    ],
)
def test_duration(seconds: float, words: str):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("lr", "words"),
    [(0.001, "0.001"), (0.0031623, "0.00316"), (1e-5, "0.00001"), (0.1, "0.1"), (1.0, "1"), (10.0, "10"), (150, "150")],
)
def test_rate(lr: float, words: str):
    assert rate(lr) == words


@given(st.floats(1e-6, 900))
def test_rate_is_near(lr: float):
    assert float(rate(lr)) == pytest.approx(lr, rel=0.0051)


@given(st.text(st.characters()))
def test_visible_text_can_be_shown_anywhere(text: str):
    shown = visible(text)
    shown.encode("utf-8")
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"]
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")
    assert visible(shown) == shown


def test_hidden_characters_become_their_names():
    assert visible("a\x1b[31mb") == "a\\x1b[31mb"
    assert visible("cat\u202egnp.exe") == "cat\\u202egnp.exe"
    assert visible("broken\udcff.png") == "broken\\udcff.png"
    assert visible("Größe 大きさ 🐈") == "Größe 大きさ 🐈"


def test_one_line():
    assert one_line("a\n  b\t\tc\r\nd") == "a b c d"
    assert one_line("x" * 300, 200) == "x" * 199 + "…"
    assert one_line("x" * 200, 200) == "x" * 200


def test_an_error_is_written_as_people_know_it():
    """Within gapless it is below zero; a difference says how much less there is."""
    f = Figures("mae", digits=1)
    assert f.score(-12.34) == f.points(-12.34) == "12.3"
    assert f.score(0.0) == f.score(-0.0) == "0.0"
    assert f.change(1.25) == "1.2 less mae"
    assert f.change(-0.3) == "-0.3 less mae"
    assert f.size(0.8) == "0.8 in mae"
    assert f.axis == ", minus mae"


def test_errors_have_the_digits_of_their_interval():
    """Prices in the hundred thousands, or millimetres in metres: two digits of the half width."""
    result = replace(with_result(regression()).result, metric=MetricFacts("rmse", False))
    for half, digits_shown in ((2500.0, 0), (31.0, 0), (0.4, 2), (0.0021, 4), (0.0, 3)):
        assert Figures.of(replace(result, gain=Interval(0.0, -half, half))).digits == digits_shown
