"""Dropout for a model that knows nothing of gapless, and the way back.

Attaching changes no parameter, no parameter name and no key of the state_dict. Where the model has dropouts of its own
their rate is set; elsewhere a pre-hook drops the input of a layer. Everything that undo needs lives on the modules
themselves, so a copied or unpickled model can be undone too, and uses its own dropouts.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal, cast

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from gapless.dropout.noise import AlphaDropout, AttentionDropout, ChannelDropout, Dropout, GaussianDropout
from gapless.errors import did_you_mean

Kind = Literal["hidden", "channel", "input"]

_CHILD = "gapless_dropout"  # the child module that a hooked layer carries
_HANDLE = "_gapless_handle"  # beside the child: what removes the hook; it is copied and pickled with the module
_RECORD = "_gapless_plain_rate"  # on a module whose own rate was set: the rate before

_CONV = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_BLOCK = (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer, nn.MultiheadAttention, nn.RNNBase)
_WEIGHT_LAYER = (nn.Linear, nn.Bilinear, *_CONV, *_TRANSPOSED, nn.RNNCellBase, *_BLOCK)
_OWN: dict[Literal["hidden", "channel"], tuple[type[nn.Module], ...]] = {
    "hidden": (nn.Dropout, nn.AlphaDropout, Dropout, AlphaDropout, AttentionDropout, GaussianDropout),
    "channel": (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.FeatureAlphaDropout, ChannelDropout),
}
_PLACE = {"hidden": "Linear", "channel": "Conv1d, Conv2d or Conv3d"}


@dataclass(frozen=True)
class Placement:
    """One line of the account: the dropout of kind `what` at module `path` has rate `p`, and why there.

    A kind that found no place has an empty path, p = 0 and the reason.
    """

    path: str
    what: Kind
    p: float
    why: str

    def __str__(self) -> str:
        return f"{self.what:8} {self.p:<6g} {self.path or '-':32} {self.why}"


@dataclass(frozen=True)
class Attached:
    """A model with dropout attached; printing it prints the account."""

    model: nn.Module
    account: tuple[Placement, ...]

    def undo(self) -> None:
        """The model as it was: no hook, no child module, its own rates. Does nothing a second time."""
        detach(self.model)

    def __str__(self) -> str:
        return "\n".join(map(str, self.account)) or "nothing attached"


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
) -> Attached:
    """Put dropout into `model`; attaching again replaces the rates, a rate of 0 leaves that kind as the model has it.

    hidden: elements, on the input of every Linear but the first weight layer, or, where the model has nn.Dropout, as
    the rate of those. channel: whole feature maps, on the input of every Conv1d to 3d but the first weight layer, or
    as the rate of nn.Dropout1d to 3d. input: elements of what the first weight layer (in the order of registration;
    an embedding is not one) receives. MultiheadAttention, RNN, LSTM, GRU and the transformer layers take `hidden` as
    their own dropout and get no hook inside. where: shell patterns on module paths (`["classifier.*"]`); `hidden` and
    `channel` go nowhere else.

    Raises ValueError for a rate outside [0, 1), a pattern that fits no module, a model that is already wrapped or
    compiled (attach first), and when no nonzero rate finds a place.
    """
    rates: dict[Kind, float] = {"hidden": hidden, "channel": channel, "input": input}
    for kind, p in rates.items():
        if not 0 <= p < 1:
            raise ValueError(f"attach: {kind} must be in [0, 1), got {p!r}")
    _refuse_wrapped(model)
    _check_patterns(model, where)
    steps, unplaced = _plan(model, {kind: p for kind, p in rates.items() if p > 0}, where)
    if unplaced and not steps:
        reasons = "; ".join(f"{line.what}: {line.why}" for line in unplaced)
        raise ValueError(f"attach: {type(model).__name__} has no place for dropout ({reasons})")
    detach(model)
    for step in steps:
        _carry_out(step)
    return Attached(model, (*(step.placement for step in steps), *unplaced))


def detach(model: nn.Module) -> None:
    """Undo every attachment in `model`, also in a deepcopied or unpickled one."""
    for module in list(model.modules()):
        if _RECORD in module.__dict__:
            name, rate = module.__dict__.pop(_RECORD)
            setattr(module, name, rate)
        if _HANDLE in module.__dict__:
            module.__dict__.pop(_HANDLE).remove()
            delattr(module, _CHILD)


def _plan(model: nn.Module, rates: dict[Kind, float], where: Sequence[str]) -> tuple[list[_Step], list[Placement]]:
    """What to change, and a line for every kind that found no place."""
    steps: list[_Step] = []
    unplaced: list[Placement] = []
    for kind, p in rates.items():
        if kind == "input":
            found = list(_input_steps(model, p))
        else:
            found = [step for step in _kind_steps(model, kind, p) if _fits(step.placement.path, where)]
        steps += found
        if not found:
            unplaced.append(Placement("", kind, 0.0, _no_place(kind, where)))
    return steps, unplaced


def _carry_out(step: _Step) -> None:
    module, p = step.module, step.placement.p
    if step.rate_name:
        module.__dict__[_RECORD] = (step.rate_name, getattr(module, step.rate_name))
        setattr(module, step.rate_name, p)
        return
    module.add_module(_CHILD, step.child(p).train(module.training))
    module.__dict__[_HANDLE] = module.register_forward_pre_hook(_drop_input, with_kwargs=True)


def _drop_input(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Drop the first argument, and with it every other argument that is the same tensor (self-attention)."""
    child = cast(nn.Module, getattr(module, _CHILD))
    first = args[0] if args else next(iter(kwargs.values()))
    if isinstance(first, PackedSequence):
        dropped: Any = type(first)(child(first.data), first.batch_sizes, first.sorted_indices, first.unsorted_indices)
    elif isinstance(module, _CONV) and cast(Tensor, first).ndim == len(module.kernel_size) + 1:
        dropped = child(first.unsqueeze(0)).squeeze(0)  # a conv also takes one sample without a batch
    else:
        dropped = child(first)
    return (
        tuple(dropped if value is first else value for value in args),
        {name: dropped if value is first else value for name, value in kwargs.items()},
    )


