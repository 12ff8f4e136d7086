"""Masks, boxes and points move as the picture does."""

import numpy as np
import pytest
import torch

from gapless.augment.image.algebra import Warp
from gapless.augment.image.ops import OPS, Size
from gapless.augment.image.policy import Choice, Policy, Step
from gapless.augment.image.program import FILLS, Fill
from gapless.augment.image.targets import move_boxes, move_masks, move_points, passes
from gapless.augment.image.torch.interpreter import run

HEIGHT, WIDTH = 60, 80
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


# ── as the picture moves ──

GEOMETRY = tuple(
    name for name, op in OPS.items() if isinstance(op.element(np.zeros(1), np.zeros((op.draws, 1)), Size(9, 9)), Warp)
)
CHAINS = {
    "one pass": SOME,
    "many passes": MANY,
    "a crop first": (Step("resized_crop", 0.4), Step("rotate", 15)),
    "padded": (Step("pad_crop", 12), Step("flip_x", 1, 0.5), Step("blur", 1)),
    "picked": (Choice(((Step("rotate", 40),), (Step("crop", 0.3), Step("sharpness", 0.5)), ())), Step("zoom", 0.2)),
}


def large(batch: int) -> torch.Tensor:
    """(B, 180, 240) the L three times as large: pixels cut by its outline are few."""
    return shape(batch).repeat_interleave(3, 1).repeat_interleave(3, 2)


def overlap(steps: tuple[Step | Choice, ...], fill: Fill, size: tuple[int, int] | None, seed: int = 0) -> torch.Tensor:
    """IoU of the moved masks with the moved pictures of the shape, for those of which enough is seen."""
    policy = Policy(steps, fill=fill, size=size)
    mask = large(8)
    program = policy.program(np.random.default_rng(seed).random((8, policy.columns)), *mask.shape[1:])
    ground = 128 / 255 if fill == "gray" else 0.0
    seen = run(program, mask[:, None] * (1 - ground) + ground)[:, 0] > (1 + ground) / 2
    moved = move_masks(program, mask) > 0
    both, either = (seen & moved).flatten(1).sum(1), (seen | moved).flatten(1).sum(1)
    assert (either > 600).float().mean() > 0.6
    return (both / either)[either > 600]


@pytest.mark.parametrize("name", GEOMETRY)
@pytest.mark.parametrize("fill", FILLS)
def test_the_mask_of_a_shape_moves_as_the_shape_under_every_operation(name: str, fill: Fill) -> None:
    op = OPS[name]
    strength = {"perspective": 0.3, "aspect": 0.5, "zoom": 1.0, "scale": 0.6, "pad_crop": 20, "crop": 0.4}
    step = Step(name, strength.get(name, op.strong * 0.5 if op.law == "uniform" else op.strong))
    assert overlap((step,), fill, None).min() >= 0.97


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("size", [None, (150, 150)])
@pytest.mark.parametrize("fill", ["black", "edge", "reflect"])
def test_the_mask_of_a_shape_moves_as_the_shape_under_chains(chain: str, size, fill: Fill) -> None:
    assert overlap(CHAINS[chain], fill, size).min() >= 0.97


def test_another_programs_masks_overlap_badly() -> None:
    """The tests above have teeth: masks moved by other draws are far from the shape."""
    policy = Policy(SOME)
    one, other = (policy.program(np.random.default_rng(s).random((8, policy.columns)), 180, 240) for s in (0, 1))
    a, b = move_masks(one, large(8)) > 0, move_masks(other, large(8)) > 0
    assert ((a & b).sum() / (a | b).sum()) < 0.8


