"""A folder of class folders of pictures, as one array of equal squares."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from gapless.data.cache import (
    CacheFiles,
    Divided,
    default_folder,
    key_of,
    locked,
    read_raw,
    remove_unfinished,
    reopened,
    write_parts,
    write_raw,
)
from gapless.data.decode import Header, Pixels, UnusableError, decode, quiet_decoders, read_header, widened
from gapless.data.duplicates import group_numbers
from gapless.data.options import SourceOptions
from gapless.data.readers.folders import (
    PICTURES,
    File,
    Listing,
    find_files,
    group_notes,
    groups_of,
    list_folder,
    may_group,
)
from gapless.data.splits import Index, checked, divide, require_two
from gapless.data.task import Rows, Skipped, Task
from gapless.errors import DataError, UsageError

_MOST_SIDE = 64  # of the side chosen by itself
_STEP = 4  # its multiple
_SIDES = (2, 1024)  # of the side asked for
_BLOCK = 256  # pictures given to the threads at a time: bounds what waits in memory

Progress = Callable[[int, int], None]


@dataclass
class _Decoding:
    """What decoding found out so far.

    kept: places in the plan of the pictures that could be decoded, in order.
    channels: the least that hold every picture decoded.
    """

    kept: list[int] = field(default_factory=list[int])
    channels: int = 1
    skipped: list[Skipped] = field(default_factory=list[Skipped])


@dataclass(frozen=True)
class _Plan:
    """The pictures whose headers are fine (places in the listing) and the array that holds them at most."""

    pictures: tuple[File, ...]
    places: Index
    developing: int
    side: int
    channels: int
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]

    @property
    def bytes(self) -> int:
        return len(self.pictures) * self.side * self.side * self.channels


def load_folder(root: Path, options: SourceOptions, progress: Progress | None = None) -> Task:
    """A Task from class folders: uint8 (N, S, S, C), each picture decoded once, centre-cropped to a square.

    S is `image_size`, or the median of the shorter sides to the nearest multiple of 4, at most 64. C is 1 when all
    pictures are gray, 4 when one has transparency, else 3. Pictures that cannot be used are listed in `skipped`.
    Decoding holds the pictures twice, since it divides them; above `memory` bytes they go to files in the cache.
    """
    if options.image_size is not None and not _SIDES[0] <= options.image_size <= _SIDES[1]:
        raise UsageError(f"image size must be {_SIDES[0]} to {_SIDES[1]} pixels, got {options.image_size}")
    if options.test is not None and not options.test.is_dir():
        raise DataError(f"--test must be a folder of class folders like the source, got {options.test}")
    listing = list_folder(root, options.test)
    require_two(str(root), listing.classes, listing.counts())
    files = CacheFiles(options.cache or default_folder(), _key(root, listing, options))
    found = reopened(files)
    if found is None:
        with quiet_decoders():
            plan = _plan(listing, options.image_size)
            if 2 * plan.bytes > options.memory:
                with locked(files):
                    found = reopened(files) or _decode_to_files(files, plan, listing, options, progress)
            else:
                found = _decode_to_memory(plan, listing, options, progress)
    names: dict[str, int] = {}
    task = _task(root, listing, groups_of(listing.files, options.group, names), *found)
    if options.group is None:
        maybe = may_group(listing.files, len(task.classes), found[0].develop)
        notes = (*task.notes, *group_notes(listing.files, len(task.classes)))
        return _with_further(replace(task, notes=notes, develop=replace(task.develop, maybe=maybe)), options, names)
    return _with_further(replace(task, group=options.group), options, names)


def _with_further(task: Task, options: SourceOptions, names: dict[str, int]) -> Task:
    """The task with further folders, decoded like its own pictures into memory."""
    _, side, _, channels = task.develop.x.shape
    further: list[tuple[str, Rows]] = []
    skipped: list[Skipped] = []
    for name, folder in options.also:
        found = find_files(folder, PICTURES, task.classes)
        plan = _Plan(found.files, np.arange(len(found.files)), 0, side, channels, (), ())
        rows: list[Pixels] = []
        with quiet_decoders():
            decoding = _decode(plan, rows.append, None)
        _require_usable(len(found.files), decoding.skipped)
        y = np.array([task.classes.index(found.files[place].label) for place in decoding.kept], dtype=np.int64)
        group = groups_of([found.files[place] for place in decoding.kept], options.group, names)
        further.append((name, Rows(np.concatenate(rows), y, group)))
        skipped += [*found.skipped, *decoding.skipped]
    return replace(task, also=tuple(further), skipped=(*task.skipped, *skipped)) if further else task


def _task(
    root: Path, listing: Listing, group: Index | None, divided: Divided, develop: Pixels, confirm: Pixels
) -> Task:
    labels = [picture.label for picture in listing.files]
    used = {labels[place] for place in (*divided.develop.tolist(), *divided.confirm.tolist())}
    classes = tuple(name for name in listing.classes if name in used)
    lost = [name for name in listing.classes if name not in used]
    number = {name: i for i, name in enumerate(classes)}
    numbers = np.array([number.get(label, -1) for label in labels], dtype=np.int64)
    task = Task(
        root.resolve().name or str(root),
        Rows(develop, numbers[divided.develop], None if group is None else group[divided.develop]),
        Rows(confirm, numbers[divided.confirm], None if group is None else group[divided.confirm]),
        classes=classes,
        notes=(
            *listing.notes,
            *divided.notes,
            *(f"Class {name!r} has no usable picture and is left out." for name in lost),
        ),
        skipped=(*listing.skipped, *divided.skipped),
    )
    return checked(task)


def _key(root: Path, listing: Listing, options: SourceOptions) -> str:
    """Other folders, files, sizes or times, another key. The time of the last change of any kind (ctime) cannot be set
    by who unpacks or copies, as that of the content can."""
    files: list[tuple[str, int, int, int]] = []
    for picture in listing.files:
        try:
            status = picture.path.stat()
        except OSError:  # gone meanwhile: decoding will list it
            continue
        files.append((picture.where, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    where = [str(folder.resolve()) for folder in (root, options.test) if folder is not None]
    return key_of(
        where, files, len(listing.develop), options.image_size, options.train_size, options.seed, options.group
    )


def _plan(listing: Listing, image_size: int | None) -> _Plan:
    """Reads the headers."""
    headers: list[Header | Skipped] = []
    with ThreadPoolExecutor(_threads()) as pool:
        headers.extend(pool.map(_header, listing.files))
    places = [i for i, header in enumerate(headers) if isinstance(header, Header)]
    skipped = tuple(header for header in headers if isinstance(header, Skipped))
    _require_most_usable(listing, skipped)
    known = [header for header in headers if isinstance(header, Header)]
    developing = sum(place < len(listing.develop) for place in places)
    side, notes = image_size, ()
    if side is None:
        side, note = chosen_side([header.side for header in known[: developing or None]])
        notes = (note,)
    return _Plan(
        tuple(listing.files[place] for place in places),
        np.array(places, dtype=np.int64),
        developing,
        side,
        max(header.channels for header in known),
        skipped,
        notes,
    )


def chosen_side(sides: Sequence[int]) -> tuple[int, str]:
    """The side that pictures are brought to, by the shorter sides that they have, and a note about it."""
    middle = median(sides)
    side = min(_MOST_SIDE, max(_STEP, _STEP * int(middle / _STEP + 0.5)))
    return side, (
        f"The pictures were brought to {side}x{side}; the median of their shorter sides is {middle:g}. "
        "--image-size chooses another side."
    )


def _header(picture: File) -> Header | Skipped:
    try:
        return read_header(picture.path)
    except UnusableError as error:
        return Skipped(picture.where, str(error))


def _decode_to_memory(
    plan: _Plan, listing: Listing, options: SourceOptions, progress: Progress | None
) -> tuple[Divided, Pixels, Pixels]:
    x = np.empty((len(plan.pictures), plan.side, plan.side, plan.channels), dtype=np.uint8)
    filled = 0

    def write(block: Pixels) -> None:
        nonlocal filled
        x[filled : filled + len(block)] = block
        filled += len(block)

    decoding = _decode(plan, write, progress)
    divided, develop, confirm = _divide(plan, decoding, x[:filled], listing, options)
    return divided, x[develop][..., : decoding.channels], x[confirm][..., : decoding.channels]


def _decode_to_files(
    files: CacheFiles, plan: _Plan, listing: Listing, options: SourceOptions, progress: Progress | None
) -> tuple[Divided, Pixels, Pixels]:
    decoding: list[_Decoding] = []
    try:
        write_raw(files, 2 * plan.bytes, lambda write: decoding.append(_decode(plan, write, progress)))
        (done,) = decoding
        _require_most_usable(listing, (*plan.skipped, *done.skipped))
        x = read_raw(files, (len(done.kept), plan.side, plan.side, plan.channels))
        divided, develop, confirm = _divide(plan, done, x, listing, options)
        return divided, *write_parts(files, x, done.channels, (develop, confirm), divided, 2 * plan.bytes)
    finally:
        remove_unfinished(files)


def _decode(plan: _Plan, write: Callable[[Pixels], None], progress: Progress | None) -> _Decoding:
    """Decodes block by block in threads (Pillow releases the interpreter's lock) and writes the rows in order."""
    decoding = _Decoding()
    total = len(plan.pictures)
    decoded = partial(_decoded, plan)
    with ThreadPoolExecutor(_threads()) as pool:
        for start in range(0, total, _BLOCK):
            block = plan.pictures[start : start + _BLOCK]
            rows: list[Pixels] = []
            for place, row in enumerate(pool.map(decoded, block), start=start):
                if isinstance(row, Skipped):
                    decoding.skipped.append(row)
                    continue
                pixels, channels = row
                decoding.channels = max(decoding.channels, channels)
                decoding.kept.append(place)
                rows.append(pixels)
            if rows:
                write(np.stack(rows))
            if progress is not None:
                progress(min(start + _BLOCK, total), total)
    return decoding


def _decoded(plan: _Plan, picture: File) -> tuple[Pixels, int] | Skipped:
    try:
        pixels = decode(picture.path, plan.side)
        return widened(pixels, plan.channels), pixels.shape[2]
    except UnusableError as error:
        return Skipped(picture.where, str(error))


def _divide(
    plan: _Plan, decoding: _Decoding, x: Pixels, listing: Listing, options: SourceOptions
) -> tuple[Divided, Index, Index]:
    """Which pictures of the listing, and which rows of x, stand in develop and in confirm."""
    skipped = (*plan.skipped, *decoding.skipped)
    _require_most_usable(listing, skipped)
    kept = np.array(decoding.kept, dtype=np.int64)
    developing = int(np.count_nonzero(kept < plan.developing))
    number = {name: i for i, name in enumerate(listing.classes)}
    y = np.array([number[plan.pictures[place].label] for place in kept[:developing]], dtype=np.int64)
    has_confirm = listing.confirm is not None
    group = groups_of([plan.pictures[place] for place in kept[:developing]], options.group, {})
    copies = group_numbers(x[:developing])
    develop, confirm = divide(y, options.train_size, has_confirm, options.seed, copies, group)
    if has_confirm:
        confirm = np.arange(developing, len(kept))
    places = plan.places[kept]
    return Divided(places[develop], places[confirm], skipped, plan.notes), develop, confirm


def _require_most_usable(listing: Listing, skipped: Sequence[Skipped]) -> None:
    _require_usable(len(listing.files), skipped)


def _require_usable(total: int, skipped: Sequence[Skipped]) -> None:
    if 2 * len(skipped) > total:
        first = "; ".join(f"{one.where}: {one.reason}" for one in skipped[:3])
        raise DataError(
            f"{len(skipped):,} of {total:,} pictures cannot be used, more than half: {first}"
            f"{' ...' if len(skipped) > 3 else ''}; fetch the pictures again or convert them"
        )


def _threads() -> int:
    return os.cpu_count() or 1
