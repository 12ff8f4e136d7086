"""How long a training may be for a promise of minutes, and what is kept back for the verdict."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gapless.errors import BudgetError
from gapless.recipe import Decay, Dropout, Recipe
from gapless.search import budget
from gapless.search.book import Book, Candidate, Trial, event_of
from gapless.search.budget import Clock, Costs, affordable_epochs, default_epochs


def clock(minutes: float | None, spent: float = 3.0) -> Clock:
    return Clock(lambda: 100.0 + spent, 100.0, None if minutes is None else 60 * minutes)


def test_clock_counts_earlier_sittings() -> None:
    assert clock(2, spent=45).left == 75
    assert clock(None, spent=45).left == float("inf")
    assert clock(1, spent=90).left == -30


@given(st.integers(1, 10**7), st.integers(2, 4096))
def test_default_length(rows: int, batch: int) -> None:
    epochs = default_epochs(rows, batch)
    assert 8 <= epochs <= budget.LONGEST
    steps = epochs * max(1, round(rows / batch))
    if 8 < epochs < budget.LONGEST:
        assert steps == pytest.approx(budget.STEPS, rel=0.1)


times = st.floats(1e-4, 100)


@given(st.integers(2, 300), times, st.floats(0.05, 600), st.integers(1, 8), st.booleans())
def test_what_is_affordable(wanted: int, epoch: float, minutes: float, workers: int, fixed: bool) -> None:
    """Never more than wanted, and room for the fewest trainings that make a result; or the smallest budget is named,
    and that one will do."""
    room = (60 * minutes - 3 - budget.CLOSING) * workers
    try:
        epochs = affordable_epochs(wanted, epoch, clock(minutes), workers, fixed)
    except BudgetError as error:
        least = wanted if fixed else max(2, wanted // 8)
        assert budget.FEWEST * least * epoch > room
        named = float(str(error).split()[-1])
        assert named > minutes
        assert affordable_epochs(wanted, epoch, clock(named), workers, fixed) >= least
        return
    assert 2 <= epochs <= wanted
    assert budget.FEWEST * epochs * epoch <= max(room, 0) * (1 + 1e-9)
    assert epochs == wanted or not fixed
    if epochs < wanted and epochs > max(2, wanted // 8):
        assert budget.TRAININGS * epochs * epoch <= room <= budget.TRAININGS * (epochs + 1) * epoch * (1 + 1e-9)


@given(st.integers(2, 300), times, st.floats(0.5, 600), st.integers(1, 8))
def test_more_time_never_means_shorter_trainings(wanted: int, epoch: float, minutes: float, workers: int) -> None:
    try:
        less = affordable_epochs(wanted, epoch, clock(minutes), workers)
    except BudgetError:
        return
    assert affordable_epochs(wanted, epoch, clock(2 * minutes), workers) >= less
    assert affordable_epochs(wanted, epoch, clock(minutes), workers + 1) >= less


def test_without_minutes_there_is_no_limit() -> None:
    assert affordable_epochs(200, 1e6, clock(None), 1) == 200


def book(seconds: dict[int, list[float]]) -> Book:
    """A book with these candidates and the seconds of their trials."""
    found = Book()
    for number, each in seconds.items():
        recipe = Recipe(decay=Decay(strength=0.1 + number), dropout=Dropout(hidden=0.1))
        found.take({**event_of(Candidate(number, recipe, 0.01, "moves", "x")), "at": 0.0})
        for split, s in enumerate(each):
            trial = Trial(0, number, "moves", split, 0, 9, "finished", 0.5, 0.5, seconds=s)
            found.take({**event_of(trial), "at": 0.0})
    return found


def test_costs_are_those_of_trainings_that_ended() -> None:
    costs = Costs(book({}), guess=2.5, workers=2)
    assert costs.training() == 2.5
    known = book({0: [1.0, 3.0], 1: [10.0], 2: []})
    costs = Costs(known, guess=2.5, workers=2)
    assert costs.training() == pytest.approx(14 / 3)
    assert costs.training(known.candidates[0]) == 2.0
    assert costs.training(known.candidates[1]) == 10.0
    assert costs.training(known.candidates[2]) == pytest.approx(14 / 3)


def test_the_latest_trainings_count() -> None:
    """A machine that has become busy is believed."""
    costs = Costs(book({0: [1.0] * 30 + [5.0] * budget.LATEST}), guess=1.0, workers=1)
    assert costs.training() == 5.0


@given(st.lists(st.floats(0.1, 9), min_size=1, max_size=5), st.integers(1, 4), st.floats(60, 3600))
def test_what_is_kept_back_pays_for_the_verdict(seconds: list[float], workers: int, whole: float) -> None:
    known = book({0: seconds, 1: seconds})
    costs = Costs(known, guess=1.0, workers=workers)
    best = known.candidates[0]
    kept = costs.kept(known.candidates, whole)
    assert kept >= costs.confirmation(best, 0) + budget.CLOSING
    work = 2 * budget.SEEDS * budget.REFIT * costs.training(best)
    assert costs.confirmation(best, 0) >= work / workers
    assert costs.confirmation(best, 2) > costs.confirmation(best, 1) > costs.confirmation(best, 0)
    # the finals and the ablations get their time, but never more than two fifths of the whole
    most = costs.confirmation(best, 0) + budget.CLOSING + 0.4 * whole
    assert kept <= most + 1e-9
    assert costs.finals(known.candidates) >= budget.SEEDS * 3 * costs.training(best) / workers * 0.99
