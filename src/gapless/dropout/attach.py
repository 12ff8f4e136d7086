"""Dropout for a model that knows nothing of gapless, and the way back.

Attaching changes no parameter, no parameter name and no key of the state_dict. Where the model has dropouts of its own
their rate is set; elsewhere the input of a layer is dropped (`gapless.surgery`). Everything that undo needs lives on
the modules themselves, so a copied or unpickled model can be undone too, and uses its own dropouts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from gapless.dropout.noise import AlphaDropout, AttentionDropout, ChannelDropout, Dropout, GaussianDropout
from gapless.errors import UsageError
from gapless.surgery import (
    Addition,
    Args,
    Change,
    Kwargs,
    Placement,
    add,
    check_patterns,
    fits,
    give_rates_back,
    plain_class,
    plain_rate,
    refuse_replaced,
    refuse_wrapped,
    set_rate,
    take_out,
)

Kind = Literal["hidden", "channel", "input"]

_CONV = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_BLOCK = (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer, nn.MultiheadAttention, nn.RNNBase)
_WEIGHT_LAYER = (nn.Linear, nn.Bilinear, *_CONV, *_TRANSPOSED, nn.RNNCellBase, *_BLOCK)
_OWN: dict[Literal["hidden", "channel"], tuple[type[nn.Module], ...]] = {
    "hidden": (nn.Dropout, nn.AlphaDropout, Dropout, AlphaDropout, AttentionDropout, GaussianDropout),
    "channel": (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.FeatureAlphaDropout, ChannelDropout),
}
_PLACE = {"hidden": "Linear", "channel": "Conv1d, Conv2d or Conv3d"}


class Dropped(Addition):
    """Dropout on the first input of a layer, while the layer is training."""

    def __init__(self, noise: Dropout | ChannelDropout) -> None:
        self.noise = noise

    def before(self, layer: nn.Module, args: Args, kwargs: Kwargs) -> tuple[Args, Kwargs]:
        """Drop the first argument, and with it every other argument that is the same tensor (self-attention)."""
        noise = self.noise
        if not layer.training or noise.p == 0:
            return args, kwargs
        first = args[0] if args else next(iter(kwargs.values()))
        if isinstance(first, PackedSequence):
            dropped: Any = type(first)(
                noise.drop(first.data), first.batch_sizes, first.sorted_indices, first.unsorted_indices
            )
        elif isinstance(layer, _CONV) and cast(Tensor, first).ndim == len(layer.kernel_size) + 1:
            dropped = noise.drop(first.unsqueeze(0)).squeeze(0)  # a conv also takes one sample without a batch
        else:
            dropped = noise.drop(first)
        return (
            tuple(dropped if value is first else value for value in args),
            {name: dropped if value is first else value for name, value in kwargs.items()},
        )

    def __str__(self) -> str:
        return f"{type(self.noise).__name__} before it, p={self.noise.p:g}"


@dataclass(frozen=True)
class _Step:
    """One change that the plan asks for: set `rate_name` of `module`, or hook `child` before it."""

    module: nn.Module
    placement: Placement
    rate_name: str = ""
    child: type[Dropout] | type[ChannelDropout] = Dropout


def attach(
    model: nn.Module,
    *,
    hidden: float = 0.0,
    channel: float = 0.0,
    input: float = 0.0,
    where: Sequence[str] = ("*",),
) -> Change:
    """Put dropout into `model`; attaching again replaces the rates, a rate of 0 leaves that kind as the model has it.

    hidden: elements, on the input of every Linear but the first weight layer, or, where the model has nn.Dropout, as
    the rate of those. channel: whole feature maps, on the input of every Conv1d to 3d but the first weight layer, or
    as the rate of nn.Dropout1d to 3d. input: elements of what the first weight layer (in the order of registration;
    an embedding is not one) receives. MultiheadAttention, RNN, LSTM, GRU and the transformer layers take `hidden` as
    their own dropout and get no hook inside. where: shell patterns on module paths (`["classifier.*"]`); `hidden` and
    `channel` go nowhere else.

    Raises UsageError for a rate outside [0, 1), a pattern that fits no module, a model that is already wrapped or
    compiled (attach first), and when no nonzero rate finds a place.
    """
    rates: dict[Kind, float] = {"hidden": hidden, "channel": channel, "input": input}
    for kind, p in rates.items():
        if not 0 <= p < 1:
            raise UsageError(f"attach: {kind} must be in [0, 1), got {p!r}")
    refuse_wrapped(model, "attach dropout")
    check_patterns(where, [path for path, _ in model.named_modules()], "where", "module")
    steps, unplaced = _plan(model, {kind: p for kind, p in rates.items() if p > 0}, where)
    if unplaced and not steps:
        reasons = "; ".join(f"{line.what}: {line.why}" for line in unplaced)
        raise UsageError(f"attach: {type(model).__name__} has no place for dropout ({reasons})")
    refuse_replaced(step.module for step in steps if not step.rate_name)
    detach(model)
    for step in steps:
        _carry_out(step)
    return Change(model, (*(step.placement for step in steps), *unplaced), (detach,))


def detach(model: nn.Module) -> None:
    """Undo every attachment in `model`, also in a deepcopied or unpickled one."""
    give_rates_back(model)
    take_out(model, Dropped)


def _plan(model: nn.Module, rates: dict[Kind, float], where: Sequence[str]) -> tuple[list[_Step], list[Placement]]:
    """What to change, and a line for every kind that found no place."""
    steps: list[_Step] = []
    unplaced: list[Placement] = []
    for kind, p in rates.items():
        if kind == "input":
            found = list(_input_steps(model, p))
        else:
            found = [step for step in _kind_steps(model, kind, p) if fits(step.placement.path, where)]
        steps += found
        if not found:
            unplaced.append(Placement("", kind, _no_place(kind, where), 0.0))
    return steps, unplaced


def _carry_out(step: _Step) -> None:
    assert step.placement.p is not None
    if step.rate_name:
        set_rate(step.module, step.rate_name, step.placement.p)
    else:
        add(step.module, Dropped(step.child(step.placement.p)))


def _kind_steps(model: nn.Module, kind: Literal["hidden", "channel"], p: float) -> Iterator[_Step]:
    own = [
        _Step(
            module,
            Placement(path, kind, f"the model's own {_name(module)}, was {plain_rate(module, 'p'):g}", p),
            "p",
        )
        for path, module, _ in _walk(model)
        if isinstance(module, _OWN[kind])
    ]
    yield from own
    if kind == "hidden":
        yield from _block_steps(model, p)
    outside = {id(module) for _, module, inside in _walk(model) if not inside}
    if any(id(step.module) in outside for step in own):
        return
    layer, child = (nn.Linear, Dropout) if kind == "hidden" else (_CONV, ChannelDropout)
    first = next((module for _, module in _weight_layers(model)), None)
    for path, module, inside in _walk(model):
        if isinstance(module, layer) and not inside and module is not first:
            why = f"{child.__name__} before {_name(module)}"
            yield _Step(module, Placement(path, kind, why, p), child=child)


def _block_steps(model: nn.Module, p: float) -> Iterator[_Step]:
    """Attention and recurrent layers drop by themselves; an RNN does so between layers, so it needs two."""
    for path, module, _ in _walk(model):
        if isinstance(module, nn.MultiheadAttention):
            where = "attention probabilities"
        elif isinstance(module, nn.RNNBase) and module.num_layers > 1:
            where = "between its layers"
        else:
            continue
        why = f"{_name(module)}'s own dropout ({where}), was {plain_rate(module, 'dropout'):g}"
        yield _Step(module, Placement(path, "hidden", why, p), "dropout")


def _input_steps(model: nn.Module, p: float) -> Iterator[_Step]:
    for path, module in _weight_layers(model):
        yield _Step(module, Placement(path, "input", f"Dropout before {_name(module)}, the first layer", p))
        return


def _weight_layers(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    return ((path, module) for path, module, inside in _walk(model) if isinstance(module, _WEIGHT_LAYER) and not inside)


def _walk(model: nn.Module) -> Iterator[tuple[str, nn.Module, bool]]:
    """(path, module, whether it is part of an attention, recurrent or transformer layer), our own left out."""
    blocks: list[str] = []
    for path, module in model.named_modules():
        inside = any(path.startswith(block) for block in blocks)
        yield path, module, inside
        if isinstance(module, _BLOCK) and not inside:
            blocks.append(f"{path}." if path else "")


def _no_place(kind: Kind, where: Sequence[str]) -> str:
    if kind == "input":
        return "there is no weight layer"
    near = "" if "*" in where else f" among where={list(where)}"
    return f"there is no {_PLACE[kind]} after the first weight layer{near}, and no dropout of the model's own"


def _name(module: nn.Module) -> str:
    return plain_class(module).__name__
