"""The verdict from its entries: what is paired with what, and which word the interval says."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gapless.errors import DataError
from gapless.recipe import Decay, Dropout, Recipe
from gapless.search.confirm import BEST, PLAIN, Confirmation, Entry, verdict, without
from gapless.search.result import Interval
from gapless.search.statistics import difference_interval, mean_interval

Each = NDArray[np.float32]


def bits(rng: np.random.Generator, rows: int, share: float) -> Each:
    return (rng.random(rows) < share).astype(np.float32)


def filled(plain: float = 0.7, best: float = 0.8, seeds: int = 5) -> Confirmation:
    rng, confirmation = np.random.default_rng(0), Confirmation()
    for seed in range(seeds):
        for model, share in ((PLAIN, plain), (BEST, best), (without("dropout"), best - 0.05)):
            entry = Entry(model, seed, bits(rng, 40, 0.99), bits(rng, 200, share), 1.5)
            confirmation.take({**entry.event(), "at": 1.0})
    return confirmation


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=40), st.integers(0, 99))
def test_an_entry_comes_back_bit_for_bit(values: list[float], seed: int) -> None:
    each = np.array(values, np.float32)
    entry = Entry(without("decay"), seed, each, each[::-1].copy(), 0.5)
    event = json.loads(json.dumps({**entry.event(), "at": 1.0}, allow_nan=False))
    again = Entry.of(event)
    assert (again.model, again.seed, again.seconds) == ("without decay", seed, 0.5)
    assert again.train.tobytes() == entry.train.tobytes()
    assert again.confirm.tobytes() == entry.confirm.tobytes()
    assert again.confirm.flags.writeable


def test_replay_takes_its_own_events_alone() -> None:
    confirmation = filled()
    events = [{**e.event(), "at": 1.0} for e in confirmation.entries]
    again = Confirmation.replay([{"event": "run", "at": 0.0}, *events, {"event": "trial", "at": 2.0}])
    assert [e.event() for e in again.entries] == [e.event() for e in confirmation.entries]
    assert again.gain() == confirmation.gain()


@pytest.mark.parametrize("change", [{"train": "no base64!"}, {"confirm": None}, {"train": "AAA="}])
def test_damaged_entries_are_refused(change: dict[str, Any]) -> None:
    event = {**filled().entries[0].event(), "at": 1.0, **change}
    with pytest.raises(DataError, match=r"journal.jsonl line 1: not a confirm of this version"):
        Confirmation.replay([event])


def table(confirmation: Confirmation, model: str, part: str = "confirm") -> Each:
    rows = sorted((e for e in confirmation.entries if e.model == model), key=lambda e: e.seed)
    return np.stack([getattr(e, part) for e in rows])


def test_gain_is_best_minus_plain_paired_by_seed_and_row() -> None:
    confirmation = filled()
    expected = mean_interval(table(confirmation, BEST) - table(confirmation, PLAIN))
    assert confirmation.gain() == expected
    shuffled = Confirmation(confirmation.entries[::-1])  # workers end in any order
    assert shuffled.gain() == expected
    assert 0 < expected.low < expected.mean < expected.high


def test_sides() -> None:
    confirmation, recipe = filled(), Recipe(decay=Decay(strength=0.1))
    side = confirmation.side(BEST, 0.03, recipe)
    confirm, train = table(confirmation, BEST), table(confirmation, BEST, "train")
    assert side.lr == 0.03
    assert side.recipe == {"decay": {"strength": 0.1}}
    assert side.confirm.seeds == pytest.approx(confirm.mean(1).tolist())
    assert side.confirm.mean == pytest.approx(confirm.mean())
    assert side.confirm.sd == pytest.approx(confirm.mean(1).std(ddof=1))
    assert side.train.mean == pytest.approx(train.mean())
    assert side.gap == difference_interval(train, confirm)
    assert side.gap.mean == pytest.approx(train.mean() - confirm.mean())


def test_seeds_that_one_side_lacks_are_left_out() -> None:
    confirmation = filled()
    confirmation.entries = [e for e in confirmation.entries if (e.model, e.seed) != (PLAIN, 3)]
    assert len(confirmation.side(BEST, 0.1, Recipe()).confirm.seeds) == 4
    assert len(confirmation.side(PLAIN, 0.1, Recipe()).confirm.seeds) == 4
    kept = [0, 1, 2, 4]
    best, plain = table(confirmation, BEST)[kept], table(confirmation, PLAIN)
    assert confirmation.gain() == mean_interval(best - plain)


def test_pillars() -> None:
    confirmation = filled()
    recipe = Recipe(dropout=Dropout(hidden=0.1), decay=Decay(strength=0.1))
    dropout, decay = confirmation.pillars(recipe)
    assert (dropout.name, decay.name) == ("dropout", "decay")
    assert decay.without is None  # there was no time
    assert dropout.without == mean_interval(table(confirmation, without("dropout")) - table(confirmation, BEST))
    assert dropout.without is not None
    assert dropout.without.mean < 0  # without it the score is lower: it helps


@pytest.mark.parametrize("seeds", [0, 1])
def test_no_difference_below_two_common_seeds(seeds: int) -> None:
    assert filled(seeds=seeds).difference(BEST, PLAIN) is None
    assert filled(seeds=2).difference(BEST, PLAIN) is not None


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.001, 0.1, "improved"),
        (0.0, 0.1, "no detectable gain"),
        (-0.1, 0.1, "no detectable gain"),
        (-0.1, 0.0, "no detectable gain"),
        (0.0, 0.0, "no detectable gain"),
        (-0.2, -0.001, "worse"),
    ],
)
def test_verdict_words(low: float, high: float, word: str) -> None:
    assert verdict(Interval((low + high) / 2, low, high)) == word
