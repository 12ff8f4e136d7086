"""How rows come to the model: scaled by what was trained on, in the layout that is fast, never changed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_tasks import pictures, table, with_model

from gapless import draws
from gapless.data import Rows, Task
from gapless.recipe import Augment, Op, Recipe
from gapless.recipe.batch import vary
from gapless.train import loop
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


@pytest.mark.parametrize("rows", [1, 2, 7, 50_000])
def test_an_order_is_numpys_permutation_in_half_the_memory(rows: int) -> None:
    order = draws.order(3, 2, rows)
    assert np.array_equal(order, draws.stream(3, "order", 2).permutation(rows))
    assert order.nbytes == 4 * rows
    assert draws.row_type(2**31) is np.int64


def test_uniforms_are_uniform() -> None:
    u = draws.uniforms(3, "augment", 2, np.arange(4000), 5)
    assert u.shape == (4000, 5)
    assert u.min() >= 0
    assert u.max() < 1
    assert np.abs(u.mean(0) - 0.5).max() < 0.03


@settings(max_examples=50)
@given(
    columns=st.integers(0, 30),
    rows=st.lists(st.integers(0, 999), max_size=20),
    seed=st.integers(0, 2**63),
    epoch=st.integers(0, 10**6),
)
def test_uniforms_are_the_lines_of_numpys_table(columns: int, rows: list[int], seed: int, epoch: int) -> None:
    table = draws.stream(seed, "augment", epoch).random((1000, columns))
    assert np.array_equal(draws.uniforms(seed, "augment", epoch, np.array(rows, np.int64), columns), table[rows])


def test_uniforms_far_down_the_table() -> None:
    """No line before the one asked for is made; it is where numpy arrives by jumping."""
    row, columns = 10**15, 8
    generator = np.random.Philox(draws.key(0, "augment", 0))
    generator.advance(row * columns // 4)
    wanted = np.random.Generator(generator).random(columns)
    assert np.array_equal(draws.uniforms(0, "augment", 0, np.array([row]), columns)[0], wanted)


# ── the compiled interpreter ──

OPS = (
    Op(op="rotate", strength=20.0),
    Op(op="flip_x", strength=1.0, p=0.5),
    Op(op="brightness", strength=0.4),
    Op(op="erase", strength=0.3, p=0.5),
)


def photos(side: int = 64, rows: int = 24) -> Rows:
    """Smooth colours: the interpreters differ by a level on any picture, noise would only hide more."""
    rng = np.random.default_rng(0)
    x = np.kron(rng.integers(0, 256, (rows, 4, 4, 3)), np.ones((1, side // 4, side // 4, 1))).astype(np.uint8)
    return Rows(x, np.arange(rows) % 3)


def feed_of(rows: Rows) -> Feed:
    return Feed(rows, Scale.of(rows, 3, np.arange(len(rows))), 3, CPU)


@pytest.mark.parametrize(
    ("side", "channels", "compiled"), [(8, 1, False), (28, 1, False), (63, 3, False), (64, 3, True), (111, 1, True)]
)
def test_the_size_alone_decides_who_augments(side: int, channels: int, compiled: bool) -> None:
    rows = Rows(np.zeros((4, side, side, channels), np.uint8), np.arange(4) % 2)
    assert feed_of(rows).compiled is compiled
    assert not feed_of(table().develop).compiled


@pytest.mark.parametrize("part", [Augment(ops=OPS), Augment(ops=OPS, pick=2), Augment(ops=OPS, fill="reflect")])
def test_compiled_is_within_a_level_of_torch(part: Augment) -> None:
    rows = photos()
    feed, policy, index = feed_of(rows), part.policy(), torch.tensor([5, 3, 20, 3, 0])
    chances = draws.uniforms(0, "augment", 1, index.numpy(), policy.columns)
    compiled = feed.varied(policy.program(chances, 64, 64), index)
    wanted = feed.normal(vary(part, feed.raw(index), chances))
    least = min(feed.scale.sd)
    assert ((compiled - wanted).abs() > 1.01 / 255 / least).float().mean() < 0.01
    assert torch.equal(compiled[1], compiled[3]) is torch.equal(wanted[1], wanted[3])


def test_memory_is_used_again_and_a_batch_may_shrink_or_grow() -> None:
    feed, policy = feed_of(photos()), Augment(ops=OPS).policy()

    def varied(*rows: int) -> torch.Tensor:
        chances = draws.uniforms(0, "augment", 0, np.array(rows), policy.columns)
        return feed.varied(policy.program(chances, 64, 64), torch.tensor(rows))

    first = varied(1, 2, 3, 4)
    place, kept = first.data_ptr(), first.clone()
    again = varied(4, 2)
    assert again.data_ptr() == place
    assert torch.equal(again, kept[[3, 1]])
    assert torch.equal(varied(*range(12))[1:5], kept)


def test_training_with_the_compiled_interpreter_is_reproducible(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bits however many batches are augmented together, and on a second run."""
    rows = photos()
    task = with_model(Task("photos", rows, classes=("a", "b", "c")), "cnn", 4)
    recipe = Recipe(augment=Augment(ops=OPS, pick=1, mixup=0.2, cutmix=0.5, label_smoothing=0.1))
    found: list[list[torch.Tensor]] = []
    for together in (2**21, 2**21, 1):
        monkeypatch.setattr(loop, "VARIED_TOGETHER", together)
        trainer = loop.Trainer(task, np.arange(20), recipe, 0.01, 0, loop.Plan(2, 6), rows)
        assert isinstance(trainer.feed, Feed)
        assert trainer.feed.compiled
        trainer.run_to(2)
        found.append([parameter.detach() for parameter in trainer.model.parameters()])
    assert all(torch.equal(a, b) and torch.equal(a, c) for a, b, c in zip(*found, strict=True))


def test_the_compiled_interpreter_augments_in_training() -> None:
    """Not just in name: a training with it comes near the one with torch's, and far from one without augmentation."""
    rows = photos()
    task = with_model(Task("photos", rows, classes=("a", "b", "c")), "cnn", 4)
    ends: list[torch.Tensor] = []
    for recipe, compiled in ((Augment(ops=OPS), True), (Augment(ops=OPS), False), (Augment(), False)):
        trainer = loop.Trainer(task, np.arange(24), Recipe(augment=recipe), 0.01, 0, loop.Plan(1, 8), rows)
        assert isinstance(trainer.feed, Feed)
        trainer.feed.compiled = compiled
        trainer.run_to(1)
        ends.append(torch.cat([parameter.detach().flatten() for parameter in trainer.model.parameters()]))
    assert (ends[0] - ends[1]).norm() < 0.1 * (ends[0] - ends[2]).norm()


def test_keep_big_blocks_says_whether_it_did() -> None:
    assert keep_big_blocks() in (True, False)
    assert isinstance(keep_big_blocks(), bool)


def test_keep_big_blocks_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert keep_big_blocks() is False
