"""Rows on the device, ready to be taken in any order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from gapless.augment.image import Program
    from gapless.data import Rows


COMPILED_FROM = 64 * 64 * 3
"""Numbers in a picture (pixels times channels) from which a CPU augments with the compiled interpreter.

Compiling it takes 21 to 23 s, once after installing. Three runs of `bench/feed.py`, on a busy machine, had it save this
much of an epoch of the built-in cnn with the classic operations: nothing at 8x8 (up to 5 % slower), 2 to 4 % at 28x28,
4 to 5 % at 32x32 RGB, 7 to 18 % at 48x48 RGB (two runs), 12 % at 64x64 RGB, 14 to 15 % at 128x128 RGB. From 64x64 on
every run had it pay within about 185 s of training, so within a first run of the usual five minutes; at 48x48 one of
two did not. The size alone decides, so every run on the same data goes the same way.
"""

SAMPLED = 2**24
"""Numbers, spread evenly over the rows, that are enough for a mean and a standard deviation: 64 MB."""


@dataclass(frozen=True)
class Scale:
    """How inputs and targets are brought to mean 0 and standard deviation 1; measured on the rows trained on.

    inputs are normalised per channel for pictures; tables come standardised from their source. target is (mean, sd) of
    a regression's target, (0, 1) for classes.
    """

    mean: tuple[float, ...]
    sd: tuple[float, ...]
    target: tuple[float, float]

    @classmethod
    def of(cls, rows: Rows, classes: int, index: NDArray[np.int64]) -> Scale:
        mean, sd = (0.0,), (1.0,)
        if rows.x.ndim == 4:
            most = max(256, SAMPLED // rows.x[0].size)
            some = index[np.linspace(0, len(index) - 1, min(len(index), most)).round().astype(np.int64)]
            sample = rows.x[some].astype(np.float32) / 255.0
            mean = tuple(float(v) for v in sample.mean((0, 1, 2), dtype=np.float64))
            sd = tuple(max(float(v), 1e-3) for v in sample.std((0, 1, 2), dtype=np.float64))
        target = (0.0, 1.0)
        if not classes:
            y = rows.y[index].astype(np.float64)
            target = (float(y.mean()), max(float(y.std()), 1e-12))
        return cls(mean, sd, target)


class Feed:
    """Rows of a task as tensors on a device; pictures stay uint8 until they are asked for.

    labels: class numbers int64, or the standardised target float32. memory: the format of pictures as the model sees
    them.
    """

    def __init__(
        self,
        rows: Rows,
        scale: Scale,
        classes: int,
        device: torch.device,
        memory: torch.memory_format = torch.channels_last,
    ):
        x = torch.from_numpy(_writable(rows.x))
        if x.ndim == 4:
            x = x.permute(0, 3, 1, 2)  # a view: the bytes stay channels-last
        self.x: Tensor = x.to(device)
        y = torch.from_numpy(np.array(rows.y))
        self.labels: Tensor = (y if classes else (y - scale.target[0]) / scale.target[1]).to(device)
        self.classes = classes
        self.device, self.memory = device, memory
        self.pictures = x.ndim == 4
        self.compiled = self.pictures and device.type == "cpu" and x[0].numel() >= COMPILED_FROM
        """Whether `varied` is there for these rows."""
        self.scale = scale
        self._taken, self._varied = torch.empty(0, dtype=torch.uint8), torch.empty(0)
        self._mean = torch.tensor(scale.mean, device=device).view(1, -1, *[1] * (x.ndim - 2))
        self._sd = torch.tensor(scale.sd, device=device).view(1, -1, *[1] * (x.ndim - 2))

    def __len__(self) -> int:
        return len(self.labels)

    def raw(self, index: Tensor) -> Tensor:
        """The rows at `index`: pictures float32 in [0, 1], (B, C, H, W); tables as they are, (B, F)."""
        x = self.x[index.to(self.device)]
        return x.float().div_(255.0) if self.pictures else x

    def normal(self, x: Tensor) -> Tensor:
        """Pictures in [0, 1] as the model sees them; tables as they are."""
        if not self.pictures:
            return x
        x = (x - self._mean) / self._sd
        if self.memory is torch.channels_last:
            return x.contiguous(memory_format=torch.channels_last)
        return x.clone(memory_format=torch.contiguous_format)  # one channel is contiguous, but strided as channels-last

    def inputs(self, index: Tensor) -> Tensor:
        """The rows at `index` as the model sees them, without augmentation."""
        return self.normal(self.raw(index))

    def varied(self, program: Program, index: Tensor) -> Tensor:
        """The rows at `index` after a program, as the model sees them; valid until the next call.

        The memory is used again, and stays (B, C, H, W): the first convolution reorders it at no measurable cost.
        """
        from gapless.augment.image.cpu import interpreter as cpu  # loads 0.1 s of compiled code

        channels, height, width = self.x.shape[1:]
        if len(self._taken) < len(index):
            self._taken = self._taken.new_empty((len(index), height, width, channels))
            self._varied = self._varied.new_empty((len(index), channels, *program.size))
        taken, out = self._taken[: len(index)], self._varied[: len(index)]
        torch.index_select(self.x.permute(0, 2, 3, 1), 0, index, out=taken)
        return cpu.run(program, taken.numpy(), cpu.Normal(self.scale.mean, self.scale.sd), out, torch.get_num_threads())


def _writable(x: NDArray[np.generic]) -> NDArray[np.generic]:
    """torch wants writable memory even for reading; a file mapped copy-on-write is, and stays a file."""
    return x if x.flags.writeable and x.flags.c_contiguous else np.array(x)
