"""Exchange the batch norms of a model for other normalisation layers, in place, and back.

The new layer takes over the old one's parameters and statistics as they are (the same tensors where both have them), so
an optimizer that already holds them keeps working. `Converted.undo()` puts the old layers back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import nn

from gapless.batchnorm.insert import forward_hooks
from gapless.batchnorm.layers import (
    AnyBatchNorm,
    BatchNorm,
    BatchRenorm,
    FrozenBatchNorm,
    GhostBatchNorm,
    SplitBatchNorm,
)
from gapless.errors import UsageError
from gapless.kinds import BatchNormType, does_more
from gapless.surgery import Addition, Args, Kwargs, Placement, add, additions, refuse_replaced, refuse_wrapped, take_out

_PLAIN: tuple[type[nn.Module], ...] = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, BatchNorm)
_OURS: tuple[type[nn.Module], ...] = (GhostBatchNorm, BatchRenorm, SplitBatchNorm)
_KNOWN = (*_PLAIN, *_OURS, FrozenBatchNorm)  # what stays as it is because it is one of these stays on purpose
_TENSORS = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True)
class _Swap:
    """One layer that was exchanged: everywhere it is registered, and the mode of its first parent at that time."""

    places: tuple[tuple[nn.Module, str], ...]
    old: nn.Module
    new: nn.Module
    parent_mode: bool


class InEval(Addition):
    """A norm that does more than normalise stays what it is, and runs in eval mode, whatever `train()` is called."""

    def __init__(self, training: bool, learned: tuple[bool, ...]) -> None:
        self.training, self.learned = training, learned  # before it was frozen

    def before(self, layer: nn.Module, args: Args, kwargs: Kwargs) -> tuple[Args, Kwargs]:
        layer.training = False
        return args, kwargs

    def removed(self, layer: nn.Module) -> None:
        layer.training = self.training
        for parameter, learned in zip(layer.parameters(recurse=False), self.learned, strict=True):
            parameter.requires_grad_(learned)

    def __str__(self) -> str:
        return "frozen"


@dataclass(frozen=True)
class Converted:
    """Exchanged layers: `account` says which, `undo()` puts the old ones back with what was learned since."""

    account: tuple[Placement, ...]
    swaps: tuple[_Swap, ...] = field(repr=False, compare=False)
    kept: tuple[nn.Module, ...] = field(default=(), repr=False, compare=False)

    @property
    def paths(self) -> tuple[str, ...]:
        """The layers that were exchanged."""
        return tuple(placement.path for placement in self.account if placement.what)

    def undo(self) -> None:
        """Put the old layers back. Parameters and statistics both kinds have keep their present values."""
        for layer in self.kept:
            take_out(layer, InEval)
        for swap in self.swaps:
            places = [(parent, name) for parent, name in swap.places if vars(parent)["_modules"].get(name) is swap.new]
            if not places:
                continue
            _hand_over(swap.new, swap.old)
            parent = places[0][0]
            if not isinstance(swap.new, FrozenBatchNorm):
                swap.old.train(swap.new.training)
            elif parent.training != swap.parent_mode:  # a frozen layer does not know the mode it would have now
                swap.old.train(parent.training)
            for parent, name in places:
                parent.add_module(name, swap.old)

    def __str__(self) -> str:
        return "\n".join(str(placement) for placement in self.account)


def to_ghost(model: nn.Module, *, ghost_size: int = 32) -> Converted:
    """Every batch norm becomes a `GhostBatchNorm`: statistics over at most `ghost_size` rows each.

    Raises UsageError as `GhostBatchNorm` does, or when a layer cannot be exchanged (see `freeze`).
    """
    return _exchange(model, _PLAIN, lambda old: GhostBatchNorm(ghost_size=ghost_size, **_settings(old)))


def to_renorm(
    model: nn.Module,
    *,
    r_max: float = 3.0,
    d_max: float = 5.0,
    start: int = 5_000,
    r_end: int = 40_000,
    d_end: int = 25_000,
) -> Converted:
    """Every batch norm becomes a `BatchRenorm`; the steps count from the batches each layer has already seen.

    Raises UsageError as `BatchRenorm` does, or when a layer cannot be exchanged (see `freeze`).
    """

    def build(old: nn.Module) -> nn.Module:
        limits = {"start": start, "r_end": r_end, "d_end": d_end}
        return BatchRenorm(r_max=r_max, d_max=d_max, **limits, **_settings(old))

    return _exchange(model, _PLAIN, build)


def to_split(model: nn.Module, *, splits: int = 2) -> Converted:
    """Every batch norm becomes a `SplitBatchNorm` whose auxiliary norms start as copies of it.

    The auxiliary parameters are new: build the optimizer afterwards. Raises UsageError as `SplitBatchNorm` does, or
    when a layer cannot be exchanged (see `freeze`).
    """

    def build(old: nn.Module) -> nn.Module:
        new = SplitBatchNorm(splits=splits, **_settings(old))
        for norm in new.auxiliary:
            norm.load_state_dict(old.state_dict())
        return new

    return _exchange(model, _PLAIN, build)


def freeze(model: nn.Module, *, train_affine: bool = False) -> Converted:
    """Every batch norm becomes a `FrozenBatchNorm`: neither statistics nor modes move, whatever `train()` is called.

    Args:
        model: changed in place; ghost, renorm and split layers are frozen too. A norm that does more than normalise
            (timm's carry their activation) keeps its class and is held in eval mode.
        train_affine: let gamma and beta learn on.

    Raises:
        UsageError: a batch norm without running statistics, or with hooks of its own; a model that is itself a
            batch norm, or is already compiled or wrapped.
    """

    def build(old: nn.Module) -> nn.Module:
        settings = _settings(old)
        del settings["momentum"]
        return FrozenBatchNorm(train_affine=train_affine, **settings)

    more = _doing_more(model)
    found = any(isinstance(m, AnyBatchNorm) and not does_more(m) for m in model.modules())
    done = _exchange(model, (*_PLAIN, *_OURS), build) if found or not more else Converted((), ())
    for norm in more.values():
        own = list(norm.parameters(recurse=False))
        add(norm, InEval(norm.training, tuple(p.requires_grad for p in own)))
        norm.training = False
        for parameter in own:
            parameter.requires_grad_(train_affine and parameter.requires_grad)
    lines = [Placement(p, type(n).__name__, "it does more than normalise: held in eval mode") for p, n in more.items()]
    account = (*(line for line in done.account if line.path not in more), *lines)
    return Converted(account, done.swaps, tuple(more.values()))


def _doing_more(model: nn.Module) -> dict[str, nn.Module]:
    """The norms that freeze cannot exchange because they do more than normalise, frozen ones left out."""
    refuse_wrapped(model, "freeze batch norms")
    norms = {path: m for path, m in model.named_modules() if isinstance(m, BatchNormType) and does_more(m)}
    norms = {path: m for path, m in norms.items() if not any(isinstance(a, InEval) for a in additions(m))}
    for path, norm in norms.items():
        if norm.running_mean is None:
            raise UsageError(f"{path}: {type(norm).__name__} has no running statistics (track_running_stats=False)")
    refuse_replaced(norms.values())
    return dict(norms)


def to_sync(model: nn.Module, *, process_group: Any = None) -> Converted:
    """Every batch norm becomes torch's SyncBatchNorm: statistics over the batches of all processes.

    Wrap the model in DistributedDataParallel afterwards. In training with several processes torch's layer runs on GPUs
    only; with one process it is a batch norm. Ghost, renorm, split and frozen layers stay as they are. Differs from
    torch's convert_sync_batchnorm, which thaws frozen layers that are its subclasses, loses hooks and cannot be undone.

    Raises UsageError when a layer cannot be exchanged (see `freeze`).
    """

    def build(old: nn.Module) -> nn.Module:
        settings = _settings(old)
        features = settings.pop("num_features")
        return nn.SyncBatchNorm(features, process_group=process_group, **settings)

    return _exchange(model, tuple(kind for kind in _PLAIN if kind is not nn.SyncBatchNorm), build)


def to_group_norm(model: nn.Module, *, channels: int = 16) -> Converted:
    """Every batch norm becomes a GroupNorm with about `channels` channels in each group; gamma and beta are kept.

    Group norm uses no batch statistics, so it does not mind small batches; the output of a trained model changes and
    needs training. The number of groups is the divisor of C that brings C / groups nearest to `channels` (on a tie the
    larger groups). Ghost, renorm and split layers are exchanged too.

    Raises:
        UsageError: channels below 1, or a layer that cannot be exchanged (see `freeze`).

    Source: Wu & He 2018, Group Normalization, section 4.1: 16 channels per group do as well as 32 groups, and stay
    sensible for narrow layers, where 32 groups would be instance norm.
    """
    if channels < 1:
        raise UsageError(f"channels must be at least 1, got {channels}")

    def build(old: nn.Module) -> nn.Module:
        settings = _settings(old)
        features = settings["num_features"]
        divisors = [groups for groups in range(1, features + 1) if features % groups == 0]
        groups = min(divisors, key=lambda groups: (abs(features / groups - channels), groups))
        rest = {name: settings[name] for name in ("eps", "affine", "device", "dtype")}
        return nn.GroupNorm(groups, features, **rest)

    return _exchange(model, (*_PLAIN, *_OURS), build)


def to_batch_norm(model: nn.Module, *, dims: Literal[1, 2, 3], momentum: float = 0.1) -> Converted:
    """Every GroupNorm becomes torch's BatchNorm1d, 2d or 3d; gamma and beta are kept, the statistics start fresh.

    Call `reestimate` with training data before using eval mode, or train on.

    Args:
        model: changed in place.
        dims: number of position axes of the inputs: 2 for pictures (N, C, H, W), 1 for (N, C) and (N, C, L).
        momentum: torch's, in [0, 1].

    Raises:
        UsageError: another number of axes, or a layer that cannot be exchanged (see `freeze`).
    """
    if dims not in (1, 2, 3):
        raise UsageError(f"dims must be 1, 2 or 3, got {dims}")
    if not 0 <= momentum <= 1:
        raise UsageError(f"momentum must be in [0, 1], got {momentum}")
    kind = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}[dims]

    def build(old: nn.Module) -> nn.Module:
        assert isinstance(old, nn.GroupNorm)
        weight = next(old.parameters(), torch.empty(0))
        return kind(old.num_channels, old.eps, momentum, old.affine, device=weight.device, dtype=weight.dtype)

    return _exchange(model, (nn.GroupNorm,), build)


def _exchange(
    model: nn.Module, kinds: tuple[type[nn.Module], ...], build: Callable[[nn.Module], nn.Module]
) -> Converted:
    """Build all new layers first, so that an error leaves the model as it was, then swap them in."""
    refuse_wrapped(model, "convert normalisation layers")
    places: dict[int, list[tuple[nn.Module, str]]] = {}
    for parent in model.modules():
        for name, child in vars(parent)["_modules"].items():
            places.setdefault(id(child), []).append((parent, name))
    account: list[Placement] = []
    swaps: list[_Swap] = []
    split = tuple(f"{path}.auxiliary." for path, module in model.named_modules() if isinstance(module, SplitBatchNorm))
    for path, old in model.named_modules():
        if path.startswith(split):
            continue
        if type(old) in kinds:
            _check_exchangeable(path, old)
            new = build(old).train(old.training)
            if getattr(old, "track_running_stats", True) is False:  # frozen with its statistics kept
                for norm in (m for m in new.modules() if isinstance(m, BatchNormType)):
                    norm.track_running_stats = False
            where = tuple(places[id(old)])
            swaps.append(_Swap(where, old, new, where[0][0].training))
            account.append(Placement(path, str(new), f"was {type(old).__name__}"))
        elif isinstance(old, AnyBatchNorm):
            what = "does more than normalise (an activation)" if does_more(old) else "is not one of those exchanged"
            account.append(Placement(path, "", f"{type(old).__name__} {what}"))
    if not swaps and any(isinstance(m, AnyBatchNorm) and type(m) not in _KNOWN for m in model.modules()):
        raise UsageError(
            f"none of the {len(account)} batch norms can be exchanged: "
            + "; ".join(sorted({line.why for line in account}))
        )
    for swap in swaps:
        _hand_over(swap.old, swap.new)
        for parent, name in swap.places:
            parent.add_module(name, swap.new)
    return Converted(tuple(account), tuple(swaps))


def _check_exchangeable(path: str, old: nn.Module) -> None:
    kind = type(old).__name__
    if not path:
        raise UsageError(
            f"the model itself is a {kind}, which cannot be exchanged in place: put it in an nn.Sequential"
        )
    if not isinstance(old, nn.GroupNorm) and vars(old)["_buffers"].get("running_mean") is None:
        raise UsageError(f"{path}: {kind} has no running statistics (track_running_stats=False)")
    hooked = [table for table in ("_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks") if vars(old)[table]]
    if hooked or forward_hooks(old):
        raise UsageError(f"{path}: {kind} carries hooks that would be lost; undo what attached them first")


def _settings(old: nn.Module) -> dict[str, Any]:
    """The arguments that build a batch norm like `old`."""
    mean = old.get_buffer("running_mean")
    settings = {name: vars(old)[name] for name in ("num_features", "eps", "momentum", "affine")}
    return {**settings, "device": mean.device, "dtype": mean.dtype}


def _hand_over(giver: nn.Module, taker: nn.Module) -> None:
    """`taker` shares the giver's tensors; where one has a parameter and the other a buffer, it gets the values."""
    for name in _TENSORS:
        given, taken = vars(giver)["_parameters"], vars(taker)["_parameters"]
        if name in given and name in taken:
            taker.register_parameter(name, given[name])
        elif name in given and name in vars(taker)["_buffers"]:
            # A copy: an optimizer may still hold the parameter, and a frozen layer must not move with it.
            taker.register_buffer(name, None if given[name] is None else given[name].detach().clone())
        elif name in vars(giver)["_buffers"]:
            value = vars(giver)["_buffers"][name]
            if name in vars(taker)["_buffers"]:
                taker.register_buffer(name, value)
            elif taken.get(name) is not None:
                taken[name].data = value