def _kind_steps(model: nn.Module, kind: Literal["hidden", "channel"], p: float) -> Iterator[_Step]:
    own = [
        _Step(
            module,
            Placement(path, kind, p, f"the model's own {type(module).__name__}, was {_plain(module, 'p'):g}"),
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
            why = f"{child.__name__} before {type(module).__name__}"
            yield _Step(module, Placement(path, kind, p, why), child=child)


def _block_steps(model: nn.Module, p: float) -> Iterator[_Step]:
    """Attention and recurrent layers drop by themselves; an RNN does so between layers, so it needs two."""
    for path, module, _ in _walk(model):
        if isinstance(module, nn.MultiheadAttention):
            where = "attention probabilities"
        elif isinstance(module, nn.RNNBase) and module.num_layers > 1:
            where = "between its layers"
        else:
            continue
        why = f"{type(module).__name__}'s own dropout ({where}), was {_plain(module, 'dropout'):g}"
        yield _Step(module, Placement(path, "hidden", p, why), "dropout")


def _input_steps(model: nn.Module, p: float) -> Iterator[_Step]:
    for path, module in _weight_layers(model):
        yield _Step(module, Placement(path, "input", p, f"Dropout before {type(module).__name__}, the first layer"))
        return


def _weight_layers(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    return ((path, module) for path, module, inside in _walk(model) if isinstance(module, _WEIGHT_LAYER) and not inside)


def _walk(model: nn.Module) -> Iterator[tuple[str, nn.Module, bool]]:
    """(path, module, whether it is part of an attention, recurrent or transformer layer), our own left out."""
    blocks: list[str] = []
    for path, module in model.named_modules():
        if path.rpartition(".")[2] == _CHILD:
            continue
        inside = any(path.startswith(block) for block in blocks)
        yield path, module, inside
        if isinstance(module, _BLOCK) and not inside:
            blocks.append(f"{path}." if path else "")


def _plain(module: nn.Module, name: str) -> float:
    """The rate the model came with."""
    return float(module.__dict__[_RECORD][1] if _RECORD in module.__dict__ else getattr(module, name))


def _no_place(kind: Kind, where: Sequence[str]) -> str:
    if kind == "input":
        return "there is no weight layer"
    near = "" if "*" in where else f" among where={list(where)}"
    return f"there is no {_PLACE[kind]} after the first weight layer{near}, and no dropout of the model's own"


def _fits(path: str, where: Sequence[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in where)


def _check_patterns(model: nn.Module, where: Sequence[str]) -> None:
    if isinstance(where, str):
        raise ValueError(f"attach: where must be a sequence of patterns, got {where!r}; write [{where!r}]")
    paths = [path for path, _, _ in _walk(model)]
    for pattern in where:
        if not any(fnmatchcase(path, pattern) for path in paths):
            raise ValueError(f"attach: where={pattern!r} fits no module of the model.{did_you_mean(pattern, paths)}")


def _refuse_wrapped(model: nn.Module) -> None:
    for path, module in model.named_modules():
        where = f"module {path!r}" if path else "the model"
        wrapper = next((name for name, kind in _wrappers() if isinstance(module, kind)), None)
        if wrapper is not None:
            raise ValueError(f"attach: {where} is wrapped in {wrapper}; attach to the plain model first, then wrap it")
        if module.__dict__.get("_compiled_call_impl") is not None:
            raise ValueError(f"attach: {where} was compiled by .compile(); attach first, then compile")


def _wrappers() -> Iterator[tuple[str, type]]:
    """Only classes whose module is loaded: a model cannot be an instance of the others."""
    for home, name in (
        ("torch._dynamo.eval_frame", "OptimizedModule"),
        ("torch.nn.parallel", "DistributedDataParallel"),
        ("torch.distributed.fsdp", "FullyShardedDataParallel"),
        ("torch.distributed.fsdp", "FSDPModule"),
        ("torch.jit", "ScriptModule"),
    ):
        if home in sys.modules:
            yield name, getattr(sys.modules[home], name)
