"""Broken, huge, tiny and missing pictures: skipped and listed, or one clear error."""

import errno
import os
import struct
import warnings
import zlib
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gapless.data import Task, cache
from gapless.data.source import SourceOptions, load
from gapless.errors import DataError, UsageError


def picture(path: Path, seed: int, size: int = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)).save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number, name in enumerate(("cat", "dog")):
        for i in range(10):
            picture(tmp_path / "pets" / name / f"{i}.png", 100 * number + i)
    return tmp_path / "pets"


def reasons(task: Task) -> dict[str, str]:
    return {one.where: one.reason for one in task.skipped}


def rows(task: Task) -> int:
    assert task.confirm is not None
    return len(task.develop) + len(task.confirm)


def read(root: Path, **options: object) -> Task:
    return load(str(root), SourceOptions(**options))  # pyright: ignore[reportArgumentType]  # each test its own


def png_header(width: int, height: int) -> bytes:
    """A PNG that declares a size and holds nothing."""
    data = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + data + struct.pack(">I", zlib.crc32(data))
    return start + struct.pack(">I", 1000) + b"IDAT"


def test_every_kind_of_bad_picture_is_listed_with_its_reason(root: Path) -> None:
    good = (root / "cat" / "0.png").read_bytes()
    picture(root / "cat" / "whole.jpg", seed=77, size=64)
    jpeg = (root / "cat" / "whole.jpg").read_bytes()
    files = {
        "zero.png": b"",
        "text.png": b"this is no picture at all",
        "cut.png": good[: len(good) // 2],
        "cut.jpg": jpeg[: len(jpeg) // 2],
        "headless.png": good[8:],
        "huge.png": png_header(10_000, 10_000),
        "bomb.png": png_header(60_000, 60_000),
    }
    for name, content in files.items():
        (root / "cat" / name).write_bytes(content)
    Image.new("RGB", (1, 1)).save(root / "dog" / "dot.png")
    Image.new("RGB", (1, 50)).save(root / "dog" / "line.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        task = read(root)
    found = reasons(task)
    assert found.pop("cat/zero.png") == "empty file, 0 bytes"
    assert found.pop("cat/text.png") == found.pop("cat/headless.png") == "not a PNG, JPEG, WebP, GIF or BMP picture"
    assert found.pop("cat/cut.png").startswith("broken: ")
    assert found.pop("cat/cut.jpg").startswith("broken: image file is truncated")
    assert found.pop("cat/huge.png") == "100 megapixels or more: 10000 x 10000"
    assert found.pop("cat/bomb.png") == "100 megapixels or more"
    assert found.pop("dog/dot.png") == "too small: 1 x 1"
    assert found.pop("dog/line.png") == "too small: 1 x 50"
    assert found == {}
    assert rows(task) == 21


def test_a_picture_just_below_the_limit_is_decoded_without_a_warning(root: Path) -> None:
    # Above Pillow's own limit for a warning, below ours for leaving out.
    Image.new("1", (10_000, 9_500), 1).save(root / "cat" / "large.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        task = read(root)
    assert task.skipped == ()
    assert rows(task) == 21


@pytest.mark.parametrize("end", [*range(0, 200, 7)])
def test_a_png_cut_anywhere_is_skipped(root: Path, end: int) -> None:
    whole = (root / "cat" / "0.png").read_bytes()
    (root / "cat" / "0.png").write_bytes(whole[:end])
    assert list(reasons(read(root))) == ["cat/0.png"]


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif", "a.webp", "a.bmp"])
def test_flipped_bytes_never_escape(root: Path, name: str) -> None:
    generator = np.random.default_rng(0)
    picture(root / "cat" / name, seed=5, size=40)
    whole = np.frombuffer((root / "cat" / name).read_bytes(), dtype=np.uint8)
    for i in range(20):
        damaged = whole.copy()
        places = generator.integers(0, len(whole), 4)
        damaged[places] = generator.integers(0, 256, 4)
        (root / "dog" / f"{i}{name}").write_bytes(damaged.tobytes())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        task = read(root)
    assert rows(task) + len(task.skipped) == 41


@pytest.mark.parametrize("content", [b"", "half"])
def test_the_classes_keep_their_shares_when_pictures_are_left_out(root: Path, content: bytes | str) -> None:
    for path in root.glob("cat/[0-5].png"):
        path.write_bytes(path.read_bytes()[:100] if content == "half" else b"")
    for seed in range(5):
        assert np.bincount(read(root, train_size=7, seed=seed).develop.y).tolist() == [2, 5]


def test_more_than_half_broken_is_an_error(root: Path) -> None:
    for i in range(5):
        for name in ("cat", "dog"):
            (root / name / f"{i}.png").write_bytes(b"broken")
    assert len(read(root).skipped) == 10
    (root / "cat" / "5.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"11 of 20 pictures cannot be used, more than half: cat/0.png: not a PNG"):
        read(root)


@pytest.mark.parametrize("memory", [10**9, 0])
def test_more_than_half_broken_behind_a_good_header_is_an_error(root: Path, tmp_path: Path, memory: int) -> None:
    for path in [*root.glob("cat/*.png"), *root.glob("dog/[0-4].png")]:
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match="15 of 20 pictures cannot be used"):
        read(root, memory=memory, cache=tmp_path / "cache")
    assert not list(tmp_path.glob("cache/*.part"))


def test_all_broken_behind_good_headers_from_files(root: Path, tmp_path: Path) -> None:
    for path in root.glob("*/*.png"):
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match="20 of 20 pictures cannot be used"):
        read(root, memory=0, cache=tmp_path / "cache")


def test_a_class_whose_pictures_are_all_broken_is_left_out(root: Path) -> None:
    for i in range(3):
        (root / "owl").mkdir(exist_ok=True)
        (root / "owl" / f"{i}.png").write_bytes(b"broken")
    task = read(root)
    assert task.classes == ("cat", "dog")
    assert "Class 'owl' has no usable picture and is left out." in task.notes
    assert sorted(np.bincount(task.develop.y).tolist()) == [7, 7]


def test_no_such_folder(root: Path) -> None:
    with pytest.raises(DataError, match=r"there is no data '.*/pet'; give a built-in name .*Did you mean '.*/pets'\?"):
        read(root.parent / "pet")


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the folder is empty; put the pictures of each class into a folder"):
        read(tmp_path)


def test_pictures_without_class_folders(tmp_path: Path) -> None:
    for i in range(3):
        picture(tmp_path / f"{i}.png", i)
    with pytest.raises(DataError, match="holds 3 pictures but no class folders; put the pictures of each class"):
        read(tmp_path)


def test_files_that_are_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "a.doc").write_text("x")
    with pytest.raises(DataError, match="holds neither pictures nor class folders"):
        read(tmp_path)


def test_class_folders_without_pictures(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.tiff").write_bytes(b"x")
    with pytest.raises(DataError, match=r"none of its 2 folders holds a picture \(\.png, \.jpg"):
        read(tmp_path)


def test_one_class(tmp_path: Path) -> None:
    picture(tmp_path / "cat" / "1.png", 1)
    picture(tmp_path / "cat" / "2.png", 2)
    with pytest.raises(DataError, match="only one class, 'cat', two or more are needed"):
        read(tmp_path)


def test_one_class_because_the_folder_is_one_too_high(root: Path) -> None:
    with pytest.raises(DataError, match=rf"only one class, 'pets'.*did you mean {root}\?"):
        read(root.parent)


def test_a_class_with_a_single_picture(root: Path) -> None:
    picture(root / "owl" / "1.png", 1)
    with pytest.raises(DataError, match="class 'owl' has a single row to develop with"):
        read(root)


def test_a_class_with_a_single_good_picture(root: Path) -> None:
    picture(root / "owl" / "1.png", 1)
    (root / "owl" / "2.png").write_bytes(b"broken")
    with pytest.raises(DataError, match="class 'owl' has a single row to develop with"):
        read(root)


def test_too_few_pictures_to_put_any_aside(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        for i in range(2):
            picture(tmp_path / name / f"{i}.png", i + len(name))
    with pytest.raises(DataError, match="4 rows are too few to put 1 aside: develop needs 2 rows of each class"):
        read(tmp_path)


def test_test_data_of_an_unknown_class(root: Path, tmp_path: Path) -> None:
    picture(tmp_path / "new" / "cow" / "1.png", 1)
    with pytest.raises(DataError, match=r"class 'cow' is not among the classes to develop with \(cat, dog\)"):
        read(root, test=tmp_path / "new")


def test_test_data_without_pictures(root: Path, tmp_path: Path) -> None:
    (tmp_path / "new" / "cat").mkdir(parents=True)
    with pytest.raises(DataError, match="the test data holds no pictures in class folders"):
        read(root, test=tmp_path / "new")


def test_test_data_that_is_no_folder(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--test must be a folder of class folders like the source"):
        read(root, test=tmp_path / "nowhere")


@pytest.mark.parametrize("size", [0, 1, 1025, -8])
def test_an_image_size_that_cannot_be(root: Path, size: int) -> None:
    with pytest.raises(UsageError, match=rf"image size must be 2 to 1024 pixels, got {size}"):
        read(root, image_size=size)


def test_a_disk_that_is_too_small_says_how_much_is_needed(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: usage(10**9, 10**9 - 5, 5))
    with pytest.raises(DataError, match=rf"needs up to 0\.00 GB in {tmp_path / 'cache'}: 0\.00 GB are free; make room"):
        read(root, memory=0, cache=tmp_path / "cache")
    assert not list(tmp_path.glob("cache/*.npy"))


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_a_disk_that_fills_up_while_writing_leaves_nothing(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    written = 0
    plain = cache._write  # pyright: ignore[reportPrivateUsage]  # the one place where bytes go to the disk

    def failing(write: object, block: cache.Pixels) -> None:
        nonlocal written
        if written == after:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written += 1
        plain(write, block)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(cache, "_write", failing)
    if after == 3:
        assert rows(read(root, memory=0, cache=tmp_path / "cache")) == 20
        return
    with pytest.raises(DataError, match=r"the cache of decoded pictures needs up to .*: No space left on device"):
        read(root, memory=0, cache=tmp_path / "cache")
    assert not list(tmp_path.glob("cache/*.part"))
    assert not list(tmp_path.glob("cache/*.json"))
    monkeypatch.setattr(cache, "_write", plain)
    assert rows(read(root, memory=0, cache=tmp_path / "cache")) == 20


def test_a_cache_folder_that_cannot_be_made(root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match=r"the cache of decoded pictures needs the folder .*: Not a directory"):
        read(root, memory=0, cache=tmp_path / "file" / "cache")


def test_what_a_killed_process_left_is_overwritten(root: Path, tmp_path: Path) -> None:
    read(root, memory=0, cache=tmp_path / "cache")
    (index,) = tmp_path.glob("cache/*.json")
    key = index.stem
    index.unlink()
    for name in (f"{key}.raw.part", f"{key}-develop.npy.part"):
        (tmp_path / "cache" / name).write_bytes(b"x" * 10**6)
    assert rows(read(root, memory=0, cache=tmp_path / "cache")) == 20
    assert not list(tmp_path.glob("cache/*.part"))
