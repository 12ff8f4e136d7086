"""What is trained next: every preset with its learning rate climbed, challengers that are out once they fall behind,
and everything derived from the book."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from simulated_search import PLAIN_EPOCHS, Search, World, bumpy, race

from gapless.recipe import Decay, Recipe, presets
from gapless.search.book import Book, Candidate, Rank, Trial, event_of
from gapless.search.race import Start, keeps_on
from gapless.search.space import Knob, Rates

WORLDS: dict[str, World] = {
    "bumpy": bumpy(),
    "quiet": bumpy(noise=0.0),
    "all alike": lambda recipe, lr, split: 0.5,
    "high rates fail": bumpy(fails_above=2e-3),
    "everything fails": lambda recipe, lr, split: None,
    "only plain works": lambda recipe, lr, split: None if recipe.active else 0.7 + lr,
    "plain never works": lambda recipe, lr, split: 0.7 if recipe.active else None,
    "the higher the rate the better": lambda recipe, lr, split: 0.5 + lr,
    "the lower the rate the better": lambda recipe, lr, split: 0.5 - lr,
    "one split fails": lambda recipe, lr, split: None if split == 1 else 0.5 - lr,
}


@pytest.fixture(autouse=True)
def quick_proposals(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Joint proposals at random: the rules are tested here, and TPE takes its time."""
    if "real_proposals" not in request.keywords:
        monkeypatch.setattr("gapless.search.race.propose", drawn)


def drawn(tried: list[tuple[Recipe, float, float]], knobs: list[Knob], rates: Rates, seed: int) -> tuple[Recipe, float]:
    rng, recipe = np.random.default_rng([seed, len(tried)]), Recipe()
    for knob in knobs:
        if knob.name != "pick":
            recipe = knob.write(recipe, knob.value(float(rng.uniform(-0.5, 1))))
    return recipe, float(rng.choice(rates.notches))


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest) -> World:
    return WORLDS[request.param]


# ── opening ──


@pytest.mark.parametrize("opening_splits", [1, 2])
def test_opening_begins_with_the_plain_model_and_covers_every_preset(opening_splits: int) -> None:
    done = Search(race(opening_splits=opening_splits), bumpy()).run(60)
    first, second = done.race.rates.first
    begun = [c for c in done.book.candidates if c.phase == "opening"]
    names = ["plain", *(f"preset {n}" for n in presets("table"))]
    assert [(c.origin, c.lr) for c in begun[: 2 * len(names)]] == [(n, r) for r in (first, second) for n in names]
    assert [c.recipe for c in begun[: len(names)]] == [Recipe(), *presets("table").values()]


@pytest.mark.parametrize("name", ["bumpy", "quiet", "the higher the rate the better", "the lower the rate the better"])
def test_learning_rates_are_climbed(name: str) -> None:
    """Both neighbours of the best learning rate are tried, or it is at the end of the notches."""
    done = Search(race(), WORLDS[name]).run(90)
    assert done.race.opened(done.book)
    notches = done.race.rates.notches
    for opening in done.race.openings:
        best = done.race.tuned(done.book, opening)
        assert best is not None
        at = notches.index(best.lr)
        tried = {c.lr for c in done.book.candidates if c.phase == "opening" and c.origin == opening}
        assert {notches[n] for n in (at - 1, at + 1) if 0 <= n < len(notches)} <= tried
        scores = {
            c.lr: done.book.rank(c.number, [0])
            for c in done.book.candidates
            if c.phase == "opening" and c.origin == opening
        }
        assert scores[best.lr] == max(scores.values(), key=lambda r: (r.score, -r.loss))
    if name == "the higher the rate the better":
        assert {c.lr for o in done.race.openings if (c := done.race.tuned(done.book, o))} == {notches[-1]}
    if name == "the lower the rate the better":
        assert {c.lr for o in done.race.openings if (c := done.race.tuned(done.book, o))} == {notches[0]}


def test_a_rate_that_diverges_is_answered_by_lower_ones() -> None:
    done = Search(race(), WORLDS["high rates fail"]).run(60)
    for opening in done.race.openings:
        best = done.race.tuned(done.book, opening)
        assert best is not None
        assert best.lr <= 1e-3


def test_a_recipe_that_fails_everywhere_is_given_up() -> None:
    done = Search(race(), WORLDS["everything fails"]).run(80)
    assert done.race.opened(done.book)
    assert done.race.champion(done.book) is None
    assert done.race.tuned(done.book, "plain") is None
    assert done.race.finalists(done.book, 3) == []
    phases = {c.phase for c in done.book.candidates}
    assert "joint" in phases  # other recipes are still tried
    rates = {c.lr for c in done.book.candidates if c.origin == "plain"}
    assert min(rates) == done.race.rates.notches[0]
    assert max(rates) == max(done.race.rates.first)


def test_learning_rates_are_compared_on_the_opening_splits_alone() -> None:
    """A learning rate that is better on split 0 and 1 but raced no further is not judged on fewer splits."""
    done = Search(race(opening_splits=2), bumpy()).run(90)
    for candidate in done.book.candidates:
        if candidate.phase == "opening":
            assert {0, 1} <= set(done.book.ended(candidate.number))


