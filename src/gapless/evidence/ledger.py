"""Which rows verdicts were read on, over all runs of this user: the same rows tell less each time they are asked.

The k-th verdict on the same rows stands at the level 1 - 0.05 / k (Bonferroni, for the k questions known by then). The
earlier ones stood at levels of their own: over all the chance of a wrong one is at most 5 (1 + 1/2 ... + 1/k) %.

A question is what was compared with what, on which rows: the same one again has the same answer, and counts once. Rows
are known by hashes of their content, of which the smallest are kept (a bottom-k sketch: Cohen, J. Computer and System
Sciences 55, 1997); neither data nor names are. Runs whose verdicts have more than a hundredth of the rows of one of
them in common have asked the same rows.
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from platformdirs import user_data_path

from gapless.data import Rows
from gapless.data.duplicates import row_hashes
from gapless.evidence.result import Reading

Hashes = NDArray[np.uint64]

VARIABLE = "GAPLESS_LEDGER"
"""The environment variable that names another folder for the ledger."""
ERROR = 0.05
_KEPT = 1024  # hashes of a set of rows that are kept
_CHANCE = 0.01  # share of rows that two sets may have in common by chance, as blank pictures are
_SECONDS = 10  # that another process may hold the ledger


def folder() -> Path:
    """Where the ledger is: gapless's folder for the user's data, or the one that GAPLESS_LEDGER names."""
    chosen = os.environ.get(VARIABLE)
    return Path(chosen).expanduser() if chosen else user_data_path("gapless", appauthor=False)


def sketch(rows: Rows) -> Hashes:
    """The smallest 1,024 hashes of the rows' content, ascending; of what was brought, where the rows know it."""
    return np.unique(rows.origin if rows.origin is not None else row_hashes(rows.x))[:_KEPT]


@dataclass(frozen=True)
class _Entry:
    question: str
    rows: Hashes

    def line(self) -> str:
        rows = base64.b64encode(self.rows.astype("<u8").tobytes()).decode()
        return json.dumps({"question": self.question, "rows": rows}) + "\n"

    @classmethod
    def of(cls, line: str) -> _Entry | None:
        """None where the line is torn or of another kind."""
        try:
            found = json.loads(line)
            return cls(str(found["question"]), np.frombuffer(base64.b64decode(found["rows"]), "<u8").astype(np.uint64))
        except (ValueError, KeyError, TypeError):
            return None


def read(rows: Rows, question: str) -> Reading:
    """Counts a verdict on these rows, and says the how manieth it is.

    Args:
        question: names what is compared, with which seeds, on which data.
    """
    entry, place = _Entry(question, sketch(rows)), folder() / "verdicts.jsonl"
    before: list[_Entry] = []
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(place.with_suffix(".lock"), timeout=_SECONDS):
            before = _entries(place)
            if all(one.question != question for one in before):
                _append(place, entry.line())
    except Timeout:
        return _reading(before, entry, "another process holds it")
    except OSError as error:  # no home, or none that can be written
        before = before or _entries(place)
        return _reading(before, entry, f"{place.parent}: {error.strerror}")
    return _reading(before, entry, "")


def _reading(before: list[_Entry], entry: _Entry, unkept: str) -> Reading:
    asked = [one.question for one in before]
    known = before[: asked.index(entry.question)] if entry.question in asked else before
    others = {one.question for one in known if _overlap(one.rows, entry.rows)}
    number = 1 + len(others)
    return Reading(number, 1 - ERROR / number, unkept)


def _overlap(first: Hashes, second: Hashes) -> bool:
    shared = np.intersect1d(first, second, assume_unique=True).size
    return shared > _CHANCE * min(len(first), len(second))


def _entries(place: Path) -> list[_Entry]:
    try:
        lines = place.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    return [entry for line in lines if (entry := _Entry.of(line)) is not None]


def _append(place: Path, line: str) -> None:
    """Adds a line; what was torn before it ends there."""
    with place.open("ab+") as file:
        file.seek(0, os.SEEK_END)
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                line = "\n" + line
        file.write(line.encode())
        file.flush()
        os.fsync(file.fileno())
