"""When a training is silent for too long."""

from __future__ import annotations

import time

SIGN = 1.0
"""Seconds between the signs of life of a training, at least."""
SILENCE, SILENCES = 120.0, 20
"""A training is given up after so many seconds of silence, or so many times the longest that ended, if longer."""


class Watch:
    """Time as far as this process looked, and which silence is too long.

    A driver that was stopped itself holds nothing against its trainings.

    Args:
        patience: seconds that are waited for the first sign of life of all.
    """

    def __init__(self, patience: float):
        self._patience, self._longest = patience, 0.0
        self._seen = time.monotonic()
        self._shown = 0.0

    def look(self) -> float:
        """Seconds so far; a gap between two looks counts for 10 at most."""
        now = time.monotonic()
        self._shown += min(now - self._seen, 10.0)
        self._seen = now
        return self._shown

    def ended(self, silence: float) -> None:
        """A silence of so many seconds came to its end."""
        self._longest = max(self._longest, silence)

    def too_long(self, silence: float) -> bool:
        return silence > (max(SILENCE, SILENCES * self._longest) if self._longest else self._patience)


def given_up(silence: float) -> str:
    """Why a training was ended that was silent for so many seconds."""
    return f"the training gave no sign of life for {silence:.0f} s and was ended"
