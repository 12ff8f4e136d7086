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
from gapless.policies.children import WARM, Nursery
from gapless.policies.matching import Matching
from gapless.policies.options import COST
from gapless.recipe import Augment, Recipe
from gapless.run.driver import Work
from gapless.run.job import Job, Outcome

STRENGTHS = (1.0, 0.6, 0.3)
"""Shares of every range that the strength search tries a set with."""
FINALISTS, FURTHER = 3, (1, 2)
"""Policies of the strength search that are trained on further splits, and which."""
LONGER = 2
"""How many times as long children are there."""
FOLDS, PROPOSED, KEPT = 3, 100, 2
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

    Each operation alone, at all of its range, says which to keep; then all of them, the better half and the best
    quarter at three shares of their ranges; then the best three beside no augmentation on further splits, twice as
    long. What is best over all of these is the policy, if it is better than none.
    """
    names = [r.op for r in space.ranges]
    splits = (0, *FURTHER)
    children = len(names) + 1 + 3 * len(STRENGTHS) + len(FURTHER) * LONGER * (FINALISTS + 1)
    epochs = max(1, int((COST["strength"] - WARM * len(splits)) * nursery.full / children))
    alone = _gains(nursery, [space.spread([name], 1.0) for name in names], epochs, 0)
    tried = [Tried(name, gain) for name, gain in zip(names, alone, strict=True)]
    order = [name for _, name in sorted(zip([-g for g in alone], names, strict=True))]
    sizes = sorted({len(names), -(-len(names) // 2), -(-len(names) // 4)}, reverse=True)
    wanted = [(frozenset(order[:n]), share) for n in sizes for share in STRENGTHS]
    policies = list(dict.fromkeys(space.spread(kept, share) for kept, share in wanted))
    gains = _gains(nursery, policies, epochs, 0)
    tried += [Tried(_said(policy), gain) for policy, gain in zip(policies, gains, strict=True)]
    ranked = [policies[n] for n in np.argsort([-g for g in gains], kind="stable")[:FINALISTS]]
    finals = [[gains[policies.index(policy)] for policy in ranked]]
    for split in FURTHER:
        if not enough():
            break
        finals.append(_gains(nursery, ranked, LONGER * epochs, split))
    means = np.mean(finals[1:] or finals, axis=0)  # the first split chose them: where there are others, these count
    best = int(np.argmax(means))
    tried += [Tried(f"{_said(policy)}, further splits", float(m)) for policy, m in zip(ranked, means, strict=True)]
    found = ranked[best] if means[best] > 0 else None
    return Searched(found, tuple(tried), float(means[best]), _said(found))


def _gains(nursery: Nursery, policies: Sequence[Policy], epochs: int, split: int) -> list[float]:
    """By how much each policy's child has less loss than one without augmentation, trained alike."""
    children = [nursery.child(recipe_of(p), epochs, split) for p in (None, *policies)]
    plain, *others = nursery.losses(children)
    return [plain - loss if np.isfinite(loss) else -1e9 for loss in others]


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
        finite = [g for g in gains if g > -1e8]
        ppo.tell(drawn, [g if g > -1e8 else min(finite, default=0.0) for g in gains])
        tried += zip(gains, codes, strict=True)
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
