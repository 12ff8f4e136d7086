"""Decoded pictures in files: the parts of a split, mapped into memory, made once and used again."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.lib import format as npy
from platformdirs import user_cache_path

from gapless.data.decode import Pixels
from gapless.data.splits import Index
from gapless.data.task import Skipped
from gapless.errors import DataError
from gapless.files import unfinished

_SCHEMA = 2
_BLOCK = 1024  # rows copied at a time


@dataclass(frozen=True)
class Divided:
    """Which pictures of a listing stand in which part, in the order of the rows."""

    develop: Index
    confirm: Index
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class CacheFiles:
    """The files of one folder at one size under one split: two arrays, and what they hold."""

    folder: Path
    key: str

    @property
    def develop(self) -> Path:
        return self.folder / f"{self.key}-develop.npy"

    @property
    def confirm(self) -> Path:
        return self.folder / f"{self.key}-confirm.npy"

    @property
    def index(self) -> Path:
        return self.folder / f"{self.key}.json"

    @property
    def raw(self) -> Path:
        return self.folder / f"{self.key}.raw.part"


def default_folder() -> Path:
    """gapless's folder in the user's cache folder, where the system keeps such."""
    return user_cache_path("gapless", appauthor=False)


def key_of(*facts: object) -> str:
    """A name for what the files are made of: other facts, another name."""
    return sha256(json.dumps([_SCHEMA, *facts]).encode()).hexdigest()[:32]


@contextmanager
def locked(files: CacheFiles) -> Generator[None]:
    """Lets one process make the files; another waits and finds them made. What a killed one left is overwritten."""
    lock = FileLock(files.folder / f"{files.key}.lock")
    with _disk_errors(files.folder, 0):
        files.folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def reopened(files: CacheFiles) -> tuple[Divided, Pixels, Pixels] | None:
    """The parts as they were written, mapped; None when they are not there whole."""
    try:
        written = json.loads(files.index.read_text(encoding="utf-8"))
        develop, confirm = (np.array(written[part], dtype=np.int64) for part in ("develop", "confirm"))
        skipped = tuple(Skipped(**entry) for entry in written["skipped"])
        parts = _mapped(files.develop), _mapped(files.confirm)
    # The index is written last; a file that is missing, short or from elsewhere has the cache made again.
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return None
    sizes = [(len(index), *parts[0].shape[1:]) for index in (develop, confirm)]
    if any(part.ndim != 4 or part.dtype != np.uint8 for part in parts) or [part.shape for part in parts] != sizes:
        return None
    return Divided(develop, confirm, skipped, tuple(written["notes"])), *parts


def write_raw(files: CacheFiles, needed: int, fill: Callable[[Callable[[Pixels], None]], None]) -> None:
    """Lets `fill` write rows, one block after the other, to a file without a header; DataError on a full disk.

    needed: bytes that this and the parts made of it take at most.
    """
    with _disk_errors(files.folder, needed):
        free = shutil.disk_usage(files.folder).free
        if free < needed:
            raise OSError(errno.ENOSPC, f"{free / 1e9:.2f} GB are free")
        with files.raw.open("wb") as stream:
            fill(lambda block: _write(stream.write, block))


def read_raw(files: CacheFiles, shape: tuple[int, int, int, int]) -> Pixels:
    """The rows written by `write_raw`, mapped."""
    return np.memmap(files.raw, dtype=np.uint8, mode="r", shape=shape)


def write_parts(
    files: CacheFiles, rows: Pixels, channels: int, places: tuple[Index, Index], divided: Divided, needed: int
) -> tuple[Pixels, Pixels]:
    """Copies the rows at `places` to the files of the two parts, with as many channels as wanted; maps them."""
    with _disk_errors(files.folder, needed):
        for path, index in zip((files.develop, files.confirm), places, strict=True):
            _write_part(path, rows, channels, index)
        about = asdict(divided) | {"develop": divided.develop.tolist(), "confirm": divided.confirm.tolist()}
        with unfinished(files.index) as beside:
            beside.write_text(json.dumps(about), encoding="utf-8")
        return _mapped(files.develop), _mapped(files.confirm)


def remove_unfinished(files: CacheFiles) -> None:
    """Removes what is not needed once the parts stand, or could not be made."""
    for path in files.folder.glob(f"{files.key}*.part"):
        path.unlink(missing_ok=True)


def _mapped(path: Path) -> Pixels:
    # Copy on write: the file stays as it is, and torch takes the array without a warning.
    return np.load(path, mmap_mode="c", allow_pickle=False)


def _write_part(path: Path, rows: Pixels, channels: int, index: Index) -> None:
    with unfinished(path) as beside, beside.open("wb") as stream:
        header = {"descr": "|u1", "fortran_order": False, "shape": (len(index), *rows.shape[1:3], channels)}
        npy.write_array_header_1_0(stream, header)
        for start in range(0, len(index), _BLOCK):
            _write(stream.write, rows[index[start : start + _BLOCK]][..., :channels])


def _write(write: Callable[[memoryview], int], block: Pixels) -> None:
    write(np.ascontiguousarray(block).data)


@contextmanager
def _disk_errors(folder: Path, needed: int) -> Generator[None]:
    try:
        yield
    except OSError as error:
        size = f"needs up to {needed / 1e9:.2f} GB in {folder}" if needed else f"needs the folder {folder}"
        raise DataError(
            f"the cache of decoded pictures {size}: {error.strerror}; make room, choose another folder, or a smaller "
            "--image-size"
        ) from error
