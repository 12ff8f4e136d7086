"""What an operation hands back: edits of the text it was given. One applier carries them out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

Span = tuple[int, int]
"""The characters from start to stop."""


class Edit(NamedTuple):
    """Put `text` in the place of the characters from start to stop.

    origin: where the text stood before, if it is a piece of the source that moves as it is; else -1.
    """

    start: int
    stop: int
    text: str
    origin: int = -1


Plain = tuple[int, int, str, int]
"""An edit without the names: an `Edit`, or the bare tuple, which is made in an eighth of the time."""


def applied(source: str, edits: Sequence[Plain]) -> str:
    """The source with every edit carried out; the very same object where nothing changes.

    Edits come in any order. Two at one place are put in one after the other; two that overlap are an error.
    """
    if len(edits) == 1:
        start, stop, text, _ = edits[0]
        if 0 <= start <= stop:
            after = source[:start] + text + source[stop:]
            return source if after == source else after
    pieces: list[str] = []
    at = 0
    for start, stop, text, _ in sorted(edits):
        if start < at or stop < start:
            raise ValueError(f"edits overlap at character {start}")
        pieces.append(source[at:start])
        pieces.append(text)
        at = stop
    pieces.append(source[at:])
    after = "".join(pieces)
    return source if after == source else after


def carried(spans: Iterable[Span], edits: Sequence[Plain]) -> list[Span]:
    """Where spans of the source stand after the edits: shifted, or moved with the piece they stand in.

    A span that an edit replaces is gone; an edit may not cut one.
    """
    left = sorted(spans)
    found: list[Span] = []
    shift, moved = 0, list[tuple[int, int, int]]()
    place = 0
    for start, stop, text, origin in sorted(edits):
        while place < len(left) and left[place][1] <= start:
            found.append((left[place][0] + shift, left[place][1] + shift))
            place += 1
        while place < len(left) and left[place][0] < stop:
            place += 1
        if origin >= 0:
            moved.append((origin, origin + len(text), start + shift - origin))
        shift += len(text) - (stop - start)
    found += [(start + shift, stop + shift) for start, stop in left[place:]]
    for start, stop in left:
        found += [(start + by, stop + by) for low, high, by in moved if low <= start and stop <= high]
    return sorted(found)
