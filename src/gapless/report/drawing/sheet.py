"""A contact sheet as a PNG: rows of pictures with names, strengths, masks, boxes and points; drawn by Pillow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from gapless.report.drawing.pictures import rgb

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

    from gapless.augment.image.preview import Cell, Preview, Row

SHORTEST, LONGEST = 112, 176
"""The longer side of a picture on the sheet: small ones are enlarged in whole steps to about the first."""
_LABEL, _GAP, _CAPTION, _MARGIN = 176, 10, 18, 24
_PAPER, _INK, _FAINT = (255, 255, 255), (24, 24, 27), (110, 110, 120)
_COLOURS = ((0, 114, 178), (230, 97, 0), (0, 158, 115), (204, 61, 142), (213, 178, 0), (86, 180, 233), (150, 80, 40))
"""Told apart by people who see colours differently (after Okabe and Ito)."""


@dataclass(frozen=True)
class _Section:
    heading: str
    rows: Sequence[Row]


def draw(preview: Preview, title: str, subtitle: str) -> Image:
    """The sheet: a title, a row for each operation, a row for each picture under the whole policy."""
    from PIL import Image, ImageDraw

    sections = [
        _Section("Each operation by itself, from weak to strong", preview.operations),
        _Section("The whole policy, as training draws it", preview.whole),
    ]
    sections = [section for section in sections if section.rows]
    sheet = Image.new("RGB", (_width(sections, title, subtitle), _height(sections)), _PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((_MARGIN, _MARGIN), title, _INK, _font(22))
    pen.text((_MARGIN, _MARGIN + 32), subtitle, _FAINT, _font(13))
    top = _MARGIN + 68
    for section in sections:
        pen.text((_MARGIN, top), section.heading, _INK, _font(16))
        pen.line((_MARGIN, top + 24, sheet.width - _MARGIN, top + 24), (214, 214, 220))
        top += 36
        for row in section.rows:
            _draw_row(sheet, pen, row, top)
            top += _row_height(row)
        top += 14
    return sheet


def _width(sections: Sequence[_Section], title: str, subtitle: str) -> int:
    rows = [row for section in sections for row in section.rows]
    pictures = max(sum(_size(cell)[0] + _GAP for cell in row.cells) for row in rows)
    words = max(_font(22).getlength(title), _font(13).getlength(subtitle))
    return int(max(_LABEL + pictures - _GAP, words)) + 2 * _MARGIN


def _height(sections: Sequence[_Section]) -> int:
    return 2 * _MARGIN + 40 + sum(50 + sum(_row_height(row) for row in section.rows) for section in sections)


def _row_height(row: Row) -> int:
    return max(max(_size(cell)[1] for cell in row.cells) + _CAPTION, 24 + 17 * len(row.notes)) + _GAP


def _draw_row(sheet: Image, pen: ImageDraw, row: Row, top: int) -> None:
    pen.text((_MARGIN, top), row.name, _INK, _font(15))
    for number, note in enumerate(row.notes):
        pen.text((_MARGIN, top + 22 + 17 * number), note, _FAINT, _font(13))
    left = _MARGIN + _LABEL
    for cell in row.cells:
        picture = _picture(cell)
        sheet.paste(picture, (left, top))
        place = (left + picture.width / 2, top + picture.height + 3)
        pen.text(place, cell.caption, _FAINT, _font(12), anchor="ma")
        left += picture.width + _GAP


@cache
def _font(size: int) -> FreeTypeFont:
    from PIL import ImageFont

    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


# ── one picture ──


def _scale(cell: Cell) -> float:
    """Pixels of the sheet for one of the picture: a whole number where it is enlarged."""
    longest = max(cell.picture.shape[:2])
    return LONGEST / longest if longest > LONGEST else float(max(1, round(SHORTEST / longest)))


def _size(cell: Cell) -> tuple[int, int]:
    scale = _scale(cell)
    height, width = cell.picture.shape[:2]
    return max(1, round(width * scale)), max(1, round(height * scale))


def _picture(cell: Cell) -> Image:
    from PIL import Image, ImageDraw

    method = Image.Resampling.NEAREST if _scale(cell) >= 1 else Image.Resampling.BOX
    picture = Image.fromarray(rgb(cell.picture)).resize(_size(cell), method)
    if cell.marks.mask is not None and cell.marks.mask.any():
        picture = _with_mask(picture, cell.marks.mask)
    pen = ImageDraw.Draw(picture)
    scale = np.array(picture.size) / cell.picture.shape[1::-1]
    for number, box in enumerate(cell.marks.boxes):
        left, top, right, bottom = (box.reshape(2, 2) * scale).ravel()
        frame = (left, top, max(left, right - 1), max(top, bottom - 1))
        pen.rectangle(frame, outline=_COLOURS[number % len(_COLOURS)], width=2)
    for number, (x, y) in enumerate(cell.marks.points * scale):
        pen.ellipse((x - 3, y - 3, x + 3, y + 3), _COLOURS[number % len(_COLOURS)], _PAPER)
    return picture


def _with_mask(picture: Image, mask: NDArray[Any]) -> Image:
    """The classes of a mask as veils of colour, with a rim; 0 is the ground."""
    from PIL import Image

    labels = np.asarray(Image.fromarray(mask.astype(np.int32)).resize(picture.size, Image.Resampling.NEAREST))
    colours = np.array(_COLOURS)[(labels - 1) % len(_COLOURS)]
    rim = np.zeros(labels.shape, bool)
    rim[1:] |= labels[1:] != labels[:-1]
    rim[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    veil = np.where(rim, 1.0, 0.4)[:, :, None] * (labels != 0)[:, :, None]
    levels = np.asarray(picture) * (1 - veil) + colours * veil
    return Image.fromarray(levels.round().astype(np.uint8))
