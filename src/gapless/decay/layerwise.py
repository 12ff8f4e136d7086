"""Smaller learning rates towards the input: layer-wise lr decay for fine-tuning."""

import math
from collections.abc import Sequence
from typing import Any

from torch import nn

from gapless.decay.groups import check_complete, groups
from gapless.decay.leaves import leaves
from gapless.decay.rules import RULES, WEIGHT_TYPES, Rule
from gapless.errors import UsageError


def layerwise(
    model: nn.Module,
    lr: float,
    weight_decay: float,
    *,
    layer_decay: float = 0.75,
    min_scale: float = 0.0,
    levels: Sequence[str] | None = None,
    rules: Sequence[Rule] = RULES,
    names: bool = False,
) -> list[dict[str, Any]]:
    """Groups with lr * layer_decay^(top - level): the head learns at lr, each level below by a factor slower.

    Howard & Ruder, arXiv 1801.06146 (discriminative fine-tuning); Bao et al., arXiv 2106.08254 (BEiT). timm writes an
    `lr_scale` that only its own schedulers read; these groups carry `lr` itself, which every torch scheduler reads.

    Args:
        lr: of the top level.
        layer_decay: in (0, 1]; 1 gives every level the same lr.
        min_scale: no level learns slower than lr * min_scale.
        levels: path prefixes from input to output, e.g. ("stem", "blocks.0", "blocks.1", "head"). Default: levels_of().
        names: as groups() means it.

    Raises:
        UsageError: a bad value, or a parameter under none of the prefixes.
    """
    if not 0 < layer_decay <= 1:
        raise UsageError(f"layer_decay must be in (0, 1], got {layer_decay!r}")
    if not 0 <= min_scale <= 1:
        raise UsageError(f"min_scale must be in [0, 1], got {min_scale!r}")
    if not 0 < lr < math.inf:
        raise UsageError(f"lr must be a finite number > 0, got {lr!r}")
    level_of = levels_of(model) if levels is None else _by_prefix(model, levels)
    top = max(level_of.values())
    made: dict[tuple[int, float], dict[str, Any]] = {}
    for wanted in groups(model, weight_decay, rules=rules, names=True):
        decay = wanted["weight_decay"]
        for name, tensor in zip(wanted["param_names"], wanted["params"], strict=True):
            level = level_of[name]
            scale = max(layer_decay ** (top - level), min_scale)
            empty = {"params": [], "param_names": []} if names else {"params": []}
            group = made.setdefault((level, -decay), {**empty, "weight_decay": decay, "lr": lr * scale})
            group["params"].append(tensor)
            if names:
                group["param_names"].append(name)
    result = [made[key] for key in sorted(made)]
    check_complete(model, result)
    return result


def levels_of(model: nn.Module) -> dict[str, int]:
    """Parameter name -> level, 0 at the input, from the order in which the model defines its modules.

    A model made of repeated blocks (a module type that occurs at least twice inside lists or Sequentials and has parts
    of its own) gets 0 before the first block, one level for each block, and one more behind the last. Any other model
    gets one level for each linear, convolution, recurrent or attention module. Where the order of definition is not the
    order of computation, explicit `levels` are needed.
    """
    blocks = _blocks(model)
    return _by_blocks(model, blocks) if blocks else _by_weights(model)


def _blocks(model: nn.Module) -> list[str]:
    """Paths of the outermost repeated blocks in definition order."""
    entries: list[tuple[str, nn.Module]] = []
    for path, holder in model.named_modules():
        if isinstance(holder, nn.ModuleList | nn.Sequential):
            kids = ((f"{path}.{name}".lstrip("."), child) for name, child in holder.named_children())
            entries += [(kid, child) for kid, child in kids if _is_composite(child)]
    repeated = {kind for kind in {type(m) for _, m in entries} if sum(type(m) is kind for _, m in entries) >= 2}
    found = {path for path, module in entries if type(module) in repeated}
    return [
        path for path, _ in model.named_modules() if path in found and not any(_inside(path, other) for other in found)
    ]


def _is_composite(module: nn.Module) -> bool:
    parts = any(True for child in module.children() if any(True for _ in child.parameters()))
    return parts and not isinstance(module, nn.ModuleList | nn.Sequential)


def _inside(path: str, outer: str) -> bool:
    return path.startswith(f"{outer}.")


def _by_blocks(model: nn.Module, blocks: list[str]) -> dict[str, int]:
    levels: dict[str, int] = {}
    seen = 0
    for leaf in leaves(model):
        inside = next((i for i, path in enumerate(blocks) if _inside(leaf.name, path)), None)
        if inside is not None:
            seen = max(seen, inside + 1)
            levels[leaf.name] = inside + 1
        else:
            levels[leaf.name] = seen if seen < len(blocks) else len(blocks) + 1
    return levels


def _by_weights(model: nn.Module) -> dict[str, int]:
    levels: dict[str, int] = {}
    level, last = 0, ""
    for leaf in leaves(model):
        use = leaf.uses[0]
        if isinstance(use.module, WEIGHT_TYPES) and use.path != last:
            level += bool(levels)
            last = use.path
        levels[leaf.name] = level
    return levels


def _by_prefix(model: nn.Module, prefixes: Sequence[str]) -> dict[str, int]:
    levels: dict[str, int] = {}
    for leaf in leaves(model):
        fitting = [p for p in prefixes if leaf.name == p or _inside(leaf.name, p)]
        if not fitting:
            raise UsageError(f"parameter {leaf.name!r} is under none of the levels {tuple(prefixes)}; add its prefix")
        levels[leaf.name] = prefixes.index(max(fitting, key=len))
    return levels
