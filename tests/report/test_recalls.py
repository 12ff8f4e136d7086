"""Recall of each class, its interval, and what is said of models that know the commonest class only."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_contents import digits, with_result
from scipy.stats import binomtest

from gapless.evidence.answers.classes import recalls, wilson
from gapless.evidence.paired import BEST, PLAIN, Confirmation, Entry
from gapless.report import facts
from gapless.report.figures import Figures

LABELS = np.array([0] * 90 + [1] * 10)


def confirmation(**answers: list[np.ndarray]) -> Confirmation:
    found = Confirmation(unit=1.0)
    for model, tables in answers.items():
        for seed, table in enumerate(tables):
            each = (table == LABELS).astype(np.float32)
            entry = Entry(model, seed, each, each, 1.0, answers=table.astype(np.float32))
            found.take({**entry.event(), "at": 0.0})  # through the journal and back
    return found


@given(st.integers(1, 300), st.data())
def test_intervals_are_wilsons(n: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, n))
    theirs = binomtest(right, n).proportion_ci(method="wilson")
    ours = wilson(right / n, n)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_recall_of_each_class() -> None:
    half = np.where(np.arange(100) < 95, 0, 1)
    none = np.zeros(100, np.int64)
    found = recalls(confirmation(**{PLAIN: [none, none], BEST: [half, LABELS]}), LABELS, ("no", "yes"))
    assert [(r.name, r.rows, r.plain.mean, r.best.mean) for r in found] == [
        ("no", 90, 1.0, 1.0),
        ("yes", 10, 0.0, 0.75),
    ]
    assert found[1].plain.high == pytest.approx(0.278, abs=0.001)
    old = confirmation(**{PLAIN: [none, none]})
    old.entries = [replace(e, answers=None) for e in old.entries]
    assert recalls(old, LABELS, ("no", "yes")) == ()


def test_models_that_know_the_commonest_class_only_are_told() -> None:
    """N16 of the outside review: fraud of which nothing is found at 98 % right."""
    none, some = np.zeros(100, np.int64), np.where(np.arange(100) < 95, 0, 1)
    both = recalls(confirmation(**{PLAIN: [none, none], BEST: [none, none]}), LABELS, ("no", "yes"))
    content = with_result(digits(), recalls=both)
    said = " ".join(facts.imbalance(content, Figures.of(content.result)))
    assert "no better than always answering 'no', the commonest class (90.0 % of new pictures)" in said
    assert "'yes' (10 pictures): the plain model finds 0.0 % (0.0 to 27.8)" in said
    better = with_result(
        digits(), recalls=recalls(confirmation(**{PLAIN: [none] * 2, BEST: [some] * 2}), LABELS, ("no", "yes"))
    )
    said = " ".join(facts.imbalance(better, Figures.of(better.result)))
    assert "no better" not in said and "the best recipe 50.0 %" in said
    assert facts.imbalance(digits(), Figures.of(digits().result)) == []
