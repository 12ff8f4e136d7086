"""Parameters into groups for an optimizer, each exactly once, and the account that says why."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter
from torch.nn.utils.parametrize import ParametrizationList

from gapless.decay.rules import RULES, Leaf, Rule, Use, first_that_catches, matches


def groups(model: nn.Module, weight_decay: float, *, rules: Sequence[Rule] = RULES) -> list[dict[str, Any]]:
    """Parameter groups for any torch optimizer: `AdamW(groups(model, 0.05), lr=1e-3, fused=True)`.

    One group for each strength, the strongest first; inside a group the order of model.named_parameters(). A group has
    `params`, `param_names` and `weight_decay` = factor of the rule * weight_decay. Frozen parameters are left out.

    Args:
        model: the bare model, before DDP or FSDP flattens it.
        weight_decay: >= 0, in the optimizer's own convention (`gapless.decay.convert` changes between conventions).
        rules: the first one that catches a parameter decides; RULES, TIMM, HUGGING_FACE, EVERYTHING or your own.

    Raises:
        ValueError: bad weight_decay, lazy or flattened parameters, nothing to train, or a parameter no rule catches.
    """
    made: dict[float, dict[str, Any]] = {}
    for leaf, rule in _judged(model, weight_decay, rules):
        decay = rule.factor * weight_decay
        group = made.setdefault(decay, {"params": [], "param_names": [], "weight_decay": decay})
        group["params"].append(leaf.tensor)
        group["param_names"].append(leaf.name)
    result = [made[decay] for decay in sorted(made, reverse=True)]
    check_complete(model, result)
    return result


@dataclass(frozen=True)
class Row:
    """One parameter: all its names, its shape, the rule that caught it and the decay it gets."""

    names: tuple[str, ...]
    shape: tuple[int, ...]
    rule: str
    decay: float

    @property
    def name(self) -> str:
        return self.names[0]

    @property
    def count(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Account:
    """Every trainable parameter of a model and why it decays or not; str() is a table."""

    rows: tuple[Row, ...]
    frozen: int  # parameters that are not trained and therefore in no group

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        body = [(" = ".join(r.names), "x".join(map(str, r.shape)) or "1", r.rule, f"{r.decay:g}") for r in self.rows]
        return table(("parameter", "shape", "rule", "decay"), body) + "\n" + self.totals()

    def totals(self) -> str:
        """One line: how many tensors and values decay, do not decay, are frozen."""
        parts: list[str] = []
        for label, rows in (
            ("decayed", [r for r in self.rows if r.decay > 0]),
            ("not decayed", [r for r in self.rows if r.decay == 0]),
        ):
            parts.append(f"{label}: {len(rows)} tensors, {sum(r.count for r in rows):,} values")
        return "; ".join([*parts, f"frozen: {self.frozen} tensors"])


def account(model: nn.Module, weight_decay: float, *, rules: Sequence[Rule] = RULES) -> Account:
    """What groups() does with each parameter and by which rule, in the order of model.named_parameters()."""
    rows = [
        Row(leaf.names, leaf.shape, rule.name, rule.factor * weight_decay)
        for leaf, rule in _judged(model, weight_decay, rules)
    ]
    return Account(tuple(rows), sum(not p.requires_grad for p in model.parameters()))


@dataclass(frozen=True)
class Difference:
    """One parameter that two rule sets treat differently: rule and factor on either side."""

    name: str
    shape: tuple[int, ...]
    first: tuple[str, float]
    second: tuple[str, float]


@dataclass(frozen=True)
class Differences:
    """The parameters on which two rule sets disagree; empty if they agree on this model. str() is a table."""

    rows: tuple[Difference, ...]

    def __iter__(self) -> Iterator[Difference]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        if not self.rows:
            return "no difference"
        body = [
            (
                r.name,
                "x".join(map(str, r.shape)) or "1",
                *(f"{factor:g} ({rule})" for rule, factor in (r.first, r.second)),
            )
            for r in self.rows
        ]
        return table(("parameter", "shape", "first", "second"), body)


def differences(model: nn.Module, first: Sequence[Rule], second: Sequence[Rule] = RULES) -> Differences:
    """Where two rule sets give a parameter different factors: `print(differences(model, TIMM, RULES))`."""
    rows: list[Difference] = []
    for leaf in leaves(model):
        a, b = first_that_catches(leaf, first), first_that_catches(leaf, second)
        if a.factor != b.factor:
            rows.append(Difference(leaf.name, leaf.shape, (a.name, a.factor), (b.name, b.factor)))
    return Differences(tuple(rows))


def leaves(model: nn.Module) -> tuple[Leaf, ...]:
    """Every trainable parameter once, with all its names and uses, in the order of model.named_parameters()."""
    if not isinstance(model, nn.Module):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers are not all typed
        raise ValueError(f"model must be a torch.nn.Module, got {type(model).__name__}; hand in the model itself")
    modules = dict(model.named_modules(remove_duplicate=False))
    lists = _no_decay_lists(modules)
    names: dict[int, list[str]] = {}
    tensors: dict[int, Tensor] = {}
    for name, tensor in model.named_parameters(remove_duplicate=False):
        if tensor.requires_grad:
            _refuse_unknown(name, tensor)
            names.setdefault(id(tensor), []).append(name)
            tensors[id(tensor)] = tensor
    _refuse_shared_memory(names, tensors)
    if not tensors:
        raise ValueError("the model has no trainable parameter; set requires_grad before grouping")
    return tuple(
        Leaf(
            tuple(names[key]),
            tensors[key],
            tuple(_use(modules, name) for name in names[key]),
            tuple(dict.fromkeys(path for path, patterns in lists for n in names[key] if _listed(n, path, patterns))),
        )
        for key in tensors
    )


def check_complete(model: nn.Module, made: Sequence[dict[str, Any]]) -> None:
    """Every trainable parameter of the model is in exactly one group, counted independently of how they were made."""
    grouped = [id(tensor) for group in made for tensor in group["params"]]
    wanted = {id(p): name for name, p in model.named_parameters() if p.requires_grad}
    missing = [name for key, name in wanted.items() if key not in set(grouped)]
    if missing or len(grouped) != len(set(grouped)) or len(grouped) != len(wanted):
        raise ValueError(
            f"the groups hold {len(grouped)} tensors ({len(set(grouped))} different), the model trains {len(wanted)}; "
            f"missing: {', '.join(missing) or 'none'}"
        )


def _judged(model: nn.Module, weight_decay: float, rules: Sequence[Rule]) -> Iterator[tuple[Leaf, Rule]]:
    if not 0 <= weight_decay < math.inf:
        raise ValueError(f"weight_decay must be a finite number >= 0, got {weight_decay!r}")
    for leaf in leaves(model):
        yield leaf, first_that_catches(leaf, rules)


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
        raise ValueError(f"parameter {name!r} is lazy and has no shape yet; run one batch through the model first")
    if type(tensor).__name__ == "FlatParameter":
        raise ValueError(
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
                raise ValueError(
                    f"parameters {name!r} and {names[key][0]!r} are two Parameters on the same memory and would decay "
                    "twice; tie them as one Parameter: a.weight = b.weight"
                )


def table(head: tuple[str, ...], body: Sequence[tuple[str, ...]]) -> str:
    """Rows of text in aligned columns, two spaces apart."""
    widths = [max(len(row[i]) for row in (head, *body)) for i in range(len(head))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *body)
    )
    return "\n".join(lines)
