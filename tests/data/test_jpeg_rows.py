"""JPEG files are decoded down to the last row that is wanted: bit by bit as whole, and what is odd is left alone."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from simplejpeg import decode_jpeg

from gapless.augment.image import Policy, Step
from gapless.data import Files, Loader
from gapless.data.loader import jpeg_rows as rows_module
from gapless.data.loader.jpeg_rows import decode_rows, layout
from gapless.data.loader.undecoded import Room, Undecoded

STALE = 77
MODES = {1: "GRAY", 3: "RGB", 4: "RGBA"}


def vivid(height: int, width: int, channels: int = 3) -> Image.Image:
    """Waves and noise, so that every row differs from its neighbours."""
    rng = np.random.default_rng(height * 1000 + width)
    y, x = np.mgrid[:height, :width]
    waves = [128 + 90 * np.sin(x / 7 + k) * np.cos(y / (5 + k)) for k in range(channels)]
    levels = np.stack(waves, axis=-1) + rng.normal(0, 25, (height, width, channels))
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8).squeeze())


def encoded(picture: Image.Image, **options: Any) -> memoryview:
    file = io.BytesIO()
    picture.save(file, "JPEG", **options)
    return memoryview(bytearray(file.getvalue()))


def upper(data: memoryview, rows: int, channels: int, quick: bool = False) -> NDArray[np.uint8]:
    """What `decode_rows` leaves in memory that held STALE."""
    found = layout(data)
    assert found is not None
    into = np.full((found.height, found.width, channels), STALE, np.uint8)
    decode_rows(data, found, rows, channels, into.reshape(-1), quick)
    return into


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("subsampling", ["4:2:0", "4:2:2", "4:4:4", "4:1:1", "keep_rgb", "gray"])
@pytest.mark.parametrize(("height", "width"), [(47, 33), (64, 80)])
def test_upper_rows_are_those_of_the_whole_picture(height: int, width: int, subsampling: str, quick: bool) -> None:
    gray = subsampling == "gray"
    options: dict[str, Any] = {"keep_rgb": True} if subsampling == "keep_rgb" else {"subsampling": subsampling}
    data = encoded(vivid(height, width, 1 if gray else 3), **({} if gray else options))
    before = bytes(data)
    for channels in (1, 3, 4) if gray else (3, 4):
        whole = decode_jpeg(before, MODES[channels], fastdct=quick, fastupsample=quick)
        for rows in range(1, height + 1):
            found = upper(data, rows, channels, quick)
            np.testing.assert_array_equal(found[:rows], whole[:rows])
            assert (found[rows + 1 :] == STALE).all()  # not decoded at all
        assert bytes(data) == before


def test_chroma_needs_the_row_below(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the margin the last row would differ: the test above can fail."""
    data = encoded(vivid(64, 80), subsampling="4:2:0")
    whole = decode_jpeg(bytes(data), "RGB")
    monkeypatch.setattr(rows_module, "_MARGIN", 0)
    assert any((upper(data, rows, 3)[:rows] != whole[:rows]).any() for rows in range(1, 64))


@pytest.mark.parametrize("options", [{"progressive": True}, {"restart_marker_rows": 1}])
def test_what_is_not_cut_is_decoded_whole(options: dict[str, Any]) -> None:
    data = encoded(vivid(64, 48), **options)
    found = layout(data)
    assert found is not None
    assert not found.cuttable
    np.testing.assert_array_equal(upper(data, 3, 3), decode_jpeg(bytes(data), "RGB"))


def test_layout_says_what_pillow_says() -> None:
    for height, width, channels in ((47, 33, 3), (300, 5, 1), (2, 1000, 3)):
        picture = vivid(height, width, channels)
        found = layout(encoded(picture, comment="x" * 500, icc_profile=None))
        assert found is not None
        assert (found.width, found.height, found.colours) == (width, height, channels == 3)
        assert found.cuttable
        assert not found.described
    exif = Image.Exif()
    exif[0x0112] = 6
    described = layout(encoded(vivid(20, 20), exif=exif))
    assert described is not None
    assert described.described


