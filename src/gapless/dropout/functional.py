"""Rates that a model keeps as numbers and hands to a function: `F.dropout(x, self.dropout, self.training)`.

BART, T5, vision transformers and timm's nets drop so. Nothing is called that could be seen; the name and the value of
the attribute say it, and the code of the class whether anybody reads it.
"""

from __future__ import annotations

import dis
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import CodeType
from typing import Any, cast

from torch import nn

from gapless.surgery import plain_class

_MODULES = (nn.MultiheadAttention, nn.RNNBase, nn.modules.dropout._DropoutNd)  # pyright: ignore[reportPrivateUsage]  # their one base
_OTHER_UNITS = ("path", "layer", "block", "depth", "connect", "token", "channel", "stochastic")
_SETTING_UP = ("__init__", "extra_repr", "__repr__")


def functional_rates(module: nn.Module) -> Iterator[tuple[str, float]]:
    """(name, rate) of every number in [0, 1) that this very module has under a name with `drop` in it.

    The rates of torch's own layers are known by their type and not among them.
    """
    if isinstance(module, _MODULES):
        return
    for name, value in vars(module).items():
        if "drop" in name.lower() and not name.startswith("_") and type(value) is float and 0 <= value < 1:
            yield name, value


@dataclass(frozen=True)
class Rate:
    """A number `module.name` that the code of its class, or of the module around it, reads as a rate of dropping.

    units: whether single units are dropped, not whole layers, paths or blocks. attention: whether they are attention
    probabilities.
    """

    path: str
    module: nn.Module
    name: str
    units: bool
    attention: bool


def rates_read(model: nn.Module) -> Iterator[Rate]:
    """Every such rate of a model, in order of registration. A number that no method reads is a note of what was asked
    for, and not among them."""
    modules = dict(model.named_modules())
    for path, module in modules.items():
        for name, _ in functional_rates(module):
            around = path.rpartition(".")[0]
            while around and isinstance(modules.get(around), nn.ModuleList | nn.ModuleDict | nn.Sequential):
                around = around.rpartition(".")[0]
            outer = modules.get(around, module)
            if name in read_names(plain_class(module)) or name in read_names(plain_class(outer)):
                kind = type(module).__name__.lower()
                other = any(word in name.lower() or f"drop{word}" in kind for word in _OTHER_UNITS)
                other = other or "stochastic" in kind
                yield Rate(path, module, name, not other, "att" in name.lower())


@cache
def read_names(kind: type[nn.Module]) -> frozenset[str]:
    """The attributes that the methods of a class read, by its code; those of torch's own classes are left out."""
    found: set[str] = set()
    for each in kind.__mro__:
        if each is not object and not each.__module__.startswith("torch.nn."):
            for name, value in vars(each).items():
                if name not in _SETTING_UP:
                    _gather(getattr(value, "__func__", value), found, set())
    return frozenset(found)


def _gather(function: Any, found: set[str], seen: set[int]) -> None:
    """Through decorators: what they wrap lies in their closure."""
    if not inspect.isfunction(function) or id(function) in seen:
        return
    seen.add(id(function))
    _gather_code(function.__code__, found)
    for cell in function.__closure__ or ():
        try:
            _gather(cell.cell_contents, found, seen)
        except ValueError:  # a cell that is still empty
            continue


def _gather_code(code: CodeType, found: set[str]) -> None:
    found.update(cast(str, i.argval) for i in dis.get_instructions(code) if i.opname in ("LOAD_ATTR", "LOAD_METHOD"))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _gather_code(constant, found)
