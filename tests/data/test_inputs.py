"""Rows without labels, read as those of the training were, whatever order or surplus of columns they come with."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import gapless
from gapless.data import Task
from gapless.data.inputs.kept import inputs_from, inputs_of
from gapless.errors import DataError

HEADER = "customer_id,plan,joined,price,note,churn"


def rows(number: int = 60, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    notes = ("likes the product a lot", "is not happy with it", "had a problem with us", "asks for a refund now")
    return [
        f"C-{rng.integers(10**6):06d},{rng.choice(['basic', 'pro', 'team'])},2023-{rng.integers(1, 13):02d}-11,"
        f'"$1,{rng.integers(100, 999)}.50",{rng.choice(notes)},{rng.choice(["yes", "no"])}'
        for _ in range(number)
    ]


@pytest.fixture
def customers(tmp_path: Path) -> Path:
    path = tmp_path / "customers.csv"
    path.write_text("\n".join([HEADER, *rows()]) + "\n")
    return path


def kept(task: Task) -> Any:
    """The reader as it comes back from a file."""
    return inputs_from(json.loads(json.dumps(inputs_of(task).facts())))


def test_the_rows_of_a_table_are_encoded_as_its_task_has_them(customers: Path) -> None:
    """Numbers with their currency, dates, words and text: all, by a reader that was written and read."""
    task = gapless.load(customers, target="churn")
    asked = kept(task).read(customers)
    assert task.confirm is not None
    known = {row.tobytes() for row in (*task.develop.x, *task.confirm.x)}
    assert {row.tobytes() for row in asked.x.astype(np.float32)} == known
    assert asked.names == tuple(str(line) for line in range(2, 62))
    assert list(asked.ids) == ["customer_id"]
    assert asked.notes == ()


def test_order_surplus_and_words_never_seen(customers: Path, tmp_path: Path) -> None:
    task = gapless.load(customers, target="churn")
    first = rows()[0].rsplit(",", 1)[0]
    new = tmp_path / "new.csv"
    new.write_text(f"{HEADER.rsplit(',', 1)[0]}\n{first}\n{first.replace('2023-', 'in 2023-')}\n")
    frame = {name: list(cells) for name, cells in kept(task).read(new).ids.items()}
    assert len(frame["customer_id"]) == 2
    swapped = [
        {"surplus": 1, "note": "", "price": "$1,200.50", "joined": "2023-02-11", "plan": "gold"},
        {"note": "had a problem", "price": None, "joined": "2023-02-11", "plan": "pro"},
    ]
    asked = kept(task).read(swapped)
    assert len(asked.names) == 2
    assert np.isfinite(asked.x.astype(np.float64)).all()
    said = " ".join(asked.notes)
    assert "1 category of column 'plan', such as 'gold', does not stand in the develop rows" in said
    assert "does not read: 'surplus'" in said
    notes = kept(task).read(new).notes
    assert ["no date" in note for note in notes] == [True]


def test_a_column_that_is_missing_is_named(customers: Path) -> None:
    task = gapless.load(customers, target="churn")
    with pytest.raises(DataError, match=r"'plan' is missing \(and 1 more\)\. Did you mean 'plans'"):
        kept(task).read({"plans": ["pro"], "joined": ["2023-02-11"], "note": ["x"]})
    with pytest.raises(DataError, match="there is no file nowhere"):
        kept(task).read("nowhere.csv")
    with pytest.raises(DataError, match="a path, a frame, or a list of mappings; got ndarray"):
        kept(task).read(np.zeros((3, 4)))


def test_numbers_without_names() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(5, 3, (40, 3))
    x[rng.random(x.shape) < 0.1] = np.nan
    task = gapless.load(x, np.arange(40) % 2)
    assert task.confirm is not None
    found = kept(task).read(x).x
    known = {row.tobytes() for row in (*task.develop.x, *task.confirm.x)}
    assert {row.tobytes() for row in found.astype(np.float32)} == known
    with pytest.raises(DataError, match=r"rows of 3 numbers, an array \(N, 3\), got float64 \(2, 4\)"):
        kept(task).read(np.zeros((2, 4)))


def test_texts_of_all_sorts(tmp_path: Path) -> None:
    texts = [f"number {i} is {'fine' if i % 2 else 'bad'}" for i in range(20)]
    table = {"review": texts, "stars": ["up", "down"] * 10}
    reader = kept(gapless.load(table, target="stars", text="review"))
    assert reader.read({"other": [1], "review": ["so so"]}).x.tolist() == ["so so"]
    with pytest.raises(DataError, match="no column 'review' of texts"):
        reader.read({"other": ["a"], "reviews": ["b"]})
    asked = reader.read(["one", "  "])
    assert (asked.x.tolist(), asked.notes) == (["one", ""], ("1 text is empty: what is answered there says nothing.",))
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.txt").write_text("hello")
    (tmp_path / "y.txt").write_bytes(b"\0\0")
    asked = reader.read(tmp_path)
    assert (asked.names, asked.x.tolist()) == (("a/x.txt",), ["hello"])
    assert asked.left_out == (("y.txt", "holds zero bytes: not a text"),)
    with pytest.raises(DataError, match="a list of str, a file or a folder; got int among them"):
        reader.read(["a", 1])


def picture(path: Path, colour: tuple[int, ...], size: tuple[int, int] = (20, 16)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new({1: "L", 3: "RGB", 4: "RGBA"}[len(colour)], size, colour).save(path)


def test_pictures_of_all_sorts(tmp_path: Path) -> None:
    for i in range(8):
        picture(tmp_path / "data" / ("red" if i % 2 else "blue") / f"{i}.png", (i * 20, 0, 100) if i else (9, 9, 9))
    task = gapless.load(tmp_path / "data", image_size=8)
    reader = kept(task)
    asked = reader.read(tmp_path / "data")
    assert task.confirm is not None
    assert {row.tobytes() for row in asked.x} == {row.tobytes() for row in (*task.develop.x, *task.confirm.x)}
    new = tmp_path / "new"
    picture(new / "gray.png", (7,))
    picture(new / "deep" / "clear.png", (1, 2, 3, 9))
    (new / "broken.png").write_bytes(b"no picture")
    asked = reader.read(new)
    assert asked.names == ("deep/clear.png", "gray.png")
    assert asked.x.shape == (2, 8, 8, 3)
    assert asked.left_out[0][0] == "broken.png"
    assert "1 picture has transparency" in asked.notes[0]
    assert reader.read(new / "gray.png").names == ("gray.png",)
    assert reader.read(np.zeros((2, 3, 8, 8), dtype=np.uint8)).x.shape == (2, 8, 8, 3)
    with pytest.raises(DataError, match=r"pictures of 8x8 pixels, got an array \(2, 9, 9, 3\)"):
        reader.read(np.zeros((2, 9, 9, 3), dtype=np.uint8))
    with pytest.raises(DataError, match="holds no picture"):
        reader.read(_empty(tmp_path))


def _empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def test_colours_become_gray_for_a_model_of_gray_pictures() -> None:
    task = gapless.load(np.arange(20 * 16, dtype=np.uint8).reshape(20, 4, 4), np.arange(20) % 2)
    asked = kept(task).read([Image.new("RGB", (4, 4), (255, 0, 0))])
    assert asked.x.shape == (1, 4, 4, 1)
    assert set(asked.x.ravel().tolist()) == {76}  # as Pillow turns red to gray
    assert "1 picture has colours" in asked.notes[0]


@pytest.mark.parametrize("facts", [{}, {"kind": "sound"}, {"kind": "table"}, {"kind": "picture", "height": "tall"}])
def test_facts_that_are_none(facts: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="what is needed to read its rows is damaged"):
        inputs_from(facts)
