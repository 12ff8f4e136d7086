"""Batch normalization layers that torch does not have: ghost, renorm, frozen, split.

All take (N, C) or (N, C, ...) with any number of positions, all have torch's keys (weight, bias, running_mean,
running_var, num_batches_tracked) and torch's momentum: running = (1 - momentum) * running + momentum * batch, with the
unbiased variance, and momentum=None for the plain average over all batches.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gapless.errors import UsageError
from gapless.kinds import BatchNormType

_internals: Any = torch._C  # pyright: ignore[reportPrivateUsage]  # torch has no public question for what we ask


class BatchNorm(BatchNormType):
    """torch's batch normalization for any number of axes: y = gamma * (x - mean) / sqrt(var + eps) + beta.

    mean and var are those of the batch in training and the running ones in eval mode.

    Args:
        num_features: C of an input (N, C) or (N, C, ...).
        eps: added to the variance.
        momentum: weight of the new batch in the running statistics, in [0, 1]; None for the plain average.
        affine: learn gamma (`weight`) and beta (`bias`).
        device, dtype: of parameters and running statistics.

    Raises:
        UsageError: a bad argument, or an input without C channels at axis 1.

    Source: Ioffe & Szegedy 2015, Batch Normalization, algorithm 1 and 2. As torch.nn.BatchNorm2d, whose state_dict it
    shares; the only difference is that the number of axes is free.
    """

    def __init__(
        self,
        num_features: int,
        *,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        _check_settings(num_features, eps, momentum)
        super().__init__(num_features, eps, momentum, affine, True, device, dtype)

    def _check_input_dim(self, input: Tensor) -> None:
        _check_input(self, self.num_features, input)


class GhostBatchNorm(BatchNorm):
    """Batch normalization over ghost batches: consecutive parts of the batch, each normalised by its own statistics.

    y_g = gamma * (x_g - mean_g) / sqrt(var_g + eps) + beta for g = 1 ... G, G = ceil(N / ghost_size). The parts differ
    by at most one row, so that none is tiny. A large batch then has the noise of small ones, which regularizes.

    Args:
        ghost_size: most rows in a ghost batch, at least 2. A batch that is not larger is one ghost batch, and then
            the layer is exactly torch's batch norm.
        num_features, eps, momentum, affine, device, dtype: as in `BatchNorm`.

    Raises:
        UsageError: a bad argument or input.

    Source: Hoffer, Hubara & Soudry 2017, Train longer, generalize better, algorithm 1. Difference: the paper moves the
    running statistics once per ghost batch; here they move once per step, by `momentum` towards the mean of the ghost
    statistics, so that torch's momentum means the same for every ghost_size.
    """

    def __init__(
        self,
        num_features: int,
        *,
        ghost_size: int = 32,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if ghost_size < 2:
            raise UsageError(f"GhostBatchNorm: ghost_size must be at least 2 rows, got {ghost_size}")
        super().__init__(num_features, eps=eps, momentum=momentum, affine=affine, device=device, dtype=dtype)
        self.ghost_size = ghost_size

    def forward(self, input: Tensor) -> Tensor:
        groups = -(-input.shape[0] // self.ghost_size) if input.ndim > 1 else 1
        if not self.training or groups <= 1:
            return super().forward(input)
        self._check_input_dim(input)
        running_mean, running_var = _running(self)
        parts: list[Tensor] = []
        means: list[Tensor] = []
        variances: list[Tensor] = []
        for part in input.tensor_split(groups):
            mean, var = torch.zeros_like(running_mean), torch.ones_like(running_var)
            # momentum 1 leaves the statistics of this part in the two buffers.
            parts.append(F.batch_norm(part, mean, var, self.weight, self.bias, True, 1.0, self.eps))
            means.append(mean)
            variances.append(var)
        _move(self, torch.stack(means).mean(0), torch.stack(variances).mean(0))
        return torch.cat(parts)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, ghost_size={self.ghost_size}"


class BatchRenorm(BatchNorm):
    """Batch renormalization: batch statistics corrected towards the running ones, so training resembles eval mode.

    y = gamma * ((x - mean_B) / sigma_B * r + d) + beta, with r = clip(sigma_B / sigma, 1/r_max, r_max) and
    d = clip((mean_B - mean) / sigma, -d_max, d_max), both without gradient; sigma = sqrt(var + eps). r_max = 1 and
    d_max = 0 is batch norm. The limits open linearly with the number of training batches seen
    (`num_batches_tracked`): 1 and 0 before `start`, r_max from `r_end` and d_max from `d_end` on.

    Args:
        r_max: largest r, at least 1.
        d_max: largest |d|, at least 0.
        start, r_end, d_end: in steps; the defaults are the paper's, for 100,000 steps and more. For a short training
            choose them in proportion, e.g. 5 %, 40 % and 25 % of the steps.
        num_features, eps, momentum, affine, device, dtype: as in `BatchNorm`; the paper advises a momentum of 0.01.

    Raises:
        UsageError: a bad argument or input.

    Source: Ioffe 2017, Batch Renormalization, algorithm 1 and section 4 (limits). Difference: the paper averages sigma;
    here running_var averages torch's unbiased variance, so that the state_dict is torch's.
    """

    def __init__(
        self,
        num_features: int,
        *,
        r_max: float = 3.0,
        d_max: float = 5.0,
        start: int = 5_000,
        r_end: int = 40_000,
        d_end: int = 25_000,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if not (1 <= r_max < math.inf and 0 <= d_max < math.inf):
            raise UsageError(f"BatchRenorm: r_max must be at least 1 and d_max at least 0, got {r_max} and {d_max}")
        if not 0 <= start <= min(r_end, d_end):
            raise UsageError(f"BatchRenorm: 0 <= start <= r_end and d_end, in steps, got {start}, {r_end} and {d_end}")
        super().__init__(num_features, eps=eps, momentum=momentum, affine=affine, device=device, dtype=dtype)
        self.r_max, self.d_max = r_max, d_max
        self.start, self.r_end, self.d_end = start, r_end, d_end
        self._recent: deque[tuple[Tensor, Tensor, Tensor, Tensor]] = deque(maxlen=_REMEMBERED)

    def limits(self) -> tuple[Tensor, Tensor]:
        """r_max and d_max of the next training batch, as tensors on the layer's device."""
        assert self.num_batches_tracked is not None
        since = self.num_batches_tracked - self.start + 1
        r_open = (since / (self.r_end - self.start + 1)).clamp(0, 1)
        d_open = (since / (self.d_end - self.start + 1)).clamp(0, 1)
        return 1 + (self.r_max - 1) * r_open, self.d_max * d_open

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        self._check_input_dim(input)
        _check_values(self, input)
        with torch.no_grad():
            axes = [axis for axis in range(input.ndim) if axis != 1]
            var, mean = torch.var_mean(input.to(_running(self)[1].dtype), axes, correction=0)
            known = self._as_before(mean, var) if recomputed() else None
            if known is not None:
                r, d = known
            else:
                r, d = self._corrections(mean, var)
                values = input.numel() // self.num_features
                _move(self, mean, var * (values / (values - 1)))
                if not torch.compiler.is_compiling():
                    self._recent.append((mean, var, r, d))
        # gamma * (x_hat * r + d) + beta is batch norm with weight gamma * r and bias gamma * d + beta.
        affine = dict(self.named_parameters(recurse=False))
        weight, bias = (affine["weight"] * r, affine["weight"] * d) if "weight" in affine else (r, d)
        if "bias" in affine:
            bias = bias + affine["bias"]
        return F.batch_norm(input, None, None, weight, bias, True, 0.0, self.eps)

    def _corrections(self, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        """r and d of a batch with these statistics, by the running ones as they are now."""
        running_mean, running_var = _running(self)
        sigma_batch, sigma = (var + self.eps).sqrt(), (running_var + self.eps).sqrt()
        r_max, d_max = (limit.to(var.dtype) for limit in self.limits())
        r = (sigma_batch / sigma).clamp(1 / r_max, r_max)
        return r, ((mean - running_mean) / sigma).clamp(-d_max, d_max)

    def _as_before(self, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor] | None:
        """r and d that a forward with these very statistics had, which have moved the running ones since; each once.

        torch.utils.checkpoint runs a forward again within the backward pass: the gradient must be of what was computed.
        """
        for place, (seen_mean, seen_var, r, d) in enumerate(self._recent):
            if torch.equal(seen_mean, mean) and torch.equal(seen_var, var):
                del self._recent[place]
                return r, d
        return None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_recent": deque(maxlen=_REMEMBERED)}  # a copy has forwards of its own

    def extra_repr(self) -> str:
        limits = f"r_max={self.r_max}, d_max={self.d_max}, start={self.start}, r_end={self.r_end}, d_end={self.d_end}"
        return f"{super().extra_repr()}, {limits}"


class FrozenBatchNorm(nn.Module):
    """Batch normalization by fixed statistics: y = gamma * (x - running_mean) / sqrt(running_var + eps) + beta, always.

    Truly frozen: `train()` does not change its mode, no forward changes its statistics, and gamma and beta are buffers,
    which no optimizer sees. It is not one of torch's batch norms, so update_bn does not reset it and
    convert_sync_batchnorm does not thaw it.

    Args:
        train_affine: keep gamma and beta trainable; only the statistics are frozen then.
        num_features, eps, affine, device, dtype: as in `BatchNorm`.

    Raises:
        UsageError: a bad argument or input.

    Source: He et al. 2016, Deep Residual Learning, appendix A (fixed statistics as an affine layer in fine-tuning).
    The state_dict is that of torch's batch norm.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    weight: Tensor | None
    bias: Tensor | None

    def __init__(
        self,
        num_features: int,
        *,
        train_affine: bool = False,
        eps: float = 1e-5,
        affine: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        _check_settings(num_features, eps, None)
        self.num_features, self.eps, self.affine, self.train_affine = num_features, eps, affine, train_affine
        ones = torch.ones(num_features, device=device, dtype=dtype)
        for name, value in (("weight", ones), ("bias", torch.zeros_like(ones))):
            if affine and train_affine:
                self.register_parameter(name, nn.Parameter(value))
            else:
                self.register_buffer(name, value if affine else None)
        self.register_buffer("running_mean", torch.zeros_like(ones))
        self.register_buffer("running_var", ones.clone())
        self.register_buffer("num_batches_tracked", torch.tensor(0, device=device))
        self.training = False

    def train(self, mode: bool = True) -> FrozenBatchNorm:
        """Does nothing: a frozen layer stays in eval mode."""
        return self

    def forward(self, input: Tensor) -> Tensor:
        _check_input(self, self.num_features, input)
        return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}, affine={self.affine}, train_affine={self.train_affine}"


class SplitBatchNorm(BatchNorm):
    """Batch normalization with auxiliary copies for the other parts of a batch that is made of several distributions.

    A training batch is the concatenation of `splits` equal parts, e.g. clean rows and then their adversarial or
    strongly augmented versions. The first part is normalised by the layer itself, part i > 0 by `auxiliary[i - 1]`,
    each with statistics, gamma and beta of its own. In eval mode the layer itself serves every row.

    Args:
        splits: number of parts, at least 2.
        num_features, eps, momentum, affine, device, dtype: as in `BatchNorm`.

    Raises:
        UsageError: a bad argument, or a training batch that `splits` does not divide.

    Source: Xie et al. 2020, Adversarial Examples Improve Image Recognition, section 4. The layer's own keys are
    torch's; the auxiliary ones are added below `auxiliary.`.
    """

    def __init__(
        self,
        num_features: int,
        *,
        splits: int = 2,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if splits < 2:
            raise UsageError(f"SplitBatchNorm: splits must be at least 2, got {splits}")
        super().__init__(num_features, eps=eps, momentum=momentum, affine=affine, device=device, dtype=dtype)
        self.auxiliary = nn.ModuleList(
            BatchNorm(num_features, eps=eps, momentum=momentum, affine=affine, device=device, dtype=dtype)
            for _ in range(splits - 1)
        )

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        self._check_input_dim(input)
        splits = len(self.auxiliary) + 1
        if input.shape[0] % splits:
            raise UsageError(f"SplitBatchNorm: {input.shape[0]} rows cannot be split into {splits} equal parts")
        parts = input.chunk(splits)
        others: list[Tensor] = [norm(part) for norm, part in zip(self.auxiliary, parts[1:], strict=True)]
        return torch.cat([super().forward(parts[0]), *others])

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, splits={len(self.auxiliary) + 1}"


_REMEMBERED = 256
"""Forwards whose corrections are kept for a backward pass that runs them again: four numbers a channel each."""

AnyBatchNorm = BatchNormType | FrozenBatchNorm


def _check_settings(num_features: int, eps: float, momentum: float | None) -> None:
    if num_features < 1:
        raise UsageError(f"num_features must be at least 1, got {num_features}")
    if not 0 < eps < math.inf:
        raise UsageError(f"eps must be above 0 and finite, got {eps}")
    if momentum is not None and not 0 <= momentum <= 1:
        raise UsageError(f"momentum must be in [0, 1] or None, got {momentum}; torch's is the weight of the new batch")


def _check_input(layer: nn.Module, num_features: int, input: Tensor) -> None:
    if input.ndim < 2 or input.shape[1] != num_features:
        expected = f"(N, {num_features}) or (N, {num_features}, ...)"
        raise UsageError(f"{type(layer).__name__} expects an input of shape {expected}, got {tuple(input.shape)}")


def _check_values(layer: nn.Module, input: Tensor) -> None:
    if input.numel() == input.shape[1]:
        raise UsageError(
            f"{type(layer).__name__} needs more than one value per channel in training, got {tuple(input.shape)}"
        )


def _running(layer: BatchNormType) -> tuple[Tensor, Tensor]:
    assert layer.running_mean is not None and layer.running_var is not None
    return layer.running_mean, layer.running_var


def recomputed() -> bool:
    """Whether this forward pass runs inside a backward pass: torch.utils.checkpoint then runs it a second time."""
    return not torch.compiler.is_compiling() and _internals._current_graph_task_id() != -1


def _move(layer: BatchNormType, mean: Tensor, var: Tensor) -> None:
    """Count one batch and move the running statistics towards its own, as torch does."""
    if recomputed() or not layer.track_running_stats:
        return  # the statistics have seen this batch; or the user has frozen them, as Lightning's finetuning does
    assert layer.num_batches_tracked is not None
    layer.num_batches_tracked.add_(1)
    share = 1.0 / float(layer.num_batches_tracked) if layer.momentum is None else layer.momentum
    for running, new in zip(_running(layer), (mean, var), strict=True):
        running.mul_(1 - share).add_(new, alpha=share)
