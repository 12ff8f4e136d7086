"""Parameters into groups for an optimizer, each exactly once, and the account that says why."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from gapless.decay.leaves import Lot, Trained, leaves, lots
from gapless.decay.rules import RULES, Leaf, Rule, first_that_catches
from gapless.errors import UsageError


def groups(
    model: Trained, weight_decay: float, *, rules: Sequence[Rule] = RULES, names: bool = False
) -> list[dict[str, Any]]:
    """Parameter groups for any torch optimizer: `AdamW(groups(model, 0.05), lr=1e-3, fused=True)`.

    One group for each strength, the strongest first; inside a group the order of model.named_parameters(). A group has
    `params` and `weight_decay` = factor of the rule * weight_decay. Frozen parameters are left out.

    Args:
        model: the bare model, before DDP or FSDP1 flattens it. Or what torch's optimizers take: parameters, (name,
            parameter) pairs, or groups of either, all of which are trained; groups stay apart and keep their settings
            but `weight_decay`. How each parameter is used is asked of the models that are alive; one that is in no
            model is told by its name, where it was given, and its shape.
        weight_decay: >= 0, in the optimizer's own convention (`gapless.decay.convert` changes between conventions).
        rules: the first one that catches a parameter decides; RULES, TIMM, HUGGING_FACE, EVERYTHING or your own.
        names: whether groups have `param_names` too. torch then refuses groups without names that are added later.

    Raises:
        UsageError: bad weight_decay, lazy or flattened parameters, nothing to train, a parameter that is given twice,
            or one that no rule catches.
    """
    result: list[dict[str, Any]] = []
    for lot in lots(model):
        made: dict[float, dict[str, Any]] = {}
        for leaf, rule in _judged(lot, weight_decay, rules):
            decay = rule.factor * weight_decay
            empty = {"params": [], "param_names": []} if names else {"params": []}
            group = made.setdefault(decay, {**lot.settings, **empty, "weight_decay": decay})
            group["params"].append(leaf.tensor)
            if names:
                group["param_names"].append(leaf.name)
        result += [made[decay] for decay in sorted(made, reverse=True)]
    if isinstance(model, nn.Module):
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


def account(model: Trained, weight_decay: float, *, rules: Sequence[Rule] = RULES) -> Account:
    """What groups() does with each parameter and by which rule, in the order of model.named_parameters()."""
    rows = [
        Row(leaf.names, leaf.shape, rule.name, rule.factor * weight_decay)
        for lot in lots(model)
        for leaf, rule in _judged(lot, weight_decay, rules)
    ]
    frozen = sum(not p.requires_grad for p in model.parameters()) if isinstance(model, nn.Module) else 0
    return Account(tuple(rows), frozen)


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


def check_complete(model: nn.Module, made: Sequence[dict[str, Any]]) -> None:
    """Every trainable parameter of the model is in exactly one group, counted independently of how they were made."""
    grouped = [id(tensor) for group in made for tensor in group["params"]]
    wanted = {id(p): name for name, p in model.named_parameters() if p.requires_grad}
    missing = [name for key, name in wanted.items() if key not in set(grouped)]
    if missing or len(grouped) != len(set(grouped)) or len(grouped) != len(wanted):
        raise UsageError(
            f"the groups hold {len(grouped)} tensors ({len(set(grouped))} different), the model trains {len(wanted)}; "
            f"missing: {', '.join(missing) or 'none'}"
        )


def _judged(lot: Lot, weight_decay: float, rules: Sequence[Rule]) -> Iterator[tuple[Leaf, Rule]]:
    if not 0 <= weight_decay < math.inf:
        raise UsageError(f"weight_decay must be a finite number >= 0, got {weight_decay!r}")
    for leaf in lot.leaves:
        yield leaf, first_that_catches(leaf, rules)


def table(head: tuple[str, ...], body: Sequence[tuple[str, ...]]) -> str:
    """Rows of text in aligned columns, two spaces apart."""
    widths = [max(len(row[i]) for row in (head, *body)) for i in range(len(head))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *body)
    )
    return "\n".join(lines)
