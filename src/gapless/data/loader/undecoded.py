"""Picture files whose size is known before they are decoded, so that only what is looked at needs decoding."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from gapless.data.decode import Pixels, decode_whole, require_size
from gapless.data.loader.jpeg_rows import Layout, decode_rows, layout


class Room:
    """Memory for one picture file after the other, as much as the largest so far took."""

    def __init__(self) -> None:
        self._levels: Pixels = np.empty(0, np.uint8)
        self._file = memoryview(bytearray())

    def of(self, height: int, width: int, channels: int) -> Pixels:
        """Any levels, (height, width, channels)."""
        needed = height * width * channels
        if self._levels.size < needed:
            self._levels = np.empty(needed, np.uint8)
        return self._levels[:needed].reshape(height, width, channels)

    def for_file(self, size: int) -> memoryview:
        """Any bytes, as many as the file has."""
        if len(self._file) < size:
            self._file = memoryview(bytearray(size))
        return self._file[:size]


class Undecoded:
    """A picture file; height and width are those of the upright picture.

    A JPEG waits to be decoded. Any other file, and a JPEG that is odd, turned or broken, is decoded at once.

    Args:
        channels: 1 (gray), 3 or 4.
        room: what is in it is lost, and what is decoded may stand in it.

    Raises:
        UnusableError: as `decode_whole`.
    """

    def __init__(self, path: Path, channels: int, room: Room):
        self._path, self._channels, self._room = path, channels, room
        self._data = _content(path, room)
        self._layout = _suitable(self._data, channels)
        self._pixels: Pixels | None = None
        if self._layout is None:
            self._pixels = decode_whole(path, channels)
            self.height, self.width = self._pixels.shape[:2]
        else:
            self.height, self.width = self._layout.height, self._layout.width

    def pixels(self, rows: int) -> Pixels:
        """The picture, (height, width, channels). Below its first `rows` rows there may be any levels.

        A flaw in what is not decoded is not found; a file that ends too early is an error all the same.
        """
        if self._pixels is None and self._layout is not None:
            whole = self._room.of(self.height, self.width, self._channels)
            try:
                decode_rows(self._data, self._layout, rows, self._channels, whole.reshape(-1))
                self._pixels = whole
            except ValueError:  # a flaw that Pillow can pass over, or a broken file, of which Pillow says what is wrong
                self._pixels = decode_whole(self._path, self._channels)
        assert self._pixels is not None
        return self._pixels


def _content(path: Path, room: Room) -> memoryview:
    """The file in the room's memory; nothing where it cannot be read, of which the decoder says why."""
    try:
        with path.open("rb", buffering=0) as file:
            content = room.for_file(os.fstat(file.fileno()).st_size)
            return content[: file.readinto(content) or 0]
    except OSError:
        return memoryview(b"")


def _suitable(data: memoryview, channels: int) -> Layout | None:
    """The layout of a JPEG whose pixels simplejpeg gives as Pillow does, in less time: one that stands upright.

    Not a coloured one that becomes gray: its own luma differs from that of its colours, which are cut off at 0 and 255.
    """
    found = layout(data)
    if found is None or (channels == 1 and found.colours) or (found.described and not _upright(data)):
        return None
    require_size(found.width, found.height)
    return found


def _upright(data: memoryview) -> bool:
    """Whether the picture is shown as it is stored, by its Exif or XMP; not where Pillow finds these broken."""
    try:
        with Image.open(BytesIO(data), formats=("JPEG",)) as picture:
            return picture.format == "JPEG" and picture.getexif().get(ExifTags.Base.Orientation, 1) == 1
    except Exception:  # a decoder may raise anything; whoever decodes the whole picture says what is wrong
        return False
