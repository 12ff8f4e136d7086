"""What a progress line says of a search: trials, the best so far, its gap, and the plain model beside it."""

from __future__ import annotations

from gapless.metrics import ACCURACY, RMSE, Metric
from gapless.recipe import Dropout, Recipe
from gapless.search.book import Book, Candidate, Trial, event_of, told


def trial(number: int, candidate: int, score: float, train: float | None) -> Trial:
    return Trial(number, candidate, "opening", 0, 0, 3, "finished", score, 0.5, train)


def book(metric: Metric, *trials: Trial) -> str:
    recipes = (Recipe(), Recipe(dropout=Dropout(hidden=0.2)))
    found = Book()
    for number, (recipe, origin) in enumerate(zip(recipes, ("plain", "preset light"), strict=True)):
        found.take({**event_of(Candidate(number, recipe, 0.01, 3, "opening", origin)), "at": 0.0})
    for one in trials:
        found.take({**event_of(one), "at": 0.0})
    return told(found, None, metric)


def test_it_counts_and_compares() -> None:
    assert book(ACCURACY) == "0 trials"
    assert book(ACCURACY, trial(0, 0, 0.874, 0.99)) == "1 trial; best so far 87.4 % (plain, gap 11.6 points)"
    both = trial(0, 0, 0.874, 0.99), trial(1, 1, 0.912, 0.95)
    assert book(ACCURACY, *both) == "2 trials; best so far 91.2 % (preset light, gap 3.8 points); plain 87.4 %"
    assert book(ACCURACY, trial(0, 1, 0.912, None)) == "1 trial; best so far 91.2 % (preset light)"


def test_errors_are_written_as_people_know_them() -> None:
    both = trial(0, 0, -4.25, -3.0), trial(1, 1, -3.5, -3.25)
    assert book(RMSE, *both) == "2 trials; best so far 3.5 (preset light, gap 0.25); plain 4.25"
