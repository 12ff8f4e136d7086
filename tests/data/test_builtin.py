"""The sets known by name, and the strict reader of their files."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from gapless.data.readers import builtin
from gapless.data.readers.idx import read_idx
from gapless.data.source import SourceOptions, load
from gapless.errors import DataError


def idx(array: NDArray[np.uint8]) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def fashion_folder(folder: Path, zipped: bool = True, separator: str = "-") -> Path:
    """Files laid out like the real ones, with few and random pictures."""
    generator = np.random.default_rng(0)
    for part, rows in (("train", 60), ("t10k", 20)):
        images = generator.integers(0, 256, (rows, 28, 28), dtype=np.uint8)
        labels = (np.arange(rows) % 10).astype(np.uint8)
        for kind, content in ((f"images{separator}idx3", idx(images)), (f"labels{separator}idx1", idx(labels))):
            path = folder / f"{part}-{kind}-ubyte{'.gz' if zipped else ''}"
            path.write_bytes(gzip.compress(content) if zipped else content)
    return folder


def test_digits() -> None:
    task = load("digits", SourceOptions())
    assert task.confirm is not None
    assert (len(task.develop), len(task.confirm), task.shape) == (1258, 539, (1, 8, 8))
    assert task.classes == tuple("0123456789")
    assert task.notes == ()
    x, y = load_digits(return_X_y=True)
    expected = {
        (np.rint(row * 255 / 16).astype(np.uint8).tobytes(), int(label)) for row, label in zip(x, y, strict=True)
    }
    rows = [
        (row.tobytes(), int(label))
        for part in (task.develop, task.confirm)
        for row, label in zip(part.x, part.y, strict=True)
    ]
    assert len(rows) == len(set(rows)) == 1797
    assert set(rows) == expected
    assert {int(task.develop.x.min()), int(task.develop.x.max())} == {0, 255}


def test_digits_with_a_train_size() -> None:
    task = load("digits", SourceOptions(train_size=150))
    assert task.confirm is not None
    assert (len(task.develop), len(task.confirm)) == (150, 1647)
    assert np.ptp(np.bincount(task.develop.y)) <= 1


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("separator", ["-", "."])
def test_fashion_mnist_from_a_folder(tmp_path: Path, zipped: bool, separator: str) -> None:
    task = load("fashion-mnist", SourceOptions(data_dir=fashion_folder(tmp_path, zipped, separator)))
    assert task.confirm is not None
    assert (len(task.develop), len(task.confirm), task.shape) == (60, 20, (1, 28, 28))
    assert task.classes[0] == "t-shirt/top" and task.classes[9] == "ankle boot" and len(task.classes) == 10
    expected = np.random.default_rng(0).integers(0, 256, (60, 28, 28), dtype=np.uint8)
    np.testing.assert_array_equal(task.develop.x[..., 0], expected)
    assert task.develop.y.tolist() == [i % 10 for i in range(60)]
    assert task.develop.x.flags.writeable


def test_fashion_mnist_keeps_its_test_pictures_for_confirm(tmp_path: Path) -> None:
    task = load("fashion-mnist", SourceOptions(data_dir=fashion_folder(tmp_path), train_size=30))
    assert task.confirm is not None
    assert (len(task.develop), len(task.confirm)) == (30, 20)
    assert np.bincount(task.develop.y).tolist() == [3] * 10


def test_fashion_mnist_where_debian_puts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(builtin._DEBIAN_FOLDER) == "/usr/share/datasets/fashion-mnist"  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(builtin, "_DEBIAN_FOLDER", fashion_folder(tmp_path))
    assert len(load("fashion-mnist", SourceOptions()).develop) == 60
    monkeypatch.setattr(builtin, "_DEBIAN_FOLDER", tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"no folder .*nowhere; either install .*dataset-fashion-mnist.* --data-dir"):
        load("fashion-mnist", SourceOptions())


def test_fashion_mnist_with_a_missing_file(tmp_path: Path) -> None:
    (fashion_folder(tmp_path) / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match=r"has no file t10k-labels-idx1-ubyte\(\.gz\); either install .* --data-dir"):
        load("fashion-mnist", SourceOptions(data_dir=tmp_path))


def test_fashion_mnist_with_files_that_do_not_fit(tmp_path: Path) -> None:
    path = fashion_folder(tmp_path) / "train-labels-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(idx(np.zeros(59, np.uint8))))
    with pytest.raises(DataError, match="59 labels for 60 pictures"):
        load("fashion-mnist", SourceOptions(data_dir=tmp_path))
    path.write_bytes(gzip.compress(idx(np.full(60, 10, np.uint8))))
    with pytest.raises(DataError, match="labels must be 0 to 9, got 10"):
        load("fashion-mnist", SourceOptions(data_dir=tmp_path))


GOOD = idx(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starts with 00000803, got an empty file"),
        (b"\0\0\x08", "starts with 00000803, got 000008"),
        (b"\0\0\x0d\x03" + GOOD[4:], "got 00000d03"),
        (b"\0\0\x08\x01" + GOOD[4:], "got 00000801"),
        (b"\x89PNG" + GOOD[4:], "got 89504e47"),
        (GOOD[:10], "the file ends within its header"),
        (GOOD[:-1], r"sizes \(2, 3, 4\) need 24 bytes of data, there are only 23"),
        (GOOD + b"\0", r"sizes \(2, 3, 4\) need 24 bytes of data, there are more"),
        (b"\0\0\x08\x03" + b"\xff" * 12 + b"\0", "need more data than the file can hold"),
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_the_idx_reader_is_strict(tmp_path: Path, content: bytes, message: str, zipped: bool) -> None:
    path = tmp_path / ("a.gz" if zipped else "a")
    path.write_bytes(gzip.compress(content) if zipped else content)
    with pytest.raises(DataError, match=message):
        read_idx(path, dimensions=3)


@pytest.mark.parametrize("end", range(0, 60, 5))
def test_a_gzip_file_cut_anywhere(tmp_path: Path, end: int) -> None:
    whole = gzip.compress(idx(np.random.default_rng(0).integers(0, 256, (4, 4, 4), dtype=np.uint8)))
    (tmp_path / "a.gz").write_bytes(whole[:end])
    with pytest.raises(DataError, match=r"fetch it again|starts with"):
        read_idx(tmp_path / "a.gz", dimensions=3)


def test_a_file_that_is_not_gzip(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(GOOD)
    with pytest.raises(DataError, match=r"cannot be read .*; fetch it again"):
        read_idx(tmp_path / "a.gz", dimensions=3)


def test_the_idx_reader_reads_what_was_written(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(GOOD)
    np.testing.assert_array_equal(read_idx(tmp_path / "a", 3), np.arange(24).reshape(2, 3, 4))
