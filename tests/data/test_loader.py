"""The loader: the same pictures at any batch size and thread count, memory used again, no thread left behind."""

from __future__ import annotations

import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from gapless import draws
from gapless.augment.image import Policy, RampDown, RampUp, Step
from gapless.augment.image.cpu import interpreter as cpu
from gapless.augment.image.cpu.interpreter import Normal
from gapless.data import Loader
from gapless.errors import UsageError
from gapless.schedule import Constant

POLICY = Policy((Step("rotate", 30), Step("flip_x", 1, 0.5), Step("brightness", 0.5), Step("erase", 0.3, 0.5)))
PICKING = Policy((Step("rotate", 30), Step("equalize", 1), Step("sharpness", 0.8), Step("contrast", 0.5)), pick=2)
NORMAL = Normal((0.5, 0.4, 0.3), (0.2, 0.25, 0.3))


def levels(rows: int = 40, height: int = 12, width: int = 10, channels: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (rows, height, width, channels), np.uint8)


def by_row(loader: Loader, rows: int) -> Tensor:
    """One pass, each picture at its row; the loader has no labels, so it gives the rows."""
    found: dict[int, Tensor] = {}
    for images, numbers in loader:
        assert images.dtype == torch.float32
        assert images.is_contiguous()
        found |= {int(row): image.clone() for row, image in zip(numbers, images, strict=True)}
    assert sorted(found) == list(range(rows))
    return torch.stack([found[row] for row in range(rows)])


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert [t.name for t in threading.enumerate() if t.name == "gapless-loader"] == []


# ── the same pictures ──


@settings(max_examples=25)
@given(
    batch_size=st.integers(1, 50),
    threads=st.integers(1, 4),
    ahead=st.integers(1, 3),
    shuffle=st.booleans(),
    policy=st.sampled_from([POLICY, PICKING]),
)
def test_same_pictures_however_they_are_loaded(
    batch_size: int, threads: int, ahead: int, shuffle: bool, policy: Policy
) -> None:
    x = levels()
    wanted = cpu.run(policy.program(draws.uniforms(5, "augment", 0, np.arange(40), policy.columns), 12, 10), x, NORMAL)
    loader = Loader(x, None, policy, batch_size, seed=5, normal=NORMAL, shuffle=shuffle, threads=threads, ahead=ahead)
    assert torch.equal(by_row(loader, 40), wanted)


def test_many_pictures_are_drawn_for_several_times() -> None:
    """More rows than one program is drawn for, in batches that do not divide it."""
    x = levels(3000, 4, 4, 1)
    wanted = by_row(Loader(x, None, POLICY, 3000), 3000)
    assert torch.equal(by_row(Loader(x, None, POLICY, 300, threads=2), 3000), wanted)
    assert torch.equal(by_row(Loader(x, None, POLICY, 1), 3000), wanted)


def test_draws_differ_by_seed_epoch_and_row() -> None:
    x = np.broadcast_to(levels(1), (40, 12, 10, 3))
    loader = Loader(x, None, POLICY)
    first, second = by_row(loader, 40), by_row(loader, 40)
    assert len({picture.numpy().tobytes() for picture in torch.cat((first, second))}) == 80
    other = by_row(Loader(x, None, POLICY, seed=1), 40)
    assert not (first == other).all((1, 2, 3)).any()


def test_a_pass_is_an_epoch_and_any_epoch_can_be_had_again() -> None:
    x = levels()
    loader = Loader(x, None, POLICY, 16)
    first, second = by_row(loader, 40), by_row(loader, 40)
    assert loader.epoch == 2
    loader.set_epoch(1)
    assert torch.equal(by_row(loader, 40), second)
    again = Loader(x, None, POLICY, 7)
    assert torch.equal(by_row(again, 40), first)


