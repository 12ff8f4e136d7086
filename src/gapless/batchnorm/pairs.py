"""Find the batch norms of a model together with the layer whose output each of them takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gapless.batchnorm.insert import WeightLayer
from gapless.batchnorm.layers import AnyBatchNorm
from gapless.errors import UsageError
from gapless.flow import Example, run, tensors
from gapless.surgery import check_patterns, fits, modes_kept

# What a module between the two may be: in eval mode these hand their input on.
_PASS_THROUGH = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)


@dataclass(frozen=True)
class Pair:
    """A batch norm and the layer whose output it takes."""

    layer_path: str
    layer: nn.Module
    norm_path: str
    norm: nn.Module
    inserted: bool


def own_pairs(model: nn.Module, keep: Sequence[str], example: Example | None) -> tuple[list[Pair], list[str]]:
    """The model's own batch norms with the layer each follows, and the reasons for those that follow none."""
    norms = {path: m for path, m in model.named_modules() if isinstance(m, AnyBatchNorm)}
    check_patterns(keep, list(norms), "keep", "batch norm")
    wanted = {path: m for path, m in norms.items() if not fits(path, keep)}
    if not wanted:
        raise UsageError("nothing to fold: the model has no batch norm" + (" that `keep` leaves" if norms else ""))
    if "" in wanted:
        raise UsageError("nothing to fold: the model itself is a batch norm, there is no layer before it")
    return _pairs_by_data(model, wanted, example) if example is not None else _pairs_by_order(model, wanted)


def _pairs_by_order(model: nn.Module, norms: Mapping[str, nn.Module]) -> tuple[list[Pair], list[str]]:
    names: dict[int, list[str]] = {}
    before: dict[int, tuple[str, nn.Module]] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        names.setdefault(id(module), []).append(path)
        if isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward:
            previous: tuple[str, nn.Module] | None = None
            for name, child in module.named_children():
                if previous is not None:
                    before.setdefault(id(child), previous)
                if not isinstance(child, _PASS_THROUGH):
                    previous = (f"{path}.{name}".lstrip("."), child)
    pairs: list[Pair] = []
    problems: list[str] = []
    for path, norm in norms.items():
        layer_path, layer = before.get(id(norm), ("", norm))
        shared = [n for m in (layer, norm) for n in (names[id(m)],) if len(n) > 1]
        if layer is norm:
            problems.append(f"{path}: it does not follow a layer in an nn.Sequential; pass example= to follow the data")
        elif not isinstance(layer, WeightLayer):
            problems.append(f"{path}: {type(layer).__name__} stands between it and the layer before")
        elif shared:
            problems.append(f"{path}: shared module, used at {' and '.join(shared[0])}: one fold cannot serve both")
        else:
            pairs.append(Pair(layer_path, layer, path, norm, False))
    return pairs, problems


def _pairs_by_data(model: nn.Module, norms: Mapping[str, nn.Module], example: Example) -> tuple[list[Pair], list[str]]:
    """Pairs by running `example`: the tensor a batch norm takes is the very tensor that a layer returned."""
    made: list[tuple[Tensor, str]] = []  # keeps the tensors alive, so that no address is used twice
    taken: dict[str, list[str]] = {path: [] for path in norms}
    calls: dict[str, int] = {}
    handles: list[torch.utils.hooks.RemovableHandle] = []

    def record_layer(path: str) -> Any:
        def hook(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> None:
            made.append((output, path))
            calls[path] = calls.get(path, 0) + 1

        return hook

    def record_norm(path: str) -> Any:
        def hook(module: nn.Module, args: tuple[Any, ...]) -> None:
            taken[path].append(next((source for tensor, source in made if tensor is args[0]), ""))

        return hook

    for path, module in model.named_modules():
        if path in norms:
            handles.append(module.register_forward_pre_hook(record_norm(path)))
        elif isinstance(module, WeightLayer):
            handles.append(module.register_forward_hook(record_layer(path)))
    try:
        eval_output(model, example)
    finally:
        for handle in handles:
            handle.remove()
    pairs: list[Pair] = []
    problems: list[str] = []
    for path, norm in norms.items():
        sources = sorted(set(taken[path]))
        if not sources:
            problems.append(f"{path}: the example does not reach it")
        elif len(sources) > 1:
            problems.append(
                f"{path}: it takes the output of several layers ({', '.join(s or 'no layer' for s in sources)})"
            )
        elif not sources[0]:
            problems.append(f"{path}: its input is not the output of a convolution or linear layer")
        elif calls[sources[0]] != len(taken[path]):
            times = f"{calls[sources[0]]} times in a forward, its batch norm {len(taken[path])} times"
            problems.append(f"{path}: {sources[0]} is called {times}")
        else:
            pairs.append(Pair(sources[0], model.get_submodule(sources[0]), path, norm, False))
    return pairs, problems


def eval_output(model: nn.Module, example: Example) -> list[Tensor]:
    """The tensors that `model` returns for `example` in eval mode; the modes are put back."""
    with modes_kept(model), torch.no_grad():
        return tensors(run(model.eval(), example))
