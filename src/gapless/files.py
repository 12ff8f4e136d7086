"""Files that are there whole or not at all: written beside themselves, then renamed."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from gapless.errors import DataError


@contextmanager
def unfinished(path: Path) -> Generator[Path]:
    """Within, write to the path that it gives, in the same folder; at the end that file takes the place of `path`.

    What is written is on the disk before it is renamed. An error within, or one of the disk (OSError), leaves `path` as
    it was and nothing beside it.
    """
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        yield beside
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with suppress(OSError):  # it may not even have been begun
            beside.unlink()
        raise


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file, and the folders it lies in, so that it is there whole or not at all.

    Raises:
        DataError: the disk is full or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished(path) as beside:
            beside.write_bytes(content)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror}; make room or choose another --out") from error
