"""The sheet of pictures, read back pixel by pixel."""

import base64
import io

import numpy as np
import pytest
from PIL import Image
from report_contents import samples

from gapless.diagnose.examples import Samples
from gapless.report.drawing.pictures import DRAWS, LIMIT, ROWS, Sheet, sheet


def pixels(page: Sheet) -> np.ndarray:
    head, _, body = page.uri.partition(",")
    assert head == "data:image/png;base64"
    read = np.asarray(Image.open(io.BytesIO(base64.b64decode(body, validate=True))))
    assert read.shape == (page.height, page.width, 4)
    return read


def test_small_gray_pictures_are_enlarged_in_whole_pixels():
    given = samples(n=2, k=3, size=8)
    page = sheet(given)
    assert page is not None and (page.pictures, page.draws) == (2, 3)
    read = pixels(page)
    cell = 72
    for i in range(2):
        top = i * (cell + 4)
        for picture, left in (
            (given.before[i], 0),
            *((given.after[i, j], cell + 16 + j * (cell + 4)) for j in range(3)),
        ):
            shown = read[top + 4 : top + cell : 9, left + 4 : left + cell : 9]
            assert np.array_equal(shown[:, :, 0], picture[:, :, 0])
            assert np.array_equal(shown[:, :, 2], picture[:, :, 0])
            assert (shown[:, :, 3] == 255).all()


def test_between_the_pictures_the_page_shows_through():
    page = sheet(samples(n=2, k=2))
    assert page is not None
    read = pixels(page)
    assert (read[:, 72:88, 3] == 0).all()
    assert (read[72:76, :, 3] == 0).all()


def test_colour_keeps_its_channels():
    red = np.zeros((1, 12, 12, 3), np.uint8)
    red[..., 0] = 200
    page = sheet(Samples(red, red[:, None]))
    assert page is not None
    assert pixels(page)[0, 0].tolist() == [200, 0, 0, 255]


def test_transparency_shows_a_board_and_opacity_hides_it():
    picture = np.zeros((1, 16, 16, 4), np.uint8)
    picture[..., 1] = 90
    picture[:, :, 8:, 3] = 255
    page = sheet(Samples(picture, picture[:, None]))
    assert page is not None
    first = pixels(page)[:64, :64]
    assert np.unique(first[:, :32, :3]).tolist() == [192, 232]
    assert np.array_equal(np.unique(first[:, 32:].reshape(-1, 4), axis=0), [[0, 90, 0, 255]])


def test_large_pictures_are_averaged_down():
    half = np.zeros((1, 224, 336, 3), np.uint8)
    half[:, :, 168:] = 240
    page = sheet(Samples(half, half[:, None]))
    assert page is not None and page.height == 48
    read = pixels(page)
    assert read[10, 5, 0] == 0 and read[10, 60, 0] == 240


def test_many_noisy_pictures_stay_small():
    page = sheet(samples(n=8, k=8, size=224, channels=3))
    assert page is not None and (page.pictures, page.draws) == (ROWS, DRAWS)
    assert len(page.uri) <= LIMIT * 4 / 3 + 100


def test_nothing_to_show():
    assert sheet(samples(n=0)) is None
    assert sheet(samples(k=0)) is None


def test_a_picture_one_pixel_wide_and_very_long():
    long = np.full((1, 3000, 1, 1), 7, np.uint8)
    page = sheet(Samples(long, long[:, None]))
    assert page is not None
    assert pixels(page)[0, 0].tolist() == [7, 7, 7, 255]


def test_same_pictures_same_bytes():
    assert sheet(samples()) == sheet(samples())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (np.zeros((2, 8, 8, 2), np.uint8), np.zeros((2, 3, 8, 8, 2), np.uint8)),
        (np.zeros((2, 8, 8), np.uint8), np.zeros((2, 3, 8, 8), np.uint8)),
        (np.zeros((2, 8, 8, 1), np.float32), np.zeros((2, 3, 8, 8, 1), np.uint8)),
        (np.zeros((2, 8, 8, 1), np.uint8), np.zeros((3, 3, 8, 8, 1), np.uint8)),
        (np.zeros((2, 8, 8, 1), np.uint8), np.zeros((2, 3, 9, 8, 1), np.uint8)),
        (np.zeros((2, 8, 8, 1), np.uint8), np.zeros((2, 3, 8, 8, 1), np.float32)),
    ],
)
def test_samples_of_another_form_are_refused(before: np.ndarray, after: np.ndarray):
    with pytest.raises(ValueError, match="must be uint8"):
        Samples(before, after)
