"""Dropout for a model that knows nothing of gapless, and the way back.

Attaching changes no parameter, no parameter name and no key of the state_dict. Where the model has dropouts of its own
their rate is set; elsewhere the input of a layer is dropped (`gapless.surgery`). Everything that undo needs lives on
the modules themselves, so a copied or unpickled model can be undone too, and uses its own dropouts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import nn

from gapless.dropout.dropped import CONV, Dropped, Together
from gapless.dropout.functional import Rate, rates_read
from gapless.dropout.noise import AlphaDropout, AttentionDropout, ChannelDropout, Dropout, GaussianDropout
from gapless.errors import UsageError
from gapless.flow import Example, Flow, follow
from gapless.kinds import BLOCK_TYPES, WEIGHT_TYPES
from gapless.surgery import (
    Change,
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

_WEIGHT_LAYER = (*WEIGHT_TYPES, *BLOCK_TYPES)
_OWN: dict[Literal["hidden", "channel"], tuple[type[nn.Module], ...]] = {
    "hidden": (nn.Dropout, nn.AlphaDropout, Dropout, AlphaDropout, AttentionDropout, GaussianDropout),
    "channel": (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.FeatureAlphaDropout, ChannelDropout),
}
_PLACE = {"hidden": "Linear", "channel": "Conv1d, Conv2d or Conv3d"}
_ADAPTED = "base_layer"
"""The name under which an adapter (LoRA and its kin, in peft) keeps the layer that it adapts."""


@dataclass(frozen=True)
class _Step:
    """One change that the plan asks for: set `rate_name` of `module`, or drop by `child` before it."""

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
    example: Example | Flow | None = None,
) -> Change:
    """Put dropout into `model`; attaching again replaces the rates, a rate of 0 leaves that kind as the model has it.

    hidden: elements, on the input of every Linear but the first weight layer, or, where the model drops by itself, as
    the rate of its nn.Dropout and of the numbers that it hands to functions (`self.dropout`, `self.drop_rate`).
    channel: whole feature maps, on the input of every Conv1d to 3d but the first weight layer, or as the rate of
    nn.Dropout1d to 3d. input: elements of what the first weight layer receives (an embedding is not one).
    MultiheadAttention, RNN, LSTM, GRU and the transformer layers take `hidden` as their own dropout and get none
    inside. An adapted layer (LoRA) gets it where its adapter reads, as with lora_dropout. where: shell patterns of
    module paths (`["classifier.*"]`); `hidden` and `channel` go nowhere else.

    example: an input of the model, as `gapless.flow.follow` takes it. The first weight layers are then those that take
    it, layers that it does not reach get nothing, and layers that are handed one tensor (queries, keys and values) see
    it dropped once. Without one the first weight layer is the first in the order of registration; the account says so.

    Raises UsageError for a rate outside [0, 1), a pattern that fits no module, an example that the model does not take,
    a model that is already wrapped or compiled (attach first), and when no nonzero rate finds a place.
    """
    rates: dict[Kind, float] = {"hidden": hidden, "channel": channel, "input": input}
    for kind, p in rates.items():
        if not 0 <= p < 1:
            raise UsageError(f"attach: {kind} must be in [0, 1), got {p!r}")
    refuse_wrapped(model, "attach dropout")
    check_patterns(where, [path for path, _ in model.named_modules()], "where", "module")
    plan = _Plan(model, where, follow(model, example))
    steps, lines = plan.steps({kind: p for kind, p in rates.items() if p > 0})
    if not steps and any(rates.values()):
        reasons = "; ".join(f"{line.what or line.path}: {line.why}" for line in lines)
        raise UsageError(f"attach: {type(model).__name__} has no place for dropout ({reasons})")
    refuse_replaced(step.module for step in steps if not step.rate_name)
    detach(model)
    plan.carry_out(steps)
    return Change(model, (*(step.placement for step in steps), *lines), (detach,))


def detach(model: nn.Module) -> None:
    """Undo every attachment in `model`, also in a deepcopied or unpickled one."""
    give_rates_back(model)
    take_out(model, Dropped)


class _Plan:
    """What to change in a model, and what has to be said of it."""

    def __init__(self, model: nn.Module, where: Sequence[str], flow: Flow | None) -> None:
        self.model, self.where, self.flow = model, where, flow
        self.walked = list(_walk(model))
        layers = [path for path, module, inside in self.walked if isinstance(module, _WEIGHT_LAYER) and not inside]
        self.firsts = frozenset(layers[:1]) if flow is None else flow.firsts
        self.adapted = {
            path: layer
            for path, module, _ in self.walked
            if isinstance(layer := dict(module.named_children()).get(_ADAPTED), nn.Linear)
        }
        around = {path.removesuffix(f".{_ADAPTED}") for path in self.firsts if path.endswith(f".{_ADAPTED}")}
        self.first_adapters = tuple(f"{path}." for path in around)
        self.together = {} if flow is None else {path: group for group in flow.together for path in group}

    def steps(self, rates: dict[Kind, float]) -> tuple[list[_Step], list[Placement]]:
        """What to change; and a line for every kind that found no place, and for what was left or assumed."""
        steps: list[_Step] = []
        lines: list[Placement] = []
        for kind, p in rates.items():
            every = list(self._input(p) if kind == "input" else self._inner(kind, p))
            found = every if kind == "input" else [s for s in every if fits(s.placement.path, self.where)]
            steps += found
            if not found:
                lines.append(Placement("", kind, _no_place(kind, self.where), 0.0))
        if "hidden" in rates:
            lines += self._left()
        return steps, lines

    def carry_out(self, steps: Sequence[_Step]) -> None:
        """Layers that are handed one tensor share what came of it, where they all get the same kind of dropout."""
        shared: dict[tuple[tuple[str, ...], type, float | None], list[_Step]] = {}
        for step in steps:
            group = self.together.get(step.placement.path)
            if group is not None and not step.rate_name:
                shared.setdefault((group, step.child, step.placement.p), []).append(step)
        together = {
            id(step): t for each in shared.values() if len(each) > 1 for t in [Together(len(each))] for step in each
        }
        for step in steps:
            assert step.placement.p is not None
            if step.rate_name:
                set_rate(step.module, step.rate_name, step.placement.p)
            else:
                add(step.module, Dropped(step.child(step.placement.p), together.get(id(step))))

    def _inner(self, kind: Literal["hidden", "channel"], p: float) -> Iterator[_Step]:
        own = [
            _Step(
                module,
                Placement(path, kind, f"the model's own {_name(module)}, was {plain_rate(module, 'p'):g}", p),
                "p",
            )
            for path, module, _ in self.walked
            if isinstance(module, _OWN[kind])
        ]
        yield from own
        functional = [rate for rate in rates_read(self.model) if rate.units] if kind == "hidden" else []
        for rate in functional:
            was = f"{_name(rate.module)}'s own {rate.name}, was {plain_rate(rate.module, rate.name):g}"
            yield _Step(rate.module, Placement(rate.path, kind, was, p), rate.name)
        if kind == "hidden":
            yield from self._blocks(p)
        outside = {id(module) for _, module, inside in self.walked if not inside}
        if any(id(step.module) in outside for step in own) or any(not rate.attention for rate in functional):
            return
        layer, child = (nn.Linear, Dropout) if kind == "hidden" else (CONV, ChannelDropout)
        for path, module, inside in self.walked:
            if isinstance(module, layer) and not inside and self._may(path, module):
                why = f"{child.__name__} before {_name(module)}{self._with(path)}"
                yield _Step(module, Placement(path, kind, why, p), child=child)

    def _may(self, path: str, module: nn.Module) -> bool:
        """Whether units may be dropped before a layer: not before a first one, nor one that the example does not reach,
        and with adapters only where they read what the layer reads."""
        if path in self.firsts or path.startswith(self.first_adapters):
            return False
        if self.flow is not None and path not in self.flow.order:
            return False
        for outer, base in self.adapted.items():
            if path.startswith(f"{outer}."):
                readers = [m for m in _trained_linears(self.model.get_submodule(outer)) if m is not base]
                readers = [m for m in readers if m.in_features == base.in_features]
                return module in readers if readers else module is base
        return True

    def _blocks(self, p: float) -> Iterator[_Step]:
        """Attention and recurrent layers drop by themselves; an RNN does so between layers, so it needs two."""
        for path, module, _ in self.walked:
            if isinstance(module, nn.MultiheadAttention):
                where = "attention probabilities"
            elif isinstance(module, nn.RNNBase) and module.num_layers > 1:
                where = "between its layers"
            else:
                continue
            why = f"{_name(module)}'s own dropout ({where}), was {plain_rate(module, 'dropout'):g}"
            yield _Step(module, Placement(path, "hidden", why, p), "dropout")

    def _input(self, p: float) -> Iterator[_Step]:
        modules = dict(self.model.named_modules())
        paths = [path for path in modules if path in self.firsts]
        for path in paths:
            if self.flow is None:
                told = "the first layer in the order of registration; an example tells which one takes the input"
            else:
                told = f"{'the first layer' if len(paths) == 1 else 'one of the first layers'}{self._with(path)}"
            why = f"Dropout before {_name(modules[path])}, {told}"
            yield _Step(modules[path], Placement(path, "input", why, p))

    def _with(self, path: str) -> str:
        others = [other.rpartition(".")[2] for other in self.together.get(path, ()) if other != path]
        return f", one mask with {', '.join(others)}" if others else ""

    def _left(self) -> list[Placement]:
        """Rates that the model reads and that are not set: of layers, paths and blocks, by class and name."""
        found: dict[tuple[str, str, float], list[Rate]] = {}
        for rate in rates_read(self.model):
            value = plain_rate(rate.module, rate.name)
            if not rate.units and value > 0:
                found.setdefault((_name(rate.module), rate.name, value), []).append(rate)
        return [
            Placement(
                each[0].path, "", f"{kind}.{name} = {value:g} stays, in {len(each)} places: it drops no single units"
            )
            for (kind, name, value), each in found.items()
        ]


def _trained_linears(module: nn.Module) -> list[nn.Linear]:
    return [m for m in module.modules() if isinstance(m, nn.Linear) and m.weight.requires_grad]


def _walk(model: nn.Module) -> Iterator[tuple[str, nn.Module, bool]]:
    """(path, module, whether it is part of an attention, recurrent or transformer layer), our own left out."""
    blocks: list[str] = []
    for path, module in model.named_modules():
        inside = any(path.startswith(block) for block in blocks)
        yield path, module, inside
        if isinstance(module, BLOCK_TYPES) and not inside:
            blocks.append(f"{path}." if path else "")


def _no_place(kind: Kind, where: Sequence[str]) -> str:
    if kind == "input":
        return "there is no weight layer"
    near = "" if "*" in where else f" among where={list(where)}"
    return f"there is no {_PLACE[kind]} after the first weight layer{near}, and no dropout of the model's own"


def _name(module: nn.Module) -> str:
    return plain_class(module).__name__
