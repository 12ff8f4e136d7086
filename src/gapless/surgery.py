"""Changes of a model that leave its parameters, names and keys alone, and can be undone exactly.

A layer that gets an `Addition` keeps everything it has and changes its class: to a subclass of its own class whose
forward does the addition as well, as torch's parametrizations do. A hook would be less: `torch.compile` shares
compiled code between models of one class and does not look for hooks that appear later, but it looks at types. Copies
and pickles carry the addition with them and can be undone by themselves.
"""

from __future__ import annotations

import copyreg
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache, wraps
from typing import Any

from torch import nn

from gapless.errors import UsageError, did_you_mean

__all__ = ["Change", "Placement"]

Args = tuple[Any, ...]
Kwargs = dict[str, Any]

_ADDED = "_gapless_added"  # on a layer: its additions, in the order in which they work
_PLAIN = "_gapless_plain_rate"  # on a module whose own rate was set: the rate's name, and the rate before

_WRAPPERS = {
    "OptimizedModule": "torch.compile",
    "DistributedDataParallel": "DistributedDataParallel",
    "DataParallel": "DataParallel",
    "FullyShardedDataParallel": "FullyShardedDataParallel",
    "FSDPModule": "fully_shard",
    "ScriptModule": "torch.jit.script",
}


@dataclass(frozen=True)
class Placement:
    """One line of an account: what was done at one place of a model, and why.

    path: the module's name as `model.named_modules()` gives it; "" is the model itself, or no place at all. what: a
    module such as `BatchNorm2d(16)` or a kind of dropout; "" where nothing was done. p: the rate, of a dropout.
    """

    path: str
    what: str
    why: str
    p: float | None = None

    def __str__(self) -> str:
        rate = "" if self.p is None else f" {self.p:.3g}"
        return f"{self.path or '(the model)'}: {self.what or 'nothing'}{rate} ({self.why})"


@dataclass(frozen=True)
class Change:
    """A changed model: `account` says what was done where and why, `undo()` gives the model back as it was."""

    model: nn.Module = field(repr=False, compare=False)
    account: tuple[Placement, ...]
    undo_steps: tuple[Callable[[nn.Module], None], ...] = field(repr=False, compare=False)

    @property
    def paths(self) -> tuple[str, ...]:
        """The places where something was done; empty when nothing was."""
        return tuple(placement.path for placement in self.account if placement.what and placement.p != 0)

    def undo(self) -> None:
        """The model as it was; what was learned since stays learned. Does nothing a second time."""
        for step in self.undo_steps:
            step(self.model)

    def __str__(self) -> str:
        return "\n".join(map(str, self.account)) or "nothing was changed"


class Addition:
    """What a layer does beside its own forward. Kinds are subclasses at the top of a module, so they can be pickled."""

    def before(self, layer: nn.Module, args: Args, kwargs: Kwargs) -> tuple[Args, Kwargs]:
        """What the layer's forward gets in place of these arguments."""
        return args, kwargs

    def after(self, layer: nn.Module, args: Args, output: Any) -> Any:
        """What the layer returns in place of the output of its forward, which got these arguments."""
        return output

    def removed(self, layer: nn.Module) -> None:
        """Takes along what it brought to the layer."""

    def __str__(self) -> str:
        return type(self).__name__


def add(layer: nn.Module, addition: Addition) -> None:
    """Lets a layer do this as well, after what it has been given before. Ask `refuse_replaced` first."""
    layer.__dict__[_ADDED] = (*additions(layer), addition)
    if not isinstance(layer, _Marked):
        layer.__class__ = _changed(type(layer))


def take_out(model: nn.Module, kind: type[Addition]) -> None:
    """Removes every addition of one kind from a model, or from a copy of it."""
    for layer in list(model.modules()):
        found = additions(layer)
        for addition in (a for a in found if isinstance(a, kind)):
            addition.removed(layer)
        kept = tuple(a for a in found if not isinstance(a, kind))
        if kept or not found:
            layer.__dict__.update({_ADDED: kept} if kept else {})
        elif (plain := type(layer).__dict__.get("_gapless_class")) is not None:
            layer.__class__ = plain
            del layer.__dict__[_ADDED]
        else:  # something made a subclass of ours since (a parametrization, fully_shard), which stays
            layer.__dict__[_ADDED] = ()


def additions(layer: nn.Module) -> tuple[Addition, ...]:
    """What was added to a layer."""
    return layer.__dict__.get(_ADDED, ())


def added(model: nn.Module, kind: type[Addition]) -> Iterator[tuple[str, nn.Module]]:
    """(path, layer) of every layer that has an addition of this kind."""
    for path, layer in model.named_modules():
        if any(isinstance(addition, kind) for addition in additions(layer)):
            yield path, layer


def plain_class(layer: nn.Module) -> type[nn.Module]:
    """The class of a layer as its author made it."""
    return type(layer).__dict__.get("_gapless_class", type(layer))


class _Marked:
    """What all changed classes inherit, and nothing else does."""


