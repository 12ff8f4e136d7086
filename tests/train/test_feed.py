"""How rows come to the model: scaled by what was trained on, in the layout that is fast, never changed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_tasks import pictures, table

from gapless.data import Rows
from gapless.train import draws
from gapless.train.batches import Feed, Scale
from gapless.train.memory import keep_big_blocks

CPU = torch.device("cpu")


def test_pictures_are_normalised_by_the_rows_trained_on() -> None:
    rng = np.random.default_rng(0)
    x = (rng.random((40, 6, 5, 3)) * [200, 100, 50] + [10, 60, 5]).astype(np.uint8)
    x[20:] = 255
    rows, index = Rows(x, np.arange(40) % 2), np.arange(20)
    feed = Feed(rows, Scale.of(rows, 2, index), 2, CPU)
    seen = feed.inputs(torch.from_numpy(index))
    assert seen.shape == (20, 3, 6, 5)
    torch.testing.assert_close(seen.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(seen.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-4, rtol=0)
    assert seen.is_contiguous(memory_format=torch.channels_last)
    raw = feed.raw(torch.tensor([3]))
    assert torch.equal((raw * 255).round()[0].permute(1, 2, 0).to(torch.uint8), torch.from_numpy(x[3]))


def test_one_coloured_pictures_do_not_divide_by_zero() -> None:
    rows = Rows(np.full((4, 3, 3, 1), 7, np.uint8), np.arange(4) % 2)
    feed = Feed(rows, Scale.of(rows, 2, np.arange(4)), 2, CPU)
    assert feed.inputs(torch.arange(4)).abs().max() < 1e-3


def test_regression_target_is_standardised_by_the_rows_trained_on() -> None:
    task = table(outputs=0)
    index = np.arange(0, 90, 2)
    scale = Scale.of(task.develop, 0, index)
    feed = Feed(task.develop, scale, 0, CPU)
    seen = feed.labels[torch.from_numpy(index)]
    assert feed.labels.dtype == torch.float32
    assert float(seen.mean()) == pytest.approx(0, abs=1e-5)
    assert float(seen.std(correction=0)) == pytest.approx(1, abs=1e-5)
    back = feed.labels.numpy() * scale.target[1] + scale.target[0]
    np.testing.assert_allclose(back, task.develop.y.astype(np.float64), rtol=1e-5)


def test_constant_target_does_not_divide_by_zero() -> None:
    rows = Rows(np.zeros((5, 2), np.float32), np.full(5, 3.0, np.float32))
    assert Feed(rows, Scale.of(rows, 0, np.arange(5)), 0, CPU).labels.isfinite().all()


def test_large_targets_keep_their_digits() -> None:
    """A target around a million that varies by ones must not drown in float32."""
    y = (1e6 + np.arange(64)).astype(np.float32)
    rows = Rows(np.zeros((64, 1), np.float32), y)
    seen = Feed(rows, Scale.of(rows, 0, np.arange(64)), 0, CPU).labels
    np.testing.assert_allclose(seen.numpy(), (np.arange(64) - 31.5) / np.arange(64).std(), atol=1e-6)


def test_classes_and_tables_are_left_as_they_are() -> None:
    task = table()
    scale = Scale.of(task.develop, 3, np.arange(90))
    feed = Feed(task.develop, scale, 3, CPU)
    assert scale.target == (0.0, 1.0)
    assert torch.equal(feed.labels, torch.from_numpy(task.develop.y))
    assert torch.equal(feed.inputs(torch.arange(90)), torch.from_numpy(task.develop.x))


def test_rows_are_never_changed() -> None:
    task = pictures(60)
    before = task.develop.x.copy()
    feed = Feed(task.develop, Scale.of(task.develop, 10, np.arange(60)), 10, CPU)
    feed.raw(torch.arange(60)).zero_()
    feed.inputs(torch.arange(60)).zero_()
    assert np.array_equal(task.develop.x, before)


@pytest.mark.parametrize("how", ["read-only", "copy-on-write", "strided"])
def test_memory_of_any_kind(how: str, tmp_path: Path) -> None:
    task = pictures(60)
    x = task.develop.x
    if how == "read-only":
        held = x.copy()
        held.flags.writeable = False
    elif how == "copy-on-write":
        np.save(tmp_path / "x.npy", x)
        held = np.load(tmp_path / "x.npy", mmap_mode="c")
    else:
        held = np.repeat(x, 2, axis=0)[::2]
    feeds = [Feed(replace(task.develop, x=v), Scale.of(task.develop, 10, np.arange(60)), 10, CPU) for v in (x, held)]
    assert torch.equal(feeds[0].inputs(torch.arange(60)), feeds[1].inputs(torch.arange(60)))


# ── draws ──


def test_draws_depend_on_every_part_of_their_key() -> None:
    keys = [
        draws.key(0, "order"),
        draws.key(1, "order"),
        draws.key(0, "mix"),
        draws.key(0, "order", 0),
        draws.key(0, "order", 0, 0),
        draws.key(0, "order", 1),
        draws.key(0, "order", 11),
        draws.key(0, "order", 1, 1),
    ]
    assert len(set(keys)) == len(keys)
    assert all(0 <= k < 2**64 for k in keys)
    assert draws.key(0, "order", 1) == keys[5]


def test_an_order_holds_every_row_once() -> None:
    orders = [draws.order(seed, epoch, 50).tolist() for seed in (0, 1) for epoch in (0, 1)]
    assert all(sorted(o) == list(range(50)) for o in orders)
    assert len({tuple(o) for o in orders}) == 4


def test_uniforms_are_uniform() -> None:
    u = draws.uniforms(3, "augment", 2, 4000, 5)
    assert u.shape == (4000, 5)
    assert u.min() >= 0
    assert u.max() < 1
    assert np.abs(u.mean(0) - 0.5).max() < 0.03


def test_keep_big_blocks_says_whether_it_did() -> None:
    assert keep_big_blocks() in (True, False)
    assert isinstance(keep_big_blocks(), bool)


def test_keep_big_blocks_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert keep_big_blocks() is False
