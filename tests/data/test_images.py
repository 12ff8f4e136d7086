"""A folder of class folders becomes one array, with every file accounted for."""

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gapless.data import Task
from gapless.data.source import SourceOptions, load


def save(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def noise(seed: int, height: int = 12, width: int = 12, channels: int = 3) -> NDArray[np.uint8]:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)
    return pixels[..., 0] if channels == 1 else pixels


def fill(root: Path, classes: tuple[str, ...] = ("cat", "dog"), each: int = 10, channels: int = 3) -> Path:
    """Noise pictures, all different."""
    for number, name in enumerate(classes):
        for i in range(each):
            save(root / name / f"{i:02}.png", noise(100 * number + i, channels=channels))
    return root


def read(root: Path, **options: object) -> Task:
    return load(str(root), SourceOptions(**options))  # pyright: ignore[reportArgumentType]  # each test its own


def all_rows(task: Task) -> dict[bytes, int]:
    assert task.confirm is not None
    return {
        row.tobytes(): int(label)
        for part in (task.develop, task.confirm)
        for row, label in zip(part.x, part.y, strict=True)
    }


def test_every_picture_arrives_with_its_class(tmp_path: Path) -> None:
    task = read(fill(tmp_path / "pets"))
    assert task.name == "pets"
    assert task.classes == ("cat", "dog")
    assert (len(task.develop), task.shape) == (14, (3, 12, 12))
    expected = {noise(100 * label + i).tobytes(): label for label in (0, 1) for i in range(10)}
    assert all_rows(task) == expected
    assert task.skipped == ()


def test_the_same_seed_gives_the_same_rows(tmp_path: Path) -> None:
    root = fill(tmp_path)
    first, again, other = read(root, seed=1), read(root, seed=1), read(root, seed=2)
    np.testing.assert_array_equal(first.develop.x, again.develop.x)
    assert not np.array_equal(first.develop.x, other.develop.x)


def test_train_size_leaves_the_others_to_confirm(tmp_path: Path) -> None:
    task = read(fill(tmp_path), train_size=6)
    assert task.confirm is not None
    assert np.bincount(task.develop.y).tolist() == [3, 3]
    assert len(task.confirm) == 14


def test_classes_that_are_numbers_are_sorted_as_numbers(tmp_path: Path) -> None:
    assert read(fill(tmp_path, ("10", "9", "x"), each=4)).classes == ("9", "10", "x")


@pytest.mark.parametrize(
    ("sides", "expected"),
    [([12, 12, 13], 12), ([13, 14, 15], 16), ([29, 30, 31], 32), ([200, 200, 200], 64), ([2, 2, 2], 4)],
)
def test_the_side_is_the_median_in_steps_of_four(tmp_path: Path, sides: list[int], expected: int) -> None:
    for name in ("a", "b"):
        for i, side in enumerate(sides):
            save(tmp_path / name / f"{i}.png", noise(i, side, side + 5))
    task = read(tmp_path)
    assert task.shape == (3, expected, expected)
    assert any(f"{expected}x{expected}" in note and "--image-size" in note for note in task.notes)


def test_the_side_can_be_chosen(tmp_path: Path) -> None:
    task = read(fill(tmp_path), image_size=9)
    assert task.shape == (3, 9, 9)
    assert not any("--image-size" in note for note in task.notes)


def test_gray_pictures_have_one_channel_whatever_their_mode(tmp_path: Path) -> None:
    fill(tmp_path, channels=1)
    save(tmp_path / "cat" / "rgb.png", np.dstack([noise(77, channels=1)] * 3))
    task = read(tmp_path)
    assert task.shape == (1, 12, 12)
    assert noise(77, channels=1).tobytes() in all_rows(task)


def test_one_colour_picture_makes_three_channels(tmp_path: Path) -> None:
    fill(tmp_path, channels=1)
    save(tmp_path / "cat" / "colour.png", noise(77))
    task = read(tmp_path)
    assert task.shape == (3, 12, 12)
    assert {noise(77).tobytes(), np.dstack([noise(3, channels=1)] * 3).tobytes()} <= set(all_rows(task))


