"""Where a loader takes its pictures from: an array, in memory or mapped from a file, or picture files."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import local

import numpy as np
from numpy.typing import NDArray

from gapless.data.decode import Pixels, UnusableError
from gapless.data.loader.undecoded import Room, Undecoded
from gapless.data.readers.folders import list_folder
from gapless.data.splits import Index
from gapless.data.task import Array
from gapless.errors import DataError, UsageError

Pictures = Array | Sequence[Pixels]
"""(B, H, W, C), or B arrays (H, W, C) of any sizes."""


class _Rooms(local):
    """Where a thread decodes files to: a room for each of the pictures that it takes at a time."""

    def __init__(self) -> None:
        self.kept: list[Room] = []


_ROOMS = _Rooms()


@dataclass(frozen=True)
class Files:
    """Picture files of any sizes, decoded when their batch comes.

    A JPEG is decoded no farther down than the drawn crop reaches; a flaw in the rows below is not found.

    Args:
        paths: PNG, JPEG, WebP, GIF or BMP files.
        channels: 1, 3 or 4. Colours become gray for 1, gray pictures become coloured for 3 and 4; transparency is
            dropped but for 4.
    """

    paths: tuple[Path, ...]
    channels: int = 3

    def __init__(self, paths: Sequence[str | Path], channels: int = 3):
        if isinstance(paths, str | Path):
            raise UsageError(
                f"paths must be a list of picture files, got {str(paths)!r}; see class_folders for a folder"
            )
        if channels not in (1, 3, 4):
            raise UsageError(f"channels must be 1 (gray), 3 (RGB) or 4 (RGBA), got {channels!r}")
        object.__setattr__(self, "paths", tuple(Path(path) for path in paths))
        object.__setattr__(self, "channels", channels)

    def __len__(self) -> int:
        return len(self.paths)

    def opened(self, rows: Index) -> list[OpenedFile]:
        """The files, read into memory that the thread uses again; this ends what it opened before."""
        _ROOMS.kept.extend(Room() for _ in range(len(rows) - len(_ROOMS.kept)))
        paths = (self.paths[row] for row in rows.tolist())
        return [OpenedFile(path, self.channels, room) for path, room in zip(paths, _ROOMS.kept, strict=False)]


class OpenedFile:
    """A picture of `Files` whose height and width are known, and whose pixels need not be decoded yet."""

    def __init__(self, path: Path, channels: int, room: Room):
        self._path = path
        with _named(path):
            self._found = Undecoded(path, channels, room)
        self.height, self.width = self._found.height, self._found.width

    def pixels(self, rows: int) -> Pixels:
        """(height, width, channels); below the first `rows` rows there may be any levels."""
        with _named(self._path):
            return self._found.pixels(rows)


@contextmanager
def _named(path: Path) -> Generator[None]:
    """What is wrong with a file becomes a DataError that names it."""
    try:
        yield
    except UnusableError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.strerror:
            raise DataError(f"{path}: cannot be read ({error.__cause__.strerror})") from error
        raise DataError(f"{path}: {error}; remove the file or convert it") from error


def class_folders(root: str | Path, channels: int = 3) -> tuple[Files, NDArray[np.int64], tuple[str, ...]]:
    """The pictures in class folders, their labels, and the names of the classes; as `gapless tune` reads a folder.

    Where the folder holds train/ and test/ (or val/), these are the pictures of train/.

    Raises:
        DataError: no class folders, or a class alone.
    """
    listing = list_folder(Path(root), None)
    number = {name: i for i, name in enumerate(listing.classes)}
    labels = np.array([number[picture.label] for picture in listing.develop], dtype=np.int64)
    return Files([picture.path for picture in listing.develop], channels), labels, listing.classes


@dataclass(frozen=True, eq=False)
class Stack:
    """Pictures of one size in an array (N, H, W, C), uint8 or float32 with levels in [0, 1]."""

    x: Array
    _kept: local = field(default_factory=local, repr=False)

    def __post_init__(self) -> None:
        check_stack(self.x)

    def __len__(self) -> int:
        return len(self.x)

    @property
    def channels(self) -> int:
        return self.x.shape[3]

    @property
    def whole_levels(self) -> bool:
        """Whether the levels are uint8, which are read where they lie; float32 is copied first."""
        return self.x.dtype == np.uint8

    def take(self, rows: Index) -> Array:
        """The pictures, copied to memory that the thread uses again."""
        x = self.x
        if not x.flags.c_contiguous or not x.flags.aligned:
            return x[rows]  # numpy's take would copy the whole array first
        kept: Array | None = getattr(self._kept, "copies", None)
        if kept is None or len(kept) < len(rows):
            self._kept.copies = kept = np.empty((len(rows), *x.shape[1:]), x.dtype)
        return np.take(x, rows, axis=0, out=kept[: len(rows)], mode="clip")  # the other modes copy once more


def check_stack(x: Array) -> None:
    """Raises DataError unless x can be pictures; looks at no level."""
    if not (x.dtype == np.uint8 or x.dtype == np.float32) or x.ndim != 4:
        raise DataError(
            "pictures must be an array (N, H, W, C) of uint8, or of float32 with levels in [0, 1], "
            f"got {x.dtype} {x.shape}"
        )
    if not len(x):
        raise DataError(f"there are no pictures: the array has shape {x.shape}")
    if 0 in x.shape:
        raise DataError(f"a picture must have at least one pixel and one channel, got an array of shape {x.shape}")
    if x.shape[1] <= 4 < x.shape[3]:
        raise DataError(
            f"the channels of pictures must come last, (N, H, W, C), got shape {x.shape}, which looks like "
            "(N, C, H, W); use x.transpose(0, 2, 3, 1)"
        )


def source_of(pictures: Array | Files) -> Stack | Files:
    """The source behind what a loader is given."""
    if isinstance(pictures, Files):
        if not len(pictures):
            raise DataError("there are no pictures: the list of files is empty")
        return pictures
    if not isinstance(pictures, np.ndarray):  # pyright: ignore[reportUnnecessaryIsInstance]  # users may pass anything
        raise UsageError(
            "pictures must be a numpy array (N, H, W, C), np.load(path, mmap_mode='r') for a file, or Files([...]), "
            f"got {type(pictures).__name__}"
        )
    return Stack(pictures)
