"""Arrays in a .npz file become pictures or a table."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gapless.data import Task
from gapless.data.source import SourceOptions, load


def read(path: Path, **options: object) -> Task:
    return load(str(path), SourceOptions(**options))  # pyright: ignore[reportArgumentType]  # each test its own


def saved(path: Path, **arrays: NDArray[np.generic]) -> Path:
    np.savez(path, **arrays)  # pyright: ignore[reportArgumentType]
    return path


def pixels(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


Y = np.arange(40) % 4


def rows(task: Task) -> set[bytes]:
    assert task.confirm is not None
    return {row.tobytes() for part in (task.develop, task.confirm) for row in part.x}


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((40, 6, 7), (1, 6, 7)),
        ((40, 6, 7, 1), (1, 6, 7)),
        ((40, 6, 7, 3), (3, 6, 7)),
        ((40, 6, 7, 4), (4, 6, 7)),
        ((40, 3, 6, 7), (3, 6, 7)),
        ((40, 1, 6, 7), (1, 6, 7)),
        ((40, 3, 6, 3), (3, 3, 6)),
    ],
)
def test_the_shapes_of_pictures(tmp_path: Path, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    x = pixels(*shape)
    task = read(saved(tmp_path / "a.npz", x=x, y=Y))
    assert task.shape == expected
    last = x if x.ndim == 3 or shape[3] in (1, 3, 4) else x.transpose(0, 2, 3, 1)
    assert rows(task) == {row.tobytes() for row in last}
    assert any("channels first" in note for note in task.notes) == (last is not x)
    assert task.confirm is not None and (len(task.develop), len(task.confirm)) == (28, 12)


def test_compressed_files(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=pixels(40, 6, 6), y=Y)
    assert rows(read(tmp_path / "a.npz")) == {row.tobytes() for row in pixels(40, 6, 6)}


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floats_up_to_one_become_bytes(tmp_path: Path, dtype: str) -> None:
    x = (pixels(40, 6, 6, 3) / 255).astype(dtype)
    task = read(saved(tmp_path / "a.npz", x=x, y=Y))
    assert rows(task) == {row.tobytes() for row in pixels(40, 6, 6, 3)}
    assert any("floats in [0, 1]" in note for note in task.notes)


@pytest.mark.parametrize("dtype", ["int64", "float32", "uint16"])
def test_whole_numbers_up_to_255_become_bytes(tmp_path: Path, dtype: str) -> None:
    task = read(saved(tmp_path / "a.npz", x=pixels(40, 6, 6).astype(dtype), y=Y))
    assert rows(task) == {row.tobytes() for row in pixels(40, 6, 6)}
    assert any("whole numbers" in note for note in task.notes)


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (Y, ("0", "1", "2", "3")),
        (Y * 5 + 1, ("1", "6", "11", "16")),
        (Y.astype(np.uint8), ("0", "1", "2", "3")),
        (np.array(["cat", "dog", "owl", "ant"])[Y], ("ant", "cat", "dog", "owl")),
        (np.array([b"cat", b"dog", b"owl", b"ant"])[Y], ("ant", "cat", "dog", "owl")),
        (Y > 1, ("False", "True")),
        (Y[:, None], ("0", "1", "2", "3")),
        (Y.astype(np.float32), ("0", "1", "2", "3")),
    ],
)
def test_labels(tmp_path: Path, y: NDArray[np.generic], classes: tuple[str, ...]) -> None:
    task = read(saved(tmp_path / "a.npz", x=pixels(40, 4, 4), y=y))
    assert task.classes == classes
    assert task.confirm is not None
    label = {row.tobytes(): str(value) for row, value in zip(pixels(40, 4, 4), y.reshape(-1).tolist(), strict=True)}
    for row, number in zip(task.develop.x, task.develop.y, strict=True):
        name = label[row.tobytes()].removeprefix("b'").removesuffix("'").removesuffix(".0")
        assert task.classes[int(number)] == name


def test_float_labels_are_a_regression(tmp_path: Path) -> None:
    y = np.linspace(10, 20, 40)
    task = read(saved(tmp_path / "a.npz", x=pixels(40, 4, 4), y=y))
    assert task.classes == () and task.judged_by.name == "r2"
    assert task.confirm is not None
    np.testing.assert_allclose(np.sort(np.concatenate([task.develop.y, task.confirm.y])), y.astype(np.float32))


@pytest.mark.parametrize("dtype", ["float64", "float32", "int32", "uint8", "bool"])
def test_tables(tmp_path: Path, dtype: str) -> None:
    x = np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 200, (40, 3)).astype(dtype)
    task = read(saved(tmp_path / "a.npz", x=x, y=Y))
    assert task.confirm is not None
    assert task.kind == "table"
    assert task.features == ("column 0", "column 1", "column 2")
    assert task.categories == (0, 0, 0)
    assert np.abs(task.develop.x.mean(axis=0)).max() < 1e-6
    assert np.abs(task.develop.x.std(axis=0) - 1).max() < 1e-6


def test_a_table_with_holes_and_constants(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(40, 12))
    x[::4, 0] = np.nan
    x[1, 1] = np.inf
    x[:, 2:11] = 7
    task = read(saved(tmp_path / "a.npz", x=x, y=Y))
    assert task.features[:3] == ("column 0", "column 1", "column 11")
    assert "column 0 is missing" in task.features
    names = "'column 2', 'column 3', 'column 4', 'column 5', 'column 6' and 4 more"
    assert f"9 columns {names} left out: constant in the develop rows." in task.notes


@pytest.mark.parametrize("names", [("x", "y"), ("x_train", "y_train")])
def test_test_arrays_become_confirm(tmp_path: Path, names: tuple[str, str]) -> None:
    arrays = dict(zip(names, (pixels(40, 4, 4), Y), strict=True))
    new = pixels(8, 4, 4, seed=1)
    task = read(saved(tmp_path / "a.npz", **arrays, x_test=new, y_test=np.arange(8) % 4))
    assert task.confirm is not None
    assert len(task.develop) == 40
    np.testing.assert_array_equal(task.confirm.x[..., 0], new)
    assert task.confirm.y.tolist() == [0, 1, 2, 3] * 2


def test_a_second_file_goes_before_the_test_arrays(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", x=pixels(40, 4, 4), y=Y, x_test=pixels(2, 4, 4), y_test=Y[:2])
    test = saved(tmp_path / "b.npz", x=pixels(8, 4, 4, seed=1), y=np.arange(8) % 4)
    task = read(path, test=test, train_size=16)
    assert task.confirm is not None
    assert (len(task.develop), len(task.confirm)) == (16, 8)


def test_a_table_with_test_arrays_is_standardised_by_its_own_rows(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(5, 2, (40, 2))
    task = read(saved(tmp_path / "a.npz", x=x, y=Y, x_test=x[:4] + 100, y_test=Y[:4]))
    assert task.confirm is not None
    expected = (x[:4] + 100 - x.mean(axis=0)) / x.std(axis=0)
    np.testing.assert_allclose(task.confirm.x, expected, rtol=1e-5)


def test_rows_can_be_written_to(tmp_path: Path) -> None:
    assert read(saved(tmp_path / "a.npz", x=pixels(40, 4, 4), y=Y)).develop.x.flags.writeable


def test_fortran_order_and_other_byte_orders(tmp_path: Path) -> None:
    x = np.asfortranarray(pixels(40, 4, 5))
    task = read(saved(tmp_path / "a.npz", x=x, y=Y.astype(">i4")))
    assert rows(task) == {row.tobytes() for row in pixels(40, 4, 5)}
    assert task.classes == ("0", "1", "2", "3")
