"""The searches: each asks the nursery for children and ends with a policy, or with none where nothing helped.

What a search may cost is a number of full trainings (see `options.COST`): the length of a child follows from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gapless import draws
from gapless.augment.policies.density import merged
from gapless.augment.policies.ppo import Ppo
from gapless.augment.policies.space import Codes, Policy, Space
from gapless.errors import BudgetError
from gapless.policies.children import WARM, Losses, Nursery
from gapless.policies.matching import Matching
from gapless.policies.options import COST
from gapless.recipe import Augment, Recipe
from gapless.run.driver import Work
from gapless.run.job import Job, Outcome

STRENGTHS = (1.0, 0.6, 0.3)
"""Shares of every range that the strength search tries a set with."""
FINALISTS, FURTHER = 3, (2, 0)
"""Policies of the strength search that are trained on further splits, and which."""
LONGER = 2
"""How many times as long children are there."""
SURE = 2.0
"""Standard errors by which the best policy must be worse than none for the answer to be none."""
FOLDS, PROPOSED, KEPT = 3, 60, 2
"""Density matching: plain trainings, policies proposed on each fold, and how many of each are merged."""
DRAWS, BATCH, BEST = 320, 8, 5
"""Controller: children, at most, how many between two steps of PPO, and how many of the best are merged."""


@dataclass(frozen=True)
class Tried:
    """One policy that was tried. gain: how much less loss select rows had than without augmentation, trained alike."""

    name: str
    gain: float


@dataclass(frozen=True)
class Searched:
    """What a search came to. policy: None where nothing it tried was better than no augmentation. tried: in order.

    gain: of the policy, on the rows that chose it, in nats.
    """

    policy: Policy | None
    tried: tuple[Tried, ...]
    gain: float
    words: str


def recipe_of(policy: Policy | None) -> Recipe:
    return Recipe() if policy is None else Recipe(augment=Augment.of(policy))


def strength(nursery: Nursery, space: Space, enough: Callable[[], bool]) -> Searched:
    """TrivialAugment with the set and the range of its operations learned.

    Each operation alone, at all of its range, says which to keep; then all of them, the better three quarters and the
    better half at three shares of their ranges, on another split; then the best beside no augmentation on further
    splits, twice as long. All operations at their whole ranges are the policy unless another one is better by more than
    a standard error, and none is where even that is surely worse: a child is short, what a variation gives is seen
    late, and on few rows the best of many is the luckiest.
    """
    names = [r.op for r in space.ranges]
    singly, longer, epochs = _affordable(len(names), nursery.full)
    tried, order, sizes = list[Tried](), names, [len(names)]
    if singly:
        alone = _gains(nursery, [space.spread([name], 1.0) for name in names], epochs, 0)
        tried = [Tried(name, _mean(each)) for name, each in zip(names, alone, strict=True)]
        order = [names[n] for n in _best_first(alone)]
        sizes = sorted({len(names), -(-3 * len(names) // 4), -(-len(names) // 2)}, reverse=True)
    wanted = [(frozenset(order[:n]), share) for n in sizes for share in STRENGTHS]
    policies = list(dict.fromkeys(space.spread(kept, share) for kept, share in wanted))
    gains = _gains(nursery, policies, epochs, 1)
    tried += [Tried(_said(policy), _mean(each)) for policy, each in zip(policies, gains, strict=True)]
    # all operations at their whole ranges came first, and stay whatever they gained
    last = [0, *[n for n in _best_first(gains) if n][: FINALISTS - 1]]
    finals: list[list[Losses]] = []
    for split in FURTHER:
        if not enough():
            break
        finals.append(_gains(nursery, [policies[n] for n in last], longer * epochs, split))
    found = [np.concatenate(each) for each in zip(*finals, strict=True)] if finals else [gains[n] for n in last]
    tried += [Tried(f"{_said(policies[n])}, further splits", _mean(g)) for n, g in zip(last, found, strict=True)]
    best = _best_first(found)[0]
    over = found[best] - found[0]
    best = best if _mean(over) > _error(over) else 0
    gain = _mean(found[best])
    kept = policies[last[best]] if gain + SURE * _error(found[best]) > 0 else None
    return Searched(kept, tuple(tried), gain, _said(kept))


def _affordable(operations: int, full: int) -> tuple[bool, int, int]:
    """Whether operations are tried one by one, how many times as long the last children are, and the epochs of one.

    Where a full training is so short that children of an epoch would cost too much, the set stays whole.
    """
    room = int((COST["strength"] - (1 + len(FURTHER)) * WARM) * full)
    for singly, longer in ((True, LONGER), (True, 1), (False, 1)):
        first = operations + 1 if singly else 0
        children = first + 1 + (3 if singly else 1) * len(STRENGTHS) + len(FURTHER) * longer * (FINALISTS + 1)
        if children <= room:
            return singly, longer, room // children
    return False, 1, 1


LOST = -1e9
"""The gain of a child that failed."""


def _gains(nursery: Nursery, policies: Sequence[Policy], epochs: int, split: int) -> list[Losses]:
    """By how much each select row's loss is less with a policy's child than with one without, trained alike."""
    plain, *others = nursery.losses([nursery.child(recipe_of(p), epochs, split) for p in (None, *policies)])
    if plain is None:
        raise BudgetError("the model without augmentation fails to train on from its warm start; try a smaller --lr")
    return [np.full_like(plain, LOST) if each is None else plain - each for each in others]


def _mean(each: Losses) -> float:
    return float(each.mean(dtype=np.float64))


def _error(each: Losses) -> float:
    return float(each.std(ddof=1)) / len(each) ** 0.5 if len(each) > 1 else 0.0


def _best_first(gains: Sequence[Losses]) -> list[int]:
    return [int(n) for n in np.argsort([-_mean(g) for g in gains], kind="stable")]


def _said(policy: Policy | None) -> str:
    if policy is None:
        return "no augmentation"
    names = [getattr(step, "op", "") for step in policy.steps]
    shares = [f"{s.op} {s.strength:.2g}" for s in policy.steps if hasattr(s, "op")]  # pyright: ignore
    return f"one of {len(names)}: {', '.join(shares)}" if all(names) else "sub-policies"


def density(nursery: Nursery, space: Space, enough: Callable[[], bool]) -> Searched:
    """Fast AutoAugment: the best policies of each fold, merged; no child is trained under a policy."""
    run, known = nursery.run, {e["split"]: e for e in nursery.run.events("match")}
    left = [split for split in range(FOLDS) if split not in known]

    def next_work(number: int) -> Work | None:
        return _fold(nursery, space, left.pop(0), number) if left else None

    if left:
        run.drive(next_work, nursery.plan, lambda: None)
    found = [e for e in sorted(run.events("match"), key=lambda e: e["split"]) if not e["reason"]]
    if not found:
        raise BudgetError(f"no fold could be trained: {run.events('match')[0]['reason']}")
    codes = merged(np.asarray(c, np.int64) for event in found for c in event["codes"])
    tried = [
        Tried(f"fold {e['split']}, kept {n + 1}", e["plain"] - v) for e in found for n, v in enumerate(e["losses"])
    ]
    gain = float(np.mean([t.gain for t in tried]))
    return Searched(
        space.sub_policies(codes), tuple(tried), gain, f"{len(codes)} sub-policies merged from {len(found)} folds"
    )


def _fold(nursery: Nursery, space: Space, split: int, number: int) -> Work:
    run, study = nursery.run, Matching(space, split, PROPOSED, KEPT)
    seed = draws.key(run.seed, "policy", split) >> 1
    job = Job(
        number, Recipe(), nursery.lr, seed, None, nursery.full, nursery.full, run.checkpoint(f"match-{split}"),
        study=study,
    )  # fmt: skip

    def ended(outcome: Outcome) -> None:
        if outcome.status == "paused":
            return
        found = outcome.found
        facts = {"codes": [], "losses": [], "plain": 0.0}
        if found:
            facts = {"codes": found["codes"].astype(int).tolist(), "losses": found["losses"].tolist()}
            facts["plain"] = float(found["plain"][0])
        cost = {"seconds": outcome.seconds, "ran": outcome.epoch, "reason": outcome.reason}
        run.write({"event": "match", "split": split, **facts, **cost})

    return job, ended


def controller(nursery: Nursery, space: Space, enough: Callable[[], bool]) -> Searched:
    """AutoAugment: PPO on a controller whose sub-policies are worth what a child under them gains.

    The reward is the fall of the loss on select, which is finer than the paper's accuracy. The best five policies of
    all are merged, as in the paper. Everything follows from the seed and the children's losses: a run that goes on
    takes the same steps again.
    """
    epochs = max(1, int((COST["controller"] - WARM) * nursery.full / (DRAWS + 1)))
    rounds = max(1, min(DRAWS, int((COST["controller"] - WARM) * nursery.full / epochs) - 1) // BATCH)
    ppo, tried = Ppo(space.decisions, nursery.run.seed), list[tuple[float, Codes]]()
    for _ in range(rounds):
        if tried and not enough():
            break
        drawn = ppo.ask(BATCH)
        codes = [space.codes(row) for row in drawn]
        gains = _gains(nursery, [space.sub_policies(c) for c in codes], epochs, 0)
        means = [_mean(each) for each in gains]
        least = min((m for m in means if m > LOST / 2), default=0.0)
        ppo.tell(drawn, [max(m, least) for m in means])
        tried += zip(means, codes, strict=True)
    best = sorted(tried, key=lambda each: -each[0])[:BEST]
    gain = float(np.mean([g for g, _ in best]))
    names = tuple(Tried(f"draw {n + 1}", g) for n, (g, _) in enumerate(tried))
    if gain <= 0:
        return Searched(None, names, gain, "no augmentation")
    found = merged(codes for _, codes in best)
    return Searched(space.sub_policies(found), names, gain, f"{len(found)} sub-policies of the best {len(best)} draws")


SEARCHES: dict[str, Callable[[Nursery, Space, Callable[[], bool]], Searched]] = {
    "strength": strength,
    "density": density,
    "controller": controller,
}
