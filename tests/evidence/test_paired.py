"""The verdict from its entries: what is paired with what, and which word the interval says."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gapless.errors import DataError
from gapless.evidence.intervals import gap_interval, mean_interval
from gapless.evidence.paired import BEST, PLAIN, Confirmation, Entry, verdict, without
from gapless.evidence.result import Interval
from gapless.recipe import Decay, Recipe

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


def test_a_group_is_the_unit_of_every_interval() -> None:
    """The same rows four times, as further test data as well, say what they say once."""

    def repeated(times: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        first = {e.model: e.confirm for e in filled().entries[:3]}
        for e in filled().entries:
            each = np.repeat(first[e.model], times)  # rows differ, seeds do not
            found.append({**Entry(e.model, e.seed, e.train, each, 1.0, {"there": each}).event(), "at": 1.0})
        return found

    groups = np.repeat(np.arange(200), 4)
    alone, rows = Confirmation.replay(repeated(1)), Confirmation.replay(repeated(4))
    together = Confirmation.replay(repeated(4), None, groups, {"there": groups})

    def widths(found: Confirmation) -> list[float]:
        pillar = found.interval(found.table(without("dropout"), [0, 1, 2]) - found.table(BEST, [0, 1, 2]))
        gap, there = found.side(BEST, 0.1, 1, Recipe()).gap, found.elsewhere()[0]
        intervals = (found.gain(), found.closed(), pillar, gap, there.gain, there.best.drop)
        return [one.high - one.low for one in intervals if one is not None]

    assert len(widths(alone)) == 6
    assert widths(together) == pytest.approx(widths(alone), rel=1e-6)
    assert all(few < 0.75 * true for few, true in zip(widths(rows), widths(alone), strict=True))


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
    side = confirmation.side(BEST, 0.03, 9, recipe)
    confirm, train = table(confirmation, BEST), table(confirmation, BEST, "train")
    assert side.lr == 0.03
    assert side.recipe == {"decay": {"strength": 0.1}}
    assert side.confirm.seeds == pytest.approx(confirm.mean(1).tolist())
    assert side.confirm.mean == pytest.approx(confirm.mean())
    assert side.confirm.sd == pytest.approx(confirm.mean(1).std(ddof=1))
    assert side.train.mean == pytest.approx(train.mean())
    assert side.gap == gap_interval(train, confirm)
    assert side.gap.mean == pytest.approx(train.mean() - confirm.mean())


def test_how_far_the_gap_closes_is_paired() -> None:
    confirmation = filled()
    found = confirmation.closed()
    assert found is not None
    sides = [confirmation.side(model, 0.1, 9, Recipe()) for model in (PLAIN, BEST)]
    assert found.mean == pytest.approx(sides[0].gap.mean - sides[1].gap.mean)
    moved = table(confirmation, PLAIN) - table(confirmation, BEST)
    trained = table(confirmation, PLAIN, "train") - table(confirmation, BEST, "train")
    assert found == gap_interval(trained, moved)


def test_seeds_that_one_side_lacks_are_left_out() -> None:
    confirmation = filled()
    confirmation.entries = [e for e in confirmation.entries if (e.model, e.seed) != (PLAIN, 3)]
    assert len(confirmation.side(BEST, 0.1, 9, Recipe()).confirm.seeds) == 4
    assert len(confirmation.side(PLAIN, 0.1, 9, Recipe()).confirm.seeds) == 4
    kept = [0, 1, 2, 4]
    best, plain = table(confirmation, BEST)[kept], table(confirmation, PLAIN)
    assert confirmation.gain() == mean_interval(best - plain)


def test_seeds_that_failed_are_counted() -> None:
    confirmation = filled()
    for model, seed in ((BEST, 5), (BEST, 5), (BEST, 2)):
        confirmation.take({"event": "failure", "model": model, "seed": seed, "reason": "loss nan", "at": 1.0})
    assert confirmation.failed(BEST) == {5: "loss nan"}  # seed 2 was trained after all
    assert confirmation.side(BEST, 0.1, 9, Recipe()).failed == 1
    assert confirmation.side(PLAIN, 0.1, 9, Recipe()).failed == 0


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
