"""Cautious weight decay: only where the update agrees. Chen et al., arXiv 2510.12402."""

from collections.abc import Sequence

import torch
from torch import Tensor


def agrees(update: Tensor, weight: Tensor) -> Tensor:
    """True where decay is allowed: 1[u * w >= 0] with u the direction of the step -lr * u (arXiv 2510.12402).

    The signs decide, never the product, which underflows: (u, w) both > 0, both < 0, or one of them 0.
    """
    return update.sign().mul_(weight.sign()) >= 0


def decay_where_agreed(after: Sequence[Tensor], before: Sequence[Tensor], rate: float | Tensor) -> None:
    """after -= rate * 1[u * before >= 0] * before, in place, where the step was before -> after and u = before - after.

    One formula for every optimizer: whatever it did, before - after is a positive multiple of its u. A coordinate whose
    step rounded to nothing counts as u = 0 and decays, as the paper's >= says.
    """
    for new, old in zip(after, before, strict=True):
        held = torch.where(agrees(old - new, old), old, torch.zeros_like(old))
        new.sub_(held.mul_(rate))
