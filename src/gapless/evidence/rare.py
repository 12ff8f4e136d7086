"""Limits for a sum of which only a few terms are not zero, where the normal curve is no guide.

A row on which two models differ is a rare event. Weighted counts of such events have gamma limits (Fay and Feuer,
Statistics in Medicine 16, 1997), whose mid-p form (Fay and Kim, Biometrical Journal 59, 2017, section 3) holds its
level on average instead of always exceeding it. With no event at all among N rows it allows 3.0 / N of them: the rule
of three. With many events it becomes the normal interval.
"""

from __future__ import annotations

import numpy as np
from scipy import special

_HALVINGS = 22  # to a millionth of what lies between the two limits


def mid_p_limits(total: float, square: float, unit: float, tail: float) -> tuple[float, float]:
    """The limits of the expected sum, each missed with probability `tail`.

    Args:
        total, square: the sum of the terms seen, none of them negative, and the sum of their squares.
        unit: the size of a further term.
    """
    if not total:
        # half of the mass stands at zero, so that the limit is where the gamma distribution of one event has 2 tail
        return 0.0, float(-np.log(2 * tail)) * unit
    # the distributions of the lower and the upper limit: one without and one with a further event
    shape = np.array([total**2 / square, (total + unit) ** 2 / (square + unit**2)])
    scale = np.array([square / total, (square + unit**2) / (total + unit)])
    wanted = np.array([tail, 1 - tail])
    # the mixture's quantile lies between those of the two: both limits are bisected at once
    ends = special.gammaincinv(shape[:, None], wanted[None]) * scale[:, None]
    low, high = ends.min(0), ends.max(0)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        below = special.gammainc(shape[:, None], middle[None] / scale[:, None]).mean(0) < wanted
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return float(low[0]), float(high[1])
