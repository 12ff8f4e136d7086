"""The journal: one JSON object a line, only ever appended to; everything a run knows can be rebuilt from it.

Each line ends with a checksum of what stands before it, so that evidence changed by a bad disk or by hand is refused
rather than believed. Lines without one, of older versions, are taken as they are.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from zlib import crc32

from filelock import FileLock, Timeout

from gapless.errors import DataError, UsageError

Event = dict[str, Any]
_CHECKED = re.compile(rb'(.*), "crc": "([0-9a-f]{8})"\}', re.DOTALL)


class Journal:
    """An open journal.jsonl; `events` are those it held when it was opened.

    While it is open a lock file beside it is held, so a second driver is turned away; the lock ends with its process.
    A last line without its end (power cut, full disk) is cut off before the first new one is written.

    Raises:
        UsageError: another process works on this run.
        DataError: the file cannot be written, or a line in the middle is damaged.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+b", buffering=0)  # nothing may linger in a buffer after a failed write
        except OSError as error:
            raise DataError(f"{path}: cannot be written: {error.strerror}; choose another --out") from error
        self._lock = FileLock(path.with_name(f"{path.name}.lock"), timeout=0)
        try:
            self._lock.acquire()
        except Timeout as error:
            self._file.close()
            raise UsageError(
                f"{path.parent}: another gapless works on this run; wait for it, or choose another --out"
            ) from error
        except OSError as error:
            self._file.close()
            raise DataError(f"{path}: cannot be locked: {error.strerror}; choose another --out") from error
        try:
            self.events = self._read()
        except BaseException:
            self.close()
            raise

    def _read(self) -> list[Event]:
        self._file.seek(0)
        content = self._file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            self._file.truncate(whole)
        events: list[Event] = []
        for number, line in enumerate(content[:whole].splitlines(), 1):
            try:
                events.append(_event(line))
            except ValueError as error:
                raise DataError(
                    f"{self.path} line {number}: damaged ({error}); choose another --out, or delete it and what follows"
                ) from error
        return events

    def write(self, event: Event) -> None:
        """Appends one event; it is on the disk when this returns.

        Raises:
            DataError: the disk is full.
        """
        line = _checked(json.dumps(event, allow_nan=False).encode()) + b"\n"
        end = self._file.seek(0, os.SEEK_END)
        try:
            while line:
                line = line[self._file.write(line) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(end)
            raise DataError(
                f"{self.path}: cannot be written: {error.strerror}; make room and give the same command again: "
                "the run goes on from here"
            ) from error

    def close(self) -> None:
        self._file.close()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def tail(path: Path, start: int = 0) -> tuple[list[Event], int]:
    """The events from byte `start` on whose lines are whole, and where the next one will begin.

    For who only watches: it takes no lock and changes nothing, while another process writes.

    Raises:
        DataError: the file cannot be read, or a line is damaged.
    """
    try:
        with path.open("rb") as file:
            file.seek(start)
            content = file.read()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    whole = content.rfind(b"\n") + 1
    try:
        return [_event(line) for line in content[:whole].splitlines()], start + whole
    except ValueError as error:
        raise DataError(f"{path}: a line behind byte {start} is damaged ({error})") from error


def _checked(line: bytes) -> bytes:
    return line[:-1] + b', "crc": "%08x"}' % crc32(line)


def _event(line: bytes) -> Event:
    checked = _CHECKED.fullmatch(line)
    if checked:
        line = checked[1] + b"}"
        if crc32(line) != int(checked[2], 16):
            raise ValueError("its checksum does not match")
    try:
        event = json.loads(line)
    except RecursionError as error:
        raise ValueError("brackets nested too deep") from error
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        raise ValueError("no event")
    if not isinstance(event.get("at"), int | float):
        raise ValueError("an event without its time")
    return event


def replay(events: Iterable[Event], take: Callable[[Event], None]) -> None:
    """Hands every event to `take`.

    Raises:
        DataError: an event without what its kind needs; names its line.
    """
    for number, event in enumerate(events, 1):
        try:
            take(event)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"journal.jsonl line {number}: not a {event['event']} of this version of gapless ({error!r}); "
                "choose another --out"
            ) from error


def same_run(journal: Journal, out: Path, event: str, holds: str, facts: Event) -> None:
    """Journals what a run is of as its first event, or checks that the journal in `out` is of the same.

    Args:
        event: the kind of that first event, one for each command. holds: what the folder holds, for the errors.

    Raises:
        UsageError: the folder holds a run of another command or of other facts.
    """
    if not journal.events:
        first = {"event": event, "schema": 1, **facts, "at": 0.0}
        journal.write(first)
        journal.events.append(first)
        return
    before = journal.events[0]
    if before["event"] != event:
        raise UsageError(f"--out {out}: holds a run of another command; choose another folder")
    for name, value in facts.items():
        if before.get(name) != value:
            raise UsageError(
                f"--out {out}: holds {holds} {name}: {before.get(name)!r}, this one's is {value!r}; choose another "
                "folder"
            )
