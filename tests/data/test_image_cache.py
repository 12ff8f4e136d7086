"""A folder above the memory budget is decoded into files, once, and gives the same Task."""

import json
import multiprocessing
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock, Timeout
from PIL import Image

from gapless.data import Task, images
from gapless.data.decode import Pixels, decode
from gapless.data.source import SourceOptions, load


@pytest.fixture
def root(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    for name in ("cat", "dog", "cow"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for i in range(20):
            pixels = generator.integers(0, 256, (8, 8, 4), dtype=np.uint8)
            pixels[..., 3] = 255
            Image.fromarray(pixels).save(tmp_path / "pets" / name / f"{i}.png")
    (tmp_path / "pets" / "cat" / "7.png").write_bytes(b"no picture")
    return tmp_path / "pets"


def mapped(root: Path, cache: Path, **options: int) -> Task:
    return load(str(root), SourceOptions(memory=0, cache=cache, **options))  # pyright: ignore[reportArgumentType]


def same(a: Task, b: Task) -> bool:
    assert a.confirm is not None and b.confirm is not None
    parts = ((a.develop, b.develop), (a.confirm, b.confirm))
    equal = all(np.array_equal(p.x, q.x) and np.array_equal(p.y, q.y) for p, q in parts)
    return equal and (a.classes, a.notes, a.skipped) == (b.classes, b.notes, b.skipped)


def no_decoding(*_: object) -> None:
    raise AssertionError("decoded again")


def test_the_task_is_the_same_from_files_as_from_memory(root: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    in_memory, from_files = load(str(root), SourceOptions(cache=cache)), mapped(root, cache)
    assert isinstance(from_files.develop.x, np.memmap)
    assert not isinstance(in_memory.develop.x, np.memmap)
    assert same(in_memory, from_files)
    # The opaque alpha channel is gone, the broken picture listed.
    assert from_files.shape == (3, 8, 8)
    assert [one.where for one in from_files.skipped] == ["cat/7.png"]


def test_memory_counts_the_pictures_twice(root: Path, tmp_path: Path) -> None:
    needed = 2 * 59 * 8 * 8 * 4
    for memory, expected in ((needed, False), (needed - 1, True)):
        task = load(str(root), SourceOptions(memory=memory, cache=tmp_path / "cache"))
        assert isinstance(task.develop.x, np.memmap) == expected


def test_files_are_used_again(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = mapped(root, tmp_path)
    monkeypatch.setattr(images, "decode", no_decoding)
    monkeypatch.setattr(images, "read_header", no_decoding)
    assert same(first, mapped(root, tmp_path))


def test_nothing_but_whole_files_is_left(root: Path, tmp_path: Path) -> None:
    mapped(root, tmp_path / "cache")
    endings = sorted(path.name.split("-")[-1].split(".", 1)[-1] for path in (tmp_path / "cache").iterdir())
    assert endings == ["json", "lock", "npy", "npy"]


@pytest.mark.parametrize("change", ["touch", "add", "remove", "seed", "train size", "image size"])
def test_a_change_has_the_pictures_decoded_again(root: Path, tmp_path: Path, change: str) -> None:
    cache = tmp_path / "cache"
    mapped(root, cache)
    made = set(cache.iterdir())
    path, options = root / "dog" / "3.png", {}
    if change == "touch":
        os.utime(path, ns=(1, 1))
    elif change == "add":
        Image.new("RGB", (8, 8)).save(root / "dog" / "new.png")
    elif change == "remove":
        path.unlink()
    else:
        options = {"seed": {"seed": 5}, "train size": {"train_size": 12}, "image size": {"image_size": 6}}[change]
    task = mapped(root, cache, **options)
    assert made < set(cache.iterdir())
    assert same(task, load(str(root), SourceOptions(cache=tmp_path / "unused", **options)))


@pytest.mark.parametrize("damage", ["no index", "torn index", "wrong index", "short array", "no array", "not an array"])
def test_damaged_files_are_made_again(root: Path, tmp_path: Path, damage: str) -> None:
    first = mapped(root, tmp_path / "cache")
    (index,) = (tmp_path / "cache").glob("*.json")
    (array,) = (tmp_path / "cache").glob("*-develop.npy")
    # The first task keeps its own mapping of the file: replace it, as another process would.
    content = array.read_bytes()
    array.unlink()
    if damage == "short array":
        array.write_bytes(content[:-100])
    elif damage == "not an array":
        array.write_bytes(b"x" * len(content))
    elif damage != "no array":
        array.write_bytes(content)
    if damage == "no index":
        index.unlink()
    elif damage == "torn index":
        index.write_text(index.read_text()[:-20])
    elif damage == "wrong index":
        index.write_text(json.dumps(json.loads(index.read_text()) | {"develop": [0]}))
    assert same(first, mapped(root, tmp_path / "cache"))


def test_writing_to_the_rows_does_not_change_the_files(root: Path, tmp_path: Path) -> None:
    first = mapped(root, tmp_path / "cache")
    before = first.develop.x[0].copy()
    np.asarray(first.develop.x)[0] = 0
    np.testing.assert_array_equal(mapped(root, tmp_path / "cache").develop.x[0], before)


def test_mapped_rows_travel_by_the_name_of_their_file(root: Path, tmp_path: Path) -> None:
    rows = mapped(root, tmp_path / "cache").develop
    sent = pickle.dumps(rows)
    assert len(sent) < rows.x.nbytes / 4
    np.testing.assert_array_equal(pickle.loads(sent).x, rows.x)


def _load_in_process(root: Path, cache: Path) -> bytes:
    return mapped(root, cache).develop.x.tobytes()


def test_two_processes_at_once(root: Path, tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        first, second = pool.starmap(_load_in_process, [(root, tmp_path / "cache")] * 2)
    assert first == second
    assert not list((tmp_path / "cache").glob("*.part"))


def test_the_folder_is_locked_while_it_is_filled(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def try_lock(picture: Path, side: int) -> Pixels:
        (path,) = (tmp_path / "cache").glob("*.lock")
        with pytest.raises(Timeout):
            FileLock(path, timeout=0).acquire()
        tried.append(picture.name)
        return decode(picture, side)

    monkeypatch.setattr(images, "decode", try_lock)
    mapped(root, tmp_path / "cache")
    assert len(tried) == 59


def test_the_default_folder(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    load(str(root), SourceOptions(memory=0))
    assert list((tmp_path / "xdg" / "gapless").glob("*.npy"))


def test_given_test_data_from_files(root: Path, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "new" / name).mkdir(parents=True)
        for i in range(3):
            Image.fromarray(np.full((8, 8, 3), 10 * i, np.uint8)).save(tmp_path / "new" / name / f"{i}.png")
    options = SourceOptions(test=tmp_path / "new", cache=tmp_path / "cache")
    plain = load(str(root), options)
    task = load(str(root), SourceOptions(test=tmp_path / "new", cache=tmp_path / "cache", memory=0))
    assert same(plain, task)
    assert task.confirm is not None and len(task.confirm) == 6


def test_two_folders_alike_in_names_sizes_and_times_do_not_share(tmp_path: Path) -> None:
    """As two archives unpacked with the times they were packed with."""
    folders = [tmp_path / "first", tmp_path / "second"]
    for level, folder in enumerate(folders):
        for name in ("a", "b"):
            (folder / name).mkdir(parents=True)
            for i in range(12):
                path = folder / name / f"{i}.bmp"
                Image.fromarray(np.full((8, 8), 100 * level + i, np.uint8)).save(path)
                os.utime(path, (1, 1))
    first, second = (mapped(folder, tmp_path / "cache") for folder in folders)
    assert first.develop.x.max() < 100 <= second.develop.x.min()
    for path in (folders[0] / "a").iterdir():  # the files of one folder are changed for others, with their times
        Image.fromarray(np.full((8, 8), 250, np.uint8)).save(path)
        os.utime(path, (1, 1))
    assert mapped(folders[0], tmp_path / "cache").develop.x.max() == 250


@pytest.mark.parametrize("content", ["empty", "of floats", "of another shape"])
def test_what_a_power_cut_or_another_program_left_is_made_again(root: Path, tmp_path: Path, content: str) -> None:
    before = mapped(root, tmp_path / "cache")
    (path,) = (tmp_path / "cache").glob("*-confirm.npy")
    shape = np.load(path).shape
    path.unlink()  # what `before` has mapped stays as it was
    if content == "empty":
        path.write_bytes(b"")
    else:
        np.save(path, np.zeros(shape if content == "of floats" else (shape[0], 4, 4, 3), np.float32))
    assert same(before, mapped(root, tmp_path / "cache"))
