"""Which budgets let a run begin, how long trainings may be, and what is kept back for the verdict."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gapless.errors import BudgetError
from gapless.recipe import Decay, Dropout, Recipe
from gapless.run.clock import Clock
from gapless.search import budget
from gapless.search.book import Book, Candidate, Trial, event_of
from gapless.search.budget import Costs, Speed, admit, default_epochs, full_length, minutes_for


def clock(minutes: float | None, spent: float = 3.0) -> Clock:
    return Clock(lambda: 100.0 + spent, 100.0, None if minutes is None else 60 * minutes)


def test_clock_counts_earlier_sittings() -> None:
    assert clock(2, spent=45).left == 75
    assert clock(None, spent=45).left == float("inf")
    assert clock(1, spent=90).left == -30


@given(st.integers(1, 10**7), st.integers(2, 4096))
def test_default_length(rows: int, batch: int) -> None:
    epochs = default_epochs(rows, batch)
    assert 8 <= epochs <= 300
    steps = epochs * max(1, round(rows / batch))
    if 8 < epochs < 300:
        assert steps == pytest.approx(budget.STEPS, rel=0.1)


times = st.floats(1e-4, 100)
speeds = st.tuples(times, st.floats(1, 10)).map(lambda pair: Speed(pair[0], pair[0] * pair[1]))
workers = st.integers(1, 8)
chosen = st.none() | st.integers(1, 300)


def shortest_run(speed: Speed, epochs: int, workers: int) -> float:
    """Seconds that the shortest run takes at least, however well its trainings are spread."""
    return epochs * (2 * speed.plain + speed.recipe + 3 * budget.REFIT * (speed.plain + speed.recipe)) / workers


@given(speeds, st.floats(0.05, 600), workers, chosen)
def test_a_budget_is_admitted_or_one_is_named_that_will_do(
    speed: Speed, minutes: float, workers: int, epochs: int | None
) -> None:
    try:
        admit(speed, clock(minutes), workers, epochs)
    except BudgetError as error:
        named = float(str(error).split()[-1])
        assert named > minutes
        admit(speed, clock(named), workers, epochs)
        return
    assert shortest_run(speed, epochs or budget.SHORTEST, workers) + budget.CLOSING <= clock(minutes).left


@given(st.integers(2, 300), speeds, st.floats(0.05, 600), workers)
def test_a_run_that_may_begin_has_room_for_its_verdict(plain: int, speed: Speed, minutes: float, workers: int) -> None:
    """What admits a budget is what reserves it: whatever length is planned, the shortest run of that length fits."""
    try:
        admit(speed, clock(minutes), workers)
    except BudgetError:
        return
    epochs = full_length(plain, speed, clock(minutes), workers)
    assert budget.SHORTEST <= epochs <= max(budget.SHORTEST, budget.STRETCH * plain)
    assert shortest_run(speed, epochs, workers) + budget.CLOSING <= clock(minutes).left


@given(st.integers(2, 300), speeds, st.floats(0.5, 600), workers)
def test_more_time_never_means_shorter_trainings(plain: int, speed: Speed, minutes: float, workers: int) -> None:
    less = full_length(plain, speed, clock(minutes), workers)
    assert full_length(plain, speed, clock(2 * minutes), workers) >= less
    assert full_length(plain, speed, clock(minutes), workers + 1) >= less


@given(st.integers(2, 300), speeds, workers)
def test_the_minutes_that_are_named_have_room_for_the_length(epochs: int, speed: Speed, workers: int) -> None:
    """A run that was too short says what would do: with that, measuring paid, the model is trained as long."""
    spent = 3.0
    named = minutes_for(epochs, speed, clock(1, spent), workers)
    measured = spent + 4 * epochs * speed.plain / workers
    assert full_length(epochs, speed, clock(named, measured), workers) >= min(epochs, budget.LONGEST) * 0.99


def test_without_minutes_there_is_no_limit() -> None:
    assert full_length(50, Speed(), clock(None), 1) == 50 * budget.STRETCH
    admit(Speed(1e6, 1e6), clock(None), 1)


def book(seconds: dict[int, list[float]]) -> Book:
    """A book with these candidates, the first of them plain, and the seconds of their trials."""
    found = Book()
    for number, each in seconds.items():
        recipe = Recipe(decay=Decay(strength=0.1 + number), dropout=Dropout(hidden=0.1)) if number else Recipe()
        found.take({**event_of(Candidate(number, recipe, 0.01, 10, "moves", "x")), "at": 0.0})
        for split, s in enumerate(each):
            trial = Trial(0, number, "moves", split, 0, 10, "finished", 0.5, 0.5, seconds=s)
            found.take({**event_of(trial), "at": 0.0})
    return found


def test_costs_are_those_of_trainings_that_ended() -> None:
    nothing = book({0: [], 1: []})
    costs = Costs(nothing, Speed(0.1, 0.25), workers=2)
    assert costs.training(nothing.candidates[0]) == pytest.approx(1.0)
    assert costs.training(nothing.candidates[1]) == pytest.approx(2.5)
    known = book({0: [0.5], 1: [1.0, 3.0], 2: [10.0], 3: []})
    costs = Costs(known, Speed(0.1, 0.25), workers=2)
    assert costs.training(known.candidates[0]) == 0.5
    assert costs.training(known.candidates[1]) == 2.0
    assert costs.training(known.candidates[2]) == 10.0
    assert costs.training(known.candidates[3]) == pytest.approx(14 / 3)  # like other recipes, and not like plain


def test_the_latest_trainings_count() -> None:
    """A machine that has become busy is believed."""
    known = book({0: [], 1: [1.0] * 30 + [5.0] * budget.LATEST})
    assert Costs(known, Speed(1.0, 1.0), workers=1).training(known.candidates[1]) == 5.0


@given(st.lists(st.floats(0.1, 9), min_size=1, max_size=5), st.integers(1, 4), st.floats(60, 3600))
def test_what_is_kept_back_pays_for_the_verdict(seconds: list[float], workers: int, whole: float) -> None:
    known = book({0: seconds, 1: seconds, 2: seconds})
    plain, best = known.candidates[:2]
    costs = Costs(known, Speed(1.0, 1.0), workers)
    kept, least = costs.kept(plain, [best], whole), costs.refits([plain, best], 3)
    work = 6 * budget.REFIT * costs.training(best)
    assert work / workers <= least <= 1.1 * (work / workers + budget.REFIT * costs.training(best)) * (1 + 1e-9)
    assert costs.refits([plain, best], 5) >= least
    # the finals, further seeds and the ablations get their time, but never more than two fifths of the rest
    assert least + budget.CLOSING <= kept + 1e-9
    assert kept <= least + budget.CLOSING + 0.4 * max(0.0, whole - least - budget.CLOSING) + 1e-9
    assert costs.finals([plain, best], 5) >= 10 * costs.training(best) / workers * 0.99


@given(st.floats(0.1, 9), st.integers(1, 4), st.floats(0.1, 20))
def test_the_room_that_is_told_is_there(seconds: float, workers: int, minutes: float) -> None:
    known = book({0: [seconds], 1: [seconds]})
    costs, time = Costs(known, Speed(1.0, 1.0), workers), clock(minutes)
    room = costs.room(known.candidates, time)
    assert room == 0 or costs.refits(known.candidates, room) + budget.CLOSING <= time.left
    assert room == 20 or costs.refits(known.candidates, room + 1) + budget.CLOSING > time.left
    assert costs.room(known.candidates, clock(None)) == 20
