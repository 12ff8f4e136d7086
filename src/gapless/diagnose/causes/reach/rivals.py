"""Quick models of scikit-learn that are better than the network on the same folds."""

from __future__ import annotations

from gapless.diagnose.case import Case, Cause, NotAsked
from gapless.diagnose.finding import Finding

TOLERATED = 0.02
"""By how much a quick model may be better."""


def _judge(case: Case) -> Finding:
    if not case.quick:
        raise NotAsked("there was no time for quick models")
    compared = {name: case.difference(each, case.held) for name, each in case.quick.items()}
    name, best = max(compared.items(), key=lambda entry: entry[1].mean)
    scores = ", ".join(f"{n} {case.score(case.estimate(each).mean)}" for n, each in case.quick.items())
    return Finding(
        "rivals",
        2,
        f"A quick model does better: {name} beats the network by {case.points(best.mean)} "
        f"({case.span(best.interval)}) on new {case.rows} ({scores}; the network {case.score(case.new.mean)}).",
        best.interval,
        min(1.0, len(compared) * best.above(TOLERATED)),
        f"Use {name}, or take it as what the network has to beat.",
        f"Train {name} on the same rows and score both on others: the network must win.",
    )


CAUSE = Cause("rivals", _judge)