def test_masks_of_many_sizes_become_one_batch() -> None:
    sizes = [(60, 80), (33, 47), (120, 50), (7, 9)]
    masks = [(torch.arange(h * w).view(h, w) // 7) % 5 for h, w in sizes]
    policy = Policy((Step("resized_crop", 0.4), Step("rotate", 20), Step("flip_x", 1, 0.5)), size=(24, 32))
    u = np.random.default_rng(2).random((4, policy.columns))
    heights, widths = np.array(sizes).T
    together = move_masks(policy.program(u, heights, widths), masks)
    assert together.shape == (4, 24, 32)
    for b, (height, width) in enumerate(sizes):
        alone = move_masks(policy.program(u[b : b + 1], height, width), masks[b][None])
        assert torch.equal(together[b], alone[0])
    program = policy.program(u, heights, widths)
    points = [np.array([[w / 2, h / 2], [0.0, 0.0]]) for h, w in sizes]
    for b, (moved, inside) in enumerate(move_points(program, points)):
        height, width = sizes[b]
        (alone,) = move_points(policy.program(u[b : b + 1], height, width), points[b : b + 1])
        np.testing.assert_allclose(moved, alone[0])
        assert inside.tolist() == alone[1].tolist()


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


def marked(points: np.ndarray) -> torch.Tensor:
    """(B, 1, H, W) with a round mark at each point (B, 1, 2)."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    marks = np.exp(-((x - points[:, :, :1]) ** 2 + (y - points[:, :, 1:]) ** 2) / 8)
    return torch.from_numpy(marks[:, None].astype(np.float32))


def found_again(steps: tuple[Step | Choice, ...], size: tuple[int, int] | None, margin: float) -> int:
    """Checks that points and boxes are where the marks are seen to half a pixel; how many were seen whole."""
    policy = Policy(steps, size=size)
    program = drawn(policy, 24, seed=3)
    points = np.random.default_rng(1).uniform((25, 20), (55, 40), (24, 1, 2))
    seen = run(program, marked(points))[:, 0].numpy()
    boxes = move_boxes(program, [np.concatenate([place - 4, place + 4], axis=1) for place in points])
    found = 0
    for picture, (place, inside), (box, keep) in zip(seen, move_points(program, list(points)), boxes, strict=True):
        y, x = np.mgrid[: picture.shape[0], : picture.shape[1]] + 0.5
        center = np.array([(picture * x).sum(), (picture * y).sum()]) / max(picture.sum(), 1e-9)
        edge = np.minimum(place[0], np.array(picture.shape[::-1]) - place[0]).min()
        if edge > margin:
            assert inside[0] and keep[0]
            assert np.abs(center - place[0]).max() < 0.5
            assert np.abs((box[0, :2] + box[0, 2:]) / 2 - center).max() < 0.5
            found += 1
        elif edge < 0:
            assert not inside[0]
    return found


@pytest.mark.parametrize("name", GEOMETRY)
def test_points_and_boxes_are_found_where_they_are_seen_under_every_operation(name: str) -> None:
    op = OPS[name]
    strength = {"perspective": 0.2, "zoom": 0.5, "scale": 0.4, "aspect": 0.5, "pad_crop": 9, "crop": 0.3}
    strength |= {"shift_x": 20, "shift_y": 20, "translate_x": 0.3, "translate_y": 0.3, "shear_x": 25, "shear_y": 25}
    step = Step(name, strength.get(name, op.strong * 0.5 if op.law == "uniform" else op.strong))
    assert found_again((step,), None, 11) >= 8


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("size", [None, (48, 100)])
def test_points_and_boxes_are_found_where_they_are_seen_under_chains(chain: str, size) -> None:
    steps = tuple(s for s in CHAINS[chain] if not (isinstance(s, Step) and s.op == "pad_crop"))
    assert found_again(steps, size, 14) >= 8


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
    with pytest.raises(ValueError, match=r"masks must have the sizes .* 2 of \(60, 80\), got 3 of \(60, 80\)"):
        move_masks(program, shape(3))
    with pytest.raises(ValueError, match=r"2 of \(60, 80\), got 2 of \(60, 79\)"):
        move_masks(program, shape(2)[:, :, :-1])
    with pytest.raises(ValueError, match=r"2 of \(60, 80\), got 2 of \(7, 9\) or \(60, 80\)"):
        move_masks(program, [shape(1)[0], torch.zeros(7, 9)])
    with pytest.raises(ValueError, match="for 2 pictures, got places for 1"):
        move_points(program, [np.zeros((1, 2))])
    with pytest.raises(ValueError, match=r"points of picture 1 must have shape \(n, 2\), got \(2,\)"):
        move_points(program, [np.zeros((1, 2)), np.zeros(2)])
    with pytest.raises(ValueError, match="points of picture 0 must be finite, got nan"):
        move_points(program, [np.full((1, 2), np.nan), np.zeros((1, 2))])
    with pytest.raises(ValueError, match=r"boxes of picture 0 must have shape \(n, 4\), got \(1, 5\)"):
        move_boxes(program, [np.zeros((1, 5)), np.zeros((1, 4))])
    with pytest.raises(ValueError, match=r"left, top, right, bottom; picture 1 has \[5.0, 0.0, 4.0, 9.0\]"):
        move_boxes(program, [np.zeros((1, 4)), np.array([[5.0, 0, 4, 9]])])
    with pytest.raises(ValueError, match=r"visible must be in \[0, 1\], got 2"):
        move_boxes(program, [np.zeros((1, 4))] * 2, visible=2)


def test_no_pictures_and_no_targets() -> None:
    program = drawn(Policy(MANY), 0)
    assert move_masks(program, shape(0)).shape == (0, HEIGHT, WIDTH)
    assert move_points(program, []) == [] and move_boxes(program, []) == []
    ((points, inside),) = move_points(drawn(Policy(MANY), 1), [np.zeros((0, 2))])
    assert points.shape == (0, 2) and inside.shape == (0,)
