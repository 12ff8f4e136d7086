"""The figures of a search of a policy that came to its end."""

from __future__ import annotations

import platform
from importlib.metadata import version

from gapless.evidence.paired import BEST, PLAIN, verdict
from gapless.evidence.result import Interval
from gapless.policies.controls import RANDOM
from gapless.policies.outcome import Answer, Costs, PolicyResult, Rival
from gapless.policies.stages import Learned


def result_of(learned: Learned) -> PolicyResult:
    """The figures of a run that came to its end."""
    task, options, seen = learned.task, learned.options, learned.confirmation
    assert task.confirm is not None
    rivals = tuple(_rival(learned, number) for number in range(len(learned.sides)))
    found = learned.recipe.active and bool(rivals)
    gain = seen.gain() if found else Interval(0.0, 0.0, 0.0)
    answer: Answer = verdict(gain) if found else "none"
    costs = Costs(**learned.trained) if learned.trained else Costs(0.0, 0.0, 0.0, 0.0)
    return PolicyResult(
        task=task.name,
        kind=task.kind,
        metric=task.metric,
        rows=len(task.develop),
        confirm=len(task.confirm),
        classes=len(task.classes),
        model=task.model_name,
        method=options.method,
        words=learned.words,
        verdict=answer,
        gain=gain,
        search_gain=seen.difference(BEST, RANDOM) if found else None,
        policy=learned.recipe.to_dict() if answer == "improved" else {},
        learned=learned.recipe.to_dict(),
        chosen_gain=learned.chosen_gain,
        rivals=rivals,
        guard=learned.guarded,
        guarded=options.guard,
        tried=learned.tried,
        costs=costs,
        epochs=learned.epochs,
        lr=learned.lr,
        seconds=learned.seconds,
        minutes=options.minutes,
        seed=options.seed,
        data=learned.data,
        reading=seen.reading,
        versions={"gapless": version("gapless"), "torch": version("torch"), "python": platform.python_version()},
    )


def _rival(learned: Learned, number: int) -> Rival:
    (name, what, of), seen = learned.sides[number], learned.confirmation
    seeds = sorted(set.intersection(*(seen.seeds(side) for side, _, _ in learned.sides)))
    each = [float(v) for v in seen.table(name, seeds).mean(1)]
    over_none = seen.difference(name, PLAIN) if name != PLAIN else None
    over = seen.difference(BEST, name) if learned.recipe.active and name != BEST else None
    called = {PLAIN: "no augmentation", BEST: "learned policy"}.get(name, name)
    recipe = {} if name == RANDOM else of(0).to_dict()
    return Rival(called, what, sum(each) / len(each), tuple(each), recipe, over_none, over)
