"""Mean and variance of each channel over any number of batches, exact however they are cut."""

from __future__ import annotations

import torch
from torch import Tensor


class Moments:
    """Running count, mean and sum of squared deviations per channel, merged batch by batch.

    Source: Chan, Golub & LeVeque 1979, Updating formulae and a pairwise algorithm for computing sample variances.
    """

    def __init__(self) -> None:
        self.count = self.rows = 0
        self.mean = self.squares = torch.zeros(())
        self.batches: list[tuple[int, Tensor]] = []

    def add(self, x: Tensor) -> None:
        values = double(x).transpose(0, 1).flatten(1)
        n, mean = values.shape[1], values.mean(1)
        squares = (values - mean[:, None]).square().sum(1)
        if self.count:
            total, delta = self.count + n, mean - self.mean
            self.squares = self.squares + squares + delta.square() * (self.count * n / total)
            self.mean = self.mean + delta * (n / total)
        else:
            self.mean, self.squares = mean, squares
        self.count += n
        self.rows += len(x)
        self.batches.append((n, mean))

    def variance(self, correction: int) -> Tensor:
        return self.squares / max(self.count - correction, 1)


def double(tensor: Tensor) -> Tensor:
    """float64, on the CPU where the device has none."""
    # Apple's GPUs have no float64.
    return (tensor.cpu() if tensor.device.type == "mps" else tensor).detach().double()