def test_a_pass_that_was_broken_off_counts() -> None:
    x = levels()
    loader, whole = Loader(x, None, POLICY, 8), Loader(x, None, POLICY, 8)
    for _ in loader:
        break
    by_row(whole, 40)
    assert torch.equal(by_row(loader, 40), by_row(whole, 40))


def test_order_depends_on_seed_and_epoch() -> None:
    def orders(seed: int, shuffle: bool = True) -> list[list[int]]:
        loader = Loader(levels(), None, seed=seed, shuffle=shuffle, batch_size=7)
        return [torch.cat([rows.clone() for _, rows in loader]).tolist() for _ in range(2)]

    assert orders(0) == orders(0) == [draws.order(0, epoch, 40).tolist() for epoch in (0, 1)]
    assert len({tuple(order) for order in orders(0) + orders(1)}) == 4
    assert orders(0, shuffle=False) == [list(range(40))] * 2


def test_a_part_of_the_rows_keeps_its_draws() -> None:
    x = levels()
    whole = by_row(Loader(x, None, POLICY), 40)
    some = np.array([31, 2, 17, 5])
    images, rows = next(iter(Loader(x, None, POLICY, rows=some)))
    assert sorted(rows.tolist()) == [2, 5, 17, 31]
    assert torch.equal(images, whole[rows])


@pytest.mark.parametrize(("threads", "most"), [(1, 0.55), (2, 0.7)])
def test_an_epoch_holds_little_more_than_its_batches(threads: int, most: float) -> None:
    """In MB: the order of the epoch, what one draw takes, and with helpers the draw before it."""
    rows = 20_000
    x = np.zeros((rows, 2, 2, 3), np.uint8)
    steps = (*(Step(name, 0.1) for name in ("scale", "translate_x", "brightness", "contrast", "saturation")),)
    loader = Loader(x, np.zeros(rows), Policy((Step("rotate", 15), *steps)), 256, threads=threads)
    for _ in loader:
        pass
    peaks: list[float] = []
    for _ in range(3):  # what two threads hold at one moment varies a little from epoch to epoch
        tracemalloc.start()
        try:
            for _ in loader:
                pass
            peaks.append(tracemalloc.get_traced_memory()[1] / 2**20)
        finally:
            tracemalloc.stop()
    assert rows * 4 / 2**20 < min(peaks) < most


@pytest.mark.parametrize("kind", ["mapped", "copy-on-write", "read-only", "reversed", "every second", "large pictures"])
def test_memory_of_any_kind(kind: str, tmp_path: Path) -> None:
    x = levels(6, 110, 110) if kind == "large pictures" else levels()
    held = x
    if kind in ("mapped", "copy-on-write"):
        np.save(tmp_path / "x.npy", x)
        held = np.load(tmp_path / "x.npy", mmap_mode="r" if kind == "mapped" else "c")
    elif kind == "read-only":
        held = x.copy()
        held.flags.writeable = False
    elif kind == "reversed":
        held = x[::-1].copy()[::-1]
    elif kind == "every second":
        held = np.repeat(np.repeat(x, 2, axis=0), 2, axis=2)[::2, :, ::2]
    before, rows = x.copy(), np.arange(len(x))
    wanted = cpu.run(
        POLICY.program(draws.uniforms(0, "augment", 0, rows, POLICY.columns), x.shape[1], x.shape[2]), x, NORMAL
    )
    assert torch.equal(by_row(Loader(held, None, POLICY, 3, normal=NORMAL), len(x)), wanted)
    assert torch.equal(by_row(Loader(held, None, POLICY, 3, normal=NORMAL, shuffle=False), len(x)), wanted)
    assert np.array_equal(held, before)


def test_floats_are_within_a_level_of_bytes() -> None:
    x = levels()
    as_floats = (x / 255).astype(np.float32)
    bytes_, floats = (by_row(Loader(v, None, POLICY, 7, normal=NORMAL), 40) for v in (x, as_floats))
    assert (bytes_ - floats).abs().max() < 1.01 / 255 / 0.2
    plain = by_row(Loader(as_floats, None, batch_size=9), 40)
    assert np.array_equal(plain.numpy(), as_floats.transpose(0, 3, 1, 2))
    assert np.array_equal(as_floats, (x / 255).astype(np.float32))


