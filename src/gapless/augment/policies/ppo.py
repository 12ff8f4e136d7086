"""Proximal policy optimisation of the controller, with an entropy bonus and a moving baseline.

Schulman et al., arXiv 1707.06347, equation 7, as AutoAugment trains its controller (arXiv 1805.09501, section 3). A
reward is anything that is better when larger; its scale is that of the rewards seen so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from gapless import draws
from gapless.augment.policies.controller import Controller

Decisions = NDArray[np.int64]


@dataclass(frozen=True)
class Settings:
    """clip: by how much a step may change a probability's ratio. passes: over each batch. entropy: weight of the bonus.
    memory: what a batch leaves of the baseline."""

    lr: float = 0.03
    clip: float = 0.2
    passes: int = 4
    entropy: float = 0.03
    memory: float = 0.5


class Ppo:
    """Asks for sequences of decisions and is told what they were worth; the same seed and rewards give the same draws.

    Args:
        decisions: how many choices each decision has, in order.
    """

    def __init__(self, decisions: Sequence[int], seed: int, settings: Settings | None = None):
        self.settings = settings or Settings()
        self.controller = Controller(decisions, draws.key(seed, "controller weights"))
        self._optimizer = torch.optim.Adam(self.controller.parameters(), self.settings.lr)
        self._seed, self._round = seed, 0
        self._baseline: float | None = None
        self._scale = 0.0

    def ask(self, n: int) -> Decisions:
        """(n, T) sequences to try, the same ones until `tell`."""
        generator = torch.Generator().manual_seed(draws.key(self._seed, "controller", self._round) >> 1)
        return self.controller.sample(n, generator).numpy()

    def tell(self, codes: Decisions, rewards: Sequence[float]) -> None:
        """Learns from what was tried.

        Args:
            codes: (n, T). rewards: (n,), finite.
        """
        worth = torch.tensor(np.asarray(rewards, np.float64))
        tried = torch.from_numpy(np.asarray(codes, np.int64))
        mean, memory = float(worth.mean()), self.settings.memory
        before = mean if self._baseline is None else self._baseline
        spread = float((worth - before).square().mean().sqrt())
        self._scale = spread if self._baseline is None else memory * self._scale + (1 - memory) * spread
        advantage = ((worth - before) / max(self._scale, 1e-12)).clamp(-3, 3).float()
        self._baseline = memory * before + (1 - memory) * mean
        self._learn(tried, advantage)
        self._round += 1

    def _learn(self, tried: torch.Tensor, advantage: torch.Tensor) -> None:
        with torch.no_grad():
            old, _ = self.controller.log_prob(tried)
        clip = self.settings.clip
        for _ in range(self.settings.passes):
            log_prob, entropy = self.controller.log_prob(tried)
            ratio = (log_prob - old).exp()
            gained = torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)
            loss = -(gained + self.settings.entropy * entropy).mean()
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.controller.parameters(), 1.0)
            self._optimizer.step()
