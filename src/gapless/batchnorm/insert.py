"""Insert batch normalization into a model that has none, without touching a name it already uses.

Each convolution and linear layer but the last gets a batch norm as its child `batchnorm` and applies it to what it puts
out, so every parameter and every state_dict key of the model stays as it was; keys are only added.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from gapless.batchnorm.layers import recomputed
from gapless.errors import UsageError
from gapless.flow import Example, Flow, follow
from gapless.kinds import BatchNormType, called_norm, is_norm
from gapless.surgery import (
    Addition,
    Args,
    Change,
    Placement,
    add,
    added,
    check_patterns,
    fits,
    plain_class,
    refuse_replaced,
    refuse_wrapped,
    take_out,
)

CHILD = "batchnorm"
"""The name of the child that carries the batch norm of a layer."""

Conv = nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
WeightLayer = Conv | nn.Linear

_NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}

# Their forward reads the weights of their children and never calls them, so a hook on a child would never run; the
# adaptive softmax is the head itself.
_SEALED: dict[type[nn.Module], str] = {
    nn.MultiheadAttention: "MultiheadAttention uses the weights of this layer without calling it",
    nn.TransformerEncoderLayer: "TransformerEncoderLayer may use the weights of this layer without calling it",
    nn.AdaptiveLogSoftmaxWithLoss: "it belongs to the head",
}


class Normalised(Addition):
    """The layer's child `batchnorm`, applied to what it puts out."""

    def after(self, layer: nn.Module, args: Args, output: Tensor) -> Tensor:
        norm = layer.get_submodule(CHILD)
        if isinstance(layer, nn.Linear):
            batch = output.reshape(-1, output.shape[-1])
        elif output.ndim == layer.get_parameter("weight").ndim - 1:  # a convolution takes (C, ...) as well
            batch = output.unsqueeze(0)
        else:
            batch = output
        if norm.training and batch.numel() == batch.shape[1]:
            if (alone := _by_running(norm, batch)) is not None:
                return alone.reshape(output.shape)
            raise UsageError(
                f"batch norm after {layer} needs more than one value per channel in training, got an output of shape "
                f"{tuple(output.shape)}; use batches of at least 2 rows (a DataLoader with drop_last=True)"
            )
        if norm.training and recomputed():  # on copies of its statistics, which have seen this batch
            copies = {name: buffer.clone() for name, buffer in norm.named_buffers()}
            return torch.func.functional_call(norm, copies, (batch,)).reshape(output.shape)
        return norm(batch).reshape(output.shape)

    def removed(self, layer: nn.Module) -> None:
        delattr(layer, CHILD)

    def __str__(self) -> str:
        return ""  # its child is shown


def _by_running(norm: nn.Module, batch: Tensor) -> Tensor | None:
    """One value per channel has no variance: by the statistics of the batches before it, which do not move for it.

    None where there was none. Loaders keep a last batch of one row unless they are told otherwise.
    """
    if not isinstance(norm, BatchNormType) or norm.running_mean is None or norm.num_batches_tracked is None:
        return None
    if int(norm.num_batches_tracked) == 0:
        return None
    return F.batch_norm(batch, norm.running_mean, norm.running_var, norm.weight, norm.bias, False, 0.0, norm.eps)


