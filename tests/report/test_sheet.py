"""The contact sheet, looked at by its pixels: pictures at their places, enlarged in whole steps, marks on them."""

import numpy as np
import pytest
from PIL import Image

from gapless.augment.image.preview import Cell, Marks, Preview, Row
from gapless.report.drawing.sheet import LONGEST, SHORTEST, draw

PAPER = (255, 255, 255)
LEFT = 24 + 176
"""Where the first picture of a row begins."""


def sheet_of(*cells: Cell, notes: tuple[str, ...] = ()) -> Image.Image:
    return draw(Preview((Row("rotate", notes, cells),), ()), "a title", "a subtitle")


def flat(level: int, height: int = 10, width: int = 10, channels: int = 3, marks: Marks | None = None) -> Cell:
    picture = np.full((height, width, channels), level, np.uint8)
    picture[:, :, 2:] += 40
    return Cell(picture, "+5 deg", marks or Marks())


def tint(level: int) -> tuple[int, int, int]:
    """The colour of a flat picture, which no letter has."""
    return level, level, level + 40


def box_of(sheet: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of all pixels of a colour."""
    rows, columns = np.nonzero((np.asarray(sheet) == colour).all(2))
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


@pytest.mark.parametrize(
    ("height", "width", "shown"),
    [(8, 8, (112, 112)), (28, 28, (112, 112)), (100, 60, (60, 100)), (64, 64, (128, 128)), (352, 176, (88, 176))],
)
def test_pictures_are_enlarged_in_whole_steps_and_shrunk_to_fit(height: int, width: int, shown) -> None:
    left, top, right, bottom = box_of(sheet_of(flat(90, height, width)), tint(90))
    assert (right - left, bottom - top) == shown
    assert left == LEFT and max(shown) <= LONGEST
    assert max(shown) > 0.6 * SHORTEST


def test_pixels_of_small_pictures_stay_sharp() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 1), dtype=np.uint8)
    sheet = np.asarray(sheet_of(Cell(picture, "", Marks())))
    top = next(
        y
        for y in range(100, 200)
        if (sheet[y : y + 112, LEFT : LEFT + 112, 0] == picture[:, :, 0].repeat(14, 0).repeat(14, 1)).all()
    )
    assert top < 150


def test_rows_and_pictures_do_not_overlap() -> None:
    rows = [Row("rotate", ("±5 deg",) * n, (flat(60 + 10 * n), flat(65 + 10 * n))) for n in range(6)]
    sheet = draw(Preview(tuple(rows[:3]), tuple(rows[3:])), "t", "s")
    boxes = [box_of(sheet, tint(level)) for n in range(6) for level in (60 + 10 * n, 65 + 10 * n)]
    for first, second in zip(boxes[::2], boxes[1::2], strict=True):
        assert first[2] < second[0] and first[1] == second[1]
    assert all(above[3] < below[1] for above, below in zip(boxes[::2], boxes[2::2], strict=False))
    assert boxes[-1][3] < sheet.height and max(box[2] for box in boxes) < sheet.width
    edge = np.concatenate([np.asarray(sheet)[-8:].reshape(-1, 3), np.asarray(sheet)[:, -8:].reshape(-1, 3)])
    assert (edge == PAPER).all(), "nothing is cut off"


def test_words_stand_beside_and_below_the_pictures() -> None:
    with_words = np.asarray(sheet_of(flat(90), notes=("±15 deg",)))
    without = np.asarray(sheet_of(flat(90)))
    beside = (with_words != without).any(2)
    assert beside.any() and not beside[:, LEFT:].any()
    left, _, right, bottom = box_of(sheet_of(flat(90)), tint(90))
    assert (without[bottom + 2 : bottom + 16, left:right] != 255).any()
    assert (without[:60, :LEFT] != 255).any()


def test_boxes_masks_and_points_are_drawn_where_they_are() -> None:
    mask = np.zeros((10, 10), np.uint8)
    mask[2:5, 3:9] = 1
    blue, plain = (0, 114, 178), flat(200)
    left, top, _, _ = box_of(sheet_of(plain), tint(200))
    framed = sheet_of(flat(200, marks=Marks(boxes=np.array([[1.0, 2, 6, 9]]))))
    assert box_of(framed, blue) == (left + 11, top + 22, left + 66, top + 99)
    pointed = box_of(sheet_of(flat(200, marks=Marks(points=np.array([[5.0, 4]])))), blue)
    assert abs((pointed[0] + pointed[2]) / 2 - left - 55) <= 1 and abs((pointed[1] + pointed[3]) / 2 - top - 44) <= 1
    veiled = np.asarray(sheet_of(flat(200, marks=Marks(mask=mask))))[top : top + 110, left : left + 110]
    changed = (veiled != tint(200)).any(2)
    assert changed[22:55, 33:99].all() and changed.sum() == 33 * 66


def test_gray_and_transparent_pictures() -> None:
    gray = np.asarray(sheet_of(flat(70, channels=1)))
    assert (gray == 70).all(2).sum() >= 110 * 110
    clear = np.asarray(sheet_of(Cell(np.zeros((10, 10, 4), np.uint8), "", Marks())))
    assert min((clear == level).all(2).sum() for level in (192, 232)) >= 110 * 110 / 2
