"""What a search over recipes tries of an operation: it stands beside the operation's declaration."""

from __future__ import annotations

from typing import NamedTuple


class Prior(NamedTuple):
    """Strengths from low to high, and the usual one, with which it is switched on; off is always 0.

    knob: what it is called in a search; operations of one prior share one strength. chance: the numbers are
    probabilities, the strength is 1. log: strengths are drawn on a logarithmic scale.
    """

    knob: str
    low: float
    high: float
    usual: float
    chance: bool = False
    log: bool = False
