"""The page of a diagnosis: complete, safe, and it shows the rows to look at."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from report_dom import parse
from small_tasks import pictures, table, texts

from gapless.diagnose.diagnosis import Diagnosis
from gapless.diagnose.finding import Absent, Finding, Reference, Suspect
from gapless.evidence.result import Interval
from gapless.recipe.shipped import preset
from gapless.report.pages.diagnosis import page, write

REFERENCE = Reference(30, 0.003, 0.99, Interval(0.85, 0.8, 0.9), chosen=True)


def finding(cause: str, effect: float, suspects: tuple[Suspect, ...] = ()) -> Finding:
    interval = Interval(effect, effect - 0.02, effect + 0.02)
    return Finding(cause, 0, f"what {cause}", interval, 0.001, f"do {cause}", f"refute {cause}", suspects=suspects)


def diagnosis(*standing: Finding, task: str = "wards", metric: str = "accuracy") -> Diagnosis:
    others = (finding("imbalance", 0.001), replace(finding("leaky column", 0.0), effect=Interval(0.0, 0.0, 0.0)))
    absent = (Absent("rivals", "there was no time for quick models"),)
    return Diagnosis(task, metric, 90, REFERENCE, standing, others, absent, 55, 61.0, 0)


def test_all_that_was_found_stands_on_the_page(tmp_path: Path) -> None:
    first = replace(finding("groups", 0.4), recipe=preset("table", "light"))
    place = write(tmp_path, diagnosis(first, finding("gap", 0.03)))
    shown = place.read_text()
    words = parse(shown).text
    for said in ("Groups: grave", "What is wrong (grave): what groups", "do groups", "refute gap", "2. Gap (moderate)"):
        assert said in words
    assert "rivals: there was no time for quick models" in words
    assert "nothing seen" in words
    assert preset("table", "light").to_toml().splitlines()[-1] in words
    assert shown.count("<svg") == 1
    assert shown == page(diagnosis(first, finding("gap", 0.03)))  # the same bytes


def test_a_healthy_set_has_a_page_too() -> None:
    words = parse(page(diagnosis())).text
    assert "Nothing found" in words
    assert "What is wrong" not in words


def test_rows_to_look_at_are_shown_as_what_they_are() -> None:
    suspects = (Suspect(3, "a", "b", "looks wrong"), Suspect(5, "b", "a", "looks wrong"))
    wrong = diagnosis(finding("wrong labels", 0.1, suspects))
    assert page(wrong, pictures(40)).count("data:image/png;base64,") == 2
    said = texts(40)
    assert said.develop.x[3] in parse(page(wrong, said)).text
    numbers = table(40)
    assert f"one {numbers.develop.x[3, 0]:.4g}" in parse(page(wrong, numbers)).text
    many = diagnosis(finding("wrong labels", 0.1, suspects * 30))
    assert "the first 40 of 60" in parse(page(many)).text


def test_foreign_words_stay_words() -> None:
    evil = "<script>alert(1)</script>\u202e"
    suspect = (Suspect(0, evil, evil, evil),)
    task = texts(40)
    rows = replace(task.develop, x=np.array([evil, *task.develop.x[1:]], dtype=object))
    found = replace(finding("wrong labels", 0.1, suspect), what=evil, do=evil, refute=evil)
    shown = page(diagnosis(found, task=evil), replace(task, develop=rows))
    assert "<script>alert" not in shown
    assert "\u202e" not in shown
    assert "default-src &#39;none&#39;" in shown


def test_a_regression_counts_in_variances() -> None:
    words = parse(page(diagnosis(finding("gap", 0.123), metric="r2"))).text
    assert "0.123" in words
    assert "effect (variances)" in words
