"""Measure and renew the statistics that batch norms use in eval mode.

Every function reads the *inputs* of the batch norms over a loader, in float64, and merges batches of any size exactly.
None leaves anything behind but what it promises: modes, hooks, counters and torch's random state are as before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gapless.batchnorm.layers import AnyBatchNorm, FrozenBatchNorm, SplitBatchNorm
from gapless.batchnorm.moments import Moments, double
from gapless.errors import UsageError
from gapless.kinds import BatchNormType, does_more
from gapless.surgery import modes_kept, refuse_wrapped

Feed = Callable[[nn.Module, Any], object]
"""Calls the model on one item of the loader, e.g. `lambda model, batch: model(**batch)`."""


@dataclass(frozen=True)
class Drift:
    """How far the running statistics of one batch norm are from what its inputs really are.

    path: the layer. values: numbers per channel that were seen (rows times positions).
    constant: channels whose input hardly varies (variance up to eps), such as units that died; var_ratio and
        batch_noise are over the others, and nan when there are none.
    mean_shift: root mean square over channels of (mean - running_mean) / sqrt(running_var + eps); 0 is none.
    var_ratio: geometric mean over channels of (var + eps) / (running_var + eps); 1 is none.
    batch_noise: root mean square over batches and channels of (batch mean - mean) / sqrt(var + eps): how much the mean
        of one batch of this size differs from the whole, in standard deviations. For independent values of m per
        channel it is about 1 / sqrt(m).
    """

    path: str
    values: int
    constant: int
    mean_shift: float
    var_ratio: float
    batch_noise: float


@dataclass(frozen=True)
class DropoutShift:
    """The variance of a batch norm's input without dropout over that with dropout; 1 is no shift.

    ratio: geometric mean over channels. lowest, highest: the extreme channels. constant: channels whose input hardly
    varies even with dropout (variance up to eps), which are left out of the others; these are nan when all are.
    """

    path: str
    ratio: float
    lowest: float
    highest: float
    constant: int


@dataclass(frozen=True)
class Reestimated:
    """New running statistics: `drifts` says how far off the old ones were, `undo()` puts those back."""

    drifts: tuple[Drift, ...]
    before: tuple[tuple[AnyBatchNorm, dict[str, Tensor]], ...] = field(repr=False, compare=False)

    def undo(self) -> None:
        """Put the statistics from before back, bit for bit."""
        for norm, state in self.before:
            _restore(norm, state)


def reestimate(
    model: nn.Module, batches: Iterable[Any], *, layerwise: bool = False, feed: Feed | None = None
) -> Reestimated:
    """Set the running statistics to the exact moments of each layer's input over a whole loader, without dropout.

    running_mean = (1/n) sum(x) and running_var = (1/(n-1)) sum((x - running_mean)^2) over all n values of a channel,
    however the loader cuts its batches. Gradients, dropout and all other modules are as in eval mode.

    Args:
        model: any with batch norms; frozen ones are left alone, of a split one the main part is renewed. Batch norms
            that no batch reaches keep their statistics and are not in the result.
        batches: tensors, or tuples and lists whose first entry is the input; moved to the model's device.
        layerwise: False takes one pass, in which every batch norm normalises by the batch, as in training: what deeper
            layers receive depends a little on the batch size. True takes one pass per batch norm, front to back, each
            in eval mode with the statistics already renewed: afterwards every running statistic is the moment of what
            the layer receives in eval mode. `batches` must then be a list or loader, not a generator.
        feed: how to call the model on an item; see `Feed`.

    Raises:
        UsageError: no batch norm, no batch, a training batch with one value per channel, a generator with layerwise.

    Source: Wu & Johnson 2021, Rethinking "Batch" in BatchNorm, section 3. Differences: torch.optim.swa_utils.update_bn
    averages the variances within batches (and so misses that between them), weights a short last batch like a full
    one, and keeps dropout on when called in training mode.
    """
    return _renew(model, batches, layerwise=layerwise, feed=feed, source_rows=0)


def adapt(
    model: nn.Module,
    batches: Iterable[Any],
    *,
    source_rows: int = 0,
    layerwise: bool = False,
    feed: Feed | None = None,
) -> Reestimated:
    """Adapt to a new domain: running statistics from unlabelled data of that domain; `undo()` returns to the source.

    running = N/(N+n) * source + n/(N+n) * target for mean and variance, with N = `source_rows` and n the rows given.

    Args:
        source_rows: how many rows the source statistics count for; 0 forgets them, which is AdaBN. A few dozen help
            when there are few target rows.
        model, batches, layerwise, feed: as in `reestimate`.

    Raises:
        UsageError: as `reestimate`, or source_rows below 0.

    Source: Li et al. 2016, Revisiting Batch Normalization For Practical Domain Adaptation (AdaBN, N = 0); Schneider et
    al. 2020, Improving robustness against common corruptions by covariate shift adaptation, equation 1 (the mixture).
    """
    if source_rows < 0:
        raise UsageError(f"source_rows must be 0 or more, got {source_rows}")
    return _renew(model, batches, layerwise=layerwise, feed=feed, source_rows=source_rows)


def drift(model: nn.Module, batches: Iterable[Any], *, feed: Feed | None = None) -> tuple[Drift, ...]:
    """How far the running statistics are from the moments of what each batch norm receives in eval mode.

    On training data a large drift means statistics that lag behind the weights (few steps, low momentum) or a dropout
    before the layer; on new data it means a shifted domain. Changes nothing. Arguments and errors as `reestimate`.

    Source: Li et al. 2018, Understanding the Disharmony between Dropout and Batch Normalization by Variance Shift.
    """
    refuse_wrapped(model, "measure drift")
    norms = _norms(model)
    with _untouched(model):
        moments = _observe(model.eval(), norms, batches, feed)
        return tuple(_drift(path, norms[path], m) for path, m in moments.items())


def dropout_shift(
    model: nn.Module, batches: Iterable[Any], *, seed: int = 0, feed: Feed | None = None
) -> tuple[DropoutShift, ...]:
    """Var(input without dropout) / Var(input with dropout) for every batch norm, measured on the same data.

    Dropout keeps the mean and raises the variance, so a batch norm after it learns a running variance that is too
    large for eval mode, and the ratio is below 1; the layers after that inherit the shift. Two passes: one in training
    mode, normalised by the batch, then one in eval mode with exactly the statistics of the first, so that neither the
    lag nor the noise of the running statistics takes part.

    Args:
        seed: of the dropout masks; torch's own random state is left as it is.
        model, batches, feed: as in `reestimate`; `batches` must be a list or loader, not a generator.

    Raises:
        UsageError: as `reestimate`.

    Source: Li et al. 2018, Understanding the Disharmony between Dropout and Batch Normalization by Variance Shift,
    section 3. Difference: the paper derives the ratio for given layers, here it is measured in the user's model.
    """
    refuse_wrapped(model, "measure the dropout shift")
    _require_repeatable(batches, "dropout_shift passes over the data twice")
    norms = _norms(model)
    with _untouched(model), torch.random.fork_rng(range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        model.train()
        for norm in norms.values():
            norm.eval()
        with_dropout = _observe(model, norms, batches, feed, by_batch=True)
        without = _observe(model.eval(), norms, batches, feed, by_moments=with_dropout)
    shifts: list[DropoutShift] = []
    for path in (path for path in with_dropout if path in without):
        eps, dropped = norms[path].eps, with_dropout[path].variance(1)
        varies = dropped > eps
        ratio = ((without[path].variance(1) + eps) / (dropped + eps))[varies]
        low, high = (float(ratio.min()), float(ratio.max())) if len(ratio) else (math.nan, math.nan)
        shifts.append(DropoutShift(path, _geometric_mean(ratio), low, high, int((~varies).sum())))
    return tuple(shifts)


def _renew(
    model: nn.Module, batches: Iterable[Any], *, layerwise: bool, feed: Feed | None, source_rows: int
) -> Reestimated:
    refuse_wrapped(model, "re-estimate batch norm statistics")
    norms = {path: norm for path, norm in _norms(model).items() if not isinstance(norm, FrozenBatchNorm)}
    if not norms:
        raise UsageError("every batch norm of the model is frozen: there are no statistics to renew")
    before = tuple((norm, _statistics(norm)) for norm in norms.values())
    drifts: dict[str, Drift] = {}
    try:
        with _untouched(model):
            model.eval()
            if not layerwise:
                for path, m in _observe(model, norms, batches, feed, by_batch=True).items():
                    drifts[path] = _settle(path, norms[path], m, source_rows)
            else:
                _require_repeatable(batches, "layerwise passes over the data once per batch norm")
                for path in _order(model, norms, batches, feed):
                    m = _observe(model, {path: norms[path]}, batches, feed)[path]
                    drifts[path] = _settle(path, norms[path], m, source_rows)
    except BaseException:
        for norm, state in before:
            _restore(norm, state)
        raise
    return Reestimated(tuple(drifts.values()), before)


def _settle(path: str, norm: AnyBatchNorm, m: Moments, source_rows: int) -> Drift:
    """Write the moments into the running statistics; returns how far off the old ones were."""
    off = _drift(path, norm, m)
    share = m.rows / (m.rows + source_rows)
    for name, new in (("running_mean", m.mean), ("running_var", m.variance(1))):
        running = norm.get_buffer(name)
        running.copy_(double(running) * (1 - share) + new * share if source_rows else new)
    norm.get_buffer("num_batches_tracked").fill_(len(m.batches))
    return off


def _drift(path: str, norm: AnyBatchNorm, m: Moments) -> Drift:
    running_mean, running_var = double(norm.get_buffer("running_mean")), double(norm.get_buffer("running_var"))
    var = m.variance(1)
    varies = var > norm.eps
    shift = (m.mean - running_mean) / (running_var + norm.eps).sqrt()
    noise = (torch.stack([mean - m.mean for _, mean in m.batches]) / (var + norm.eps).sqrt())[:, varies]
    ratio = ((var + norm.eps) / (running_var + norm.eps))[varies]
    return Drift(path, m.count, int((~varies).sum()), _rms(shift), _geometric_mean(ratio), _rms(noise))


def _observe(
    model: nn.Module,
    norms: Mapping[str, AnyBatchNorm],
    batches: Iterable[Any],
    feed: Feed | None,
    *,
    by_batch: bool = False,
    by_moments: Mapping[str, Moments] | None = None,
) -> dict[str, Moments]:
    """The moments of what each norm receives, in the order of the first call.

    A norm computes what it computes, or normalises by the batch, or by the given moments.
    """
    moments: dict[str, Moments] = {}

    def watch(path: str) -> Callable[..., Tensor | None]:
        def hook(norm: AnyBatchNorm, args: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
            x = args[0]
            moments.setdefault(path, Moments()).add(x)
            if isinstance(norm, FrozenBatchNorm):
                return None
            if by_batch:
                if x.numel() == x.shape[1]:
                    raise UsageError(f"{path}: a batch with one value per channel; use batches of at least 2 rows")
                if does_more(norm):
                    return _again(norm, args, None)
                return F.batch_norm(x, None, None, norm.weight, norm.bias, True, 0.0, norm.eps)
            if by_moments is None or path not in by_moments:
                return None
            if does_more(norm):
                return _again(norm, args, by_moments[path])
            mean, var = by_moments[path].mean.to(output), by_moments[path].variance(1).to(output)
            return F.batch_norm(x, mean, var, norm.weight, norm.bias, False, 0.0, norm.eps)

        return hook

    # Ahead of the user's hooks, which then see what we return.
    handles = [norm.register_forward_hook(watch(path), prepend=True) for path, norm in norms.items()]
    try:
        _run(model, batches, feed)
    finally:
        for handle in handles:
            handle.remove()
    return moments


def _again(norm: AnyBatchNorm, args: tuple[Tensor, ...], moments: Moments | None) -> Tensor:
    """What the norm's own forward gives by the batch's statistics, or by these moments; its own are left as they are.

    For norms that do more than normalise: what else they do is done as well.
    """
    assert isinstance(norm, BatchNormType)
    state, training, momentum = _statistics(norm), norm.training, norm.momentum
    try:
        norm.training, norm.momentum = moments is None, 0.0
        if moments is not None:
            norm.get_buffer("running_mean").copy_(moments.mean)
            norm.get_buffer("running_var").copy_(moments.variance(1))
        return norm.forward(*args)
    finally:
        norm.training, norm.momentum = training, momentum
        _restore(norm, state)


def _run(model: nn.Module, batches: Iterable[Any], feed: Feed | None) -> None:
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    empty = True
    with torch.no_grad():
        for batch in batches:
            empty = False
            if feed is not None:
                feed(model, batch)
                continue
            x = batch[0] if isinstance(batch, list | tuple) else batch
            if not isinstance(x, Tensor):
                raise UsageError(f"a batch must be a tensor or begin with one, got {type(x).__name__}; pass feed=")
            model(x.to(device))
    if empty:
        raise UsageError("there is no batch to measure: `batches` is empty (a generator that was used up?)")


def _order(model: nn.Module, norms: Mapping[str, AnyBatchNorm], batches: Iterable[Any], feed: Feed | None) -> list[str]:
    """The norms in the order in which the first batch reaches them."""
    first = next(iter(batches), None)
    return list(_observe(model, norms, [] if first is None else [first], feed))


def _norms(model: nn.Module) -> dict[str, AnyBatchNorm]:
    found = {path: m for path, m in model.named_modules() if isinstance(m, AnyBatchNorm)}
    auxiliary = tuple(f"{path}.auxiliary." for path, m in found.items() if isinstance(m, SplitBatchNorm))
    found = {path: m for path, m in found.items() if not path.startswith(auxiliary)}
    if not found:
        raise UsageError("the model has no batch norm")
    without = [path for path, m in found.items() if m.running_mean is None]
    if without:
        raise UsageError(f"batch norms without running statistics (track_running_stats=False): {', '.join(without)}")
    return found


def _require_repeatable(batches: Iterable[Any], why: str) -> None:
    if isinstance(batches, Iterator):
        raise UsageError(f"{why}: pass a list or a loader, not a generator")


@contextmanager
def _untouched(model: nn.Module) -> Generator[None]:
    """Modes, and buffers other than batch norm statistics (spectral norm's vectors ...), are as before at the end."""
    buffers = [
        (buffer, buffer.clone())
        for m in model.modules()
        if not isinstance(m, AnyBatchNorm)
        for buffer in m.buffers(False)
    ]
    try:
        with modes_kept(model):
            yield
    finally:
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)


def _statistics(norm: AnyBatchNorm) -> dict[str, Tensor]:
    return {name: norm.get_buffer(name).clone() for name in ("running_mean", "running_var", "num_batches_tracked")}


def _restore(norm: AnyBatchNorm, state: Mapping[str, Tensor]) -> None:
    for name, value in state.items():
        norm.get_buffer(name).copy_(value)


def _rms(values: Tensor) -> float:
    return math.sqrt(float(values.square().mean()))


def _geometric_mean(ratios: Tensor) -> float:
    return float(ratios.log().mean().exp())
