"""How far off both models of the verdict are, by the size of the target: a mean over all rows hides where it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gapless.evidence.answers.classes import answered
from gapless.evidence.intervals import mean_interval
from gapless.evidence.paired import BEST, Confirmation
from gapless.evidence.result import SizeOfTarget

PARTS = 5
"""Parts into which the confirm rows are cut by their target, where there are enough of them."""
_LEAST = 10
"""Rows of a part, at least."""


def sizes(confirmation: Confirmation, targets: NDArray[np.float32]) -> tuple[SizeOfTarget, ...]:
    """Mean errors in parts of the confirm rows of about one number, from the smallest targets to the largest.

    Rows of one target are in one part. Empty where the answers were not kept, or where rows are too few for two parts.
    """
    found = answered(confirmation)
    if found is None or len(found[0]) < 2:
        return ()
    off = [side.astype(np.float64) - targets for side in found]
    paired = bool(confirmation.seeds(BEST))
    parts: list[SizeOfTarget] = []
    for rows in _parts(targets):
        groups = None if confirmation.groups is None else confirmation.groups[rows]
        if len(rows) < 2 or (groups is not None and len(np.unique(groups)) < 2):
            continue
        plain, best = (np.abs(side[:, rows]) for side in off)
        change = mean_interval(plain - best, None, groups) if paired and (plain != best).any() else None
        errors = float(plain.mean()), float(best.mean()), change, *(float(side[:, rows].mean()) for side in off)
        ends = float(targets[rows].min()), float(targets[rows].max())
        parts.append(SizeOfTarget(*ends, len(rows), *errors))
    return tuple(parts) if len(parts) > 1 else ()


def _parts(targets: NDArray[np.float32]) -> list[NDArray[np.int64]]:
    """Row numbers of each part."""
    number = min(PARTS, len(targets) // _LEAST)
    if number < 2:
        return []
    edges = np.unique(np.quantile(targets, np.linspace(0, 1, number + 1)[1:-1]))
    places = np.searchsorted(edges, targets, side="right")
    return [rows for k in range(len(edges) + 1) if len(rows := np.flatnonzero(places == k))]
