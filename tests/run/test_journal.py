"""The journal: torn anywhere, locked once, refused when damaged, whole again after a full disk."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gapless.errors import DataError, UsageError
from gapless.run.journal import Journal

EVENTS: list[dict[str, Any]] = [
    {"event": "run", "at": 0.0, "task": "a\nb", "model": "ü"},
    {"event": "rung", "at": 1.5, "score": 0.1 + 0.2},
    {"event": "trial", "at": 2.25, "score": None, "curve": [[1, 0.5, 0.25]]},
]


def written(path: Path) -> bytes:
    with Journal(path) as journal:
        for event in EVENTS:
            journal.write(event)
    return path.read_bytes()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "run" / "journal.jsonl"
    raw = written(path)
    assert raw.count(b"\n") == 3
    with Journal(path) as journal:
        assert journal.events == EVENTS
        journal.write({"event": "named", "at": 3.0})
    with Journal(path) as journal:
        assert journal.events == [*EVENTS, {"event": "named", "at": 3.0}]
    assert path.read_bytes().startswith(raw)  # only ever appended to


def test_each_event_is_there_for_other_readers_at_once(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        for n, event in enumerate(EVENTS, 1):
            journal.write(event)
            lines = [json.loads(line) for line in (tmp_path / "j").read_text().splitlines()]
            assert [{k: v for k, v in line.items() if k != "crc"} for line in lines] == EVENTS[:n]


def test_torn_at_every_byte_of_the_last_two_records(tmp_path: Path) -> None:
    path = tmp_path / "j"
    raw = written(path)
    lines = raw.splitlines(keepends=True)
    for end in range(len(lines[0]), len(raw) + 1):
        path.write_bytes(raw[:end])
        whole = raw[:end].count(b"\n")
        with Journal(path) as journal:
            assert journal.events == EVENTS[:whole], end
            journal.write({"event": "next", "at": 9.0})
        kept = b"".join(lines[:whole])
        assert path.read_bytes() == kept + b'{"event": "next", "at": 9.0, "crc": "8401f2d9"}\n'


def test_torn_in_the_first_record_is_a_new_journal(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_bytes(b'{"event": "ru')
    with Journal(path) as journal:
        assert journal.events == []
    assert path.read_bytes() == b""


def test_every_flipped_bit_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    """Either the line is refused, or the flip hit the name of the checksum and the event is what it was."""
    path = tmp_path / "j"
    raw = written(path)
    changed = 0
    for bit in range(8 * raw.index(b"\n") + 8, 8 * len(raw) - 8):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        try:
            with Journal(path) as journal:
                told = [
                    {k: v for k, v in event.items() if k in ("event", "at", *EVENTS[n])}
                    for n, event in enumerate(journal.events)
                ]
                assert told == EVENTS, bit
        except DataError:
            changed += 1
    assert changed > 0.8 * 8 * (len(raw) - raw.index(b"\n"))


def test_lines_of_older_versions_have_no_checksum_and_are_read(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_bytes(b"".join(json.dumps(event).encode() + b"\n" for event in EVENTS))
    with Journal(path) as journal:
        assert journal.events == EVENTS
        journal.write({"event": "named", "at": 3.0})
    with Journal(path) as journal:
        assert journal.events == [*EVENTS, {"event": "named", "at": 3.0}]


DAMAGED = {
    "brackets without end": b"[" * 100_000,
    "half a record": b'{"event": "rung", "at": 1',
    "zeros of a power cut": b"\0" * 30,
    "another encoding": b'{"event": "\xff\xfe", "at": 1}',
    "an empty line": b"",
    "a number": b"17",
    "an event without a name": b'{"at": 1.0}',
    "an event without a time": b'{"event": "rung"}',
    "a time that is no number": b'{"event": "rung", "at": "soon"}',
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_in_the_middle_is_refused_with_its_line(name: str, tmp_path: Path) -> None:
    path = tmp_path / "j"
    lines = written(path).splitlines(keepends=True)
    before = lines[0] + DAMAGED[name] + b"\n" + lines[2]
    path.write_bytes(before)
    with pytest.raises(DataError, match=r"j line 2: damaged .* choose another --out"):
        Journal(path)
    assert path.read_bytes() == before  # evidence is left alone
    path.write_bytes(lines[0])
    Journal(path).close()  # and the lock is not kept


def test_a_second_driver_in_this_process_is_turned_away(tmp_path: Path) -> None:
    with (
        Journal(tmp_path / "run" / "j"),
        pytest.raises(UsageError, match="run: another gapless works on this run; wait for it, or choose another --out"),
    ):
        Journal(tmp_path / "run" / "j")
    Journal(tmp_path / "run" / "j").close()


def test_a_second_driver_in_another_process_is_turned_away(tmp_path: Path) -> None:
    program = (
        f"from gapless.run.journal import Journal; from pathlib import Path; Journal(Path({str(tmp_path)!r}) / 'j')"
    )
    with Journal(tmp_path / "j") as journal:
        journal.write(EVENTS[0])
        other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert "UsageError" in other.stderr
        assert "another gapless works on this run" in other.stderr
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert other.returncode == 0


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from gapless.run.journal import Journal
journal = Journal(Path({str(tmp_path)!r}) / "j")
journal.write({{"event": "run", "at": 0.0}})
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert killed.returncode == -9
    with Journal(tmp_path / "j") as journal:
        assert journal.events == [{"event": "run", "at": 0.0}]


class Disk:
    """A file on a disk with room for so many more bytes; it takes what fits and then says it is full."""

    def __init__(self, file: Any, room: int):
        self._file, self.room = file, room

    def write(self, content: bytes) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = self._file.write(content[: self.room])
        self.room -= taken
        return taken

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@pytest.mark.parametrize("room", [0, 1, 20])
def test_full_disk(room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "j"
    raw = written(path)
    with Journal(path) as journal:
        disk = Disk(journal._file, room)  # pyright: ignore[reportPrivateUsage]  # the only way to a full disk
        monkeypatch.setattr(journal, "_file", disk)
        with pytest.raises(DataError, match="cannot be written: No space left on device; make room and give the same"):
            journal.write({"event": "trial", "at": 4.0, "score": 0.5})
        assert path.read_bytes() == raw  # not half a line
        disk.room = 10**6
        journal.write({"event": "trial", "at": 5.0, "score": 0.5})
    with Journal(path) as journal:
        assert journal.events[-1] == {"event": "trial", "at": 5.0, "score": 0.5}
        assert len(journal.events) == 4


def test_a_disk_that_fails_to_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "j"
    raw = written(path)

    def fails(number: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with Journal(path) as journal:
        monkeypatch.setattr(os, "fsync", fails)
        with pytest.raises(DataError, match="Input/output error"):
            journal.write({"event": "trial", "at": 4.0})
        monkeypatch.undo()
        assert path.read_bytes() == raw


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_never_written(value: float, tmp_path: Path) -> None:
    """They are no JSON: another reader could not read the line."""
    with Journal(tmp_path / "j") as journal, pytest.raises(ValueError, match="Out of range float"):
        journal.write({"event": "trial", "at": 1.0, "score": value})
    assert (tmp_path / "j").read_bytes() == b""


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DataError, match=r"cannot be written: .*; choose another --out"):
        Journal(tmp_path / "file" / "j")
    (tmp_path / "dir" / "journal.jsonl").mkdir(parents=True)
    with pytest.raises(DataError, match="cannot be written: Is a directory"):
        Journal(tmp_path / "dir" / "journal.jsonl")