# ── race ──


def test_every_opening_races_on_until_it_is_behind(world: World) -> None:
    """At the end of a long search nobody who is not behind lacks a split, but those of the last few trials."""
    done = Search(race(), world).run(150)
    champion = done.race.champion(done.book)
    open_ones = [
        c
        for c in done.book.candidates
        if not done.race.behind(done.book, c, champion)
        and len(done.book.finished(c.number)) < done.race.splits
        and c.phase != "opening"
    ]
    assert len(open_ones) <= 1


def test_the_champion_has_finished_every_split_and_is_the_best_of_those(world: World) -> None:
    done = Search(race(), world).run(120)
    champion = done.race.champion(done.book)
    settled = [c for c in done.book.candidates if len(done.book.finished(c.number)) == done.race.splits]
    assert (champion is None) == (not settled)
    if champion is not None:
        ranks = {c.number: done.book.rank(c.number, range(3)) for c in settled}
        assert not any(ranks[champion.number] < rank for rank in ranks.values())


def by_origin(known: Book, scores: dict[str, list[float]]) -> Book:
    """A book with these candidates and their scores by split."""
    number = len(known.candidates)
    for origin, row in scores.items():
        decay = Recipe(decay=Decay(strength=0.01 + 0.01 * number))
        known.take({**event_of(Candidate(number, decay, 0.01, 9, "moves", origin)), "at": 0.0})
        for split, score in enumerate(row):
            t = Trial(
                len(known.trials), number, "moves", split, 0, 3, "finished", score, 1 - score, rungs=((9, score),)
            )
            known.take({**event_of(t), "at": 0.0})
        number += 1
    return known


def test_a_challenger_behind_the_champion_is_out() -> None:
    rules = race(splits=3)
    book = by_origin(
        Book(), {"champion": [0.8, 0.7, 0.9], "behind": [0.79], "ahead": [0.81], "later behind": [0.85, 0.6]}
    )
    champion = rules.champion(book)
    assert champion is not None
    assert champion.origin == "champion"
    out = {c.origin: rules.behind(book, c, champion) for c in book.candidates}
    assert out == {"champion": False, "behind": True, "ahead": False, "later behind": True}


def test_scores_that_tie_are_decided_by_the_loss() -> None:
    assert Rank(0.8, 0.5) < Rank(0.8, 0.4) < Rank(0.9, 9.0)
    assert max([Rank(0.8, 0.5), Rank(0.8, 0.4)]) == Rank(0.8, 0.4)


def test_patience_is_chance_in_the_rows_and_ends_with_the_last_split() -> None:
    """Accuracy on 30 rows a split: 0.01 behind is nothing after one split, but final after all of them."""
    book = by_origin(Book(), {"champion": [0.8, 0.8, 0.8], "a little behind": [0.79], "far behind": [0.5]})
    patient, strict = race(rows=30), race(rows=0)
    champion = patient.champion(book)
    out = {c.origin: patient.behind(book, c, champion) for c in book.candidates}
    assert out == {"champion": False, "a little behind": False, "far behind": True}
    assert strict.behind(book, book.candidates[1], champion)
    book = by_origin(book, {"behind to the end": [0.79, 0.79, 0.79]})
    assert patient.behind(book, book.candidates[3], champion)


def test_a_challenger_that_wins_is_the_next_champion_and_moves_start_from_it() -> None:
    done = Search(race(), bumpy(noise=0.0)).run(120)
    champion = done.race.champion(done.book)
    assert champion is not None
    assert champion.phase in ("moves", "joint")  # in this world a hundred tries find better than five presets
    later = [c for c in done.book.candidates if c.phase == "moves" and c.number > champion.number]
    assert [c for c in later if c.origin.startswith(f"#{champion.number}, ")]


def test_proposals_are_joint_moves_and_never_the_plain_model(world: World) -> None:
    done = Search(race(), world).run(120)
    tried = [(c.recipe.to_toml(), c.lr) for c in done.book.candidates if c.phase == "moves"]
    assert len(set(tried)) == len(tried)  # no move twice
    assert all(c.recipe.active for c in done.book.candidates if c.phase == "moves")
    after = [c for c in done.book.candidates if c.phase != "opening"]
    joint = sum(c.phase == "joint" for c in after)
    if len(after) > 15:
        assert joint / len(after) > 0.2  # a third, and all when the champion's moves are used up


def test_the_plain_model_is_tried_at_the_champions_learning_rate() -> None:
    """Whatever is gained by a learning rate alone is not gained by a recipe."""
    rate = 0.0054

    def likes_that_rate(recipe: Recipe, lr: float, split: int) -> float:
        return 0.6 + 0.1 * recipe.active - abs(math.log(lr / rate)) / 100

    done = Search(race(), likes_that_rate).run(120)
    champion, plain = done.race.champion(done.book), done.race.tuned(done.book, "plain")
    assert champion is not None
    assert champion.recipe.active
    assert champion.lr == rate  # a move has found it, between the notches
    assert plain is not None
    assert plain.lr == rate
    assert not plain.recipe.active


