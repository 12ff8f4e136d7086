"""recipe.batch: what it gives back, from what it draws, and what it leaves alone."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from recipe_draws import augments
from torch import Generator, Tensor

from gapless.errors import UsageError
from gapless.recipe import Augment, Op, Recipe, preset, presets

ROTATE = Op(op="rotate", strength=20.0)
PARTS = {
    "ops": Augment(ops=(ROTATE, Op(op="brightness", strength=0.3))),
    "pick": Augment(ops=(ROTATE, Op(op="erase", strength=0.3), Op(op="flip_x", strength=1.0)), pick=2),
    "mixup": Augment(mixup=0.4),
    "cutmix": Augment(cutmix=1.0),
    "mixup or cutmix": Augment(mixup=0.4, cutmix=1.0),
    "smoothing": Augment(label_smoothing=0.1),
    "all": Augment(ops=(ROTATE,), mixup=0.4, cutmix=1.0, label_smoothing=0.1, fill="reflect"),
}


def gen(seed: int = 0) -> Generator:
    return torch.Generator().manual_seed(seed)


def pictures(dtype: torch.dtype, channels: int = 3, rows: int = 12) -> Tensor:
    whole = torch.randint(0, 256, (rows, channels, 9, 7), generator=gen(5), dtype=torch.uint8)
    return whole if dtype == torch.uint8 else whole.to(dtype) / 255


LABELS = torch.arange(12) % 5


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("name", PARTS)
def test_pictures(name: str, dtype: torch.dtype) -> None:
    recipe, x, y = Recipe(augment=PARTS[name]), pictures(dtype), LABELS.clone()
    x_before, y_before = x.clone(), y.clone()
    inputs, targets = recipe.batch(x, y, gen(), classes=5)
    assert torch.equal(x, x_before)
    assert torch.equal(y, y_before)
    assert (inputs.shape, inputs.dtype) == (x.shape, dtype)
    assert inputs.float().min() >= 0
    assert inputs.float().max() <= (255 if dtype == torch.uint8 else 1)
    assert (not torch.equal(inputs, x)) == (name != "smoothing")
    again, same_targets = recipe.batch(x, y, gen(), classes=5)
    assert torch.equal(inputs, again)
    assert torch.equal(targets, same_targets)
    other, _ = recipe.batch(x, y, gen(1), classes=5)
    assert (not torch.equal(inputs, other)) == (name != "smoothing")
    if name in ("ops", "pick"):
        assert torch.equal(targets, y)
    else:
        assert (targets.shape, targets.dtype) == ((12, 5), torch.float32)
        torch.testing.assert_close(targets.sum(1), torch.ones(12))
        assert targets.min() >= 0


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_empty_recipe_hands_back_what_it_got(dtype: torch.dtype) -> None:
    x = pictures(dtype)
    inputs, targets = Recipe().batch(x, LABELS, gen())
    assert torch.equal(inputs, x)
    assert torch.equal(targets, LABELS)


def test_uint8_and_float_agree() -> None:
    """The same draws on bytes and on shares: equal up to rounding."""
    for name in ("ops", "mixup", "cutmix"):
        recipe = Recipe(augment=PARTS[name])
        whole, _ = recipe.batch(pictures(torch.uint8), LABELS, gen(), classes=5)
        share, _ = recipe.batch(pictures(torch.float32), LABELS, gen(), classes=5)
        assert (whole.float() / 255 - share).abs().max() < 0.02, name


def test_every_picture_gets_a_draw_of_its_own() -> None:
    x = pictures(torch.float32)[:1].expand(8, -1, -1, -1)
    inputs, _ = Recipe(augment=PARTS["ops"]).batch(x, LABELS[:8], gen())
    assert len({row.numpy().tobytes() for row in inputs}) == 8


def test_the_generator_goes_on() -> None:
    """Two batches from one generator differ, and nothing else is drawn from."""
    recipe, x, generator = preset("image", "strong"), pictures(torch.float32), gen()
    torch_before, numpy_before = torch.get_rng_state(), repr(np.random.get_state())  # noqa: NPY002
    first, _ = recipe.batch(x, LABELS, generator, classes=5)
    second, _ = recipe.batch(x, LABELS, generator, classes=5)
    assert not torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert repr(np.random.get_state()) == numpy_before  # noqa: NPY002


def test_smoothed_labels_stay_smooth_when_they_are_mixed() -> None:
    for part in (Augment(mixup=0.4, label_smoothing=0.2), Augment(cutmix=0.4, label_smoothing=0.2)):
        _, targets = Recipe(augment=part).batch(pictures(torch.float32), LABELS, gen(), classes=5)
        assert float(targets.min()) == pytest.approx(0.2 / 5)
        assert float(targets.max()) <= 0.8 + 0.2 / 5 + 1e-6


def test_targets_follow_the_pixels_of_cutmix() -> None:
    """Class 0 is black, class 1 white: the share of white pixels is the weight of class 1."""
    x = torch.zeros(16, 1, 8, 8)
    y = torch.arange(16) % 2
    x[y == 1] = 1
    inputs, targets = Recipe(augment=Augment(cutmix=1.0)).batch(x, y, gen(2), classes=2)
    torch.testing.assert_close(inputs.mean((1, 2, 3)), targets[:, 1])
    assert (targets[:, 1] * 64 % 1 == 0).all()
    assert len(targets.unique()) > 4


def test_targets_follow_the_pixels_of_mixup() -> None:
    x = torch.zeros(16, 1, 8, 8)
    y = torch.arange(16) % 2
    x[y == 1] = 1
    inputs, targets = Recipe(augment=Augment(mixup=1.0)).batch(x, y, gen(2), classes=2)
    torch.testing.assert_close(inputs, targets[:, 1].view(-1, 1, 1, 1).expand_as(x))


def test_both_mixes_take_turns() -> None:
    """With mixup and cutmix a batch takes one of them: on black and white pixels only mixup makes grays."""
    x = (torch.arange(16) % 2).float().view(-1, 1, 1, 1).expand(-1, 1, 8, 8)
    recipe, generator = Recipe(augment=Augment(mixup=1.0, cutmix=1.0)), gen()
    grays = [
        bool(((i > 0.01) & (i < 0.99)).any())
        for i, _ in (recipe.batch(x, LABELS.repeat(2)[:16], generator, classes=5) for _ in range(60))
    ]
    assert 15 < sum(grays) < 45


# ── tables ──

ROWS = torch.cat([torch.randn(10, 3, generator=gen(7)), (torch.arange(10) % 4).view(-1, 1).float()], 1)


@pytest.mark.parametrize("part", [Augment(noise=0.2), Augment(mixup=0.4), Augment(noise=0.2, mixup=0.4)])
def test_tables_keep_their_categories_whole(part: Augment) -> None:
    labels, before = torch.arange(10) % 3, ROWS.clone()
    inputs, targets = Recipe(augment=part).batch(ROWS, labels, gen(), classes=3, categorical=[3])
    assert torch.equal(ROWS, before)
    assert inputs.shape == ROWS.shape
    assert not torch.equal(inputs[:, :3], ROWS[:, :3])
    assert set(inputs[:, 3].tolist()) <= {0.0, 1.0, 2.0, 3.0}
    if part.mixup:
        torch.testing.assert_close(targets.sum(1), torch.ones(10))
        assert not torch.equal(inputs[:, 3], ROWS[:, 3])  # a category is taken from the partner as a whole
    else:
        assert torch.equal(targets, labels)
        assert torch.equal(inputs[:, 3], ROWS[:, 3])


def test_ops_and_cutmix_leave_tables_alone() -> None:
    part = Augment(ops=(ROTATE,), cutmix=1.0)
    inputs, targets = Recipe(augment=part).batch(ROWS, torch.arange(10) % 3, gen(), classes=3)
    assert torch.equal(inputs, ROWS)
    assert torch.equal(targets.argmax(1), torch.arange(10) % 3)


def test_noise_has_the_strength_it_says() -> None:
    inputs, _ = Recipe(augment=Augment(noise=0.5)).batch(torch.zeros(4000, 2), torch.zeros(4000), gen())
    assert inputs.std(0).tolist() == pytest.approx([0.5, 0.5], rel=0.05)


# ── regression ──


def test_regression_targets_are_mixed_and_not_smoothed() -> None:
    x, y = torch.arange(8.0).view(-1, 1).repeat(1, 2), torch.arange(8.0)
    inputs, targets = Recipe(augment=Augment(mixup=1.0)).batch(x, y, gen())
    assert targets.shape == (8,)
    torch.testing.assert_close(inputs[:, 0], targets)
    assert not torch.equal(targets, y)
    _, kept = Recipe(augment=Augment(noise=0.1)).batch(x, y, gen())
    assert torch.equal(kept, y)
    for labels in (y, torch.ones(8, 3)):
        with pytest.raises(
            UsageError, match=r"label_smoothing is for class numbers, got labels torch.float32 of shape"
        ):
            Recipe(augment=Augment(label_smoothing=0.1)).batch(x, labels, gen(), classes=3)


# ── errors and edges ──


@pytest.mark.parametrize("part", [Augment(mixup=0.1), Augment(cutmix=0.1), Augment(label_smoothing=0.1)])
def test_classes_are_asked_for_where_they_are_needed(part: Augment) -> None:
    with pytest.raises(UsageError, match=r"say how many classes there are, batch\(..., classes=10\)"):
        Recipe(augment=part).batch(pictures(torch.float32), LABELS, gen())


def test_classes_are_not_asked_for_elsewhere() -> None:
    inputs, targets = Recipe(augment=PARTS["ops"]).batch(pictures(torch.float32), LABELS, gen())
    assert targets is LABELS
    assert inputs.shape == (12, 3, 9, 7)


@pytest.mark.parametrize("kind", ["image", "table"])
def test_batches_of_one_and_none(kind: str) -> None:
    for recipe in presets(kind).values():
        for rows in (0, 1):
            x = pictures(torch.float32)[:rows] if kind == "image" else ROWS[:rows]
            inputs, targets = recipe.batch(x, LABELS[:rows], gen(), classes=5)
            assert inputs.shape == x.shape
            assert len(targets) == rows


@settings(max_examples=60)
@given(augments, st.sampled_from([torch.uint8, torch.float32]), st.sampled_from([1, 3]), st.integers(0, 99))
def test_any_recipe_on_pictures(part: Augment, dtype: torch.dtype, channels: int, seed: int) -> None:
    x = pictures(dtype, channels, 5)
    before = x.clone()
    inputs, targets = Recipe(augment=part).batch(x, LABELS[:5], gen(seed), classes=5)
    assert torch.equal(x, before)
    assert (inputs.shape, inputs.dtype) == (x.shape, dtype)
    assert inputs.isfinite().all()
    if targets.ndim == 2:
        torch.testing.assert_close(targets.sum(1), torch.ones(5))
