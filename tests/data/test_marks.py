"""Pictures with masks, boxes and points from a .npz."""

from pathlib import Path

import numpy as np
import pytest

from gapless.data.marks import has_marks, load_marked


def saved(folder: Path, **arrays: np.ndarray) -> Path:
    path = folder / "some.npz"
    np.savez(path, **arrays)  # pyright: ignore[reportArgumentType]  # arrays by name
    return path


X = np.arange(2 * 6 * 8, dtype=np.uint8).reshape(2, 6, 8)


def test_marks_belong_to_their_pictures(tmp_path: Path) -> None:
    masks = np.stack([np.zeros((6, 8), np.int64), np.ones((6, 8), np.int64)])
    boxes = np.array([[[0, 0, 2, 2], [np.nan] * 4], [[1, 1, 3, 3], [2, 2, 5, 5.5]]])
    points = np.array([[[np.nan, np.nan]], [[4, 5]]])
    path = saved(tmp_path, x=X, masks=masks, boxes=boxes, points=points)
    assert has_marks(path)
    both = load_marked(path, range(9))
    assert [picture.shape for picture in both.pictures] == [(6, 8, 1)] * 2
    assert both.marks[0].boxes.tolist() == [[0, 0, 2, 2]] and both.marks[0].points.shape == (0, 2)
    (second,) = load_marked(path, [1]).marks
    assert second.mask is not None and second.mask.all()
    assert second.boxes.tolist() == boxes[1].tolist() and second.points.tolist() == [[4, 5]]


def test_files_without_marks_are_for_others(tmp_path: Path) -> None:
    assert not has_marks(saved(tmp_path, x=X, y=np.zeros(2)))
    (tmp_path / "text.npz").write_text("no zip")
    assert not has_marks(tmp_path / "text.npz")
    assert not has_marks(tmp_path / "text.csv")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"masks": X}, "needs an array 'x' of pictures besides masks"),
        ({"x": X / 255, "masks": X}, r"x must be pictures, uint8 \(N, H, W\) or .*, got float64 \(2, 6, 8\)"),
        ({"x": X, "masks": X[:1]}, r"masks must be whole numbers \(2, 6, 8\) like the pictures, got uint8 \(1, 6, 8\)"),
        ({"x": X, "boxes": np.zeros((2, 4))}, r"boxes must be numbers \(2, n, 4\), got float64 \(2, 4\)"),
        ({"x": X, "points": np.zeros((2, 1, 3))}, r"points must be numbers \(2, n, 2\), got float64 \(2, 1, 3\)"),
        ({"x": X[:0], "masks": X[:0]}, "there are no pictures"),
        ({"x": X, "boxes": np.array([{}, {}])}, r"cannot be read \(Object arrays cannot be loaded"),
    ],
)
def test_wrong_files_name_what_is_right(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_marked(saved(tmp_path, **arrays), range(4))