# ── finalists ──


def test_finalists_are_distinct_and_switched_on(world: World) -> None:
    done = Search(race(), world).run(120)
    for most in (1, 2, 3, 5):
        found = done.race.finalists(done.book, most)
        assert len(found) <= most
        assert all(c.recipe.active for c in found)
        assert len({frozenset(k.name for k in done.race.knobs if k.read(c.recipe)) for c in found}) == len(found)
        assert found == done.race.finalists(done.book, 5)[:most]
    champion = done.race.champion(done.book)
    if champion is not None and champion.recipe.active:
        settled = {c.number for c in done.book.candidates if len(done.book.finished(c.number)) == 3}
        first = done.race.finalists(done.book, 1)[0]
        assert first.number in settled


# ── derived from the book ──


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(sorted(WORLDS)), st.integers(1, 3), st.integers(1, 2), st.sampled_from([0, 30]), st.integers(0, 5)
)
def test_a_replayed_journal_gives_the_same_next_step(
    name: str, splits: int, opening_splits: int, rows: int, seed: int
) -> None:
    """Cut the journal anywhere: what comes next is what came then. A candidate without a trial is begun again."""
    rules = race(splits=max(splits, opening_splits), opening_splits=opening_splits, rows=rows, seed=seed)
    done = Search(rules, WORLDS[name]).run(45)
    begun = iter(done.starts)
    current: Start | None = None
    for n, book in done.prefixes():
        if n == len(done.events):
            break
        kind = done.events[n]["event"]
        found = rules.next(book, set())
        assert found is not None
        if kind == "candidate":
            current = next(begun)
            assert found == current
        elif done.events[n - 1]["event"] == "candidate":
            assert current is not None
            assert isinstance(current.candidate, Candidate)
            assert found == Start(current.candidate.number, current.split)
        else:
            current = next(begun)
            assert found == current


@pytest.mark.real_proposals
def test_same_seed_same_search_another_seed_another() -> None:
    first, second = (Search(race(seed=1), bumpy()).run(55) for _ in range(2))
    assert first.events == second.events
    other = Search(race(seed=2), bumpy()).run(55)
    assert [c.recipe for c in other.book.candidates] != [c.recipe for c in first.book.candidates]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(WORLDS)), st.integers(2, 4), st.integers(0, 10**6), st.integers(1, 2))
def test_several_workers_never_idle_never_twice(name: str, workers: int, order: int, opening_splits: int) -> None:
    """Whatever order trials end in: no trial is begun twice, and while nothing runs there is always something to do."""
    rules = race(opening_splits=opening_splits)
    done = Search(rules, WORLDS[name]).run(60, workers, np.random.default_rng(order))
    begun = [(s.candidate.number if isinstance(s.candidate, Candidate) else s.candidate, s.split) for s in done.starts]
    assert len(set(begun)) == len(begun)
    assert all(0 <= split < rules.splits for _, split in begun)


# ── rungs ──


def test_rung_rule() -> None:
    book = Book()
    candidate = Candidate(0, Recipe(), 0.01, 9, "moves", "x")
    book.take({**event_of(candidate), "at": 0.0})

    def add(score: float, phase: str = "moves", split: int = 0) -> None:
        t = Trial(len(book.trials), 0, phase, split, 0, 9, "finished", score, 0.1, rungs=((3, score), (9, score)))
        book.take({**event_of(t), "at": 0.0})

    for score in (0.2, 0.5, 0.6):
        add(score)
        assert keeps_on(book.at_rung(0, 1), 0.0)  # too few to judge by
    for _ in range(5):
        add(0.9, phase="finals")  # of another kind: they do not count
        add(0.9, split=1)
    assert keeps_on(book.at_rung(0, 1), 0.0)
    add(0.7)
    third = float(np.quantile([0.2, 0.5, 0.6, 0.7], 1 / 3))
    assert keeps_on(book.at_rung(0, 1), third)
    assert not keeps_on(book.at_rung(0, 1), math.nextafter(third, 0))
    assert keeps_on(book.at_rung(0, 2), 0.0)  # nobody was scored at this rung


def test_stopped_trials_are_out_but_count_at_their_rung() -> None:
    rules, book = race(), by_origin(Book(), {"champion": [0.8, 0.8, 0.8], "other": [0.9]})
    stopped = Trial(9, 1, "moves", 1, 0, 3, "stopped", 0.3, 0.7, rungs=((3, 0.3),))
    book.take({**event_of(stopped), "at": 0.0})
    assert rules.behind(book, book.candidates[1], rules.champion(book))
    assert book.at_rung(1, 1) == [0.3]
    assert book.relative(1) == pytest.approx(((0.9 - (0.8 + 0.9) / 2) + (0.3 - 0.3)) / 2)


def test_start_of_a_new_candidate_has_the_next_number() -> None:
    start = race().next(Book(), set())
    assert start == Start(Candidate(0, Recipe(), 3e-3, PLAIN_EPOCHS, "opening", "plain"), 0)
    assert replace(race(), seed=9).next(Book(), set()) == start
