"""What a loader does to the pictures of a data set: which draws each gets, and the pass from levels to the batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch
from torch import Tensor

from gapless import draws
from gapless.augment.image import Policy
from gapless.augment.image.cpu import interpreter as cpu
from gapless.augment.image.cpu.interpreter import Normal, Plan
from gapless.augment.image.program import Program, Sides
from gapless.augment.image.schedule import EpochSchedule
from gapless.augment.image.torch import interpreter as batched
from gapless.data.decode import Pixels
from gapless.data.loader.sources import Pictures
from gapless.data.splits import Index
from gapless.data.task import Array
from gapless.errors import DataError, UsageError
from gapless.schedule import Constant

_PURPOSE = "augment"
_NEAR = 1e-4
"""How far levels may lie outside [0, 1]: resizing by others overshoots by rounding."""


@dataclass(frozen=True)
class Variation:
    """A policy whose draws are keyed by (seed, epoch, row), its strength in every epoch, and how levels are scaled.

    policy: its strengths are those of share 1. normal: None leaves levels in [0, 1].
    """

    policy: Policy
    seed: int = 0
    normal: Normal | None = None
    strength: EpochSchedule = field(default_factory=Constant)

    def __post_init__(self) -> None:
        normal = self.normal
        if normal is None:
            return
        if len(normal.mean) != len(normal.deviation):
            raise UsageError(f"normal has {len(normal.mean)} means and {len(normal.deviation)} deviations")
        if not all(math.isfinite(mean) for mean in normal.mean):
            raise UsageError(f"normal: means must be finite, got {normal.mean}")
        if not all(0 < deviation < math.inf for deviation in normal.deviation):
            raise UsageError(f"normal: deviations must be above 0, for levels from 0 to 1, got {normal.deviation}")

    def check_channels(self, channels: int) -> None:
        if self.normal is not None and len(self.normal.mean) != channels:
            raise UsageError(
                f"normal must have a mean and a deviation for each of {channels} channels, got {len(self.normal.mean)}"
            )

    def in_epoch(self, epoch: int) -> Policy:
        share = self.strength(epoch)
        return self.policy if share == 1 else self.policy.scaled(share)

    def program(self, policy: Policy, epoch: int, rows: Index, height: Sides, width: Sides) -> Program:
        """What happens to these rows of the data set in an epoch; policy: that of the epoch."""
        return policy.program(draws.uniforms(self.seed, _PURPOSE, epoch, rows, policy.columns), height, width)

    def fill(self, program: Program, pictures: Pictures, rows: Index, out: Tensor) -> None:
        """The pictures, augmented and scaled, into out (B, C, H, W) float32."""
        if isinstance(pictures, np.ndarray) and pictures.dtype == np.float32:
            self.fill_floats(program, pictures, rows, out)
        else:
            levels = cast("Pixels | Sequence[Pixels]", pictures)
            self.prepared(program, out.shape[1]).run(levels, 0, out)

    def prepared(self, program: Program, channels: int) -> Plan:
        """A program to fill several batches from."""
        return cpu.prepare(program, channels, self.normal)

    def fill_floats(self, program: Program, pictures: Array, rows: Index, out: Tensor) -> None:
        """As `fill`, for float32 levels in [0, 1]."""
        levels = torch.from_numpy(pictures).permute(0, 3, 1, 2)
        _check_levels(levels, rows)
        varied = batched.run(program, levels)
        if self.normal is None:
            out.copy_(varied)
            return
        mean, deviation = (torch.tensor(v).view(-1, 1, 1) for v in (self.normal.mean, self.normal.deviation))
        torch.sub(varied, mean, out=out).div_(deviation)


def sides(pictures: Pictures) -> tuple[Sides, Sides]:
    """Heights and widths: one of each for an array, else one for each picture."""
    if isinstance(pictures, np.ndarray):
        return int(pictures.shape[1]), int(pictures.shape[2])
    shapes = np.array([picture.shape[:2] for picture in pictures])
    return shapes[:, 0], shapes[:, 1]


def _check_levels(levels: Tensor, rows: Index) -> None:
    """Levels of every picture (B, C, H, W) in [0, 1]; the message names the row. NaN is not in it."""
    low, high = levels.amin((1, 2, 3)), levels.amax((1, 2, 3))
    wrong = ~((low >= -_NEAR) & (high <= 1 + _NEAR))
    if wrong.any():
        first = int(wrong.nonzero()[0, 0])
        raise DataError(
            f"picture {rows[first]}: float32 levels must be in [0, 1], got {low[first]:g} to {high[first]:g}; "
            "divide by the largest level there can be, or give uint8"
        )
