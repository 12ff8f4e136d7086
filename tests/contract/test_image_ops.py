"""What every image operation owes, run over the whole table of operations."""

import numpy as np
import pytest
import torch

from gapless.augment.image.chains import Group, merge
from gapless.augment.image.cpu import interpreter as cpu
from gapless.augment.image.ops import OPS, Size
from gapless.augment.image.policy import Policy, Step
from gapless.augment.image.torch.interpreter import run

NAMES = sorted(OPS)


def pictures(batch: int = 6, channels: int = 3, height: int = 20, width: int = 24) -> torch.Tensor:
    """Smooth uint8 pictures that no flip or turn leaves as they are."""
    y, x = np.mgrid[:height, :width]
    waves = [
        120 + 60 * np.sin(x / (3 + c) + b) + 50 * np.cos(y / (4 + b % 3) + c) + x
        for b in range(batch)
        for c in range(channels)
    ]
    levels = np.clip(np.array(waves), 0, 255).reshape(batch, channels, height, width)
    return torch.from_numpy(levels.astype(np.uint8))


def strong(name: str, p: float = 1.0, fill: str = "edge") -> Policy:
    return Policy((Step(name, OPS[name].strong * (0.5 if OPS[name].law == "uniform" else 1.0), p),), fill=fill)


def augment(policy: Policy, images: torch.Tensor, seed: int = 0) -> torch.Tensor:
    u = np.random.default_rng(seed).random((len(images), policy.columns))
    return run(policy.program(u, *images.shape[2:]), images)


