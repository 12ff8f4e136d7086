"""A folder of class folders: which pictures or texts there are, of which class, for which part."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gapless.data.decode import ENDINGS
from gapless.data.labels import class_order
from gapless.data.splits import Index, numbered
from gapless.data.task import Skipped
from gapless.errors import DataError, UsageError

_TRAIN = "train"
_TESTS = ("test", "val", "valid", "validation")  # the first that is there becomes confirm
FOLDER, STEM = "folder", "stem"  # what --group takes for files
_STEM = re.compile(r"(.+)[ _.-][^ _.-]*")
_GROUPS, _GROUP_FILES, _MOST_FILES = 5, 2, 50  # groups there must be, and their files in the mean, to be noticed


@dataclass(frozen=True)
class Sort:
    """What kind of file is looked for: its endings, and how it is called."""

    endings: tuple[str, ...]
    one: str
    many: str
    refused: str


PICTURES = Sort(ENDINGS, "a picture", "pictures", "not the ending of a PNG, JPEG, WebP, GIF or BMP picture")
TEXTS = Sort((".txt",), "a text", "texts", "not the ending .txt of a text")


@dataclass(frozen=True)
class File:
    """A file, its place relative to the folder, and the name of its class."""

    path: Path
    where: str
    label: str


@dataclass(frozen=True)
class Listing:
    """The files to develop with, and those to confirm with where they are given."""

    develop: tuple[File, ...]
    confirm: tuple[File, ...] | None
    classes: tuple[str, ...]
    notes: tuple[str, ...]
    skipped: tuple[Skipped, ...]

    @property
    def files(self) -> tuple[File, ...]:
        return self.develop + (self.confirm or ())

    def counts(self) -> Index:
        """The number of files to develop with of each class."""
        number = {name: i for i, name in enumerate(self.classes)}
        return np.bincount([number[file.label] for file in self.develop], minlength=len(self.classes))


@dataclass(frozen=True)
class Found:
    """The files in class folders, what was left out, and the class folders without any."""

    files: tuple[File, ...]
    skipped: tuple[Skipped, ...] = ()
    empty: tuple[str, ...] = ()


def groups_of(files: Sequence[File], by: str | None, known: dict[str, int]) -> Index | None:
    """The number of each file's group: files that lie in folders of one name, or whose names begin alike.

    Args:
        by: `folder`, `stem` or None. known: the numbers that groups have already; new ones are added.

    Raises:
        UsageError: `by` is something else. DataError: a file does not lie in a folder below its class folder.
    """
    if by is None:
        return None
    if by not in (FOLDER, STEM):
        raise UsageError(
            f"--group must be folder or stem for files, got {by!r}: folder, where those of one group lie in a folder "
            "of their own below the class folder; stem, where their names begin alike up to the last _, -, dot or space"
        )
    if by == FOLDER and (loose := next((file for file in files if file.path.parent.name == file.label), None)):
        raise DataError(
            f"--group folder: {loose.where} lies in its class folder itself; put the files of each group into a folder "
            "below it, or group by the beginnings of the names with --group stem"
        )
    return numbered([_group_name(file, by) for file in files], known)


def _group_name(file: File, by: str) -> str:
    if by == FOLDER:
        return file.path.parent.name
    found = _STEM.fullmatch(file.path.stem)
    return found.group(1) if found else file.path.stem


def group_notes(files: Sequence[File], classes: int) -> tuple[str, ...]:
    """A note where folders below the class folders, or the beginnings of names, look like cases of several files."""
    return tuple(said for _, said in _noticed(files, classes))


def may_group(files: Sequence[File], classes: int, some: Index) -> dict[str, Index]:
    """`folder` or `stem` where these look like cases of several files, with the number of each of some files' group."""
    return {by: numbered([_group_name(files[place], by) for place in some], {}) for by, _ in _noticed(files, classes)}


def _noticed(files: Sequence[File], classes: int) -> tuple[tuple[str, str], ...]:
    """What groups files, and what is said of it."""
    nested = [file for file in files if file.path.parent.name != file.label]
    by_folder = (
        Counter(_group_name(file, FOLDER) for file in nested) if 2 * len(nested) > len(files) else Counter[str]()
    )
    for by, counts in ((FOLDER, by_folder), (STEM, Counter(_group_name(file, STEM) for file in files))):
        several = {name: count for name, count in counts.items() if count >= _GROUP_FILES}
        in_several = sum(several.values())
        # every class has its own beginning where files are called cat_1, cat_2, dog_1 ...
        if len(several) < max(_GROUPS, 2 * classes) or 2 * in_several < len(files):
            continue
        if in_several <= _MOST_FILES * len(several):
            what = "lie in folders" if by == FOLDER else "have names that begin alike"
            name = max(several, key=lambda name: (several[name], name))
            said = (
                f"{in_several:,} files {what}, {len(several):,} in all, such as {name!r} with {several[name]:,}: if "
                f"these belong together (one patient, one clip), say --group {by}; else rows of one case are in "
                "training and in the verdict, which then is about known cases alone."
            )
            return ((by, said),)
    return ()


