"""`gapless.load`: what Python holds becomes the Task that the same data in a file becomes."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, TensorDataset

import gapless
from gapless import DataError, Task, UsageError

ROWS = 60
COLUMNS: dict[str, list[Any]] = {
    "id": [f"C-{i}" for i in range(ROWS)],
    "age": [float(i % 9) if i % 5 else None for i in range(ROWS)],
    "count": [i % 7 for i in range(ROWS)],
    "since": [date(2020, 1 + i % 12, 1 + i % 28) for i in range(ROWS)],
    "plan": [["basic", "plus", None][i % 3] for i in range(ROWS)],
    "member": [i % 4 == 0 for i in range(ROWS)],
    "kind": ["yes" if i % 2 else "no" for i in range(ROWS)],
}


def same(first: Task, second: Task) -> None:
    assert first.confirm is not None and second.confirm is not None
    assert first.features == second.features
    assert first.classes == second.classes
    for one, other in ((first.develop, second.develop), (first.confirm, second.confirm)):
        np.testing.assert_array_equal(one.x, other.x)
        np.testing.assert_array_equal(one.y, other.y)


def as_csv(folder: Path) -> Path:
    lines = [
        ",".join(COLUMNS),
        *(",".join("" if v is None else str(v) for v in row) for row in zip(*COLUMNS.values(), strict=True)),
    ]
    (folder / "t.csv").write_text("\n".join(lines) + "\n")
    return folder / "t.csv"


@pytest.mark.parametrize("library", ["mapping", "pandas", "polars", "datasets"])
def test_a_frame_is_what_its_file_is(tmp_path: Path, library: str) -> None:
    frame: Any = dict(COLUMNS)
    if library == "mapping":
        frame["age"] = np.array([np.nan if v is None else v for v in COLUMNS["age"]])
    elif library == "datasets":
        frame = pytest.importorskip("datasets").Dataset.from_dict(COLUMNS)
    else:
        frame = pytest.importorskip(library).DataFrame(COLUMNS)
    task = gapless.load(frame, target="kind")
    same(task, gapless.load(as_csv(tmp_path), "kind"))
    assert task.name == "data"
    assert [one.column for one in task.account if one.left_out] == ["id"]


def test_options_are_those_of_the_command(tmp_path: Path) -> None:
    task = gapless.load(COLUMNS, "kind", ignore="age", keep=["id"], train_size=30, seed=4)
    assert len(task.develop) == 30
    same(task, gapless.load(as_csv(tmp_path), "kind", ignore=["age"], keep="id", train_size=30, seed=4))
    task = gapless.load(COLUMNS, "count", task="classification", missing="plus", test=COLUMNS, also={"again": COLUMNS})
    assert len(task.classes) == 7
    assert task.confirm is not None and len(task.confirm) == ROWS
    assert task.also[0][0] == "again"
    np.testing.assert_array_equal(task.also[0][1].x, task.confirm.x)


def test_labels_may_stand_apart_from_the_frame(tmp_path: Path) -> None:
    features = {name: cells for name, cells in COLUMNS.items() if name != "kind"}
    same(gapless.load(features, COLUMNS["kind"]), gapless.load(COLUMNS, "kind"))
    with pytest.raises(UsageError, match="the frame has a column 'target' already"):
        gapless.load({**features, "target": COLUMNS["kind"]}, COLUMNS["kind"])


def test_arrays_and_tensors_of_a_table() -> None:
    x = np.random.default_rng(0).normal(size=(ROWS, 3)).astype(np.float32)
    y = np.arange(ROWS) % 2
    first = gapless.load(x, y)
    assert (first.kind, first.develop.x.shape) == ("table", (42, 3))
    same(first, gapless.load(torch.tensor(x), torch.tensor(y)))
    same(first, gapless.load(TensorDataset(torch.tensor(x), torch.tensor(y))))
    same(first, gapless.load(x, np.eye(2)[y]))
    tested = gapless.load(x, y, test=(x[:10], y[:10]), also={"more": (x[:4], y[:4])})
    assert tested.confirm is not None and len(tested.confirm) == 10 and len(tested.also[0][1]) == 4
    assert gapless.load(x, x[:, 0]).classes == ()


def test_a_class_with_a_single_row_is_left_out_of_arrays() -> None:
    y = np.arange(ROWS) % 2
    y[5] = 7
    task = gapless.load(np.arange(ROWS * 2.0).reshape(ROWS, 2), y, test=(np.ones((3, 2)), np.array([0, 7, 1])))
    assert task.classes == ("0", "1")
    assert len(task.develop) == ROWS - 1
    assert task.confirm is not None and task.confirm.y.tolist() == [0, 1]


class Pairs(Dataset[Any]):
    """Pictures with labels, as torch's data sets give them."""

    def __init__(self, rows: list[tuple[Any, int]]):
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> tuple[Any, int]:
        return self.rows[row]


