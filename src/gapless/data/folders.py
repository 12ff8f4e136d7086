"""A folder of class folders: which pictures there are, of which class, for which part."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gapless.data.decode import ENDINGS
from gapless.data.labels import class_order
from gapless.data.splits import Index
from gapless.data.task import Skipped
from gapless.errors import DataError

_TRAIN = "train"
_TESTS = ("test", "val", "valid", "validation")  # the first that is there becomes confirm


@dataclass(frozen=True)
class Picture:
    """A file, its place relative to the folder, and the name of its class."""

    path: Path
    where: str
    label: str


@dataclass(frozen=True)
class Listing:
    """The pictures to develop with, and those to confirm with where they are given."""

    develop: tuple[Picture, ...]
    confirm: tuple[Picture, ...] | None
    classes: tuple[str, ...]
    notes: tuple[str, ...]
    skipped: tuple[Skipped, ...]

    @property
    def pictures(self) -> tuple[Picture, ...]:
        return self.develop + (self.confirm or ())

    def counts(self) -> Index:
        """The number of develop pictures of each class."""
        number = {name: i for i, name in enumerate(self.classes)}
        return np.bincount([number[picture.label] for picture in self.develop], minlength=len(self.classes))


@dataclass(frozen=True)
class _Found:
    pictures: tuple[Picture, ...]
    skipped: tuple[Skipped, ...]
    empty: tuple[str, ...]


def list_folder(root: Path, test: Path | None) -> Listing:
    """Finds the pictures directly in the class folders and one level below; a second folder holds test data.

    Where the folder holds train/ and test/ (or val/), and train/ holds the class folders, test/ is the test data.
    Hidden files are passed over; links that lead out of the folder are not followed. The order is that of the names.
    """
    train, beside = _parts(root)
    inner_test = next((path for path in beside if _subfolders(path)), None) if test is None else None
    notes = [
        f"{path.name}/ is left out: the test data is {test or inner_test or 'not given, and it has no class folders'}."
        for path in beside
        if path != inner_test
    ]
    found = _find(train, root)
    _require_classes(train, found)
    tests = None
    if test is not None or inner_test is not None:
        tests = _find(test or inner_test or root, test or root)
        _require_known(test or inner_test or root, found, tests)
    classes = tuple(sorted({picture.label for picture in found.pictures}, key=class_order))
    for name in found.empty:
        notes.append(f"Class folder {name!r} holds no pictures and is left out.")
    skipped = found.skipped + (tests.skipped if tests else ())
    return Listing(found.pictures, tests.pictures if tests else None, classes, tuple(notes), skipped)


def _parts(root: Path) -> tuple[Path, list[Path]]:
    """The folder of class folders to develop with, and those beside it that may hold test data, the first choice first.

    'train' is only taken as a part, and not as a class, when class folders stand in it and nothing but other parts
    beside it.
    """
    folders = {path.name.casefold(): path for path in _entries(root) if path.is_dir()}
    if _TRAIN not in folders or not set(folders) <= {_TRAIN, *_TESTS} or len(_subfolders(folders[_TRAIN])) < 2:
        return root, []
    return folders[_TRAIN], [folders[name] for name in _TESTS if name in folders]


def _find(folder: Path, root: Path) -> _Found:
    """The pictures of a folder of class folders; `root` is what links must not lead out of."""
    pictures: list[Picture] = []
    skipped: list[Skipped] = []
    empty: list[str] = []
    inside = Path(os.path.realpath(root))
    for entry in _entries(folder):
        where = entry.relative_to(root).as_posix()
        if not entry.is_dir():
            skipped.append(Skipped(where, "not in a class folder"))
            continue
        before = len(pictures)
        for path, reason in _files(entry, inside, deeper=1):
            where = path.relative_to(root).as_posix()
            if reason:
                skipped.append(Skipped(where, reason))
            else:
                pictures.append(Picture(path, where, entry.name))
        if len(pictures) == before:
            empty.append(entry.name)
    return _Found(tuple(pictures), tuple(skipped), tuple(empty))


def _files(folder: Path, inside: Path, deeper: int) -> Iterator[tuple[Path, str]]:
    """The files of a class folder, each with the reason to leave it out, or an empty one."""
    if _leads_out(folder, inside):
        yield folder, "a link that leads out of the folder"
        return
    for path in _entries(folder):
        if _leads_out(path, inside):
            yield path, "a link that leads out of the folder"
        elif path.is_dir() and deeper:
            yield from _files(path, inside, deeper - 1)
        elif path.is_dir():
            yield path, "a folder more than one level below its class folder"
        elif not path.is_file():
            yield path, "not a regular file, or a broken link"
        elif path.suffix.lower() not in ENDINGS:
            yield path, "not the ending of a PNG, JPEG, WebP, GIF or BMP picture"
        else:
            yield path, ""


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed ({error.strerror})") from error


def _subfolders(folder: Path) -> list[Path]:
    return [path for path in _entries(folder) if path.is_dir()]


def _leads_out(path: Path, inside: Path) -> bool:
    return path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(inside)


def _require_classes(folder: Path, found: _Found) -> None:
    names = {picture.label for picture in found.pictures}
    if len(names) > 1:
        return
    layout = f"put the pictures of each class into a folder of its own, such as {folder / 'cat'} and {folder / 'dog'}"
    subfolders = _subfolders(folder)
    loose = sum(path.suffix.lower() in ENDINGS for path in _entries(folder))
    if not _entries(folder):
        raise DataError(f"{folder}: the folder is empty; {layout}")
    if not subfolders:
        held = f"{loose:,} pictures but no class folders" if loose else "neither pictures nor class folders"
        raise DataError(f"{folder}: holds {held}; {layout}")
    deeper = [path for path in subfolders if len(_subfolders(path)) > 1]
    hint = f"; did you mean {deeper[0]}?" if len(deeper) == 1 and len(subfolders) == 1 else ""
    if not names:
        raise DataError(
            f"{folder}: none of its {len(subfolders):,} folders holds a picture ({', '.join(ENDINGS)}); {layout}"
        )
    raise DataError(f"{folder}: there is only one class, {next(iter(names))!r}, two or more are needed; {layout}{hint}")


def _require_known(folder: Path, found: _Found, tests: _Found) -> None:
    known = {picture.label for picture in found.pictures}
    unknown = sorted({picture.label for picture in tests.pictures} - known)
    if unknown:
        raise DataError(
            f"{folder}: class {unknown[0]!r} is not among the classes to develop with "
            f"({', '.join(sorted(known)[:10])}); test data must have the same class folders"
        )
    if not tests.pictures:
        raise DataError(f"{folder}: the test data holds no pictures in class folders")
