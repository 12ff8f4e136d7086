"""The upper rows of a JPEG file: what its header says, and no more decoded than somebody reads.

The rows of a baseline JPEG are coded from top to bottom. A decoder that is told that the picture ends earlier, by the
two bytes of the header that hold its height, stops there, and gives the same rows as of the whole picture: each depends
on the blocks above and beside it, and on one more row below where colours were stored at half the height.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from simplejpeg import decode_jpeg

_BASELINE = (0xC0, 0xC1)
_PROGRESSIVE = 0xC2
_SCAN, _RESTARTS = 0xDA, 0xDD
_DESCRIPTIONS = (0xE1, 0xE2)
"""Segments that may hold Exif, XMP or the index of several pictures: they can say that the picture is to be turned."""
_OTHERS = (0xC4, 0xDB, 0xFE, *range(0xE0, 0xF0))
"""Huffman and quantisation tables, comments, and what applications add."""
_MARGIN = 1
"""Rows decoded below the last one wanted: where chroma has half the height, its next row is interpolated with."""
_CUT_SHORT = re.compile(r"Corrupt JPEG data: \d+ extraneous bytes before marker 0xd9")
"""What libjpeg says when a scan goes on after the last row. It tells only the first of its warnings: no flaw before."""

_MODES = {1: "GRAY", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True)
class Layout:
    """What the header of a JPEG file says.

    colours: whether it is YCbCr or RGB, else gray. described: whether segments are there that can say how the picture
    is to be turned. at: where its height stands in the file. cuttable: whether rows can be left out below.
    """

    height: int
    width: int
    colours: bool
    described: bool
    at: int
    cuttable: bool


def layout(data: memoryview) -> Layout | None:
    """The layout of a JPEG of 8 bits, gray or in three colours, coded by Huffman; None for every other file.

    Everything that is odd or broken gives None too: who decodes the whole file then says what is wrong.
    """
    frame, baseline, described, restarts, at = 0, False, False, False, 2
    if bytes(data[:2]) != b"\xff\xd8":
        return None
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], data[at + 2] << 8 | data[at + 3]
        if length < 2 or at + 2 + length > len(data):
            return None
        if marker == _SCAN:
            # One scan of all components. Restart markers would make the decoder's message at the end ambiguous.
            single = baseline and not restarts and length > 2 and data[at + 4] == data[frame + 5]
            return _laid_out(data, frame, described, single) if frame else None
        if marker in _BASELINE or marker == _PROGRESSIVE:
            if frame or length < 11:
                return None
            frame, baseline = at + 4, marker in _BASELINE
        elif marker == _RESTARTS:
            restarts = True
        elif marker not in _OTHERS:
            return None
        described |= marker in _DESCRIPTIONS
        at += 2 + length
    return None


def _laid_out(data: memoryview, frame: int, described: bool, single: bool) -> Layout | None:
    """From a frame's header: bits a sample, height, width, number of components."""
    bits, upper, lower, left, right, components = data[frame : frame + 6]
    height, width = upper << 8 | lower, left << 8 | right
    if bits != 8 or components not in (1, 3) or not height or not width:
        return None
    return Layout(height, width, components == 3, described, frame + 1, single)


def decode_rows(
    data: memoryview, found: Layout, rows: int, channels: int, into: NDArray[np.uint8], quick: bool = False
) -> None:
    """Decodes at least the first `rows` rows of the picture into the memory of the whole one, H W C bytes.

    What is below them is any levels. A file that ends too early is an error, as when it is decoded whole; a flaw in the
    part that is left out is not found.

    Args:
        data: the file, writable; as it was when the function returns.
        channels: 1, 3 or 4.
        quick: libjpeg's quick transforms, which are less exact: other levels by a few, also in the whole picture.

    Raises:
        ValueError: a flaw, as the decoder says it.
    """
    mode, height = _MODES[channels], rows + _MARGIN
    if not found.cuttable or height >= found.height:
        decode_jpeg(data, mode, fastdct=quick, fastupsample=quick, buffer=into)
        return
    place = slice(found.at, found.at + 2)
    data[place] = height.to_bytes(2, "big")
    try:
        part = into[: height * found.width * channels]
        decode_jpeg(data, mode, fastdct=quick, fastupsample=quick, buffer=part)
    except ValueError as error:
        if not _CUT_SHORT.fullmatch(str(error)):
            raise
    finally:
        data[place] = found.height.to_bytes(2, "big")
