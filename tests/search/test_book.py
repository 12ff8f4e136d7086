"""The book: what the journal says about candidates and trials, and nothing else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recipe_draws import recipes

from gapless.errors import DataError
from gapless.recipe import Decay, Recipe
from gapless.search.book import Book, Candidate, Trial, event_of

numbers = st.floats(allow_nan=False, allow_infinity=False)
shares = st.floats(0, 1)
trials = st.builds(
    Trial,
    number=st.integers(0, 99),
    candidate=st.just(0),
    phase=st.sampled_from(["opening", "moves", "joint", "finals"]),
    split=st.integers(0, 9),
    seed=st.integers(0, 2**63),
    epochs=st.integers(0, 300),
    status=st.sampled_from(["finished", "stopped", "failed"]),
    score=st.none() | shares,
    loss=st.none() | numbers,
    train_score=st.none() | shares,
    seconds=numbers,
    reason=st.text(max_size=20),
    rungs=st.lists(st.tuples(st.integers(1, 9), shares), max_size=3).map(tuple),
    curve=st.lists(st.tuples(st.integers(1, 9), shares, shares), max_size=3).map(tuple),
)


def through_the_file(event: dict[str, Any]) -> dict[str, Any]:
    return {**json.loads(json.dumps(event, allow_nan=False)), "at": 1.0}


@given(recipes, st.floats(1e-5, 1), st.text(max_size=20))
def test_a_candidate_comes_back_as_it_was(recipe: Recipe, lr: float, origin: str) -> None:
    candidate = Candidate(0, recipe, lr, 9, "moves", origin)
    book = Book([through_the_file(event_of(candidate))])
    assert book.candidates == [candidate]
    assert book.known(recipe, lr)
    assert not book.known(recipe, lr * 1.01)


@given(trials)
def test_a_trial_comes_back_as_it_was(trial: Trial) -> None:
    book = Book([candidate(0), through_the_file(event_of(trial))])
    assert book.trials == [trial]
    final = trial.phase == "finals"
    assert book.ended(0, final=final) == {trial.split: trial}
    assert book.ended(0, final=not final) == {}
    assert bool(book.finished(0, final=final)) == (trial.status == "finished")


def a_trial(candidate: int, split: int, score: float | None, phase: str = "moves", **facts: Any) -> dict[str, Any]:
    rungs = ((2, score - 0.1), (6, score)) if score is not None else ()
    loss = None if score is None else 1 - score
    status: Any = "failed" if score is None else "finished"
    t = Trial(0, candidate, phase, split, 0, 6, status, score, loss, score, 1.5, "", rungs)
    return through_the_file({**event_of(t), **facts})


def candidate(number: int) -> dict[str, Any]:
    recipe = Recipe(decay=Decay(strength=0.1 + number))
    return through_the_file(event_of(Candidate(number, recipe, 0.01, 6, "moves", "x")))


def test_ranks_and_relative_scores_by_hand() -> None:
    book = Book(
        [
            candidate(0),
            candidate(1),
            a_trial(0, 0, 0.8),
            a_trial(0, 1, 0.6),
            a_trial(1, 0, 0.9),
            a_trial(1, 1, None),
            a_trial(0, 7, 0.1, phase="finals"),
        ]
    )
    rank, final = book.rank(0, [0, 1]), book.rank(0, [7], final=True)
    assert (rank.score, rank.loss) == pytest.approx((0.7, 0.3))
    assert (final.score, final.loss) == pytest.approx((0.1, 0.9))
    assert book.relative(0) == pytest.approx(((0.8 - 0.85) + (0.6 - 0.6)) / 2)
    assert book.relative(1) == pytest.approx(0.05)
    assert book.at_rung(0, 1) == pytest.approx([0.7, 0.8])  # after a third of six epochs
    assert book.at_rung(7, 3) == []  # the finals are apart
    assert book.at_rung(5, 3) == []
    assert {s: t.status for s, t in book.ended(1).items()} == {0: "finished", 1: "failed"}


def test_relative_score_of_nobody() -> None:
    book = Book([candidate(0), a_trial(0, 0, None)])
    assert book.relative(0) is None
    assert book.relative(3) is None


def test_rungs_belong_to_a_trial_until_it_ends() -> None:
    rung = {"event": "rung", "at": 1.0, "candidate": 0, "split": 1, "epoch": 2, "score": 0.5, "seconds": 0.25}
    book = Book([candidate(0), rung, {**rung, "epoch": 4, "score": 0.6}])
    assert book.begun == {(0, 1): [(2, 0.5, 0.25), (4, 0.6, 0.25)]}
    assert book.ended(0) == {}
    book.take(a_trial(0, 1, 0.7))
    assert book.begun == {}


def test_asking_changes_nothing() -> None:
    book = Book([candidate(0)])
    for _ in range(2):
        assert book.ended(0) == {}
        assert book.at_rung(0, 1) == []
        assert book.relative(0) is None


def test_events_of_other_kinds_are_not_the_books() -> None:
    book = Book([{"event": "run", "at": 0.0}, {"event": "confirm", "at": 0.0}, {"event": "something new", "at": 1.0}])
    assert (book.candidates, book.trials) == ([], [])


@pytest.mark.parametrize(
    "event",
    [
        {"event": "candidate", "at": 1.0, "number": 0},
        {"event": "candidate", "at": 1.0, "number": 0, "lr": 1, "phase": "", "origin": "", "recipe": {"dropuot": {}}},
        {"event": "candidate", "at": 1.0, "number": 0, "lr": 1, "phase": "", "origin": "", "recipe": 3},
        {"event": "trial", "at": 1.0},
        {"event": "trial", "at": 1.0, "rungs": 3, "curve": []},
        {**a_trial(0, 0, 0.5), "of a later version": 1},
        {"event": "rung", "at": 1.0, "candidate": 0},
    ],
)
def test_events_of_another_version_are_refused_with_their_line(event: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=rf"journal.jsonl line 2: not a {event['event']} of this version of gapless"):
        Book([candidate(0), event])
