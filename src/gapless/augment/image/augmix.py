"""AugMix: several chains of operations on copies of a picture, mixed with each other and with the picture.

Hendrycks et al., AugMix, arXiv 1912.02781. A copy is out = m x + (1 - m) sum_i w_i chain_i(x) with w from a Dirichlet
and m from a Beta distribution, both with parameter 1; a loss draws the predictions for two such copies and the picture
together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from gapless.augment.image.algebra import Floats
from gapless.augment.image.policy import Choice, Policy, Step
from gapless.augment.image.policy_toml import load
from gapless.augment.image.program import Fill, Program, Sides
from gapless.augment.image.torch import interpreter as batched
from gapless.errors import UsageError


@dataclass(frozen=True)
class AugMix:
    """Chains drawn from steps, and how much of each.

    Args:
        steps: what the chains draw from, all equally likely; `AugMix.paper()` has the paper's.
        width: how many chains.
        depth: the longest chain; each is 1 to `depth` operations long, all lengths equally likely.
        fill: what is seen outside the picture.
    """

    steps: tuple[Step, ...]
    width: int = 3
    depth: int = 3
    fill: Fill = "black"

    def __post_init__(self) -> None:
        if self.width < 1 or self.depth < 1:
            raise UsageError(f"width and depth must be at least 1, got {self.width} and {self.depth}")
        if not self.steps:
            raise UsageError("AugMix needs at least one step to draw from")

    @classmethod
    def paper(cls) -> Self:
        """The operations of the paper at severity 3, three chains of up to three of them."""
        policy = load(Path(__file__).with_suffix(".toml"))
        return cls(tuple(step for step in policy.steps if isinstance(step, Step)), fill=policy.fill)

    @cached_property
    def _chain(self) -> Policy:
        """A chain of full depth; the last option of each choice does nothing."""
        return Policy((Choice((*((step,) for step in self.steps), ())),) * self.depth, fill=self.fill)

    @property
    def columns(self) -> int:
        """How many uniform numbers one picture needs: shares, then a length and draws for each chain."""
        return 1 + self.width + self.width * (1 + self._chain.columns)

    def programs(self, u: Floats, height: Sides, width: Sides) -> tuple[Program, ...]:
        """The program of each chain, for uniform numbers (B, columns)."""
        if u.ndim != 2 or u.shape[1] != self.columns:
            raise UsageError(f"u must have shape (B, {self.columns}) for this AugMix, got {u.shape}")
        options = len(self.steps)
        programs: list[Program] = []
        for chain in np.split(u[:, 1 + self.width :], self.width, axis=1):
            length, draws = 1 + np.floor(chain[:, 0] * self.depth), chain[:, 1:].copy()
            step = self._chain.columns // self.depth
            for place in range(self.depth):
                pick = draws[:, place * step] * options / (options + 1)
                draws[:, place * step] = np.where(place < length, pick, options / (options + 1))
            programs.append(self._chain.program(draws, height, width))
        return tuple(programs)

    def shares(self, u: Floats) -> Floats:
        """(B, 1 + width): how much of the picture itself and of each chain; rows sum to 1."""
        keep, weights = u[:, :1], -np.log1p(-u[:, 1 : 1 + self.width])
        weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
        return np.concatenate([keep, (1 - keep) * weights], axis=1)

    def __call__(self, u: Floats, images: Tensor, run: Callable[[Program, Tensor], Tensor] = batched.run) -> Tensor:
        """A mixed copy of each picture, as `batched.run` takes and returns them."""
        programs = self.programs(u, images.shape[2], images.shape[3])
        views = [images, *(run(program, images) for program in programs)]
        shares = torch.from_numpy(self.shares(u)).to(images.device, torch.float32)
        mixed = sum(share.view(-1, 1, 1, 1) * view for share, view in zip(shares.unbind(1), views, strict=True))
        assert isinstance(mixed, Tensor)
        return mixed.round_().clamp_(0, 255).to(torch.uint8) if images.dtype == torch.uint8 else mixed.clamp_(0, 1)


def jensen_shannon(*logits: Tensor) -> Tensor:
    """The consistency loss: the mean divergence KL(p_i || M) of the predictions from their mean M, over the batch.

    The paper adds 12 times this to the cross entropy of the unchanged pictures.

    Args:
        logits: (B, classes) for the pictures and for each of their copies, two or more.
    """
    if len(logits) < 2:
        raise UsageError(f"the predictions for at least two views are needed, got {len(logits)}")
    logs = [torch.log_softmax(view, dim=1) for view in logits]
    mean = torch.logsumexp(torch.stack(logs), dim=0) - np.log(len(logs))
    divergences = [(log.exp() * (log - mean)).sum(dim=1) for log in logs]
    return torch.stack(divergences).mean()