def test_one_transparent_picture_makes_four_channels(tmp_path: Path) -> None:
    fill(tmp_path, channels=1)
    save(tmp_path / "cat" / "clear.png", noise(77, channels=4))
    task = read(tmp_path)
    assert task.shape == (4, 12, 12)
    opaque = np.dstack([noise(3, channels=1)] * 3 + [np.full((12, 12), 255, np.uint8)])
    assert {noise(77, channels=4).tobytes(), opaque.tobytes()} <= set(all_rows(task))


def test_opaque_alpha_does_not_make_four_channels(tmp_path: Path) -> None:
    fill(tmp_path)
    save(tmp_path / "cat" / "opaque.png", np.dstack([noise(77), np.full((12, 12), 255, np.uint8)]))
    assert read(tmp_path).shape == (3, 12, 12)


def test_folders_one_level_down_count_and_deeper_ones_are_listed(tmp_path: Path) -> None:
    fill(tmp_path)
    save(tmp_path / "cat" / "more" / "a.png", noise(77))
    save(tmp_path / "cat" / "more" / "deeper" / "b.png", noise(78))
    task = read(tmp_path)
    rows = all_rows(task)
    assert rows[noise(77).tobytes()] == 0
    assert noise(78).tobytes() not in rows
    assert [(one.where, one.reason) for one in task.skipped] == [
        ("cat/more/deeper", "a folder more than one level below its class folder")
    ]


def test_hidden_files_are_passed_over(tmp_path: Path) -> None:
    fill(tmp_path)
    save(tmp_path / "cat" / ".hidden.png", noise(77))
    save(tmp_path / ".thumbnails" / "a.png", noise(78))
    (tmp_path / ".DS_Store").write_bytes(b"x")
    task = read(tmp_path)
    assert len(all_rows(task)) == 20
    assert task.classes == ("cat", "dog")
    assert task.skipped == ()


def test_other_files_are_listed(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "cat" / "notes.txt").write_text("x")
    save(tmp_path / "loose.png", noise(77))
    assert {(one.where, one.reason) for one in read(tmp_path).skipped} == {
        ("cat/notes.txt", "not the ending of a PNG, JPEG, WebP, GIF or BMP picture"),
        ("loose.png", "not in a class folder"),
    }


def test_links_inside_are_followed_and_links_outside_are_not(tmp_path: Path) -> None:
    root = fill(tmp_path / "pets")
    save(tmp_path / "outside" / "a.png", noise(77))
    save(root / "dog" / "extra" / "b.png", noise(78))
    (root / "cat" / "out.png").symlink_to(tmp_path / "outside" / "a.png")
    (root / "cat" / "outdir").symlink_to(tmp_path / "outside")
    (root / "cat" / "in.png").symlink_to(root / "dog" / "extra" / "b.png")
    (root / "cat" / "gone.png").symlink_to(root / "nowhere.png")
    (root / "cat" / "loop.png").symlink_to(root / "cat" / "loop.png")
    (root / "bird").symlink_to(tmp_path / "outside")
    task = read(root)
    assert noise(77).tobytes() not in all_rows(task)
    assert task.classes == ("cat", "dog")
    reasons = {one.where: one.reason for one in task.skipped}
    assert reasons == {
        "bird": "a link that leads out of the folder",
        "cat/out.png": "a link that leads out of the folder",
        "cat/outdir": "a link that leads out of the folder",
        "cat/gone.png": "not a regular file, or a broken link",
        "cat/loop.png": "not a regular file, or a broken link",
    }
    assert task.confirm is not None
    assert len(task.develop) + len(task.confirm) == 22
    assert any("different label" in note for note in task.notes)


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    fill(tmp_path)
    os.mkfifo(tmp_path / "cat" / "pipe.png")
    assert [one.where for one in read(tmp_path).skipped] == ["cat/pipe.png"]