@pytest.mark.parametrize("policy", [POLICY, PICKING])
def test_floats_are_the_same_however_they_are_loaded(policy: Policy) -> None:
    x = (levels() / 255).astype(np.float32)
    loaders = [Loader(x, None, policy, batch, threads=n, shuffle=s) for batch, n, s in ((40, 1, False), (7, 2, True))]
    one, other = (by_row(loader, 40) for loader in loaders)
    torch.testing.assert_close(one, other, atol=1e-6, rtol=0)


def test_a_policy_with_a_size_brings_pictures_to_it() -> None:
    policy = Policy((Step("resized_crop", 0.5), Step("flip_x", 1, 0.5)), size=(6, 5))
    for x in (levels(), (levels() / 255).astype(np.float32)):
        assert by_row(Loader(x, None, policy, 16), 40).shape == (40, 3, 6, 5)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_any_number_of_channels(channels: int) -> None:
    normal = Normal((0.5,) * channels, (0.5,) * channels)
    x = levels(channels=channels)
    found = by_row(Loader(x, None, normal=normal), 40)
    np.testing.assert_allclose(found, (x.transpose(0, 3, 1, 2) / 255 - 0.5) / 0.5, atol=1e-5)


# ── labels ──


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (list(range(40)), torch.int64),
        (np.arange(40, dtype=np.uint8), torch.int64),
        (torch.arange(40), torch.int64),
        (np.broadcast_to(np.arange(1), 40), torch.int64),  # read-only
        (np.arange(40) / 7, torch.float32),
        (np.arange(160).reshape(40, 4) % 2 == 0, torch.bool),
        (np.arange(40 * 120).reshape(40, 12, 10), torch.int64),
    ],
)
def test_labels_stay_with_their_pictures(labels: Any, kind: torch.dtype) -> None:
    x = np.repeat(np.arange(40, dtype=np.uint8), 12).reshape(40, 4, 3, 1)
    all_labels = labels if isinstance(labels, Tensor) else torch.from_numpy(np.array(labels))
    seen = 0
    for images, found in Loader(x, labels, batch_size=7, threads=2):
        rows = (images[:, 0, 0, 0] * 255).round().long()
        assert found.dtype == kind
        torch.testing.assert_close(found, all_labels[rows].to(kind), rtol=1e-6, atol=0)
        seen += len(found)
    assert seen == 40


# ── length, buffers, threads ──


@pytest.mark.parametrize(
    ("batch_size", "drop_last", "sizes"),
    [(16, False, [16, 16, 8]), (16, True, [16, 16]), (40, True, [40]), (100, False, [40]), (20, True, [20, 20])],
)
def test_length(batch_size: int, drop_last: bool, sizes: list[int]) -> None:
    loader = Loader(levels(), None, POLICY, batch_size, drop_last=drop_last, threads=3)
    assert len(loader) == len(sizes)
    assert [len(images) for images, _ in loader] == sizes


@pytest.mark.parametrize(("threads", "ahead", "buffers"), [(1, 1, 2), (3, 1, 2), (3, 3, 4), (1, 2, 3)])
def test_buffers_are_used_again(threads: int, ahead: int, buffers: int) -> None:
    loader = Loader(levels(), None, POLICY, 4, threads=threads, ahead=ahead)
    places = {(images.data_ptr(), rows.data_ptr()) for _ in range(4) for images, rows in loader}
    assert len(places) == buffers


def test_a_batch_stays_until_the_next_is_asked_for() -> None:
    """Whoever takes their time finds the batch as it was."""
    for images, _ in Loader(levels(), None, POLICY, 4, threads=3):
        before = images.clone()
        time.sleep(0.005)
        assert torch.equal(images, before)


