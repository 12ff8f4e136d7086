"""Rows that are the same: found by hash, counted across parts, reported; and whether whole tasks are.

Pictures and table rows are compared byte for byte, texts without their case and without the width of their spaces.
"""

from __future__ import annotations

import json
from collections import Counter
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from gapless.data.task import Array, Rows, Task


def group_numbers(x: Array, *more: Array) -> NDArray[np.int64]:
    """A number for each row of the arrays, one after the other; equal rows have equal numbers.

    Reads row by row, so a memory-mapped array stays on disk. Labels play no part.
    """
    seen: dict[bytes, int] = {}
    numbers = [seen.setdefault(_digest(row), len(seen)) for part in (x, *more) for row in part]
    return np.array(numbers, dtype=np.int64)


def row_hashes(x: Array) -> NDArray[np.uint64]:
    """A number for the content of each row, the same in any process."""
    return np.array([int.from_bytes(_digest(row)[:8], "little") for row in x], dtype=np.uint64)


def duplicate_notes(develop: Rows, confirm: Rows) -> tuple[str, ...]:
    """What the user should know about copies: those across the two parts, and those that contradict each other."""
    groups = group_numbers(develop.x, confirm.x)
    known = set(groups[: len(develop)].tolist())
    across = sum(group in known for group in groups[len(develop) :].tolist())
    clashing = _clashing(groups, np.concatenate([develop.y, confirm.y]))
    texts = develop.x.ndim == 1
    notes: list[str] = []
    if across:
        notes.append(
            f"{across:,} of the {len(confirm):,} confirm rows also stand in the develop rows, "
            f"{'word for word' if texts else 'value for value'}; a model can have learned these by heart."
        )
    if texts and (copies := len(develop) - len(known)):
        are = "1 develop row is a copy of another" if copies == 1 else f"{copies:,} develop rows are copies of others"
        notes.append(f"{are}: a copy may be trained on while the other one ranks the recipes.")
    if clashing:
        notes.append(f"{clashing:,} rows are copies of another row but carry a different label.")
    return tuple(notes)


def fingerprint(task: Task) -> str:
    """Changes whenever a row, a label or their part does."""
    digest = blake2b(digest_size=12)
    for rows in (task.develop, task.confirm, *(rows for _, rows in task.also)):
        if rows is None:
            continue
        digest.update(repr(rows.x.shape).encode())
        for found in (rows.y, rows.group, rows.time):
            if found is not None:
                digest.update(found.tobytes())
        for start in range(0, len(rows), 4096):
            some = rows.x[start : start + 4096]
            plain = json.dumps(some.tolist()).encode() if rows.x.ndim == 1 else some.tobytes()
            digest.update(plain)
    return digest.hexdigest()


def _digest(row: Array | str) -> bytes:
    if isinstance(row, str):
        return blake2b(" ".join(row.casefold().split()).encode("utf-8", "surrogatepass"), digest_size=16).digest()
    # Adding 0 makes -0.0 and 0.0 the same bytes.
    plain = np.add(row, 0, dtype=row.dtype) if row.dtype.kind == "f" else row
    return blake2b(np.ascontiguousarray(plain).data, digest_size=16).digest()


def _clashing(groups: NDArray[np.int64], labels: Array) -> int:
    """How many rows have an equal row whose label differs."""
    pairs = set(zip(groups.tolist(), labels.tolist(), strict=True))
    labels_of = Counter(group for group, _ in pairs)
    return sum(labels_of[group] > 1 for group in groups.tolist())