def changed(data: memoryview, marker: int, offset: int, value: int) -> memoryview:
    """The file with another byte at an offset from a marker of its header."""
    at = bytes(data).index(bytes([0xFF, marker]))
    copy = bytearray(data)
    copy[at + offset] = value
    return memoryview(copy)


def test_odd_and_broken_headers_have_no_layout() -> None:
    data = encoded(vivid(40, 30))
    assert layout(data) is not None
    start = bytes(data).index(b"\xff\xc0")
    cases = {
        "empty": memoryview(b""),
        "PNG": memoryview(b"\x89PNG\r\n\x1a\n" + bytes(100)),
        "CMYK": encoded(vivid(40, 30).convert("CMYK")),
        "arithmetic": changed(data, 0xC0, 1, 0xC9),
        "lossless": changed(data, 0xC0, 1, 0xC3),
        "12 bits": changed(data, 0xC0, 4, 12),
        "no width": changed(changed(data, 0xC0, 7, 0), 0xC0, 8, 0),
        "height that comes later": changed(changed(data, 0xC0, 5, 0), 0xC0, 6, 0),
        "segment beyond the end": changed(data, 0xC0, 2, 255),
        "two frames": memoryview(bytearray(bytes(data[:start]) + bytes(data[start : start + 19]) * 2 + data[start:])),
        "no scan": memoryview(bytearray(data[: start + 19])),
    }
    for name, case in cases.items():
        assert layout(case) is None, name
    for end in range(bytes(data).index(b"\xff\xda") + 14):
        assert layout(data[:end]) is None, end


def test_a_file_that_ends_too_early_is_an_error_whatever_is_looked_at() -> None:
    data = encoded(vivid(300, 200))
    for end in (len(data) - 2, len(data) * 3 // 4):
        part = memoryview(bytearray(data[:end]))
        with pytest.raises(ValueError, match="Premature end"):
            upper(part, 10, 3)


def test_a_flaw_above_the_last_row_is_an_error() -> None:
    """The decoder's message at the end of the cut picture does not hide one before it."""
    data = encoded(vivid(300, 200))
    start = bytes(data).index(b"\xff\xda") + 14
    refused = 0
    for at in range(start + 200, start + 1000, 40):
        broken = memoryview(bytearray(data))
        broken[at : at + 2] = b"\xff\xd0"  # a marker amid the codes
        with pytest.raises(ValueError, match="Corrupt JPEG data"):
            upper(broken, 250, 3)
        refused += 1
    assert refused == 20


@pytest.mark.parametrize("orientation", [None, 1, 6])
def test_a_loader_gives_the_same_whether_rows_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, orientation: int | None
) -> None:
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    paths = [tmp_path / f"{number}.jpg" for number in range(12)]
    for number, path in enumerate(paths):
        vivid(90 + 7 * number, 120 - 5 * number).save(path, exif=exif, subsampling=number % 3)
    policy = Policy((Step("resized_crop", 0.9), Step("flip_y", 1, 0.5), Step("hue", 30)), size=(32, 40))

    def batches() -> NDArray[np.float32]:
        return np.concatenate([images.numpy().copy() for images, _ in Loader(Files(paths), None, policy, 5)])

    cut: list[int] = []

    def counted(data: Any, found: Any, rows: int, *rest: Any) -> None:
        cut.append(found.height - rows)
        decode_rows(data, found, rows, *rest)

    monkeypatch.setattr("gapless.data.loader.undecoded.decode_rows", counted)
    some = batches()
    assert len(cut) == (0 if orientation == 6 else 12)
    assert orientation == 6 or sum(gap > 5 for gap in cut) > 3
    monkeypatch.setattr(
        "gapless.data.loader.undecoded.decode_rows",
        lambda data, found, rows, *rest: decode_rows(data, found, found.height, *rest),  # pyright: ignore
    )
    np.testing.assert_array_equal(some, batches())


def test_room_is_used_again(tmp_path: Path) -> None:
    room, path = Room(), tmp_path / "x.jpg"
    vivid(60, 50).save(path)
    first = Undecoded(path, 3, room).pixels(60)
    second = Undecoded(path, 3, room).pixels(30)
    assert second.ctypes.data == first.ctypes.data
