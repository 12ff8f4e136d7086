"""The rows that turned from wrong to right, or from right to wrong, between the plain model and the best recipe."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gapless.evidence.answers.classes import answered
from gapless.evidence.paired import BEST, Confirmation
from gapless.evidence.result import Turned, TurnedRow

LISTED = 12
"""Rows that are listed for each way of turning, at most."""

Numbers = NDArray[np.float64]


def turned(confirmation: Confirmation, labels: NDArray[np.generic], names: tuple[str, ...]) -> Turned | None:
    """How many confirm rows turned, and those that turned most; None where the answers were not kept, or where the
    best is the plain model.

    A row of a class is right where more than half of the trainings have it right. Of a regression a row is better
    where its mean error over seeds is smaller.
    """
    found = answered(confirmation) if confirmation.seeds(BEST) else None
    if found is None:
        return None
    return _classes(found, labels.astype(np.int64), names) if names else _numbers(found, labels.astype(np.float64))


def _classes(
    found: tuple[NDArray[np.float32], NDArray[np.float32]], labels: NDArray[np.int64], names: tuple[str, ...]
) -> Turned:
    plain, best = ((side == labels).mean(0) for side in found)
    before, after = plain > 0.5, best > 0.5
    said = [stats.mode(side.astype(np.int64), axis=0).mode for side in found]  # what most seeds answered

    def row(number: int) -> TurnedRow:
        first, second = (names[int(side[number])] for side in said)
        return TurnedRow(number, names[int(labels[number])], first, second, float(plain[number]), float(best[number]))

    better = _most(np.flatnonzero(~before & after), best - plain)
    worse = _most(np.flatnonzero(before & ~after), plain - best)
    return Turned(
        int((~before & after).sum()),
        int((before & ~after).sum()),
        int((before & after).sum()),
        int((~before & ~after).sum()),
        tuple(row(n) for n in better),
        tuple(row(n) for n in worse),
    )


def _numbers(found: tuple[NDArray[np.float32], NDArray[np.float32]], labels: Numbers) -> Turned:
    plain, best = (np.abs(side.astype(np.float64) - labels).mean(0) for side in found)
    said = [side.astype(np.float64).mean(0) for side in found]

    def row(number: int) -> TurnedRow:
        first, second = (float(side[number]) for side in said)
        return TurnedRow(number, float(labels[number]), first, second, float(plain[number]), float(best[number]))

    better, worse = best < plain, best > plain
    lists = _most(np.flatnonzero(better), plain - best), _most(np.flatnonzero(worse), best - plain)
    return Turned(int(better.sum()), int(worse.sum()), 0, 0, *(tuple(row(n) for n in some) for some in lists))


def _most(rows: NDArray[np.int64], change: Numbers) -> list[int]:
    """Those of the rows that changed most, in order."""
    return rows[np.argsort(-change[rows], kind="stable")[:LISTED]].tolist()
