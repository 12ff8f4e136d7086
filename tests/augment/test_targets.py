"""Masks, boxes and points move as the picture does."""

import numpy as np
import pytest
import torch

from gapless.augment.image.batched import run
from gapless.augment.image.ops import OPS
from gapless.augment.image.policy import Choice, Policy, Step
from gapless.augment.image.program import Fill
from gapless.augment.image.targets import move_boxes, move_masks, move_points, passes

HEIGHT, WIDTH = 60, 80
PLACES = ("rotate", "scale", "aspect", "translate_x", "translate_y", "shear_x", "shear_y", "flip_x", "flip_y")
SOME = (Step("rotate", 25), Step("scale", 0.3), Step("translate_x", 0.1), Step("flip_x", 1, 0.5), Step("shear_y", 8))
MANY = (*SOME, Step("brightness", 0.1), Step("sharpness", 0.2), Step("perspective", 0.2), Step("translate_y", 0.05))


def drawn(policy: Policy, batch: int = 6, seed: int = 0):
    return policy.program(np.random.default_rng(seed).random((batch, policy.columns)), HEIGHT, WIDTH)


def shape(batch: int = 6) -> torch.Tensor:
    """(B, H, W) an L that no turn or flip leaves as it is."""
    mask = torch.zeros(batch, HEIGHT, WIDTH, dtype=torch.int64)
    mask[:, 15:45, 25:38] = 1
    mask[:, 35:45, 25:60] = 1
    return mask


@pytest.mark.parametrize("steps", [SOME, MANY, (Step("resized_crop", 0.4), Step("rotate", 15))])
@pytest.mark.parametrize("size", [None, (48, 48)])
@pytest.mark.parametrize("fill", ["black", "edge", "reflect"])
def test_the_mask_of_a_shape_moves_as_the_shape(steps, size, fill: Fill) -> None:
    program = drawn(Policy(steps, fill=fill, size=size))
    mask = shape()
    picture = run(program, mask[:, None].float()) > 0.5
    moved = move_masks(program, mask) > 0
    both, either = (picture[:, 0] & moved).flatten(1).sum(1), (picture[:, 0] | moved).flatten(1).sum(1)
    assert (either > 100).all()
    assert (both / either).min() >= 0.93
    assert (both.sum() / either.sum()) >= 0.97


def test_flips_and_whole_moves_take_labels_exactly() -> None:
    mask = torch.randint(0, 200, (3, HEIGHT, WIDTH), dtype=torch.uint8)
    flipped = move_masks(drawn(Policy((Step("flip_x", 1), Step("flip_y", 1))), 3), mask)
    assert (flipped == mask.flip(1, 2)).all() and flipped.dtype == torch.uint8
    program = Policy((Step("shift_x", 5, magnitude="full"),)).program(np.array([[0, 0.9]] * 3), HEIGHT, WIDTH)
    moved = move_masks(program, mask, outside=255)
    assert (moved[:, :, 5:] == mask[:, :, :-5]).all()
    assert (moved[:, :, :5] == 255).all()


def test_operations_on_colour_leave_masks_alone() -> None:
    mask = shape(4)
    for name, op in OPS.items():
        program = drawn(Policy((Step(name, op.strong * 0.5 if op.law == "uniform" else op.strong),)), 4)
        still = not passes(program)
        assert still == (move_masks(program, mask) == mask).all()


@pytest.mark.parametrize("size", [None, (48, 100)])
def test_points_are_found_where_their_mark_is_seen(size) -> None:
    policy = Policy(MANY, size=size)
    program = drawn(policy, 20, seed=3)
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    points = np.random.default_rng(1).uniform((25, 20), (55, 40), (20, 1, 2))
    marks = np.exp(-((x - points[:, :, :1]) ** 2 + (y - points[:, :, 1:]) ** 2) / 18)
    seen = run(program, torch.from_numpy(marks[:, None].astype(np.float32)))[:, 0].numpy()
    found = 0
    for picture, (place, inside) in zip(seen, move_points(program, list(points)), strict=True):
        out_y, out_x = np.mgrid[: picture.shape[0], : picture.shape[1]] + 0.5
        center = np.array([(picture * out_x).sum(), (picture * out_y).sum()]) / max(picture.sum(), 1e-9)
        margin = np.minimum(place[0], np.array(picture.shape[::-1]) - place[0]).min()
        if margin > 14:
            assert inside[0]
            assert np.abs(center - place[0]).max() < 0.5
            found += 1
        elif margin < 0:
            assert not inside[0]
    assert found >= 8


def test_boxes_surround_what_they_held_and_are_cut_at_the_picture() -> None:
    program = drawn(Policy(SOME), 12, seed=5)
    box = np.array([[25.0, 15.0, 60.0, 45.0]])
    moved = move_masks(program, shape(12)).numpy()
    for mask, (boxes, keep) in zip(moved, move_boxes(program, [box] * 12), strict=True):
        assert keep.all()
        rows, columns = np.nonzero(mask)
        left, top, right, bottom = boxes[0]
        assert left <= columns.min() + 1 and right >= columns.max() and top <= rows.min() + 1 and bottom >= rows.max()
        assert 0 <= left < right <= WIDTH and 0 <= top < bottom <= HEIGHT


def test_boxes_are_dropped_below_a_visible_share() -> None:
    policy = Policy((Step("translate_x", 0.5, magnitude="full"),))
    program = policy.program(np.array([[0, 0.9]]), HEIGHT, WIDTH)
    boxes = np.array([[0.0, 0, 20, 20], [30, 10, 50, 30], [45, 0, 60, 10]])
    ((moved, keep),) = move_boxes(program, [boxes], visible=0.6)
    np.testing.assert_allclose(moved[:2], [[40, 0, 60, 20], [70, 10, 80, 30]])
    assert keep.tolist() == [True, False, False]
    ((_, keep),) = move_boxes(program, [boxes], visible=0.5)
    assert keep.tolist() == [True, True, False]


def test_each_picture_has_its_own_chain_and_number_of_boxes() -> None:
    policy = Policy((Choice(((), (Step("flip_x", 1),))),))
    program = policy.program(np.array([[0.1] * policy.columns, [0.9] * policy.columns]), HEIGHT, WIDTH)
    first, second = move_boxes(program, [np.zeros((0, 4)), np.array([[0.0, 0, 10, 10], [5, 5, 6, 6]])])
    assert first[0].shape == (0, 4) and first[1].shape == (0,)
    np.testing.assert_allclose(second[0], [[70, 0, 80, 10], [74, 5, 75, 6]])


def test_wrong_targets_are_refused() -> None:
    program = drawn(Policy(SOME), 2)
    with pytest.raises(ValueError, match=r"masks must have shape \(2, 60, 80\) .* got \(3, 60, 80\)"):
        move_masks(program, shape(3))
    with pytest.raises(ValueError, match="for 2 pictures, got places for 1"):
        move_points(program, [np.zeros((1, 2))])
    with pytest.raises(ValueError, match=r"visible must be in \[0, 1\], got 2"):
        move_boxes(program, [np.zeros((1, 4))] * 2, visible=2)
