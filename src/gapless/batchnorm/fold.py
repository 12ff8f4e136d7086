"""Fold batch normalization into the weights of the layer before it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from gapless.batchnorm.insert import (
    CHILD,
    WeightLayer,
    forward_hooks,
    inserted_layers,
    own_weight,
    remove,
    weight_owners,
)
from gapless.batchnorm.layers import AnyBatchNorm
from gapless.batchnorm.pairs import Pair, eval_output, own_pairs
from gapless.errors import UsageError
from gapless.flow import Example
from gapless.kinds import does_more
from gapless.surgery import refuse_wrapped

Model = TypeVar("Model", bound=nn.Module)

# How far the two outputs may be apart, relative to the largest value: rounding in that type over a deep network.
_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.bfloat16: 5e-2, torch.float16: 1e-2}


def fold(
    model: Model,
    *,
    new_bias: bool = False,
    keep: Sequence[str] = (),
    example: Example | None = None,
) -> Model:
    """A copy of `model` with its batch norms folded into the weights before them; same output in eval mode.

    W' = W * gamma / sqrt(var + eps) and b' = (b - mean) * gamma / sqrt(var + eps) + beta, per output channel, computed
    in float64 and rounded once to the type of the weight.

    With batch norms that `insert` added, those are folded, and the copy has the original architecture: no hook, no
    child, the keys of the original class. In a model without inserted ones the model's own are folded: each must
    directly follow a convolution or linear layer in an `nn.Sequential`; `nn.Identity` takes its place, so that indices
    and other keys stay. Either all are folded or none: what stands against it is raised as one list of reasons.

    A layer that is called several times in a forward folds exactly when its batch norm was inserted, because every
    call passes through the same one. `model` itself is left as it is. A weight that some forward uses beside the
    layer's own call (`F.linear(x, self.layer.weight)`) cannot be seen from outside: `example` finds it.

    Args:
        model: after training, in any mode; not compiled or wrapped.
        new_bias: allow a bias on a layer that has none. The copy's state_dict then has a key that the original class
            does not know: build the class with bias=True to load it. The model's own batch norms take their keys with
            them anyway, so for those a new bias needs no permission.
        keep: patterns of the model's own batch norms to leave in place (shell wildcards).
        example: one input (a tuple for several, a mapping for named ones), in the model's device and type. With it the
            pairs of the model's own batch norms are found by following the data, in any forward, and both models are
            run in eval mode and compared; a difference raises.

    Raises:
        UsageError: nothing to fold, or at least one batch norm that cannot be folded, with the reason for each.

    Source: Jacob et al. 2018, Quantization and Training of Neural Networks, section 3.2 (inference form). Difference
    from torch.nn.utils.fuse_conv_bn_eval: grouped transposed convolutions are right, and nothing is silently skipped.
    """
    refuse_wrapped(model, "fold batch norm")
    folded = copy.deepcopy(model)
    folded.zero_grad(set_to_none=True)
    inserted = list(inserted_layers(folded))
    if inserted:
        if keep:
            raise UsageError("keep names the model's own batch norms; this model has inserted ones, which all fold")
        pairs = [Pair(path, layer, f"{path}.{CHILD}".lstrip("."), norm, True) for path, layer, norm in inserted]
        problems: list[str] = []
    else:
        pairs, problems = own_pairs(folded, keep, example)
    problems += [
        f"{pair.norm_path}: {why}"
        for pair in pairs
        for why in _reasons(pair, folded, new_bias, checked=example is not None)
    ]
    if problems:
        raise UsageError("cannot fold:\n  " + "\n  ".join(problems))
    expected = None if example is None else eval_output(folded, example)
    for pair in pairs:
        _fold_into(pair.layer, pair.norm)
        if not pair.inserted:
            parent, _, name = pair.norm_path.rpartition(".")
            folded.get_submodule(parent).add_module(name, nn.Identity().train(pair.norm.training))
    remove(folded)
    if example is not None and expected is not None:
        _compare(expected, eval_output(folded, example), [p.norm for p in pairs])
    return folded


def _reasons(pair: Pair, model: nn.Module, new_bias: bool, *, checked: bool) -> list[str]:
    """Everything that stands against folding this pair. `checked`: an example will compare the outputs."""
    layer, norm, path = pair.layer, pair.norm, pair.layer_path or "the model"
    if not isinstance(layer, WeightLayer):
        return [f"{path} is a {type(layer).__name__}, not a convolution or linear layer"]
    if not isinstance(norm, AnyBatchNorm):
        return [f"{type(norm).__name__} does not use running statistics: its output depends on the input's own"]
    if not own_weight(layer):
        return [f"the weight of {path} is parametrized; remove the parametrization first"]
    reasons = [*_norm_reasons(pair, norm, _outputs(layer)), *_tied(layer, path, model)]
    if layer.bias is None and pair.inserted and not new_bias:
        reasons.append(
            f"{path} has no bias to take the shift, and with one the state_dict would have a key '{path}.bias' that "
            "the original class does not load; allow it with new_bias=True"
        )
    if not checked:
        reasons += _unchecked(pair, layer, path)
    return reasons


def _norm_reasons(pair: Pair, norm: AnyBatchNorm, outputs: int) -> list[str]:
    reasons: list[str] = []
    if norm.running_mean is None or norm.running_var is None:
        reasons.append("it has no running statistics (track_running_stats=False)")
    if norm.num_features != outputs:
        reasons.append(f"it has {norm.num_features} features, the layer before it {outputs} outputs")
    if pair.inserted and norm.num_batches_tracked is not None and int(norm.num_batches_tracked) == 0:
        reasons.append(
            "it never saw a training batch: train first, or take it out with undo(); if the model was trained, its "
            f"forward uses the weight of {pair.layer_path} without calling the layer"
        )
    if not pair.inserted and (forward_hooks(norm) or vars(norm)["_forward_pre_hooks"]):
        reasons.append("it carries hooks that would be lost: undo what attached them first")
    return reasons


def _tied(layer: WeightLayer, path: str, model: nn.Module) -> list[str]:
    owners = weight_owners(model)
    tied = {name for _, p in layer.named_parameters(recurse=False) if len(owners[id(p)]) > 1 for name in owners[id(p)]}
    if not tied:
        return []
    return [f"a parameter of {path} is tied ({', '.join(sorted(tied))}): the others would be scaled with it"]


def _unchecked(pair: Pair, layer: WeightLayer, path: str) -> list[str]:
    """What only a comparison of outputs can settle."""
    reasons: list[str] = []
    torch_class = next(c for c in type(layer).__mro__ if c.__module__.startswith("torch.nn.modules"))
    own = [
        name
        for name in ("forward", "_conv_forward")
        if getattr(type(layer), name, None) is not getattr(torch_class, name, None)
    ]
    if own:
        reasons.append(f"{type(layer).__name__} has a forward of its own; pass example= to compare the outputs")
    if does_more(pair.norm):
        reasons.append(
            f"{type(pair.norm).__name__} has a forward of its own and may do more than normalise (an activation), "
            f"which would be lost: leave it with keep=['{pair.norm_path}'], or pass example= to compare the outputs"
        )
    if not pair.inserted and forward_hooks(layer):
        reasons.append(f"a hook may change the output of {path} before it; pass example= to compare the outputs")
    return reasons


def _outputs(layer: WeightLayer) -> int:
    return layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels


def _fold_into(layer: nn.Module, norm: nn.Module) -> None:
    assert isinstance(layer, WeightLayer) and isinstance(norm, AnyBatchNorm)
    state = {name: _exact(tensor) for name, tensor in norm.state_dict().items()}  # parameters, or buffers when frozen
    scale = torch.rsqrt(state["running_var"] + norm.eps) * state.get("weight", 1.0)
    shift = state.get("bias", 0.0) - state["running_mean"] * scale
    weight = _exact(layer.weight)
    if isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d):
        # (C_in, C_out / groups, ...): output channel c of group g is at [inputs of g, c].
        grouped = weight.reshape(layer.groups, -1, *weight.shape[1:])
        scaled = grouped * scale.reshape(layer.groups, 1, -1, *[1] * (weight.ndim - 2))
    else:
        scaled = weight * scale.reshape(-1, *[1] * (weight.ndim - 1))
    with torch.no_grad():
        layer.weight.copy_(scaled.reshape(weight.shape))
        if layer.bias is not None:
            layer.bias.copy_(_exact(layer.bias) * scale + shift)
        else:
            layer.bias = nn.Parameter(shift.to(layer.weight), requires_grad=layer.weight.requires_grad)


def _exact(tensor: Tensor) -> Tensor:
    # On the CPU: some devices have no float64.
    return tensor.detach().cpu().double()


def _compare(expected: list[Tensor], got: list[Tensor], norms: list[nn.Module]) -> None:
    more = sorted({type(norm).__name__ for norm in norms if does_more(norm)})
    floats = [(a, b) for a, b in zip(expected, got, strict=True) if a.is_floating_point() or a.is_complex()]
    if not floats:
        raise UsageError("cannot check the fold: the model returned no tensor of numbers for the example")
    for before, after in floats:
        real = before.abs().dtype
        largest = max(1.0, float(before.abs().max()))
        apart = float((before - after).abs().double().max()) / largest
        if not apart <= _TOLERANCE.get(real, 1e-4):
            raise UsageError(
                f"cannot fold: the outputs for the example differ by {apart:.2g} of the largest value; "
                + (f"{', '.join(more)} may do more than normalise (an activation); or " if more else "")
                + "the output of a folded layer is used elsewhere too, or its forward does not scale with its weight"
            )
