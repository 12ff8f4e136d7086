"""What was made of the columns of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ColumnKind = Literal[
    "number",
    "category",
    "date",
    "time of day",
    "text",
    "identifier",
    "constant",
    "empty",
    "unread",
    "target",
    "group",
    "moment",
]


@dataclass(frozen=True)
class ColumnAccount:
    """A column of the source, what it is, what became of it, and why.

    became: such as 'a number', '23 categories', 'elapsed days, year, month, weekday', 'left out'.
    """

    column: str
    kind: ColumnKind
    became: str
    why: str

    @property
    def left_out(self) -> bool:
        return self.became == "left out"

    def __str__(self) -> str:
        return f"{self.column!r} ({self.kind}): {self.became}; {self.why}"
