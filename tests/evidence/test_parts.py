"""What each pillar gave: shares that add up, subsets by their names, and words that count how much was tested."""

from collections.abc import Callable, Sequence
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gapless.evidence import parts
from gapless.evidence.paired import BEST, PLAIN, Confirmation, Entry
from gapless.recipe import Augment, BatchNorm, Decay, Dropout, Recipe

FULL = Recipe(
    dropout=Dropout(hidden=0.1), batchnorm=BatchNorm(insert=True), decay=Decay(strength=0.1), augment=Augment(mixup=0.2)
)
NAMES = FULL.pillars()
Value = Callable[[frozenset[str]], float]


def by_number(each: float) -> Value:
    """Every pillar gives the same."""
    return lambda subset: 0.5 + each * len(subset)


def confirmed(
    value: Value,
    pillars: Sequence[str] = NAMES,
    seeds: int = 5,
    rows: int = 60,
    noise: float = 0.0,
    seed: int = 0,
) -> Confirmation:
    """Every subset of the pillars with scores round `value(subset)`."""
    rng, found = np.random.default_rng(seed), Confirmation()
    every = [frozenset(s) for n in range(len(pillars) + 1) for s in combinations(pillars, n)]
    for subset in every:
        for s in range(seeds):
            each = (value(subset) + noise * rng.standard_normal(rows)).astype(np.float32)
            found.take({**Entry(parts.called(subset, pillars), s, each, each, 1.0).event(), "at": 0.0})
    return found


def recipe(pillars: Sequence[str]) -> Recipe:
    return parts.only(FULL, pillars)


@pytest.mark.parametrize("count", range(5))
def test_waves_and_the_two_ends_are_all_subsets_each_once(count: int) -> None:
    names = NAMES[:count]
    found = [s for wave in parts.waves(names) for s in wave]
    assert len(found) == len(set(found)) == max(0, 2**count - 2)
    called = [parts.called(s, names) for s in found]
    assert len({*called, BEST}) == len(called) + 1
    assert not {BEST, PLAIN} & set(called)
    if count > 1:
        assert parts.waves(names)[0] == [frozenset(names) - {n} for n in names]
        assert parts.called(frozenset(), names) == PLAIN
    assert parts.called(frozenset(names), names) == BEST


def test_a_subset_of_a_recipe_leaves_its_pillars_as_they_are() -> None:
    found = parts.only(FULL, ["decay", "augment"])
    assert found == Recipe(decay=FULL.decay, augment=FULL.augment)
    assert parts.only(FULL, NAMES) == FULL
    assert not parts.only(FULL, []).active


@settings(max_examples=20)
@given(st.integers(1, 4), st.integers(0, 10**6))
def test_shapley_values_are_the_mean_over_all_orders_and_add_up(count: int, seed: int) -> None:
    names = NAMES[:count]
    rng = np.random.default_rng(seed)
    worth = {frozenset(s): float(rng.normal()) for n in range(count + 1) for s in combinations(names, n)}
    confirmation = confirmed(worth.__getitem__, names, seeds=3, rows=3, noise=1e-3)
    found = {p.name: p for p in parts.pillars(confirmation, recipe(names))}
    for name in names:
        steps: list[float] = []
        for order in permutations(names):
            before = frozenset(order[: order.index(name)])
            steps.append(worth[before | {name}] - worth[before])
        shapley, alone, without = found[name].shapley, found[name].alone, found[name].without
        assert shapley is not None and alone is not None and without is not None
        assert shapley.mean == pytest.approx(np.mean(steps), abs=5e-3)
        assert alone.mean == pytest.approx(worth[frozenset([name])] - worth[frozenset()], abs=5e-3)
        assert without.mean == pytest.approx(worth[frozenset(names) - {name}] - worth[frozenset(names)], abs=5e-3)
    total = sum(p.shapley.mean for p in found.values() if p.shapley)
    assert total == pytest.approx(confirmation.gain().mean, abs=1e-5)