@cache
def _changed(plain: type[nn.Module]) -> type[nn.Module]:
    """The subclass whose forward does the additions as well. It goes by the plain class's name, in repr and to fx."""

    @wraps(plain.forward)
    def forward(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        found = self.__dict__[_ADDED]
        for addition in found:
            args, kwargs = addition.before(self, args, kwargs)
        output = plain.forward(self, *args, **kwargs)
        for addition in found:
            output = addition.after(self, args, output)
        return output

    def extra_repr(self: nn.Module) -> str:
        return ", ".join(filter(None, [plain.extra_repr(self), *map(str, additions(self))]))

    def reduce(self: nn.Module, protocol: Any) -> Any:
        made: Any = plain.__reduce_ex__(self, protocol)
        if type(self) is changed and made[0] is getattr(copyreg, "__newobj__", None):
            return (_new, (plain, *made[1][1:]), *made[2:])
        return made

    methods = {
        "forward": forward,
        "extra_repr": extra_repr,
        "__reduce_ex__": reduce,
        "__prepare_scriptable__": _refuse_scripting,
        "_gapless_class": plain,
    }
    becomes: type[nn.Module] | None = getattr(plain, "cls_to_become", None)  # of a lazy layer, when it has its shape
    if becomes is not None:
        methods["cls_to_become"] = _changed(becomes)
    names = {"__module__": plain.__module__, "__qualname__": plain.__qualname__, "__doc__": plain.__doc__}
    changed = type(plain.__name__, (plain, _Marked), {**methods, **names})
    return changed


def _refuse_scripting(layer: nn.Module) -> nn.Module:
    """torch.jit.script asks this of every module, and cannot read what was added."""
    raise UsageError(
        f"torch.jit.script cannot read what was added to this {type(layer).__name__}: undo() the change, or fold the "
        "batch norms, and script the plain model; torch.export and torch.jit.trace take it as it is"
    )


def _new(plain: type[nn.Module], *args: Any) -> nn.Module:
    """What unpickling and copying begin with."""
    changed = _changed(plain)
    return changed.__new__(changed, *args)


# ── rates of the model's own ──


def set_rate(module: nn.Module, name: str, rate: float) -> None:
    """Sets a rate of the model's own, and remembers the one it came with."""
    module.__dict__.setdefault(_PLAIN, {}).setdefault(name, getattr(module, name))
    setattr(module, name, rate)


def plain_rate(module: nn.Module, name: str) -> float:
    """The rate a module came with."""
    return float(module.__dict__.get(_PLAIN, {}).get(name, getattr(module, name)))


def rates_set(module: nn.Module) -> tuple[str, ...]:
    """The names of a module's own rates that were set."""
    return tuple(module.__dict__.get(_PLAIN, {}))


def give_rates_back(model: nn.Module) -> None:
    """Every rate that was set is as it was."""
    for module in model.modules():
        for name, rate in module.__dict__.pop(_PLAIN, {}).items():
            setattr(module, name, rate)


# ── what is asked first, and what is put back ──


def refuse_wrapped(model: nn.Module, doing: str) -> None:
    """UsageError where a model is compiled, scripted or wrapped: a change of the modules inside would be missed."""
    for path, module in model.named_modules():
        wrapper = next((name for c in type(module).__mro__ if (name := _WRAPPERS.get(c.__name__))), None)
        if wrapper is None and vars(module).get("_compiled_call_impl") is not None:
            wrapper = "Module.compile"
        if wrapper is not None:
            where = f"'{path}'" if path else "the model"
            raise UsageError(
                f"cannot {doing}: {where} has already gone through {wrapper}, which would not see the change; "
                f"{doing} first, on the plain model, and apply {wrapper} afterwards"
            )


def refuse_replaced(layers: Iterable[nn.Module]) -> None:
    """UsageError where something replaced the forward of one very object, which its class does not reach."""
    for layer in layers:
        if "forward" in vars(layer):
            raise UsageError(
                f"the forward of this {type(layer).__name__} was replaced on the object (an offloading library does "
                "so), and would hide the change; change the plain model first"
            )


def fits(path: str, patterns: Sequence[str]) -> bool:
    """Whether one of the shell patterns matches a path."""
    return any(fnmatchcase(path, pattern) for pattern in patterns)


def check_patterns(patterns: Sequence[str], paths: Sequence[str], name: str, among: str) -> None:
    """UsageError for a pattern that matches no path; `name` is the argument, `among` says what the paths are."""
    if isinstance(patterns, str):
        raise UsageError(f"{name} must be a sequence of patterns, got {patterns!r}; write [{patterns!r}]")
    for pattern in patterns:
        if not any(fnmatchcase(path, pattern) for path in paths):
            raise UsageError(f"{name}: no {among} is called {pattern!r}.{did_you_mean(pattern, paths)}")


@contextmanager
def modes_kept(model: nn.Module) -> Generator[None]:
    """At the end every module is in the mode it was in."""
    before = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        for module, mode in before:
            module.training = mode
