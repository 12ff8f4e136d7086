"""What each pillar of the best recipe gave: alone, without, and its share of the whole.

Switching one pillar off says what this recipe cannot do without; that may be more than the whole recipe gave. Switching
one on alone says what it does on its own. Where both differ, a fair share is the Shapley value (1953): what a pillar
adds to those that are on already, averaged over all orders in which they can be switched on. The values of all pillars
add up to the gain. Whether two pillars do more together than apart, or the same thing twice, is their Shapley
interaction index (Grabisch and Roubens, International Journal of Game Theory 28, 1999).

All of these are sums of scores with fixed weights, so each is one number for every seed and row and has the interval
of the verdict: same seeds, same rows, same function. Nothing switched on is the plain model of the verdict, at its own
learning rate and length; all others are trained at those of the recipe.

Words such as "helps" count that several were tested: p-values are corrected by Holm's method (Scandinavian Journal of
Statistics 6, 1979) over the pillars of a recipe, and over its pairs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from math import factorial

import numpy as np
from numpy.typing import NDArray

from gapless.evidence.paired import BEST, PLAIN, Confirmation, without
from gapless.evidence.result import Pillar, Synergy
from gapless.recipe import Recipe

Table = NDArray[np.float32]
Subset = frozenset[str]

FEWEST = 3
"""Seeds without which nothing is said of a subset."""


def only(recipe: Recipe, pillars: Iterable[str]) -> Recipe:
    """The recipe with no other pillars than these."""
    kept = set(pillars)
    for pillar in recipe.pillars():
        if pillar not in kept:
            recipe = recipe.without(pillar)
    return recipe


def called(subset: Subset, pillars: Sequence[str]) -> str:
    """What the model with this subset of the best recipe's pillars is called in the journal."""
    off = [p for p in pillars if p not in subset]
    if not off:
        return BEST
    if len(off) == len(pillars):
        return PLAIN
    return without(off[0]) if len(off) == 1 else "only " + "+".join(p for p in pillars if p in subset)


def waves(pillars: Sequence[str]) -> list[list[Subset]]:
    """The subsets to train besides none and all: without one pillar, one alone, and the rest, in this order."""
    whole, count = frozenset(pillars), len(pillars)
    if count < 2:
        return []
    alone = [frozenset([p]) for p in pillars]
    rest = [frozenset(s) for size in range(2, count - 1) for s in combinations(pillars, size)]
    return [wave for wave in ([whole - {p} for p in pillars], alone if count > 2 else [], rest) if wave]


def pillars(confirmation: Confirmation, recipe: Recipe) -> tuple[Pillar, ...]:
    """What each pillar gave, as far as its models are there."""
    names = recipe.pillars()
    whole, none = frozenset(names), frozenset[str]()
    values = _values(confirmation, names)
    found: list[Pillar] = []
    tested: list[Table | None] = []
    for name in names:
        one = frozenset([name])
        off = _difference(confirmation, names, whole - one, whole)
        on = _difference(confirmation, names, one, none)
        share = _shapley(values, name) if values else None
        failed = _failed(confirmation, called(whole - one, names)) if len(names) > 1 else ""
        intervals = [None if t is None else confirmation.interval(t) for t in (off, on, share)]
        found.append(Pillar(name, intervals[0], failed, intervals[1], intervals[2]))
        tested.append(off if share is None else share)
    return tuple(_sure(found, confirmation, tested))


def _sure(found: list[Pillar], confirmation: Confirmation, tested: list[Table | None]) -> list[Pillar]:
    """The same with p-values, corrected for how many there are."""
    known = [number for number, table in enumerate(tested) if table is not None]
    p = holm([confirmation.p_value(t) for t in tested if t is not None])
    corrected = dict(zip(known, p, strict=True))
    return [
        Pillar(f.name, f.without, f.failed, f.alone, f.shapley, corrected.get(number, 1.0))
        for number, f in enumerate(found)
    ]


def synergies(confirmation: Confirmation, recipe: Recipe) -> tuple[Synergy, ...]:
    """For each two pillars what they do together beyond what they do apart; empty until all subsets are trained."""
    names = recipe.pillars()
    values = _values(confirmation, names)
    if not values:
        return ()
    pairs = list(combinations(names, 2))
    tables = [_interaction(values, *pair) for pair in pairs]
    p = holm([confirmation.p_value(t, reach=2) for t in tables])
    found = [confirmation.interval(t, reach=2) for t in tables]
    return tuple(Synergy(pair, interval, q) for pair, interval, q in zip(pairs, found, p, strict=True))


def untrainable(confirmation: Confirmation, recipe: Recipe) -> tuple[tuple[str, ...], ...]:
    """The subsets of the pillars with which training fails too often to say anything of them."""
    names = recipe.pillars()
    found = [s for wave in waves(names) for s in wave if confirmation.failed(called(s, names))]
    few = [s for s in found if len(confirmation.seeds(called(s, names))) < FEWEST]
    return tuple(tuple(p for p in names if p in s) for s in few)


def holm(p: Sequence[float]) -> list[float]:
    """The p-values corrected by Holm's step-down method: those below a level are wrong together in that share."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    found, most = [0.0] * len(p), 0.0
    for rank, i in enumerate(order):
        most = max(most, min(1.0, (len(p) - rank) * p[i]))
        found[i] = most
    return found


def _failed(confirmation: Confirmation, model: str) -> str:
    """Why a model could not be trained, and with how many seeds where not with all."""
    failed, done = confirmation.failed(model), len(confirmation.seeds(model))
    if not failed:
        return ""
    reason = next(iter(failed.values()))
    return f"with {len(failed)} of {len(failed) + done} seeds: {reason}" if done else reason


def _difference(confirmation: Confirmation, names: Sequence[str], subset: Subset, other: Subset) -> Table | None:
    models = called(subset, names), called(other, names)
    seeds = sorted(confirmation.seeds(models[0]) & confirmation.seeds(models[1]))
    if len(seeds) < FEWEST:
        return None
    return confirmation.table(models[0], seeds) - confirmation.table(models[1], seeds)


def _values(confirmation: Confirmation, names: Sequence[str]) -> dict[Subset, Table]:
    """The scores (seeds, rows) of every subset, on the seeds that all have; empty where a subset lacks them."""
    if not names:
        return {}
    every = [frozenset[str](), frozenset(names), *(s for wave in waves(names) for s in wave)]
    seeds = sorted(set.intersection(*(confirmation.seeds(called(s, names)) for s in every)))
    if len(seeds) < FEWEST:
        return {}
    return {s: confirmation.table(called(s, names), seeds) for s in every}


def _shapley(values: Mapping[Subset, Table], name: str) -> Table:
    count = max(len(s) for s in values)
    found = np.zeros_like(next(iter(values.values())))
    for subset, each in values.items():
        if name not in subset:
            weight = factorial(len(subset)) * factorial(count - len(subset) - 1) / factorial(count)
            found += weight * (values[subset | {name}] - each)
    return found


def _interaction(values: Mapping[Subset, Table], one: str, other: str) -> Table:
    count = max(len(s) for s in values)
    found = np.zeros_like(next(iter(values.values())))
    for subset, each in values.items():
        if not subset & {one, other}:
            weight = factorial(len(subset)) * factorial(count - len(subset) - 2) / factorial(count - 1)
            both = values[subset | {one, other}] - values[subset | {one}] - values[subset | {other}] + each
            found += weight * both
    return found
