"""Further test data (`--also`) for every kind of source but texts: read by what the source's own rows taught."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gapless.data import Rows, Task
from gapless.data.source import SourceOptions, load
from gapless.errors import DataError


def options(**also: Path) -> SourceOptions:
    return SourceOptions(also=tuple(also.items()))


def test_a_table_is_encoded_by_its_source(tmp_path: Path) -> None:
    for name, shift in (("own", 0), ("far", 100)):
        rows = "".join(f"{i + shift},{'rgb'[i % 3]},{'yes' if i % 2 else 'no'}\n" for i in range(40))
        (tmp_path / f"{name}.csv").write_text("size,colour,kind\n" + rows)
    task = load(str(tmp_path / "own.csv"), options(far=tmp_path / "far.csv", same=tmp_path / "own.csv"))
    far, same = (rows for _, rows in task.also)
    assert [name for name, _ in task.also] == ["far", "same"]
    assert (far.x[:, 0] > same.x[:, 0].max()).all()  # standardised by the source: far away
    np.testing.assert_array_equal(far.x[:, 1], same.x[:, 1])
    assert far.y.tolist() == [i % 2 for i in range(40)]


def test_arrays(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (40, 4, 4), dtype=np.uint8), np.arange(40) % 2
    np.savez(tmp_path / "own.npz", x=x, y=y)
    np.savez(tmp_path / "other.npz", x=255 - x[:6], y=y[:6])
    task = load(str(tmp_path / "own.npz"), options(other=tmp_path / "other.npz"))
    np.testing.assert_array_equal(task.also[0][1].x[..., 0], 255 - x[:6])
    np.savez(tmp_path / "rows.npz", x=rng.normal(size=(40, 3)), y=y)
    np.savez(tmp_path / "wide.npz", x=rng.normal(size=(40, 4)), y=y)
    assert load(str(tmp_path / "rows.npz"), options(same=tmp_path / "rows.npz")).also[0][1].x.shape == (40, 3)
    with pytest.raises(DataError, match=r"x must have 3 columns like x, got \(40, 4\)"):
        load(str(tmp_path / "rows.npz"), options(wide=tmp_path / "wide.npz"))


def pets(folder: Path, names: tuple[str, ...] = ("cat", "dog"), size: int = 12, mode: str = "L") -> Path:
    for name in names:
        (folder / name).mkdir(parents=True)
        for i in range(6):
            noise = np.random.default_rng(i + size).integers(0, 256, (size, size, 3), dtype=np.uint8)
            Image.fromarray(noise).convert(mode).save(folder / name / f"{i}.png")
    return folder


def test_folders_of_pictures_come_to_the_size_of_the_source(tmp_path: Path) -> None:
    own = pets(tmp_path / "own")
    task = load(str(own), options(large=pets(tmp_path / "large", size=40), only=pets(tmp_path / "only", ("dog",))))
    (_, large), (_, only) = task.also
    assert large.x.shape == (12, *task.develop.x.shape[1:])
    assert large.y.tolist() == [0] * 6 + [1] * 6
    assert only.y.tolist() == [1] * 6
    with pytest.raises(DataError, match="class 'fox' is not among the classes to develop with"):
        load(str(own), options(other=pets(tmp_path / "other", ("fox",))))
    with pytest.raises(DataError, match=r"12 of 12 pictures cannot be used.*has 3 channels where 1 were expected"):
        load(str(own), options(colour=pets(tmp_path / "colour", mode="RGB")))
    with pytest.raises(DataError, match="is not a folder; give a folder of class folders like the source"):
        load(str(own), options(file=own / "cat" / "0.png"))


def test_too_few_rows_for_an_interval() -> None:
    rows = Rows(np.zeros((4, 2), np.float32), np.array([0, 1, 0, 1]))
    with pytest.raises(DataError, match="t: web must have two rows or more for an interval, got 1"):
        Task("t", rows, classes=("a", "b"), also=(("web", rows.take(np.array([0]))),))
    other = Rows(np.zeros((4, 3), np.float32), rows.y)
    with pytest.raises(DataError, match=r"t: web rows have shape \(3,\), develop rows \(2,\); they must be alike"):
        Task("t", rows, classes=("a", "b"), also=(("web", other),))
