"""Particulars of the torch interpreter: what it refuses, how it fills, whom it copies."""

import numpy as np
import pytest
import torch

from gapless.augment.image.policy import Policy, Step
from gapless.augment.image.program import Fill
from gapless.augment.image.torch.interpreter import run


def program(policy: Policy, batch: int = 2, height: int = 8, width: int = 8):
    return policy.program(np.full((batch, policy.columns), 0.999), height, width)


def test_no_step_gives_the_input_back() -> None:
    images = torch.rand(2, 3, 8, 8)
    assert run(program(Policy(())), images) is images


def test_wrong_pictures_are_refused() -> None:
    rotate = program(Policy((Step("rotate", 10),)))
    with pytest.raises(ValueError, match=r"images must be float32 or uint8, got torch\.float64"):
        run(rotate, torch.rand(2, 3, 8, 8, dtype=torch.float64))
    for shape in ((3, 3, 8, 8), (2, 3, 8, 9), (2, 8, 8)):
        with pytest.raises(ValueError, match=r"images must have shape \(B, C, H, W\) = \(2, C, 8, 8\)"):
            run(rotate, torch.rand(shape))
    with pytest.raises(ValueError, match=r"levels in \[0, 1\], got levels from 0 to 255"):
        run(rotate, torch.stack([torch.zeros(3, 8, 8), torch.full((3, 8, 8), 255.0)]))
    with pytest.raises(ValueError, match=r"levels in \[0, 1\], got levels from nan to nan"):
        run(rotate, torch.full((2, 3, 8, 8), float("nan")))


@pytest.mark.parametrize(("fill", "seen"), [("black", 0), ("gray", 128), ("edge", 10), ("reflect", 40)])
def test_outside_the_picture_the_fill_is_seen(fill: Fill, seen: int) -> None:
    images = torch.arange(10, 90, 10, dtype=torch.uint8).expand(2, 1, 8, 8)
    shifted = run(program(Policy((Step("translate_x", 0.5),), fill=fill)), images)
    assert shifted[0, 0, 0, 4:].tolist() == pytest.approx([10, 20, 30, 40], abs=1)
    assert shifted[0, 0, 0, 0].item() == pytest.approx(seen, abs=1)


def test_a_shift_by_whole_pixels_moves_levels_exactly() -> None:
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, 3, 8, 8), dtype=np.uint8))
    policy = Policy((Step("translate_x", 0.25, magnitude="full"),))
    out = run(policy.program(np.array([[0.0, 0.9]]), 8, 8), images)
    assert (out[..., 2:] == images[..., :-2]).all()
    assert (out[..., :2] == 0).all()


def test_an_erased_box_covers_the_pixels_whose_centres_are_inside() -> None:
    images = torch.zeros(1, 3, 8, 8)
    policy = Policy((Step("erase", 0.5, magnitude="full"),))
    out = run(policy.program(np.array([[0.0, 0.9, 0.5, 0.25]]), 8, 8), images)
    inside = torch.zeros(8, 8)
    inside[0:4, 2:6] = 0.5
    assert (out == inside).all()


def test_it_can_be_differentiated_through() -> None:
    images = torch.rand(2, 3, 8, 8, requires_grad=True)
    policy = Policy((Step("rotate", 10), Step("brightness", 0.1), Step("sharpness", 0.2)))
    run(program(policy), images).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