def test_the_source_itself_may_be_a_link(tmp_path: Path) -> None:
    fill(tmp_path / "pets")
    (tmp_path / "link").symlink_to(tmp_path / "pets")
    assert len(all_rows(read(tmp_path / "link"))) == 20


@pytest.mark.parametrize("test_name", ["test", "val", "validation", "Test"])
def test_train_and_test_folders(tmp_path: Path, test_name: str) -> None:
    fill(tmp_path / "train")
    for i, name in enumerate(("cat", "dog")):
        save(tmp_path / test_name / name / "a.png", noise(500 + i))
    task = read(tmp_path)
    assert task.confirm is not None
    assert (len(task.develop), len(task.confirm)) == (20, 2)
    assert {row.tobytes(): int(y) for row, y in zip(task.confirm.x, task.confirm.y, strict=True)} == {
        noise(500).tobytes(): 0,
        noise(501).tobytes(): 1,
    }


def test_test_comes_before_val_and_val_is_noted(tmp_path: Path) -> None:
    fill(tmp_path / "train")
    fill(tmp_path / "test", each=3)
    fill(tmp_path / "val", each=2)
    task = read(tmp_path)
    assert task.confirm is not None and len(task.confirm) == 6
    assert any(note.startswith("val/ is left out") for note in task.notes)


def test_a_test_folder_without_classes_is_noted(tmp_path: Path) -> None:
    fill(tmp_path / "train")
    save(tmp_path / "test" / "1.png", noise(500))
    task = read(tmp_path)
    assert task.confirm is not None
    assert (len(task.develop), len(task.confirm)) == (14, 6)
    assert any(note.startswith("test/ is left out") for note in task.notes)


def test_classes_called_train_and_test_are_classes(tmp_path: Path) -> None:
    assert read(fill(tmp_path, ("train", "test"))).classes == ("test", "train")
    assert read(fill(tmp_path, ("bus",))).classes == ("bus", "test", "train")
    fill(tmp_path / "train", ("steam", "diesel"))
    assert read(tmp_path).classes == ("bus", "test", "train")


def test_given_test_data_becomes_confirm(tmp_path: Path) -> None:
    fill(tmp_path / "pets")
    fill(tmp_path / "new", each=3, classes=("dog", "cat"))
    task = read(tmp_path / "pets", test=tmp_path / "new", train_size=8)
    assert task.confirm is not None
    assert (len(task.develop), np.bincount(task.confirm.y).tolist()) == (8, [3, 3])


def test_the_side_is_that_of_the_pictures_to_develop_with(tmp_path: Path) -> None:
    fill(tmp_path / "pets", each=3)
    for i in range(20):
        save(tmp_path / "new" / "cat" / f"{i}.png", noise(i, 40, 40))
    assert read(tmp_path / "pets", test=tmp_path / "new").shape == (3, 12, 12)


def test_given_test_data_goes_before_the_folders_own(tmp_path: Path) -> None:
    fill(tmp_path / "pets" / "train")
    fill(tmp_path / "pets" / "test", each=4)
    fill(tmp_path / "new", each=3)
    task = read(tmp_path / "pets", test=tmp_path / "new")
    assert task.confirm is not None and len(task.confirm) == 6
    assert any(note.startswith("test/ is left out") for note in task.notes)


def test_copies_stay_in_one_part_and_an_empty_class_is_noted(tmp_path: Path) -> None:
    fill(tmp_path, each=20)
    for i in range(5):
        save(tmp_path / "cat" / f"copy{i}.png", noise(0))
    (tmp_path / "bird").mkdir()
    task = read(tmp_path)
    assert task.confirm is not None
    copies = [sum(row.tobytes() == noise(0).tobytes() for row in part.x) for part in (task.develop, task.confirm)]
    assert sorted(copies) == [0, 6]
    assert "Class folder 'bird' holds no pictures and is left out." in task.notes


def test_progress_is_told(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    load(str(fill(tmp_path, each=150)), SourceOptions(), lambda done, total: calls.append((done, total)))
    assert calls == [(256, 300), (300, 300)]
