"""The ledger of verdicts: the same rows count each time they are asked something new, and other rows do not."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock

import gapless
from gapless.data import Rows
from gapless.data.readers.texts import as_array
from gapless.evidence import ledger
from gapless.evidence.result import Reading


def rows(first: int, end: int) -> Rows:
    """Some of a thousand rows that are always the same."""
    x = np.random.default_rng(0).normal(size=(1000, 3)).astype(np.float32)
    return Rows(x[first:end], np.zeros(end - first, np.int64))


def levels(*asked: tuple[Rows, str]) -> list[tuple[int, float]]:
    return [(found.number, round(found.level, 4)) for found in (ledger.read(*one) for one in asked)]


def test_each_verdict_on_the_same_rows_stands_at_a_higher_level() -> None:
    found = levels((rows(0, 100), "a"), (rows(0, 100), "b"), (rows(0, 100), "c"))
    assert found == [(1, 0.95), (2, 0.975), (3, 0.9833)]


def test_the_same_question_counts_once_and_keeps_its_place() -> None:
    found = levels((rows(0, 100), "a"), (rows(0, 100), "b"), (rows(0, 100), "a"), (rows(0, 100), "b"))
    assert [number for number, _ in found] == [1, 2, 1, 2]
    assert len((ledger.folder() / "verdicts.jsonl").read_text().splitlines()) == 2


def test_rows_that_overlap_are_the_same_and_others_are_not() -> None:
    found = levels((rows(0, 400), "a"), (rows(300, 700), "b"), (rows(700, 1000), "c"), (rows(390, 420), "d"))
    assert [number for number, _ in found] == [1, 2, 1, 3]
    blank = [Rows(np.zeros((1, 3), np.float32), np.zeros(1, np.int64)), rows(0, 300), rows(700, 1000)]
    shared = [Rows(np.concatenate([blank[0].x, more.x]), np.zeros(301, np.int64)) for more in blank[1:]]
    assert levels((shared[1], "e"))[0][0] == 2  # with c
    assert not ledger._overlap(*(ledger.sketch(one) for one in shared))  # pyright: ignore[reportPrivateUsage]


def test_many_rows_are_known_by_some_of_them() -> None:
    x = np.arange(60_000, dtype=np.float32)[:, None]
    first, second = (Rows(x[at : at + 20_000], np.zeros(20_000, np.int64)) for at in (0, 18_000))
    assert [number for number, _ in levels((first, "a"), (second, "b"))] == [1, 2]
    assert (ledger.folder() / "verdicts.jsonl").stat().st_size < 30_000


def test_rows_are_what_they_were_before_they_were_encoded() -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 3)), columns=pd.Index(["a", "b", "c"]))
    frame["y"] = np.arange(200) % 2
    for seed in (0, 1):  # other rows to develop with standardise otherwise
        task = gapless.load(frame, target="y", seed=seed)
        assert task.confirm is not None
        assert ledger.read(task.confirm, f"seed {seed}").number == 1 + seed
    x, y = frame[["a", "b", "c"]].to_numpy(), frame["y"].to_numpy()
    for seed in (0, 1):
        task = gapless.load(x, y, seed=seed)
        assert task.confirm is not None
        assert ledger.read(task.confirm, f"array, seed {seed}").number == 1 + seed
    texts = Rows(as_array(["A good film.", "Another one."]), np.zeros(2, np.int64))
    again = Rows(as_array(["a good  film.", "Yet another."]), np.zeros(2, np.int64))
    assert [number for number, _ in levels((texts, "t"), (again, "u"))] == [1, 2]


def test_torn_and_foreign_lines_are_passed_over() -> None:
    place = ledger.folder() / "verdicts.jsonl"
    ledger.read(rows(0, 100), "a")
    whole = place.read_text()
    place.write_text('{"other": 1}\n7\n' + whole + whole[: len(whole) // 2])
    assert ledger.read(rows(0, 100), "b").number == 2
    assert ledger.read(rows(0, 100), "c").number == 3


def test_where_it_cannot_be_kept_the_reading_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(ledger.VARIABLE, str(tmp_path / "file" / "ledger"))
    found = ledger.read(rows(0, 100), "a")
    assert (found.number, found.level) == (1, 0.95)
    assert "file" in found.unkept
    monkeypatch.setenv(ledger.VARIABLE, str(tmp_path))
    monkeypatch.setattr(ledger, "_SECONDS", 0.05)
    assert ledger.read(rows(0, 100), "a") == Reading()
    with FileLock(tmp_path / "verdicts.lock"):
        assert "another process" in ledger.read(rows(0, 100), "b").unkept
