"""Cautious weight decay: only where the update agrees. Chen et al., arXiv 2510.12402."""

from collections.abc import Sequence

import torch
from torch import Tensor

_CHUNK = 1 << 16  # values: on a CPU the two scratch arrays of this size stay in the cache, whole tensors would not


def decay_where_agreed(after: Sequence[Tensor], before: Sequence[Tensor], rate: float | Tensor) -> None:
    """after -= rate * 1[u * before >= 0] * before, in place, where the step was before -> after and u = before - after.

    One formula for every optimizer: whatever it did, before - after is a positive multiple of its direction u. Signs
    are compared, never multiplied, which would underflow. A coordinate whose step rounded to nothing counts as u = 0
    and decays, as the paper's >= says.
    """
    for new, old in zip(after, before, strict=True):
        whole = not (new.device.type == "cpu" and new.is_contiguous() and old.is_contiguous())
        parts = ((new, old),) if whole else zip(new.view(-1).split(_CHUNK), old.view(-1).split(_CHUNK), strict=True)
        scratch = torch.empty(
            (2, *new.shape) if whole else (2, min(_CHUNK, new.numel())), dtype=new.dtype, device=new.device
        )
        for w, w0 in parts:
            u, toward = scratch if whole else scratch[:, : w.numel()]
            torch.sub(w0, w, out=u)
            torch.copysign(u, w0, out=toward)
            torch.eq(u, toward, out=u)  # 1 where u is 0 or has the sign of w0; at w0 = 0 there is nothing to decay
            w.sub_(u.mul_(w0).mul_(rate))
