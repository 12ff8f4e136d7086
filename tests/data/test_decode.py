"""One picture file becomes the right pixels, whatever its format and mode."""

import struct
import warnings
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gapless.data.decode import UnusableError, decode, read_header, widened

SIDE = 12


def ramp() -> NDArray[np.uint8]:
    """A colour picture without symmetry: red rises to the right, green to the bottom, blue is odd."""
    down, right = np.mgrid[0:SIDE, 0:SIDE]
    return np.stack([20 * right, 20 * down, (7 * right * down) % 256], axis=-1).astype(np.uint8)


def gray() -> NDArray[np.uint8]:
    return (np.arange(SIDE * SIDE) % 256).astype(np.uint8).reshape(SIDE, SIDE)


def alpha() -> NDArray[np.uint8]:
    return (255 - gray()).astype(np.uint8)


class Opened(NamedTuple):
    mode: str
    info: dict[str | tuple[int, int], Any]
    frames: int


def opened(path: Path) -> Opened:
    """What Pillow says of the file, to be sure that a test writes what it is about."""
    with Image.open(path) as picture:
        return Opened(picture.mode, dict(picture.info), getattr(picture, "n_frames", 1))


def png_16(path: Path, values: NDArray[np.uint16], colour_type: int) -> None:
    """Writes a 16-bit PNG by hand; Pillow cannot write those in colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = values.shape[:2]
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    )


def palette_picture() -> Image.Image:
    """Rows 0 to 11 in palette colours 0 to 11."""
    picture = Image.fromarray(np.repeat(np.arange(SIDE, dtype=np.uint8)[:, None], SIDE, axis=1)).convert("L")
    picture = Image.frombytes("P", (SIDE, SIDE), picture.tobytes())
    picture.putpalette([value for i in range(256) for value in (i, 255 - i, (3 * i) % 256)])
    return picture


def palette_pixels() -> NDArray[np.uint8]:
    rows = np.arange(SIDE)
    colours = np.stack([rows, 255 - rows, 3 * rows], axis=-1).astype(np.uint8)
    return np.repeat(colours[:, None, :], SIDE, axis=1)


@pytest.mark.parametrize(("name", "options"), [("a.png", {}), ("a.bmp", {}), ("a.webp", {"lossless": True})])
def test_rgb_is_kept_exactly(tmp_path: Path, name: str, options: dict[str, bool]) -> None:
    Image.fromarray(ramp()).save(tmp_path / name, **options)
    assert read_header(tmp_path / name).channels == 3
    np.testing.assert_array_equal(decode(tmp_path / name, SIDE), ramp())


@pytest.mark.parametrize(("name", "options"), [("a.png", {}), ("a.webp", {"lossless": True, "exact": True})])
def test_rgba_is_kept_exactly(tmp_path: Path, name: str, options: dict[str, bool]) -> None:
    pixels = np.dstack([ramp(), alpha()])
    Image.fromarray(pixels).save(tmp_path / name, **options)
    assert read_header(tmp_path / name).channels == 4
    np.testing.assert_array_equal(decode(tmp_path / name, SIDE), pixels)


def test_opaque_rgba_needs_three_channels(tmp_path: Path) -> None:
    Image.fromarray(np.dstack([ramp(), np.full((SIDE, SIDE), 255, np.uint8)])).save(tmp_path / "a.png")
    np.testing.assert_array_equal(decode(tmp_path / "a.png", SIDE), ramp())


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.gif"])
def test_gray_is_one_channel(tmp_path: Path, name: str) -> None:
    Image.fromarray(gray()).save(tmp_path / name)
    np.testing.assert_array_equal(decode(tmp_path / name, SIDE)[..., 0], gray())
    assert decode(tmp_path / name, SIDE).shape == (SIDE, SIDE, 1)


def test_gray_stored_as_rgb_is_one_channel(tmp_path: Path) -> None:
    Image.fromarray(np.dstack([gray()] * 3)).save(tmp_path / "a.webp", lossless=True)
    assert decode(tmp_path / "a.webp", SIDE).shape == (SIDE, SIDE, 1)


def test_gray_with_alpha(tmp_path: Path) -> None:
    Image.merge("LA", [Image.fromarray(gray()), Image.fromarray(alpha())]).save(tmp_path / "a.png")
    np.testing.assert_array_equal(decode(tmp_path / "a.png", SIDE), np.dstack([gray()] * 3 + [alpha()]))


@pytest.mark.parametrize("name", ["a.png", "a.bmp"])
def test_black_and_white(tmp_path: Path, name: str) -> None:
    bits = gray() % 3 == 0
    Image.fromarray(bits).save(tmp_path / name)
    assert opened(tmp_path / name).mode == "1"
    np.testing.assert_array_equal(decode(tmp_path / name, SIDE)[..., 0], bits * np.uint8(255))


@pytest.mark.parametrize("name", ["a.png", "a.gif", "a.bmp"])
def test_palette(tmp_path: Path, name: str) -> None:
    palette_picture().save(tmp_path / name)
    assert opened(tmp_path / name).mode == "P"
    np.testing.assert_array_equal(decode(tmp_path / name, SIDE), palette_pixels())


@pytest.mark.parametrize(("name", "transparency"), [("a.png", 3), ("a.gif", 3), ("a.png", bytes([255, 255, 255, 0]))])
def test_palette_with_a_transparent_colour(tmp_path: Path, name: str, transparency: int | bytes) -> None:
    palette_picture().save(tmp_path / name, transparency=transparency)
    assert read_header(tmp_path / name).channels == 4
    pixels = decode(tmp_path / name, SIDE)
    opaque = np.full((SIDE, SIDE), 255)
    opaque[3] = 0
    np.testing.assert_array_equal(pixels[..., 3], opaque)
    np.testing.assert_array_equal(np.delete(pixels[..., :3], 3, axis=0), np.delete(palette_pixels(), 3, axis=0))


@pytest.mark.parametrize(("mode", "colour"), [("L", 7), ("RGB", (20, 40, 14)), ("1", 0)])
def test_a_colour_declared_transparent(tmp_path: Path, mode: str, colour: int | tuple[int, int, int]) -> None:
    picture = Image.fromarray(ramp()).convert(mode) if mode != "L" else Image.fromarray(gray())
    picture.save(tmp_path / "a.png", transparency=colour)
    flat = np.asarray(picture).reshape(SIDE, SIDE, -1)
    clear = (flat == np.asarray(colour)).all(axis=-1)
    assert clear.any()
    np.testing.assert_array_equal(decode(tmp_path / "a.png", SIDE)[..., 3], np.where(clear, 0, 255))


def test_16_bits_gray_is_scaled_and_not_cut(tmp_path: Path) -> None:
    values = (gray().astype(np.uint16) * 257).astype(np.uint16)
    png_16(tmp_path / "a.png", values, colour_type=0)
    assert opened(tmp_path / "a.png").mode == "I;16"
    np.testing.assert_array_equal(decode(tmp_path / "a.png", SIDE)[..., 0], gray())


def test_16_bits_gray_is_rounded(tmp_path: Path) -> None:
    values = np.full((SIDE, SIDE), 65_535, dtype=np.uint16)
    values[0, :4] = 0, 128, 129, 65_407
    png_16(tmp_path / "a.png", values, colour_type=0)
    assert decode(tmp_path / "a.png", SIDE)[0, :5, 0].tolist() == [0, 0, 1, 255, 255]


def test_16_bits_gray_with_a_transparent_value(tmp_path: Path) -> None:
    values = np.full((SIDE, SIDE), 50_000, dtype=np.uint16)
    values[2] = 300
    Image.fromarray(values).save(tmp_path / "a.png", transparency=300)
    assert "transparency" in opened(tmp_path / "a.png").info
    pixels = decode(tmp_path / "a.png", SIDE)
    assert pixels[2, :, 3].max() == 0
    assert np.delete(pixels, 2, axis=0).reshape(-1, 4).min(axis=0).tolist() == [195, 195, 195, 255]


def test_16_bits_colour(tmp_path: Path) -> None:
    png_16(tmp_path / "a.png", (ramp().astype(np.uint16) * 257).astype(np.uint16), colour_type=2)
    np.testing.assert_array_equal(decode(tmp_path / "a.png", SIDE), ramp())


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg(tmp_path: Path, mode: str) -> None:
    smooth = np.asarray(Image.fromarray(ramp()[..., :3]).resize((SIDE, SIDE)))
    smooth = np.dstack([smooth[..., 0], smooth[..., 1], np.full((SIDE, SIDE), 90, np.uint8)])
    Image.fromarray(smooth).convert(mode).save(tmp_path / "a.jpg", quality=98, subsampling=0)
    assert opened(tmp_path / "a.jpg").mode == mode
    expected = np.asarray(Image.fromarray(smooth).convert("L" if mode == "L" else "RGB")).reshape(SIDE, SIDE, -1)
    pixels = decode(tmp_path / "a.jpg", SIDE)
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(int) - expected).max() <= 8


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(tmp_path: Path, orientation: int) -> None:
    # What a camera stores for an upright picture, by the definition of the tag: rows and columns of the scene.
    stored = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: a.transpose(1, 0, 2)[::-1],
        7: lambda a: a.transpose(1, 0, 2)[::-1, ::-1],
        8: lambda a: a.transpose(1, 0, 2)[:, ::-1],
    }[orientation](ramp())
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(decode(tmp_path / "a.png", SIDE), ramp())


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
def test_the_first_frame_of_an_animation(tmp_path: Path, name: str) -> None:
    frames = [Image.fromarray(np.full((SIDE, SIDE, 3), colour, np.uint8)) for colour in ((250, 0, 0), (0, 0, 250))]
    options = {"lossless": True} if name.endswith("webp") else {}
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], **options)
    assert opened(tmp_path / name).frames == 2
    np.testing.assert_array_equal(decode(tmp_path / name, SIDE), np.asarray(frames[0]))


@pytest.mark.parametrize("turned", [False, True])
def test_the_centre_is_cut_out_and_the_aspect_kept(tmp_path: Path, turned: bool) -> None:
    wide = np.zeros((24, 60, 3), dtype=np.uint8)
    wide[:, :18, 0], wide[:, 18:42, 1], wide[:, 42:, 2] = 255, 255, 255
    Image.fromarray(wide.transpose(1, 0, 2) if turned else wide).save(tmp_path / "a.png")
    # The outermost pixels also weigh in their neighbours, as in a picture that is shrunk and then cut.
    assert (decode(tmp_path / "a.png", SIDE)[1:-1, 1:-1] == (0, 255, 0)).all()
    assert decode(tmp_path / "a.png", SIDE)[..., 1].min() > 200


def test_shrinking_is_antialiased(tmp_path: Path) -> None:
    board = ((np.indices((96, 96)).sum(axis=0) % 2) * 255).astype(np.uint8)
    Image.fromarray(board).save(tmp_path / "a.png")
    assert np.abs(decode(tmp_path / "a.png", 8).astype(int) - 127.5).max() <= 4


def test_a_large_jpeg_is_like_its_full_decoding(tmp_path: Path) -> None:
    down, right = np.mgrid[0:640, 0:800]
    scene = np.stack([right * 255 // 800, down * 255 // 640, (right + down) % 256], axis=-1).astype(np.uint8)
    Image.fromarray(scene).save(tmp_path / "a.jpg", quality=95)
    with Image.open(tmp_path / "a.jpg") as picture:
        picture.save(tmp_path / "a.png")
    difference = decode(tmp_path / "a.jpg", 16).astype(int) - decode(tmp_path / "a.png", 16)
    assert np.abs(difference).max() <= 8


def test_transparent_colour_does_not_bleed_when_shrunk(tmp_path: Path) -> None:
    # Left half opaque green, right half fully transparent red: no red may enter the visible part.
    pixels = np.zeros((SIDE * 4, SIDE * 4, 4), dtype=np.uint8)
    pixels[:, : 2 * SIDE + 2] = 0, 255, 0, 255
    pixels[:, 2 * SIDE + 2 :] = 255, 0, 0, 0
    Image.fromarray(pixels).save(tmp_path / "a.png")
    small = decode(tmp_path / "a.png", SIDE)
    visible = small[..., 3] > 0
    assert (small[visible][:, 0] == 0).all()
    assert ((small[..., 3] > 0) & (small[..., 3] < 255)).any()


def test_widening_keeps_the_picture() -> None:
    one = gray()[..., None]
    np.testing.assert_array_equal(widened(one, 3), np.dstack([gray()] * 3))
    np.testing.assert_array_equal(widened(ramp(), 4), np.dstack([ramp(), np.full((SIDE, SIDE), 255)]))
    assert widened(ramp(), 3) is not None
    with pytest.raises(UnusableError, match="has 3 channels where 1 were expected"):
        widened(ramp(), 1)


def test_other_formats_are_refused(tmp_path: Path) -> None:
    Image.fromarray(ramp()).save(tmp_path / "a.tiff")
    (tmp_path / "a.tiff").rename(tmp_path / "a.png")
    with pytest.raises(UnusableError, match="not a PNG, JPEG, WebP, GIF or BMP"):
        decode(tmp_path / "a.png", SIDE)


def test_a_wrong_ending_does_not_matter(tmp_path: Path) -> None:
    Image.fromarray(ramp()).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(decode(tmp_path / "a.jpg", SIDE), ramp())
