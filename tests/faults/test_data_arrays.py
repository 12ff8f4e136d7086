"""Files of arrays that cannot be read: no pickle, no crash, one clear error."""

import io
import pickle
import warnings
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gapless.data import Task
from gapless.data.source import SourceOptions, load
from gapless.errors import DataError

Y = np.arange(40) % 4
X = np.random.default_rng(0).integers(0, 256, (40, 4, 4), dtype=np.uint8)


class Bomb:
    """Its unpickling leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.trace,)


def read(path: Path, **options: object) -> Task:
    return load(str(path), SourceOptions(**options))  # pyright: ignore[reportArgumentType]  # each test its own


def saved(path: Path, **arrays: object) -> Path:
    np.savez(path, **arrays)  # pyright: ignore[reportArgumentType]
    return path


@pytest.mark.parametrize("name", ["x", "y", "x_test"])
def test_object_arrays_are_refused_and_never_unpickled(tmp_path: Path, name: str) -> None:
    arrays: dict[str, object] = {"x": X, "y": Y, "x_test": X, "y_test": Y}
    arrays[name] = np.array([Bomb(tmp_path / "trace")] * 40, dtype=object)
    with pytest.raises(DataError, match=rf"{name}\.npy holds Python objects, which can run code when read, so it is"):
        read(saved(tmp_path / "a.npz", **arrays))
    assert not (tmp_path / "trace").exists()


def test_a_pickle_under_the_name_of_an_array_is_never_unpickled(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(pickle.dumps(Bomb(tmp_path / "trace")))
    with pytest.raises(DataError, match=r"is not a \.npz file"):
        read(tmp_path / "a.npz")
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("x.npy", pickle.dumps(Bomb(tmp_path / "trace")))
        archive.writestr("y.npy", pickle.dumps(Bomb(tmp_path / "trace")))
    with pytest.raises(DataError, match=r"x\.npy is not a numpy array"):
        read(tmp_path / "b.npz")
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": X}, r"needs an array 'y', its arrays are: x; save with np\.savez"),
        ({"data": X, "labels": Y}, "needs an array 'x', its arrays are: data, labels"),
        ({}, "needs an array 'x', its arrays are: none"),
        ({"x": X, "y": Y[:39]}, "x has 40 rows, y has 39; they must be equally long"),
        ({"x": X[:0], "y": Y[:0]}, "there are no rows"),
        ({"x": np.array(3), "y": Y}, "x has a single number"),
        ({"x": X, "y": np.eye(4)[Y] + 1}, r"y must have one label a row, shape \(N,\), got \(40, 4\)"),
        ({"x": X, "y": np.eye(4)[Y] + np.eye(4)[0] > 0}, r"y holds several labels a row \(flags \(40, 4\)\)"),
        ({"x": X, "y": np.array(3)}, r"y must have one label a row, shape \(N,\), got \(\)"),
        ({"x": X, "y": Y + 0j}, "labels must be integers, strings or floats, got complex128"),
        ({"x": X, "y": Y.astype("datetime64[D]")}, "labels must be integers, strings or floats"),
        ({"x": X, "y": np.where(Y == 0, np.nan, Y)}, "10 of 40 labels are NaN or missing; remove these rows"),
        ({"x": X, "y": np.where(Y == 0, np.inf, np.arange(40) / 7)}, "10 of 40 labels are NaN or missing"),
        ({"x": X, "y": np.array(["", "nan", "b", "c"])[Y]}, "20 of 40 labels are NaN or missing"),
        ({"x": X, "y": np.full(40, np.nan)}, "there is no value, so there is nothing to learn"),
        ({"x": X, "y": Y * 0}, "there is only the value '0', so there is nothing to learn"),
        ({"x": X, "y": np.full(40, 1.5)}, "there is only the value 1.5"),
        (
            {"x": X, "y": np.arange(40)},
            "40 distinct integers in 40 rows are too many classes; store a quantity as floats",
        ),
        ({"x": X[:, 0, 0], "y": Y}, r"x must be images .* or a table \(N, F\), got uint8 \(40,\)"),
        ({"x": X[..., None, None], "y": Y}, r"looks like videos, for which gapless has no model"),
        ({"x": X[..., None, None, None], "y": Y}, r"x must be images"),
        ({"x": np.zeros((40, 5, 5, 2), np.uint8), "y": Y}, r"images must have 1, 3 or 4 channels, got shape"),
        ({"x": np.zeros((40, 1, 9), np.uint8), "y": Y}, r"images must be at least 2x2, got shape \(40, 1, 9\)"),
        ({"x": X / 128, "y": Y}, r"images must be uint8, or floats in \[0, 1\], got float64 from 0 to 1\.99"),
        ({"x": X / 255 - 0.5, "y": Y}, r"images must be uint8, or floats in \[0, 1\], got float64 from -0\.5"),
        ({"x": X.astype(np.int64) * 257, "y": Y}, r"got int64 from 0 to 65535; undo a standardisation, or scale"),
        ({"x": np.where(X < 9, np.nan, X / 255), "y": Y}, "must not hold NaN or infinite values, there are"),
        ({"x": X.astype(str), "y": Y}, "x must be images"),
        ({"x": X[:, 0].astype(str), "y": Y}, r"a table must be numbers \(N, F\), got <U3 \(40, 4\)"),
        ({"x": np.full((40, 2), np.nan), "y": Y}, "no column is left to learn from"),
        ({"x": X, "y": Y, "x_test": X}, "but no y_test; test data needs x_test and y_test"),
        ({"x": X, "y": Y, "y_test": Y}, "but no x_test"),
        ({"x": X, "y": Y, "x_test": X, "y_test": Y + 9}, r"\(x_test, y_test\): class '10' does not stand in the"),
        ({"x": X, "y": Y, "x_test": X[:, :3], "y_test": Y}, r"confirm rows have shape \(3, 4, 1\)"),
        ({"x": X[:, 0], "y": Y, "x_test": X[:, 0, :3], "y_test": Y}, "x must have 4 columns like x, got"),
        ({"x": X, "y": Y / 7, "x_test": X, "y_test": np.full(40, "a")}, "the target is a quantity, so labels must be"),
        ({"x": X, "y": np.arange(40) / 7, "x_test": X, "y_test": np.full(40, np.nan)}, "40 of 40 labels are NaN"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path: Path, arrays: dict[str, NDArray[np.generic]], message: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DataError, match=message):
            read(saved(tmp_path / "a.npz", **arrays))


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + b"\0" * 18, b"\x93NUMPY\x01\x00", b"x" * 100])
def test_files_that_are_no_archives(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"is not a \.npz file|needs an array 'x', its arrays are: none"):
        read(tmp_path / "a.npz")


def test_an_array_file_under_the_wrong_name(tmp_path: Path) -> None:
    with (tmp_path / "a.npz").open("wb") as stream:
        np.save(stream, X)
    with pytest.raises(DataError, match=r"is not a \.npz file \(a zip of arrays\); save with np\.savez"):
        read(tmp_path / "a.npz")


def test_a_header_that_declares_more_than_there_is(tmp_path: Path) -> None:
    stream = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": (10**13, 4, 4)}
    np.lib.format.write_array_header_1_0(stream, header)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", stream.getvalue() + b"\0" * 100)
        archive.writestr("y.npy", b"")
    with pytest.raises(DataError, match=r"x\.npy declares 160,000,000,000,000 bytes and has 100; save it again"):
        read(tmp_path / "a.npz")


def test_more_than_the_memory_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sysconf", lambda name: 1 if name == "SC_PAGE_SIZE" else 500)
    with pytest.raises(
        DataError, match=r"its arrays need 0\.0 GB of memory, this machine has 0\.0; store images as uint8"
    ):
        read(saved(tmp_path / "a.npz", x=X, y=Y))


@pytest.mark.parametrize("compressed", [False, True])
@settings(deadline=None)
@given(place=st.integers(0, 10**6), value=st.integers(1, 255), cut=st.booleans())
def test_damage_anywhere_is_a_task_or_a_data_error(compressed: bool, place: int, value: int, cut: bool) -> None:
    stream = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(stream, x=X, y=Y)
    content = bytearray(stream.getvalue())
    place %= len(content)
    content[place] ^= value
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.npz"
        path.write_bytes(content[:place] if cut else content)
        try:
            read(path)
        except DataError as error:
            assert str(error)


def test_test_data_of_another_kind(tmp_path: Path) -> None:
    saved(tmp_path / "a.npz", x=X, y=Y)
    (tmp_path / "b.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"--test must be a \.npz file like the source; .* is of another kind"):
        read(tmp_path / "a.npz", test=tmp_path / "b.csv")
