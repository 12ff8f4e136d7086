"""Which word names which source, and what happens to a word that names none."""

from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gapless.data.source import SourceOptions, load
from gapless.errors import DataError, UsageError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pets(folder: Path) -> Path:
    for number, name in enumerate(("cat", "dog")):
        (folder / name).mkdir(parents=True)
        for i in range(8):
            pixels = np.random.default_rng(10 * number + i).integers(0, 256, (4, 4), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


def test_a_built_in_name_comes_before_a_folder_of_that_name(here: Path) -> None:
    pets(here / "digits")
    assert load("digits", SourceOptions(train_size=20)).shape == (1, 8, 8)
    assert load("./digits", SourceOptions()).classes == ("cat", "dog")


def test_relative_and_home_paths(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pets(here / "pets")
    monkeypatch.setenv("HOME", str(here))
    assert load("pets", SourceOptions()).name == load("~/pets", SourceOptions()).name == "pets"
    monkeypatch.chdir(here / "pets")
    assert load(".", SourceOptions()).name == "pets"


@pytest.mark.parametrize(
    ("word", "suggestion"),
    [
        ("digit", "Did you mean 'digits'?"),
        ("fashion_mnist", "Did you mean 'fashion-mnist'?"),
        ("petz", "Did you mean 'pets'?"),
        ("table.cvs", "Did you mean 'table.csv'?"),
        ("xylophone", "a .npz file."),
    ],
)
def test_an_unknown_word_lists_what_is_accepted(here: Path, word: str, suggestion: str) -> None:
    pets(here / "pets")
    (here / "table.csv").write_text("a,b\n")
    with pytest.raises(DataError) as caught:
        load(word, SourceOptions())
    message = str(caught.value)
    assert message.startswith(
        f"there is no data {word!r}; give a built-in name (digits, fashion-mnist), module:function"
    )
    assert message.endswith(suggestion)


@pytest.mark.parametrize("name", ["a.docx", "a.png", "csv", "a.npy"])
def test_a_file_of_another_kind(here: Path, name: str) -> None:
    (here / name).write_bytes(b"x")
    with pytest.raises(DataError, match=f"{name} is a file that gapless cannot read; give a built-in name"):
        load(name, SourceOptions())


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("digits", SourceOptions(data_dir=Path("x")), "--data-dir is for fashion-mnist and has no meaning for digits"),
        ("digits", SourceOptions(test=Path("x")), "--test is for folders, tables, texts and .npz files"),
        ("digits", SourceOptions(target="x"), "--target is for tables and files of texts"),
        ("digits", SourceOptions(image_size=8), "--image-size is for folders of pictures"),
        ("fashion-mnist", SourceOptions(test=Path("x")), "--test is for"),
        ("module:function", SourceOptions(test=Path("x")), "--test is for"),
        (".", SourceOptions(target="x"), "--target is for tables and files of texts"),
        ("t.csv", SourceOptions(image_size=8), "--image-size is for"),
        ("a.npz", SourceOptions(target="y"), "--target is for"),
        ("a.npz", SourceOptions(image_size=8), "--image-size is for"),
    ],
)
def test_an_option_that_would_be_ignored_is_an_error(
    here: Path, source: str, options: SourceOptions, message: str
) -> None:
    (here / "t.csv").write_text("a,b\n")
    (here / "a.npz").write_bytes(b"x")
    with pytest.raises(UsageError, match=message):
        load(source, options)


def test_the_options_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        SourceOptions().seed = 3  # pyright: ignore[reportAttributeAccessIssue]
