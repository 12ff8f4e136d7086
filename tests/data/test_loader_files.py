"""The loader over picture files: any sizes and modes, decoded by threads, and errors that name the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from simplejpeg import decode_jpeg
from torch import Tensor

from gapless import draws
from gapless.augment.image import Policy, Step
from gapless.augment.image.cpu import interpreter as cpu
from gapless.data import Files, Loader, class_folders
from gapless.data.decode import UnusableError
from gapless.data.loader.undecoded import Room, Undecoded
from gapless.errors import DataError, UsageError

POLICY = Policy((Step("resized_crop", 0.7), Step("flip_x", 1, 0.5), Step("brightness", 0.4)), size=(16, 20))
PLAIN = Policy((), size=(16, 20))


def picture(seed: int, mode: str = "RGB") -> Image.Image:
    """A smooth picture of a size of its own: JPEG hardly changes it."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(12, 60, 2)
    rough = Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8))
    return rough.resize((int(width), int(height)), Image.Resampling.BICUBIC).convert(mode)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """30 JPEG and PNG files of different sizes."""
    found = [tmp_path / f"{number:02}.{'jpg' if number % 2 else 'png'}" for number in range(30)]
    for number, path in enumerate(found):
        picture(number).save(path)
    return found


def by_row(loader: Loader) -> Tensor:
    found = {int(row): image.clone() for images, rows in loader for row, image in zip(rows, images, strict=True)}
    return torch.stack([found[row] for row in sorted(found)])


@pytest.mark.parametrize(("batch_size", "threads"), [(30, 1), (7, 3), (1, 2), (25, 2)])
def test_same_pictures_however_they_are_loaded(paths: list[Path], batch_size: int, threads: int) -> None:
    decoded = [np.asarray(Image.open(path)) for path in paths]
    heights, widths = np.array([one.shape[:2] for one in decoded]).T
    u = draws.uniforms(3, "augment", 0, np.arange(30), POLICY.columns)
    wanted = cpu.run(POLICY.program(u, heights, widths), decoded)
    found = by_row(Loader(Files(paths), None, POLICY, batch_size, seed=3, threads=threads))
    assert torch.equal(found, wanted)


def test_names_may_be_words(paths: list[Path]) -> None:
    one, other = (by_row(Loader(Files(names), None, PLAIN)) for names in (paths, [str(path) for path in paths]))
    assert torch.equal(one, other)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "LA", "CMYK", "I;16"])
def test_every_mode_becomes_the_channels_asked_for(mode: str, channels: int, tmp_path: Path) -> None:
    gray = np.tile(np.linspace(0, 255, 24, dtype=np.uint8), (20, 1))
    if mode == "I;16":
        Image.fromarray(gray.astype(np.uint16) * 257).save(tmp_path / "x.png")
    elif mode == "CMYK":
        Image.fromarray(gray).convert("CMYK").save(tmp_path / "x.jpg", quality=100)
    else:
        Image.fromarray(gray).convert(mode).save(tmp_path / "x.png")
    (path,) = tmp_path.iterdir()
    found = by_row(Loader(Files([path], channels), None, Policy((), size=(20, 24))))[0]
    assert found.shape == (channels, 20, 24)
    if mode != "1":
        wanted = torch.from_numpy(gray / 255).float().expand(min(channels, 3), 20, 24)
        torch.testing.assert_close(found[:3], wanted, atol=4 / 255, rtol=0)
    if channels == 4:
        assert (found[3] == 1).all()


def test_pictures_stand_upright(tmp_path: Path) -> None:
    upright = picture(1)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    upright.rotate(90, expand=True).save(tmp_path / "turned.png", exif=exif)
    upright.save(tmp_path / "upright.png")
    one, other = by_row(Loader(Files([tmp_path / "turned.png", tmp_path / "upright.png"]), None, PLAIN))
    assert torch.equal(one, other)


# ── JPEG files ──


def as_pillow(path: Path, channels: int) -> NDArray[np.int64]:
    with Image.open(path) as found:
        upright = ImageOps.exif_transpose(found).convert({1: "L", 3: "RGB", 4: "RGBA"}[channels])
    return np.asarray(upright).reshape(upright.height, upright.width, channels).astype(np.int64)


def whole(path: Path, channels: int, room: Room | None = None) -> NDArray[np.uint8]:
    """The picture as the loader decodes it when everything is looked at."""
    found = Undecoded(path, channels, room or Room())
    pixels = found.pixels(found.height)
    assert pixels.shape == (found.height, found.width, channels)
    return pixels


def vivid(mode: str) -> Image.Image:
    """Noise with the strongest colours, odd sides: where decoders would differ."""
    levels = np.random.default_rng(0).integers(0, 2, (13, 21, 3), np.uint8) * 255
    return Image.fromarray(levels).resize((63, 39), Image.Resampling.BILINEAR).convert(mode)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("orientation", [None, 1, 2, 6])
