"""The parameters of a model, or those that an optimizer is given, with what is known of how each is used."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter
from torch.nn.utils.parametrize import ParametrizationList

from gapless.decay.rules import Leaf, Use, matches
from gapless.errors import UsageError

Trained = nn.Module | Iterable[Tensor] | Iterable[tuple[str, Tensor]] | Iterable[dict[str, Any]]
"""What an optimizer is built from: a model, or what torch's optimizers take: parameters, with names, or in groups."""


@dataclass(frozen=True, eq=False)
class Lot:
    """Parameters that are trained with the same settings: `lr`, `betas`, ... where a group has its own."""

    leaves: tuple[Leaf, ...]
    settings: dict[str, Any]


def lots(trained: Trained) -> tuple[Lot, ...]:
    """The leaves of a model, as one lot; or what was given in place of one, a lot for each group, all of it.

    Raises:
        UsageError: nothing to train, a parameter that is given twice, or anything that is no parameter.
    """
    if isinstance(trained, nn.Module):
        return (Lot(leaves(trained), {}),)
    if isinstance(trained, Tensor | str | dict) or not isinstance(trained, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers are not all typed
        raise UsageError(
            f"what is trained must be a torch.nn.Module, or its parameters, got {type(trained).__name__}; hand in the "
            "model itself"
        )
    entries = list(cast(Iterable[Any], trained))
    if not all(isinstance(entry, dict) for entry in entries):
        entries = [{"params": entries}]
    given = [_named(entry) for entry in entries]
    everything = [tensor for named in given for _, tensor in named]
    if not everything:
        raise UsageError("there is no parameter to train: an empty list was handed in (a generator that was used up?)")
    if len({id(tensor) for tensor in everything}) < len(everything):
        raise UsageError("a parameter was handed in twice and would decay twice; hand in each one once")
    known = _among_the_living({id(tensor) for tensor in everything})
    numbers = iter(range(len(everything)))
    return tuple(
        Lot(
            tuple(_leaf(name or f"parameter {next(numbers)}", bool(name), tensor, known) for name, tensor in named),
            {key: value for key, value in entry.items() if key not in ("params", "param_names", "weight_decay")},
        )
        for entry, named in zip(entries, given, strict=True)
    )


def leaves(model: nn.Module) -> tuple[Leaf, ...]:
    """Every trainable parameter once, with all its names and uses, in the order of model.named_parameters()."""
    if not isinstance(model, nn.Module):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers are not all typed
        raise UsageError(f"model must be a torch.nn.Module, got {type(model).__name__}; hand in the model itself")
    found = _leaves(model, lambda tensor: tensor.requires_grad)
    if not found:
        raise UsageError("the model has no trainable parameter; set requires_grad before grouping")
    return found


def _leaves(model: nn.Module, wanted: Callable[[Tensor], bool]) -> tuple[Leaf, ...]:
    modules = dict(model.named_modules(remove_duplicate=False))
    lists = _no_decay_lists(modules)
    names: dict[int, list[str]] = {}
    tensors: dict[int, Tensor] = {}
    for name, tensor in model.named_parameters(remove_duplicate=False):
        if wanted(tensor):
            _refuse_unknown(name, tensor)
            names.setdefault(id(tensor), []).append(name)
            tensors[id(tensor)] = tensor
    _refuse_shared_memory(names, tensors)
    return tuple(
        Leaf(
            tuple(names[key]),
            tensors[key],
            tuple(_use(modules, name) for name in names[key]),
            tuple(dict.fromkeys(path for path, patterns in lists for n in names[key] if _listed(n, path, patterns))),
        )
        for key in tensors
    )


# ── parameters without their model ──


def _named(group: dict[str, Any]) -> list[tuple[str, Tensor]]:
    """(name or "", parameter) of one group, in any form that torch's optimizers take."""
    if "params" not in group:
        raise UsageError(f"a group of parameters must have 'params', got the keys {sorted(map(str, group))}")
    params = group["params"]
    entries = [params] if isinstance(params, Tensor) else list(params)
    named = [entry if isinstance(entry, tuple) else ("", entry) for entry in entries]
    for entry in named:
        if len(entry) != 2 or not isinstance(entry[0], str) or not isinstance(entry[1], Tensor):
            raise UsageError(
                f"what is trained must be parameters, or (name, parameter) pairs, got {type(entry[-1]).__name__} among "
                "them; hand in the model itself, model.parameters() or model.named_parameters()"
            )
    return cast(list[tuple[str, Tensor]], named)


def _leaf(name: str, given: bool, tensor: Tensor, known: dict[int, Leaf]) -> Leaf:
    if id(tensor) in known:
        leaf = known[id(tensor)]
        names = tuple(dict.fromkeys((name, *leaf.names))) if given else leaf.names
        return Leaf(names, tensor, leaf.uses, leaf.listed_by)
    path, _, attribute = name.rpartition(".") if given else ("", "", "")
    return Leaf((name,), tensor, (Use(nn.Module(), path, attribute),))


def _among_the_living(wanted: set[int]) -> dict[int, Leaf]:
    """The leaves of the models, among all objects that are alive, which hold these parameters.

    A parameter does not know its module, and without that an embedding is told from a linear layer by guessing.
    """
    modules = [thing for thing in gc.get_objects() if issubclass(type(thing), nn.Module) and "_modules" in vars(thing)]
    inner = {id(child) for module in modules for child in vars(module)["_modules"].values()}
    found: dict[int, Leaf] = {}
    for module in modules:
        if id(module) not in inner and any(id(parameter) in wanted for parameter in module.parameters()):
            for leaf in _leaves(module, lambda tensor: id(tensor) in wanted):
                found.setdefault(id(leaf.tensor), leaf)
    return found


# ── names, uses, and what cannot be told ──


def _use(modules: dict[str, nn.Module], name: str) -> Use:
    """The module that computes with the parameter: containers and parametrizations are climbed out of."""
    path, _, attribute = name.rpartition(".")
    while isinstance(modules[path], nn.ParameterList | nn.ParameterDict | ParametrizationList | nn.ModuleDict) and path:
        path, _, step = path.rpartition(".")
        attribute = f"{step}.{attribute}"
    if attribute.startswith("parametrizations.") and attribute.endswith(".original"):
        attribute = attribute.split(".")[1]
    return Use(modules[path], path, attribute)


def _no_decay_lists(modules: dict[str, nn.Module]) -> list[tuple[str, tuple[str, ...]]]:
    """(path, patterns) of every module that offers the no_weight_decay() method of timm, Swin and BEiT."""
    offers = ((path, getattr(module, "no_weight_decay", None)) for path, module in modules.items())
    return [(path, tuple(cast(Callable[[], Iterable[str]], offer)())) for path, offer in offers if callable(offer)]


def _listed(name: str, path: str, patterns: tuple[str, ...]) -> bool:
    inner = name.removeprefix(f"{path}.") if path else name
    return (not path or name.startswith(f"{path}.")) and matches(inner, patterns)


def _refuse_unknown(name: str, tensor: Tensor) -> None:
    if isinstance(tensor, UninitializedParameter):
        raise UsageError(f"parameter {name!r} is lazy and has no shape yet; run one batch through the model first")
    if type(tensor).__name__ == "FlatParameter":
        raise UsageError(
            f"parameter {name!r} was flattened by FSDP and no longer shows what it holds; "
            "make the groups before wrapping, or wrap with use_orig_params=True"
        )


def _refuse_shared_memory(names: dict[int, list[str]], tensors: dict[int, Tensor]) -> None:
    """Two Parameters on one memory would decay twice; tied properly, they are one Parameter."""
    first: dict[tuple[str, int], str] = {}
    for key, tensor in tensors.items():
        if type(tensor) is nn.Parameter and tensor.numel() and not tensor.is_meta:
            name = first.setdefault((str(tensor.device), tensor.data_ptr()), names[key][0])
            if name != names[key][0]:
                raise UsageError(
                    f"parameters {name!r} and {names[key][0]!r} are two Parameters on the same memory and would decay "
                    "twice; tie them as one Parameter: a.weight = b.weight"
                )