def test_a_synergy_is_found_between_the_two_that_have_it() -> None:
    def value(subset: frozenset[str]) -> float:
        return (
            0.5
            + 0.02 * len(subset)
            + 0.06 * ({"dropout", "decay"} <= subset)
            - 0.04 * ({"dropout", "augment"} <= subset)
        )

    found = {s.pillars: s for s in parts.synergies(confirmed(value, noise=0.02), FULL)}
    assert len(found) == 6
    for pair, synergy in found.items():
        true = {("dropout", "decay"): 0.06, ("dropout", "augment"): -0.04}.get(pair, 0.0)
        assert synergy.value.mean == pytest.approx(true, abs=0.01)
        assert (synergy.p < 0.05) == bool(true), pair


def test_one_pillar_gave_the_gain_and_needs_no_training() -> None:
    confirmation = confirmed(by_number(0.1), ("decay",), noise=0.05)
    (found,) = parts.pillars(confirmation, recipe(["decay"]))
    gain = confirmation.gain()
    assert found.shapley == found.alone == gain
    assert found.without is not None
    assert found.without.mean == pytest.approx(-gain.mean)
    assert found.p < 0.01
    assert parts.synergies(confirmation, recipe(["decay"])) == ()
    assert parts.pillars(confirmation, Recipe()) == ()


def test_as_far_as_the_models_are_there() -> None:
    confirmation = confirmed(by_number(0.01), noise=0.02)
    rest = parts.called(frozenset(NAMES[:2]), NAMES)
    confirmation.entries = [e for e in confirmation.entries if e.model != rest]
    found = parts.pillars(confirmation, FULL)
    assert all(p.alone and p.without and p.shapley is None for p in found)
    assert parts.synergies(confirmation, FULL) == ()
    confirmation.entries = [e for e in confirmation.entries if e.model in (PLAIN, BEST)]
    assert all(p.alone is p.without is p.shapley is None and p.p == 1.0 for p in parts.pillars(confirmation, FULL))


def test_a_pillar_without_which_training_fails_says_so_and_why() -> None:
    confirmation = confirmed(by_number(0.01), noise=0.02)
    model = parts.called(frozenset(NAMES) - {"batchnorm"}, NAMES)
    for lost, said in ((2, "with 2 of 5 seeds: loss nan"), (5, "loss nan")):
        again = Confirmation([e for e in confirmation.entries if e.model != model or e.seed >= lost])
        for seed in range(lost):
            again.take({"event": "failure", "model": model, "seed": seed, "reason": "loss nan", "at": 0.0})
        found = {p.name: p for p in parts.pillars(again, FULL)}
        assert found["batchnorm"].failed == said
        assert (found["batchnorm"].without is None) == (lost == 5)
        assert found["decay"].failed == ""
        assert parts.untrainable(again, FULL) == ((("dropout", "decay", "augment"),) if lost == 5 else ())


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_between_no_correction_and_bonferroni_and_keeps_the_order(p: list[float]) -> None:
    found = parts.holm(p)
    for before, after in zip(p, found, strict=True):
        assert before <= after <= min(1.0, len(p) * before) + 1e-12
    order = np.argsort(p, kind="stable")
    assert np.all(np.diff(np.array(found)[order]) >= 0)
    assert found[order[0]] == pytest.approx(min(1.0, len(p) * min(p)))


def test_of_pillars_that_give_nothing_one_is_rarely_called_more(long_form: bool) -> None:
    """Four useless pillars, again and again: some pillar is said to help or hurt in 5 % of the runs at most."""
    wrong, repeats = 0, 400 if long_form else 25
    for n in range(repeats):
        found = parts.pillars(confirmed(by_number(0.0), rows=40, noise=0.3, seed=n), FULL)
        wrong += any(p.p <= 0.05 for p in found)
    assert wrong <= stats.binom.ppf(0.9999, repeats, 0.05)