def pictures(sides: tuple[int, ...] = (12,)) -> list[tuple[Image.Image, int]]:
    generator = np.random.default_rng(1)
    return [
        (Image.fromarray(generator.integers(0, 256, (sides[i % len(sides)], 12, 3), dtype=np.uint8)), i % 2)
        for i in range(ROWS)
    ]


def test_pictures_of_pillow_arrays_and_tensors() -> None:
    rows = pictures()
    first = gapless.load(Pairs(rows))
    assert first.shape == (3, 12, 12)
    arrays = np.stack([np.asarray(picture) for picture, _ in rows])
    y = [label for _, label in rows]
    same(first, gapless.load(arrays, y))
    tensors = torch.tensor(arrays).permute(0, 3, 1, 2).float() / 255
    same(first, gapless.load(tensors, torch.tensor(y)))
    same(first, gapless.load(Pairs([(tensor, label) for tensor, label in zip(tensors, y, strict=True)])))
    assert gapless.load(Pairs(pictures((12, 20))), image_size=8).shape == (3, 8, 8)
    gray = [(picture.convert("L"), label) for picture, label in rows]
    assert gapless.load(Pairs(rows), test=Pairs(gray)).shape == (3, 12, 12)


def test_pictures_of_hugging_face() -> None:
    datasets = pytest.importorskip("datasets")
    rows = pictures()
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    found = datasets.Dataset.from_dict({"image": [p for p, _ in rows], "label": [label for _, label in rows]}, features)
    task = gapless.load(found)
    assert task.classes == ("cat", "dog")
    np.testing.assert_array_equal(task.develop.x, gapless.load(Pairs(rows)).develop.x)


def test_texts() -> None:
    texts = [f"a {'good' if i % 2 else 'bad'} day number {i}" for i in range(ROWS)]
    labels = ["yes" if i % 2 else "no" for i in range(ROWS)]
    first = gapless.load(texts, labels)
    assert (first.kind, first.classes) == ("text", ("no", "yes"))
    same(first, gapless.load({"text": texts, "label": labels, "n": range(ROWS)}, "label", text="text"))
    same(first, gapless.load(np.array(texts), np.array(labels)))


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((np.zeros((4, 2)),), {}, UsageError, r"arrays need their labels: load\(x, y\)"),
        (
            (np.zeros((4, 2)), "y"),
            {},
            UsageError,
            r"arrays need their labels: load\(x, y\); got ndarray with target 'y'",
        ),
        ((np.zeros((4, 2)), np.zeros(3)), {}, DataError, "x has 4 rows, y has 3"),
        ((np.zeros((4, 2)), np.arange(4) % 2), {"keep": "a"}, UsageError, "keep is for frames and files with columns"),
        ((np.zeros((4, 2)), np.arange(4) % 2), {"image_size": 9}, UsageError, "image_size is for pictures of Pillow"),
        ((np.zeros((4, 2)), np.arange(4) % 2), {"test": np.zeros((4, 2))}, UsageError, "test must be a pair of arrays"),
        ((["a", "b"], [1]), {}, DataError, "2 texts and 1 labels"),
        (([(1, 2, 3)],), {}, DataError, r"row 0 of the data set must be a pair \(input, label\), got tuple"),
        ((3,), {}, UsageError, "arrays need their labels"),
        (({"a": [1, 2], "y": [1]}, "y"), {}, DataError, "its columns must be equally long, got 1, 2"),
        (({"a": [1, 2], "y": [1, 2]}, "z"), {}, DataError, "there is no column 'z' to predict"),
        (("t.csv", [1, 2]), {}, UsageError, "target must be the name of a column of t.csv, got list"),
        (("t.csv", "y"), {"test": [1, 2]}, UsageError, "test data of t.csv must be a path like it, got list"),
        (("gone.csv", "y"), {}, DataError, "there is no data 'gone.csv'"),
        ((Pairs([(np.zeros((4, 4)), 0), (np.zeros((5, 5)), 1)]),), {}, DataError, "the inputs have different shapes"),
    ],
)
def test_what_cannot_be_loaded_says_why(
    arguments: tuple[Any, ...], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        gapless.load(*arguments, **options)