def insert(
    model: nn.Module, *, momentum: float = 0.1, skip: Sequence[str] = (), example: Example | Flow | None = None
) -> Change:
    """Add batch normalization after every convolution and linear layer but the last, in place.

    y = gamma * (x - mean) / sqrt(var + eps) + beta, over the batch and all positions of a channel, between the layer
    and whatever follows it, as the paper has it: before the nonlinearity.

    The batch norm is the layer's child `batchnorm` (new keys such as `conv1.batchnorm.weight`, the old ones stay), in
    the layer's device, dtype and mode. Linear layers on (B, F) and (B, ..., F) are normalised over F's leading axes,
    convolutions also without a batch axis. deepcopy, pickle, state_dict, torch.compile and torch.export work; compile,
    wrap in DDP and build the optimizer afterwards. `fold` merges what was learned into the weights.

    Left alone, with the reason in the account: the heads (by `example`; without one the last weight layer in the order
    of registration), layers that the example does not reach, layers inside MultiheadAttention and
    TransformerEncoderLayer, layers with parametrized weights (weight_norm, pruning), complex ones, those that `skip`
    names, and the whole model when it already normalises anywhere. Recurrent layers have no convolution or linear layer
    inside.
    Inserting twice is inserting once; the second call sets the momentum. A training batch that leaves one value per
    channel is normalised by the running statistics, once there are any.

    Args:
        model: the module to change.
        momentum: torch's: running = (1 - momentum) * running + momentum * batch; in (0, 1].
        skip: patterns of module paths to leave alone, such as `"policy.*"` (shell wildcards).
        example: an input of the model, as `gapless.flow.follow` takes it. It tells which layers are heads, however many
            and wherever registered, and whether a function normalises.

    Raises:
        UsageError: momentum out of range, a pattern that fits no layer, an example that does not fit, or a model that
            is already compiled, scripted or wrapped for several devices.

    Source: Ioffe & Szegedy 2015, Batch Normalization, section 3. Difference: the layer's bias is kept, so that the
    model's keys stay; it has no effect in training and takes the shift when folded.
    """
    if not 0 < momentum <= 1:
        raise UsageError(f"momentum must be in (0, 1], got {momentum}; torch's momentum is the weight of the new batch")
    refuse_wrapped(model, "insert batch norm")
    found = list(inserted_layers(model))
    if found:
        for _, _, norm in found:
            if isinstance(norm, BatchNormType):
                norm.momentum = momentum
        return Change(model, tuple(Placement(p, _describe(norm), "inserted before") for p, _, norm in found), (remove,))
    layers = list(_weight_layers(model))
    check_patterns(skip, [path for path, _ in layers], "skip", "convolution or linear layer")
    flow = follow(model, example)
    norm = _first_norm(model)
    if norm is None and flow is not None and flow.normalises:
        norm = Placement("", "", f"the model already normalises: the example goes through {flow.normalises}")
    if norm is not None:
        return Change(model, (norm,), (remove,))
    return Change(model, _place_all(model, layers, momentum, skip, flow), (remove,))


def remove(model: nn.Module) -> None:
    """Take every inserted batch norm out of `model`, or of a copy of it; nothing else changes, no parameter moves.

    After training the model then computes something else, for the scale and shift are gone: `fold` keeps them.
    """
    refuse_wrapped(model, "remove batch norm")
    take_out(model, Normalised)


def inserted_layers(model: nn.Module) -> Iterator[tuple[str, nn.Module, nn.Module]]:
    """(path, layer, its batch norm) for every layer that carries an inserted one."""
    return ((path, layer, layer.get_submodule(CHILD)) for path, layer in added(model, Normalised))


def forward_hooks(module: nn.Module) -> dict[int, Any]:
    """The module's own table of forward hooks; torch has no public way to list them."""
    return vars(module)["_forward_hooks"]


def own_weight(layer: nn.Module) -> bool:
    """Whether `weight` is a parameter of the layer itself, not computed from others (weight_norm, pruning ...)."""
    return not parametrize.is_parametrized(layer) and "weight" in dict(layer.named_parameters(recurse=False))


def _weight_layers(model: nn.Module) -> Iterator[tuple[str, WeightLayer]]:
    for path, module in model.named_modules():
        if isinstance(module, WeightLayer):
            yield path, module


