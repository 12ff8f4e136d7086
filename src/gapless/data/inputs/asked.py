"""What a model is asked about, and what reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Asked:
    """Rows without labels, as a model takes them.

    x: like `Rows.x`. names: what each row is called; named: what kind of name that is, such as `line` or `file`.
    notes: what was odd, a sentence each. left_out: rows that cannot be read, and why.
    ids: columns that tell one case from another, cell by cell: no input, but who reads the answers wants them.
    """

    x: NDArray[np.generic]
    names: tuple[str, ...]
    named: str
    notes: tuple[str, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    ids: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])


class Inputs(Protocol):
    """Reads rows without labels as those of a Task were read."""

    @property
    def target(self) -> str:
        """What is predicted, by its name in the source; empty where it has none."""
        ...

    def read(self, data: Any) -> Asked:
        """Rows of a path, or of what Python holds.

        Raises:
            DataError: they are not such rows; says what is missing.
        """
        ...

    def facts(self) -> dict[str, Any]:
        """All of it as plain values, for a file; `kind` says which reader takes them."""
        ...


def numbered(rows: int) -> tuple[str, ...]:
    """Names of rows that have none: their numbers, from 1."""
    return tuple(str(row) for row in range(1, rows + 1))
