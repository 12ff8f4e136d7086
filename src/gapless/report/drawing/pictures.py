"""One sheet of pictures, as PNG in a data URI: each training picture as it is, then as the best recipe shows it."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gapless.diagnose.examples import Samples

    Pixels = NDArray[np.uint8]

ROWS, DRAWS = 6, 6
"""At most so many pictures, and so many draws of each: more is not seen, only loaded."""
LIMIT = 300_000
"""Bytes of PNG; cells shrink until the sheet fits."""
_CELLS = (72, 64, 56, 48, 40, 32, 24)
_GAP, _DIVIDER = 4, 16


@dataclass(frozen=True)
class Sheet:
    """A PNG as a data URI with its size in pixels, and how many pictures and draws it shows."""

    uri: str
    width: int
    height: int
    pictures: int
    draws: int


def sheet(samples: Samples) -> Sheet | None:
    """The sheet of the first pictures; None when there are none."""
    before, after = samples.before[:ROWS], samples.after[:ROWS, :DRAWS]
    if not before.size or not after.shape[1]:
        return None
    for cell in _CELLS:
        page = _page(before, after, cell)
        data = _png(page)
        if len(data) <= LIMIT or cell == _CELLS[-1]:
            return Sheet(_uri(data), page.shape[1], page.shape[0], len(before), after.shape[1])
    raise AssertionError("the last cell size always returns")


@dataclass(frozen=True)
class Picture:
    """One picture as a PNG in a data URI, with its size in pixels."""

    uri: str
    width: int
    height: int


def picture(pixels: Pixels) -> Picture:
    """A picture uint8 (H, W, C), its longer side about as long as the longest cell of a sheet."""
    cell = _cell(pixels, _CELLS[0])
    return Picture(_uri(_png(cell)), cell.shape[1], cell.shape[0])


def _uri(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode("ascii")


def _page(before: Pixels, after: Pixels, cell: int) -> Pixels:
    """RGBA, transparent between the pictures, so that it stands on a light and on a dark page."""
    first = [[_cell(before[i], cell), *(_cell(a, cell) for a in after[i])] for i in range(len(before))]
    height, width = first[0][0].shape[:2]
    left = [0] + [width + _DIVIDER + j * (width + _GAP) for j in range(after.shape[1])]
    page = np.zeros((len(first) * (height + _GAP) - _GAP, left[-1] + width, 4), dtype=np.uint8)
    for i, row in enumerate(first):
        top = i * (height + _GAP)
        for x, picture in zip(left, row, strict=True):
            page[top : top + height, x : x + width, :3] = picture
            page[top : top + height, x : x + width, 3] = 255
    return page


def _cell(picture: Pixels, cell: int) -> Pixels:
    """RGB, its longer side about `cell` pixels: small pictures in whole pixels, large ones averaged down."""
    from PIL import Image

    colour = rgb(picture)
    longest = max(colour.shape[:2])
    if longest <= cell:
        times = cell // longest
        return colour.repeat(times, axis=0).repeat(times, axis=1)
    size = tuple(max(1, round(side * cell / longest)) for side in (colour.shape[1], colour.shape[0]))
    return np.asarray(Image.fromarray(colour).resize((size[0], size[1]), Image.Resampling.BOX))


def rgb(picture: Pixels) -> Pixels:
    """Gray becomes RGB; what is transparent lets a gray chequerboard through."""
    channels = picture.shape[2]
    if channels == 1:
        return picture.repeat(3, axis=2)
    if channels == 3:
        return picture
    height, width = picture.shape[:2]
    square = max(1, max(height, width) // 8)
    board = (np.arange(height)[:, None] // square + np.arange(width)[None, :] // square) % 2
    below = np.where(board, 192, 232)[:, :, None]
    alpha = picture[:, :, 3:].astype(np.int64)
    return ((picture[:, :, :3] * alpha + below * (255 - alpha) + 127) // 255).astype(np.uint8)


def _png(page: Pixels) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(page).save(out, "PNG", optimize=True)
    return out.getvalue()


def thumbnail(picture: Pixels) -> str:
    """One picture (H, W, C) as PNG in a data URI, its longer side about 72 pixels."""
    return "data:image/png;base64," + base64.b64encode(_png(_cell(picture, _CELLS[0]))).decode("ascii")