@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("RGB", {"subsampling": 0}),
        ("RGB", {"subsampling": 1}),
        ("RGB", {"subsampling": 2, "quality": 40}),
        ("RGB", {"progressive": True}),
        ("RGB", {"keep_rgb": True}),
        ("L", {}),
        ("L", {"progressive": True}),
        ("CMYK", {}),
        ("CMYK", {"subsampling": 2}),
    ],
)
def test_jpeg_files_are_as_pillow_decodes_them(
    mode: str, options: dict[str, Any], orientation: int | None, channels: int, tmp_path: Path
) -> None:
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    vivid(mode).save(tmp_path / "x.jpg", exif=exif, **options)
    found = whole(tmp_path / "x.jpg", channels)
    wanted = as_pillow(tmp_path / "x.jpg", channels)
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= 2


def test_a_jpeg_file_is_decoded_where_the_one_before_was(tmp_path: Path) -> None:
    room, paths = Room(), [tmp_path / "large.jpg", tmp_path / "small.jpg", tmp_path / "larger.jpg"]
    for path, side in zip(paths, (40, 20, 60), strict=True):
        vivid("RGB").resize((side, side + 1)).save(path)
    large, small, larger = (whole(path, 3, room) for path in paths)
    assert small.ctypes.data == large.ctypes.data
    assert not np.shares_memory(larger, large)
    for found, path in ((small, paths[1]), (larger, paths[2])):
        assert np.abs(found - as_pillow(path, 3)).max() <= 2


def test_a_jpeg_file_with_a_flaw_that_decoders_pass_over(tmp_path: Path) -> None:
    """Bytes that belong to nothing: the pixels are all there."""
    path = tmp_path / "x.jpg"
    vivid("RGB").save(path)
    wanted, content = as_pillow(path, 3), path.read_bytes()
    path.write_bytes(content[:-2] + bytes(20) + content[-2:])
    with pytest.raises(ValueError, match="extraneous bytes"):
        decode_jpeg(path.read_bytes())
    assert np.abs(whole(path, 3) - wanted).max() <= 2


@pytest.mark.parametrize("channels", [1, 3])
def test_a_broken_jpeg_file_says_what_pillow_says(channels: int, tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    vivid("RGB").resize((400, 300)).save(path)
    content = path.read_bytes()
    for broken, message in (
        (content[: len(content) // 2], "image file is truncated"),
        (content[:-2], "image file is truncated"),
        (content[:300], "Truncated File Read"),
        (content[:2000] + b"\xff\xc0" + content[2002:], "broken data stream"),
    ):
        path.write_bytes(broken)
        with pytest.raises(UnusableError, match=f"broken: {message}"):
            whole(path, channels)


def test_class_folders(tmp_path: Path) -> None:
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        for number in range(3):
            Image.new("RGB", (8, 9), (255 * (label == "dog"), 10 * number, 0)).save(tmp_path / label / f"{number}.png")
    files, labels, names = class_folders(tmp_path)
    assert names == ("cat", "dog")
    assert len(files) == 6
    for images, found in Loader(files, labels, PLAIN, 4):
        assert torch.equal(images[:, 0, 0, 0].long(), found)


# ── what cannot be used ──


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty file, 0 bytes; remove the file or convert it"),
        (b"no picture at all", "not a PNG, JPEG, WebP, GIF or BMP picture"),
        (None, r"cannot be read \(No such file or directory\)"),
    ],
)
def test_a_bad_file_is_named(paths: list[Path], content: bytes | None, message: str, threads: int) -> None:
    """The batches before it arrive; those of the first bad file do not."""
    for number in (11, 13, 29):
        if content is None:
            paths[number].unlink()
        else:
            paths[number].write_bytes(content)
    seen = 0
    with pytest.raises(DataError, match=f"{paths[11]}: {message}"):
        for _ in Loader(Files(paths), None, POLICY, 5, shuffle=False, threads=threads):
            seen += 1
    assert seen == 2


def test_a_torn_file_is_named(paths: list[Path]) -> None:
    whole = paths[1].read_bytes()
    paths[1].write_bytes(whole[:-60])  # behind the header, in the pixels
    with pytest.raises(DataError, match=f"{paths[1]}: broken: .*truncated"):
        list(Loader(Files(paths), None, POLICY, 5, shuffle=False))


def test_a_pass_after_an_error_works(paths: list[Path]) -> None:
    whole = paths[3].read_bytes()
    paths[3].write_bytes(b"")
    loader = Loader(Files(paths), None, POLICY, 5, threads=2)
    with pytest.raises(DataError, match="empty file"):
        list(loader)
    paths[3].write_bytes(whole)
    assert len(by_row(loader)) == 30


def test_files_need_a_size(paths: list[Path]) -> None:
    with pytest.raises(UsageError, match=r"files need a policy with a size, such as .*: theirs may differ"):
        Loader(Files(paths), None, Policy((Step("flip_x", 1),)))


def test_wrong_lists() -> None:
    with pytest.raises(DataError, match="the list of files is empty"):
        Loader(Files([]), None, PLAIN)
    with pytest.raises(UsageError, match="paths must be a list of picture files, got 'folder'; see class_folders"):
        Files("folder")
    with pytest.raises(UsageError, match=r"channels must be 1 \(gray\), 3 \(RGB\) or 4 \(RGBA\), got 2"):
        Files(["a.png"], channels=2)


def test_a_folder_without_class_folders(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the folder is empty"):
        class_folders(tmp_path)
