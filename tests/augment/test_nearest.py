"""Warps that take the nearest pixel: no new level, both interpreters agree, Pillow's transform is the reference."""

import numpy as np
import pytest
import torch
from PIL import Image

from gapless.augment.image.cpu import interpreter as cpu
from gapless.augment.image.policy import Policy, Step
from gapless.augment.image.program import FILLS, Fill
from gapless.augment.image.torch.interpreter import run

STEPS = (Step("rotate", 40), Step("shear_x", 20), Step("scale", 0.4), Step("translate_y", 0.2))


def pictures(channels: int) -> np.ndarray:
    return np.random.default_rng(0).choice(np.array([0, 40, 200, 255], np.uint8), (6, 30, 37, channels))


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("last", [Step("flip_x", 1, 0.5), Step("perspective", 0.4)])
def test_no_level_is_invented_and_both_interpreters_agree(channels: int, fill: Fill, last: Step) -> None:
    images = pictures(channels)
    policy = Policy((*STEPS, last), fill=fill, reading="nearest")
    program = policy.program(np.random.default_rng(1).random((6, policy.columns)), 30, 37)
    compiled = (cpu.run(program, images) * 255).round()
    wanted = run(program, torch.from_numpy(images).permute(0, 3, 1, 2))
    assert set(compiled.unique().tolist()) <= {0, 40, 128, 200, 255}
    assert (compiled != wanted).float().mean() < 0.003, "a place between two pixels may go either way"


def test_it_is_pillows_nearest() -> None:
    images = pictures(3)
    policy = Policy((Step("rotate", 33, magnitude="full"),), reading="nearest")
    got = run(policy.program(np.array([[0.0, 0.9]]), 30, 37), torch.from_numpy(images[:1]).permute(0, 3, 1, 2))
    wanted = np.asarray(Image.fromarray(images[0]).rotate(33, Image.Resampling.NEAREST))
    assert (got[0].permute(1, 2, 0).numpy() != wanted).any(2).mean() < 0.005


def test_it_is_read_and_written_and_checked() -> None:
    policy = Policy(STEPS, reading="nearest")
    assert Policy.loads(policy.to_toml()) == policy
    with pytest.raises(ValueError, match="reading must be one of bilinear, nearest, got 'cubic'"):
        Policy((), reading="cubic")  # pyright: ignore[reportArgumentType]  # the point of the test
