"""Rows that a program is said not to read change nothing; those just above the line do."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gapless.augment.image import Policy, Step
from gapless.augment.image.cpu import interpreter as cpu
from gapless.augment.image.cpu.rows_read import rows_read
from gapless.augment.image.program import Fill

BATCH = 24
SIZES = [(32, 40), (150, 20), (7, 9)]
STEPS = {
    "crop": (Step("resized_crop", 0.95), Step("flip_y", 1, 0.5), Step("contrast", 0.4)),
    "flip before": (Step("flip_y", 1, 0.5), Step("resized_crop", 0.95)),
    "moved": (Step("resized_crop", 0.9), Step("translate_y", 0.4), Step("rotate", 20)),
    "whole": (Step("brightness", 0.3),),
    "levels first": (Step("contrast", 0.5), Step("resized_crop", 0.9)),
}


@pytest.mark.parametrize("fill", ["black", "gray", "edge", "reflect"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", STEPS)
def test_levels_below_change_nothing(name: str, size: tuple[int, int], fill: Fill) -> None:
    policy, rng = Policy(STEPS[name], size=size, fill=fill), np.random.default_rng(3)
    heights, widths = rng.integers(2, 120, (2, BATCH))
    pictures = [rng.integers(0, 256, (h, w, 3), np.uint8) for h, w in zip(heights, widths, strict=True)]
    program = policy.program(rng.random((BATCH, policy.columns)), heights, widths)
    rows, wanted = rows_read(program), cpu.run(program, pictures)
    assert rows.shape == (BATCH,)
    assert ((rows >= 1) & (rows <= heights)).all()
    other = [picture.copy() for picture in pictures]
    for picture, count in zip(other, rows, strict=True):
        picture[count:] ^= 255
    assert torch.equal(cpu.run(program, other), wanted)
    if name == "levels first":
        assert (rows == heights).all()
    elif name == "crop":
        assert (rows < heights - 2).sum() > BATCH // 4
        for picture, count in zip(other, rows, strict=True):
            picture[max(count - 4, 0) :] ^= 255  # the line is near: these matter to most
        differs = (cpu.run(program, other) != wanted).flatten(1).any(1).numpy()
        assert differs.mean() > 0.8


def test_no_rows_of_no_pictures() -> None:
    policy = Policy(STEPS["crop"], size=(8, 8))
    assert rows_read(policy.program(np.zeros((0, policy.columns)), 20, 20)).shape == (0,)
