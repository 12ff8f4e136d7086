"""Too few rows: what more of them would give, from trainings on parts of those there are."""

from __future__ import annotations

from dataclasses import replace

from gapless.diagnose.case import Case, Cause, NotAsked
from gapless.diagnose.estimators.curve import FARTHEST, Curve, hull
from gapless.diagnose.experiment.training import FOLDS, Training
from gapless.diagnose.finding import Finding
from gapless.evidence.result import Interval

TOLERATED = 0.02
"""What twice the rows may give that is not worth fetching them."""
SHARES = (0.125, 0.25, 0.5)
"""Parts of the rows that are trained on beside all of them."""
FEWEST = 16
"""Rows of the smallest part, at least."""


def parts(case: Case) -> tuple[Training, ...]:
    """The trainings on parts of the rows; none where these would be too small."""
    rows = (1 - 1 / FOLDS) * len(case.task.develop)
    least = max(FEWEST, 2 * case.classes)
    shares = tuple(share for share in SHARES if share * rows >= least)
    if len(shares) < 2:
        return ()
    # as many steps on a part as on all: with as many epochs the smaller ones would be trained too short as well
    return tuple(replace(case.alone, share=s, draw=1, epochs=round(case.reference.epochs / s)) for s in shares)


def curve(case: Case) -> Curve:
    """The plain model's learning curve.

    Raises:
        NotAsked: the rows are too few, or there was no time.
    """
    trainings = parts(case)
    if not trainings:
        raise NotAsked(f"there are too few {case.rows} to train on parts of them")
    each = tuple(case.folds(training) for training in trainings)
    if min(map(len, each)) < FOLDS:
        raise NotAsked("there was no time for all trainings")
    return Curve((*(training.share for training in trainings), 1.0), (*each, case.held), case.estimate)


def _judge(case: Case) -> Finding:
    found = curve(case)
    twice, far = found.more(2.0), found.more(FARTHEST)
    if not twice:
        raise NotAsked("no form of a learning curve fits: from half the rows, none foretells the score of all")
    gain, most = hull(twice), hull(far)
    room = max(0.0, 1 - case.new.mean)  # no score is above 1
    gain, most = (Interval(*(min(room, end) for end in (g.mean, g.low, g.high))) for g in (gain, most))
    tried = zip(found.shares, found.each, strict=True)
    scores = ", ".join(f"{case.score(case.estimate(each).mean)} on {_part(share)}" for share, each in tried)
    return Finding(
        "more data",
        2,
        f"More {case.rows} would help: twice as many would give {case.points(gain.mean)} more (95 % interval "
        f"{case.span(gain)}), four times as many {case.points(most.mean)} ({case.span(most)}). Trained on parts of the "
        f"{case.rows}, as many steps, the model gets {scores}.",
        gain,
        max(one.above(TOLERATED) for one in twice),
        f"Fetch more {case.rows} of the same kind, or make more of those there are: see augmentation.",
        f"Fetch half as many {case.rows} again and train on all: the score must rise by more than half of that.",
    )


def _part(share: float) -> str:
    return "all" if share == 1 else f"1/{1 / share:.0f}"


CAUSE = Cause("more data", _judge, parts, together=True)