@pytest.mark.parametrize("name", NAMES)
class TestEveryOp:
    def test_its_weak_end_is_the_identity(self, name: str) -> None:
        op = OPS[name]
        u = np.random.default_rng(1).random((op.draws, 9))
        element = op.element(np.full(9, op.weak), u, Size(24, 20))
        assert not merge(9, [Group(element)]).code.any()

    def test_products_are_written_over_its_own_numbers_only(self, name: str) -> None:
        """A policy lets them be written to: numbers that the operation keeps would be others at the next draw."""
        identity = OPS[name].element(np.zeros(0), np.zeros((OPS[name].draws, 0)), Size(24, 20)).identity.copy()
        policy = Policy(strong(name).steps * 3)
        u = np.random.default_rng(1).random((9, policy.columns))
        kept = u.copy()
        first, again = (policy.program(u, 20, 24).chains for _ in range(2))
        for one, other in zip((*first[:3], *first.tables), (*again[:3], *again.tables), strict=True):
            assert np.array_equal(one, other)
        assert np.array_equal(u, kept)
        assert np.array_equal(policy.program(u, 20, 24).groups[0].element.identity, identity)

    def test_it_changes_the_picture_at_its_strong_end(self, name: str) -> None:
        images = pictures()
        changed = (augment(strong(name), images) != images).flatten(1).any(1)
        assert changed.float().mean() >= 0.5

    def test_its_magnitudes_cover_the_range(self, name: str) -> None:
        op = OPS[name]
        step = Step(name, op.strong)
        u = np.linspace(0, 1, 4001, endpoint=False)
        drawn = step.magnitudes(u)
        full = Step(name, op.strong, magnitude="full").magnitudes(u)
        assert drawn.max() == pytest.approx(op.strong, rel=1e-3)
        if op.signed:
            assert drawn.min() == pytest.approx(-op.strong, rel=1e-3)
            assert (drawn > 0).mean() == pytest.approx((drawn < 0).mean(), abs=1e-3)
            assert set(full) == {-op.strong, op.strong}
        elif op.law in ("switch", "fixed"):
            assert set(drawn) == set(full) == {op.strong}
        else:
            assert drawn.min() == pytest.approx(0, abs=1e-3)
            assert set(full) == {op.strong}
        if op.law == "whole":
            assert (drawn == np.rint(drawn)).all()
            counts = np.unique(drawn, return_counts=True)[1]
            assert counts.min() == pytest.approx(counts.max(), abs=1)

    def test_nothing_happens_at_p_0_or_strength_0_or_without_pictures(self, name: str) -> None:
        images = pictures(3)
        assert augment(strong(name, p=0.0), images) is images
        assert augment(Policy((Step(name, 0.0),)), images) is images
        assert augment(strong(name), images[:0]).shape == (0, 3, 20, 24)

    def test_p_is_the_share_of_pictures_that_change(self, name: str) -> None:
        images = pictures(1).expand(400, -1, -1, -1)
        always = (augment(strong(name), images) != images).flatten(1).any(1)
        half = (augment(strong(name, p=0.5), images) != images).flatten(1).any(1)
        assert not (half & ~always).any()
        assert 0.4 < half.sum() / always.sum() < 0.6

    @pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
    def test_a_picture_does_not_depend_on_its_neighbours(self, name: str, dtype: torch.dtype) -> None:
        images = as_dtype(pictures(), dtype)
        policy = strong(name, p=0.7)
        u = np.random.default_rng(2).random((6, policy.columns))
        together = run(policy.program(u, 20, 24), images)
        alone = torch.cat([run(policy.program(u[i : i + 1], 20, 24), images[i : i + 1]) for i in range(6)])
        assert together.dtype == dtype
        assert (together.float() - alone.float()).abs().max() <= (1 if dtype == torch.uint8 else 1e-5)

    def test_the_input_is_never_changed_and_may_be_strided(self, name: str) -> None:
        images = pictures(5, height=24, width=20)
        strided = images.permute(0, 1, 3, 2)[1:, :, :, ::1]
        before = images.clone()
        out = augment(strong(name), strided)
        assert (images == before).all()
        assert (out.int() - augment(strong(name), strided.contiguous()).int()).abs().max() <= 1
        floats = strided.float() / 255
        before = floats.clone()
        augment(strong(name, p=0.5), floats)
        assert (floats == before).all()

    @pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
    def test_any_number_of_channels_and_both_dtypes_agree(self, name: str, channels: int) -> None:
        images = pictures(4, channels)
        whole = augment(strong(name), images)
        fine = augment(strong(name), images.float() / 255)
        assert whole.shape == fine.shape == images.shape
        assert fine.min() >= 0 and fine.max() <= 1
        assert ((fine * 255).round() - whole).abs().max() <= 1

    def test_gray_is_a_colour_picture_of_equal_channels(self, name: str) -> None:
        gray = pictures(4, 1)
        colour = augment(strong(name), gray.expand(-1, 3, -1, -1))
        if (colour[:, 0] == colour[:, 1]).all():
            assert (augment(strong(name), gray).int() - colour[:, :1].int()).abs().max() <= 1

    def test_alpha_moves_with_the_picture_and_keeps_its_value_under_colour(self, name: str) -> None:
        images = pictures(4, 4)
        out = augment(strong(name), images)
        moved = (augment(strong(name), images[:, 3:]) != images[:, 3:]).any() and (out[:, 3] != images[:, 3]).any()
        if moved:
            assert (out[:, 3:].int() - augment(strong(name), images[:, 3:]).int()).abs().max() <= 1
        else:
            assert (out[:, 3] == images[:, 3]).all()
        assert (out[:, :3].int() - augment(strong(name), images[:, :3]).int()).abs().max() <= 1

    def test_the_compiled_interpreter_is_within_one_level(self, name: str) -> None:
        images = pictures()
        policy = strong(name, p=0.8)
        program = policy.program(np.random.default_rng(4).random((6, policy.columns)), 20, 24)
        compiled = cpu.run(program, np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy()))
        assert ((compiled * 255).round() - run(program, images)).abs().max() <= 1

    @pytest.mark.parametrize("other", [Step("rotate", 8), Step("brightness", 0.15), Step("sharpness", 0.3)])
    @pytest.mark.parametrize("first", [True, False])
    def test_merged_with_another_it_is_the_two_one_by_one(self, name: str, other: Step, first: bool) -> None:
        """On the interior, where no level is cut, and up to what resampling twice and rounding between them change."""
        images = 0.25 + 0.5 * pictures(6, height=60, width=72) / 255
        whole = OPS[name].law != "uniform"
        step = Step(name, min(OPS[name].strong, 4.0) if whole else OPS[name].strong * 0.1, magnitude="full")
        steps = (other, step) if first else (step, other)
        draws = [np.random.default_rng(i).random((6, each.columns)) for i, each in enumerate(steps)]
        together = run(Policy(steps, fill="edge").program(np.hstack(draws), 60, 72), images)
        one_by_one = images
        for each, u in zip(steps, draws, strict=True):
            one_by_one = run(Policy((each,), fill="edge").program(u, 60, 72), one_by_one)
        inner = (slice(None), slice(None), slice(16, -16), slice(16, -16))
        difference = 255 * (together - one_by_one)[inner].abs()
        assert difference.mean() < 1.5
        assert (difference > 6).float().mean() < 0.03, "steps in a table make single levels large"
        assert (255 * (together - images)[inner].abs()).mean() > 2 * difference.mean()

    def test_the_same_row_gives_the_same_augmentation(self, name: str) -> None:
        images = pictures()
        assert (augment(strong(name), images, 5) == augment(strong(name), images, 5)).all()

    def test_it_says_what_it_does_and_where_it_comes_from(self, name: str) -> None:
        op = OPS[name]
        assert op.name == name
        assert op.summary.endswith(".")
        assert op.source
        assert op.unit
        assert op.weak == 0 < op.strong

    def test_a_strength_out_of_range_names_value_and_range(self, name: str) -> None:
        op = OPS[name]
        for wrong in (-1.0, op.strong + 1, float("nan")):
            with pytest.raises(ValueError, match=rf"{name}: strength must be from 0 to {op.strong:g} .*got {wrong}"):
                Step(name, wrong)
        for p in (-0.1, 1.5, float("nan")):
            with pytest.raises(ValueError, match=rf"{name}: p must be in \[0, 1\], got {p}"):
                Step(name, op.strong, p)


def as_dtype(images: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return images if dtype == torch.uint8 else images.float() / 255


def test_an_unknown_operation_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"no image operation 'rotat'\. Did you mean 'rotate'\?"):
        Step("rotat", 10)


def test_flipping_twice_is_the_identity() -> None:
    images = pictures()
    for name in ("flip_x", "flip_y"):
        once = augment(strong(name), images)
        assert (once != images).any()
        assert (augment(strong(name), once) == images).all()


def test_turning_back_is_the_identity() -> None:
    images = pictures(8, height=21, width=21)
    turns = Policy((Step("quarter_turn", 3),))
    for number in range(4):
        there, back = (np.tile([[0.0, (n + 0.5) / 4]], (8, 1)) for n in (number, -number % 4))
        once = run(turns.program(there, 21, 21), images)
        assert (once != images).any() == (number > 0)
        assert (run(turns.program(back, 21, 21), once) == images).all()
    once = augment(strong("invert"), images)
    assert (augment(strong("invert"), once) == images).all()


def test_the_identity_is_drawn_for_whole_numbers_as_often_as_any_other() -> None:
    assert (Step("posterize", 3).magnitudes(np.linspace(0, 1, 400, endpoint=False)) == 0).mean() == 0.25