def test_two_passes_at_a_time_do_not_share_memory() -> None:
    x = levels()
    loader = Loader(x, None, batch_size=8, shuffle=False)
    for (one, rows), (other, _) in zip(loader, loader, strict=True):
        assert one.data_ptr() != other.data_ptr()
        for images in (one, other):
            assert np.array_equal((images * 255).round().byte(), x[rows].transpose(0, 3, 1, 2))


def test_a_pass_can_be_broken_off_anywhere() -> None:
    loader = Loader(levels(), None, POLICY, 3, threads=2)
    for stop in range(14):
        for number, _ in enumerate(loader):
            if number == stop:
                break
    iter(loader)  # never begun
    assert len(by_row(loader, 40)) == 40


def test_close_ends_a_pass_and_says_so() -> None:
    with Loader(levels(), None, POLICY, 3, threads=2) as loader:
        batches = iter(loader)
        next(batches)
    assert [t for t in threading.enumerate() if t.name == "gapless-loader"] == []
    with pytest.raises(UsageError, match="closed while a pass over it was under way"):
        for _ in batches:
            pass
    assert len(by_row(loader, 40)) == 40  # a new pass works


def test_an_error_in_the_loop_ends_the_threads() -> None:
    with pytest.raises(RuntimeError, match="mine"):
        for _ in Loader(levels(), None, POLICY, 3, threads=2):
            raise RuntimeError("mine")


# ── strength ──


def test_strength_follows_the_epochs() -> None:
    x = levels()
    rising = Loader(x, None, POLICY, strength=RampUp(2))
    plain = by_row(Loader(x, None), 40)
    assert torch.equal(by_row(rising, 40), plain)
    middle, full = by_row(rising, 40), by_row(rising, 40)
    for epoch, found, share in ((1, middle, 0.5), (2, full, 1.0)):
        wanted = Loader(x, None, POLICY.scaled(share))
        wanted.set_epoch(epoch)
        assert torch.equal(found, by_row(wanted, 40))
    falling = Loader(x, None, POLICY, strength=RampDown(1, 1))
    assert not torch.equal(by_row(falling, 40), plain)
    by_row(falling, 40)
    assert torch.equal(by_row(falling, 40), plain)


def test_a_share_out_of_range_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"share must be in \[0, 1\], got 2"):
        iter(Loader(levels(), None, POLICY, strength=lambda epoch: 2.0))


@pytest.mark.parametrize(
    ("schedule", "shares"),
    [
        (Constant(0.3), [0.3] * 6),
        (RampUp(4), [0, 0.25, 0.5, 0.75, 1, 1]),
        (RampUp(2, first=0.5), [0.5, 0.75, 1, 1, 1, 1]),
        (RampDown(2, 2), [1, 1, 1, 0.5, 0, 0]),
        (RampDown(1, 4, last=0.5), [1, 1, 0.875, 0.75, 0.625, 0.5]),
    ],
)
def test_schedules(schedule: Any, shares: list[float]) -> None:
    assert [schedule(epoch) for epoch in range(6)] == pytest.approx(shares)
    assert schedule(10**9) == pytest.approx(shares[-1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant(1.5), r"Constant: share must be in \[0, 1\], got 1.5"),
        (lambda: Constant(float("nan")), r"Constant: share must be in \[0, 1\], got nan"),
        (lambda: RampUp(0), "PerEpoch: epochs must be at least 1, got 0"),
        (lambda: RampUp(3, first=-1), r"RampUp: first must be in \[0, 1\], got -1"),
        (lambda: RampDown(-1, 2), "PerEpoch: start must be at least 0, got -1"),
        (lambda: RampDown(0, 0), "PerEpoch: epochs must be at least 1, got 0"),
        (lambda: RampDown(0, 1, last=2), r"RampDown: last must be in \[0, 1\], got 2"),
    ],
)
def test_schedules_out_of_range(make: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()