def _first_norm(model: nn.Module) -> Placement | None:
    """The first layer that normalises: by its type, by its name (LlamaRMSNorm) or by what it does."""
    parametrizations = tuple(
        f"{p}.parametrizations." for p, m in model.named_modules() if parametrize.is_parametrized(m)
    )
    for path, module in model.named_modules():
        if not path or (f"{path}.").startswith(parametrizations) or not (called_norm(module) or is_norm(module)):
            continue
        # A block such as ConvNorm that holds weight layers is judged by the layers inside it.
        if next(_weight_layers(module), None) is None:
            return Placement(path, "", f"the model already normalises, with {type(module).__name__} here")
    return None


def _place_all(
    model: nn.Module,
    layers: Sequence[tuple[str, WeightLayer]],
    momentum: float,
    skip: Sequence[str],
    flow: Flow | None,
) -> tuple[Placement, ...]:
    """Build every norm first, so that an error leaves the model as it was, then put them in place."""
    account: list[Placement] = []
    norms: list[tuple[WeightLayer, nn.Module]] = []
    sealed = {
        f"{path}.": why for path, m in model.named_modules() for kind, why in _SEALED.items() if isinstance(m, kind)
    }
    owners = weight_owners(model)
    last = layers[-1][0] if layers else ""
    for path, layer in layers:
        reason = _reason_against(path, layer, sealed, skip) or _by_flow(path, flow, last)
        if reason:
            account.append(Placement(path, "", reason))
            continue
        norm = _batchnorm_for(layer, momentum)
        norms.append((layer, norm))
        why = f"after {plain_class(layer).__name__}{_fold_note(layer, owners)}"
        account.append(Placement(path, _describe(norm), why))
    refuse_replaced(layer for layer, _ in norms)
    for layer, norm in norms:
        add(layer, Normalised())
        layer.add_module(CHILD, norm)
    return tuple(account)


def _by_flow(path: str, flow: Flow | None, last: str) -> str:
    if flow is None:
        assumed = "the head: the last weight layer in the order of registration; an example tells where the heads are"
        return assumed if path == last else ""
    if path not in flow.order:
        return "the example does not reach it, or its weight is used without calling it"
    return "a head: no other weight layer stands between it and the output" if path in flow.heads else ""


def _reason_against(path: str, layer: WeightLayer, sealed: dict[str, str], skip: Sequence[str]) -> str:
    inside = next((why for prefix, why in sealed.items() if path.startswith(prefix)), "")
    if inside:
        return inside
    if not own_weight(layer):
        return "its weight is parametrized (weight_norm, spectral_norm, pruning ...), so it could not be folded"
    if layer.weight.is_complex():
        return "its weight is complex"
    if fits(path, skip):
        return "skip names it"
    if CHILD in dir(layer):
        return f"the layer already has an attribute {CHILD!r}"
    return ""


def _batchnorm_for(layer: WeightLayer, momentum: float) -> nn.Module:
    weight = layer.weight
    if isinstance(layer, nn.Linear):
        norm = nn.BatchNorm1d(layer.out_features, momentum=momentum, device=weight.device, dtype=weight.dtype)
    else:
        kind = _NORMS[len(layer.kernel_size)]
        norm = kind(layer.out_channels, momentum=momentum, device=weight.device, dtype=weight.dtype)
    return norm.train(layer.training)


def weight_owners(model: nn.Module) -> dict[int, list[str]]:
    """id of each parameter -> the names it is known by; more than one for tied weights. A shared layer counts once."""
    owners: dict[int, list[str]] = {}
    for path, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False, remove_duplicate=False):
            owners.setdefault(id(parameter), []).append(f"{path}.{name}" if path else name)
    return owners


def _fold_note(layer: WeightLayer, owners: dict[int, list[str]]) -> str:
    if len(owners[id(layer.weight)]) > 1:
        return f"; cannot be folded: its weight is tied ({', '.join(owners[id(layer.weight)])})"
    if layer.bias is None:
        return "; it has no bias, folding will need new_bias=True"
    return ""


def _describe(norm: nn.Module) -> str:
    features = vars(norm).get("num_features", vars(norm).get("num_channels"))
    return f"{type(norm).__name__}({features})"