def sort_of(root: Path) -> Sort:
    """What the folder holds more of in its class folders, pictures or texts; pictures where there is neither."""
    endings = Counter(path.suffix.lower() for levels in ("*", "*/*", "*/*/*", "*/*/*/*") for path in root.glob(levels))
    counts = {sort.many: sum(endings[ending] for ending in sort.endings) for sort in (PICTURES, TEXTS)}
    return TEXTS if counts[TEXTS.many] > counts[PICTURES.many] else PICTURES


def list_folder(root: Path, test: Path | None, sort: Sort = PICTURES) -> Listing:
    """Finds the files directly in the class folders and one level below; a second folder holds test data.

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
    found = _find(train, root, sort)
    _require_classes(train, found, sort)
    tests = None
    if test is not None or inner_test is not None:
        tests = _find(test or inner_test or root, test or root, sort)
        _require_known(test or inner_test or root, {file.label for file in found.files}, tests, sort)
    classes = tuple(sorted({file.label for file in found.files}, key=class_order))
    for name in found.empty:
        notes.append(f"Class folder {name!r} holds no {sort.many} and is left out.")
    skipped = found.skipped + (tests.skipped if tests else ())
    return Listing(found.files, tests.files if tests else None, classes, tuple(notes), skipped)


def find_files(folder: Path, sort: Sort, classes: Sequence[str]) -> Found:
    """The files of a further folder of class folders, whose classes must be known.

    Raises:
        DataError: it is no folder, holds no such files, or one of another class.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: is not a folder; give a folder of class folders like the source")
    found = _find(folder, folder, sort)
    _require_known(folder, set(classes), found, sort)
    return found


def _parts(root: Path) -> tuple[Path, list[Path]]:
    """The folder of class folders to develop with, and those beside it that may hold test data, the first choice first.

    'train' is only taken as a part, and not as a class, when class folders stand in it and nothing but other parts
    beside it.
    """
    folders = {path.name.casefold(): path for path in _entries(root) if path.is_dir()}
    if _TRAIN not in folders or not set(folders) <= {_TRAIN, *_TESTS} or len(_subfolders(folders[_TRAIN])) < 2:
        return root, []
    return folders[_TRAIN], [folders[name] for name in _TESTS if name in folders]


def _find(folder: Path, root: Path, sort: Sort) -> Found:
    """The files of a folder of class folders; `root` is what links must not lead out of."""
    files: list[File] = []
    skipped: list[Skipped] = []
    empty: list[str] = []
    inside = Path(os.path.realpath(root))
    for entry in _entries(folder):
        where = entry.relative_to(root).as_posix()
        if not entry.is_dir():
            skipped.append(Skipped(where, "not in a class folder"))
            continue
        before = len(files)
        for path, reason in _files(entry, inside, sort, deeper=1):
            where = path.relative_to(root).as_posix()
            if reason:
                skipped.append(Skipped(where, reason))
            else:
                files.append(File(path, where, entry.name))
        if len(files) == before:
            empty.append(entry.name)
    return Found(tuple(files), tuple(skipped), tuple(empty))


def _files(folder: Path, inside: Path, sort: Sort, deeper: int) -> Iterator[tuple[Path, str]]:
    """The files of a class folder, each with the reason to leave it out, or an empty one."""
    if _leads_out(folder, inside):
        yield folder, "a link that leads out of the folder"
        return
    for path in _entries(folder):
        if _leads_out(path, inside):
            yield path, "a link that leads out of the folder"
        elif path.is_dir() and deeper:
            yield from _files(path, inside, sort, deeper - 1)
        elif path.is_dir():
            yield path, "a folder more than one level below its class folder"
        elif not path.is_file():
            yield path, "not a regular file, or a broken link"
        elif path.suffix.lower() not in sort.endings:
            yield path, sort.refused
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


def _require_classes(folder: Path, found: Found, sort: Sort) -> None:
    names = {file.label for file in found.files}
    if len(names) > 1:
        return
    such = f"such as {folder / 'cat'} and {folder / 'dog'}"
    layout = f"put the {sort.many} of each class into a folder of its own, {such}"
    subfolders = _subfolders(folder)
    loose = sum(path.suffix.lower() in sort.endings for path in _entries(folder))
    if not _entries(folder):
        raise DataError(f"{folder}: the folder is empty; {layout}")
    if not subfolders:
        loosely = sort.one if loose == 1 else f"{loose:,} {sort.many}"
        held = f"{loosely} but no class folders" if loose else f"neither {sort.many} nor class folders"
        raise DataError(f"{folder}: holds {held}; {layout}")
    deeper = [path for path in subfolders if len(_subfolders(path)) > 1]
    hint = f"; did you mean {deeper[0]}?" if len(deeper) == 1 and len(subfolders) == 1 else ""
    if not names:
        raise DataError(
            f"{folder}: none of its {len(subfolders):,} folders holds {sort.one} ({', '.join(sort.endings)}); {layout}"
        )
    raise DataError(f"{folder}: there is only one class, {next(iter(names))!r}, two or more are needed; {layout}{hint}")


def _require_known(folder: Path, known: set[str], tests: Found, sort: Sort) -> None:
    unknown = sorted({file.label for file in tests.files} - known)
    if unknown:
        raise DataError(
            f"{folder}: class {unknown[0]!r} is not among the classes to develop with "
            f"({', '.join(sorted(known)[:10])}); test data must have the same class folders"
        )
    if not tests.files:
        raise DataError(f"{folder}: the test data holds no {sort.many} in class folders")
