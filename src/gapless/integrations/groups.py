"""A recipe's weight decay in an optimizer that a trainer has made already, and in the schedulers that hold it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gapless import decay
from gapless.decay.optimizers import acting, unwrapped
from gapless.errors import UsageError

if TYPE_CHECKING:
    from gapless.recipe import Decay

_PER_GROUP = ("base_lrs", "_last_lr", "lr_lambdas", "max_lrs", "min_lrs", "base_momentums", "max_momentums")
"""What torch's schedulers keep for each group of their optimizer, in the order of the groups."""
_DECOUPLED = (torch.optim.AdamW,)


def regularize(
    optimizer: Optimizer,
    part: Decay,
    model: nn.Module,
    schedulers: Iterable[object] = (),
    new: Iterable[Tensor] = (),
) -> None:
    """Lets an optimizer decay what a recipe says and nothing else; does nothing that is done already.

    A group of which only some parameters decay becomes two, with the same learning rate and everything else; the second
    one stands behind all others, and schedulers that hold the optimizer go on for both. Each step then multiplies the
    weights by 1 - lr * strength in any optimizer: AdamW does so itself, the others through `gapless.decay.decouple`. A
    `weight_decay` that was given to the optimizer is replaced, also by 0.

    Args:
        optimizer: made for parameters of `model`; also wrapped, as accelerate does.
        part: the decay of a recipe.
        schedulers: those that hold the optimizer, if they exist already.
        new: parameters that the model got after the optimizer was made; those it lacks join it.

    Raises:
        UsageError: the optimizer cannot decay (LBFGS).
    """
    optimizer = unwrapped(optimizer)
    if isinstance(optimizer, torch.optim.LBFGS):
        if part.active:
            raise UsageError("LBFGS takes one group only and cannot decay; use another optimizer, or no weight decay")
        return
    strength = _strengths(part, model)
    _join(optimizer, new)
    origins = [*range(len(optimizer.param_groups))]
    for i, group in enumerate(list(optimizer.param_groups)):
        origins += [i] * _split(optimizer, group, strength)
    for scheduler in schedulers:
        _expand(scheduler, origins)
    if part.active and not _decouples_itself(optimizer):
        _decouple_once(optimizer)


def held_in(made: object, kind: type[Any]) -> Iterator[Any]:
    """Everything of a kind in a structure of lists, tuples and dicts, as `configure_optimizers` returns it."""
    if isinstance(made, kind):
        yield made
    elif isinstance(made, dict):
        for value in made.values():
            yield from held_in(value, kind)
    elif isinstance(made, list | tuple):
        for value in made:
            yield from held_in(value, kind)


def _strengths(part: Decay, model: nn.Module) -> dict[int, float]:
    """The decay of each trainable parameter, by its id."""
    rules = {"weights": decay.RULES, "everything": decay.EVERYTHING}[part.on]
    made = decay.groups(model, part.strength, rules=rules)
    return {id(tensor): group["weight_decay"] for group in made for tensor in group["params"]}


def _join(optimizer: Optimizer, new: Iterable[Tensor]) -> None:
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    missing = [p for p in new if id(p) not in held]
    first = optimizer.param_groups[0]
    first["params"].extend(missing)
    if "param_names" in first:
        first["param_names"].extend(f"gapless.{i}" for i, _ in enumerate(missing))


def _split(optimizer: Optimizer, group: dict[str, Any], strength: dict[int, float]) -> int:
    """Writes the strengths into a group, and what differs from its strongest into new ones; how many these are."""
    found = [strength.get(id(p), 0.0) for p in group["params"]]
    levels = sorted(set(found), reverse=True) or [0.0]
    whole = {name: list(group[name]) for name in ("params", "param_names") if name in group}
    for level in levels:
        chosen = {name: [v for v, own in zip(all_, found, strict=True) if own == level] for name, all_ in whole.items()}
        values = {**chosen, "weight_decay": level}
        if level == levels[0]:
            group.update(values)
        else:
            optimizer.param_groups.append({**group, **values})
    return len(levels) - 1


def _expand(scheduler: object, origins: list[int]) -> None:
    """Gives a scheduler for each new group what it has for the one that the group came from."""
    for inner in getattr(scheduler, "_schedulers", ()):
        _expand(inner, origins)
    for name in _PER_GROUP:
        values = getattr(scheduler, name, None)
        if isinstance(values, list) and len(values) == len(set(origins)):
            values.extend(values[i] for i in origins[len(values) :])


def _decouples_itself(optimizer: Optimizer) -> bool:
    groups = optimizer.param_groups
    return isinstance(optimizer, _DECOUPLED) or all(group.get("decoupled_weight_decay") for group in groups)


def _decouple_once(optimizer: Optimizer) -> None:
    if acting(decay.Decoupled, optimizer._optimizer_step_pre_hooks) is None:  # pyright: ignore[reportPrivateUsage]  # torch lists them nowhere else
        decay.decouple(optimizer)
