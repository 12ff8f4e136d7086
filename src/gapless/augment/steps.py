"""What must hold for a step of any policy, whether its operations are on pictures or on texts."""

from __future__ import annotations

from typing import Protocol

from gapless.errors import UsageError


class Strengths(Protocol):
    """What an operation says of the strengths it accepts."""

    @property
    def name(self) -> str: ...
    @property
    def weak(self) -> float: ...
    @property
    def strong(self) -> float: ...
    @property
    def unit(self) -> str: ...


def check(op: Strengths, strength: float, p: float, whole: bool) -> None:
    """UsageError if the strength is out of the operation's range or not whole where it must be, or p out of [0, 1]."""
    if not op.weak <= strength <= op.strong:
        raise UsageError(f"{op.name}: strength must be from {op.weak:g} to {op.strong:g} {op.unit}, got {strength!r}")
    if whole and strength != int(strength):
        raise UsageError(f"{op.name}: strength must be a whole number of {op.unit}, got {strength!r}")
    if not 0 <= p <= 1:
        raise UsageError(f"{op.name}: p must be in [0, 1], got {p!r}")
