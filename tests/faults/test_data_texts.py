"""Texts that cannot be read: one clear error that says where and what to do."""

import builtins
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gapless.data import Task
from gapless.data.source import SourceOptions, load
from gapless.errors import DataError, UsageError

GOOD = "body,kind\n" + "".join(f"text number {i},{'yes' if i % 2 else 'no'}\n" for i in range(40))
JSON = "".join(f'{{"text": "number {i}", "label": "{"ab"[i % 2]}"}}\n' for i in range(20))


def read(path: Path, content: str | bytes, **options: Any) -> Task:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load(str(path), SourceOptions(**options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text": "bdy"}, r"there is no column 'bdy' of texts\. Did you mean 'body'\?"),
        ({"text": "body", "target": "knd"}, r"there is no column 'knd' to predict\. Did you mean 'kind'\?"),
        ({"text": "body", "target": "body"}, "--text and --target both name 'body'"),
    ],
)
def test_columns_that_are_not_there(tmp_path: Path, options: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path / "t.csv", GOOD, **options)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"PK\x03\x04", "is not a text file"),
        (b"\xff\xfea", "is not whole utf-16 text"),
        (b"[1, 2]\n[3]\n", r"most lines are no records, the first is t\.jsonl line 1: a list and not an object"),
        (b"{a: 1}\n", r"the first is t\.jsonl line 1: not JSON .*; write one JSON object a line"),
        (b'{"text": "a"}\n{"text": "b"}\n', "records need a target and another field, these have text"),
        (b'{"a": "x", "b": "y"}\n' * 4, "target column 'b': there is only the value 'y'"),
        (b"[" * 100_000 + b"\n", "nested too deep"),
    ],
)
def test_json_lines_that_are_none(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path / "t.jsonl", content)


def test_most_texts_empty(tmp_path: Path) -> None:
    rows = "body,kind\n" + "".join(f"{'' if i < 21 else 'words'},{'ab'[i % 2]}\n" for i in range(40))
    with pytest.raises(
        DataError,
        match=r"\(column 'body'\): 21 of 40 texts are empty or cannot be read, more than half, the first is t\.csv",
    ):
        read(tmp_path / "t.csv", rows, text="body")


def test_more_than_half_without_a_target(tmp_path: Path) -> None:
    rows = "body,kind\n" + "".join(f"word {i},{'ab'[i % 2] if i < 19 else ''}\n" for i in range(40))
    with pytest.raises(DataError, match="21 of 40 rows have no value in the target column 'kind'"):
        read(tmp_path / "t.csv", rows, text="body")


def test_parquet_that_is_none_and_parquet_without_its_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    with pytest.raises(DataError, match=r"cannot be read as Parquet \(.*\); write it again"):
        read(tmp_path / "t.parquet", b"x" * 50)
    plain_import = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return plain_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataError, match=r"reading Parquet needs pyarrow; install it: pip install 'gapless\[tables\]'"):
        read(tmp_path / "t.parquet", b"x" * 50)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("bodi,kind\nx,yes\n", r"'body' is missing\. Did you mean 'bodi'\?"),
        ("body,sort\nx,yes\n", "'kind' is missing"),
        ("body,kind\nx,maybe\n", "class 'maybe' does not stand in the develop rows, whose classes are no, yes"),
        ("body,kind\n", "has a header and no rows"),
    ],
)
@pytest.mark.parametrize("way", ["test", "also"])
def test_test_data_that_does_not_fit(tmp_path: Path, content: str, message: str, way: str) -> None:
    path = tmp_path / "test.csv"
    path.write_text(content)
    options = {"test": path} if way == "test" else {"also": (("web", path),)}
    with pytest.raises(DataError, match=message):
        read(tmp_path / "t.csv", GOOD, text="body", **options)


def test_further_test_data_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"--also web must be a table or a file of texts like the source; .*gone\.csv does not exist"
    ):
        read(tmp_path / "t.csv", GOOD, text="body", also=(("web", tmp_path / "gone.csv"),))


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("digits", SourceOptions(text="x"), "--text is for files of texts"),
        ("digits", SourceOptions(also=(("a", Path("x")),)), "--also is for folders, tables, texts and .npz files"),
        ("module:function", SourceOptions(text="x"), "--text is for files of texts"),
        ("t.csv", SourceOptions(text="body", image_size=8), "--image-size is for folders of pictures"),
        (".", SourceOptions(text="body"), "--text is for files of texts"),
        (".", SourceOptions(image_size=8), "--image-size is for folders of pictures"),
    ],
)
def test_options_without_a_meaning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, options: SourceOptions, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(GOOD)
    for kind in "ab":
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "1.txt").write_text("x")
    with pytest.raises(UsageError, match=message):
        load(source, options)


def test_folders_of_texts_that_do_not_fit(tmp_path: Path) -> None:
    root = tmp_path / "one"
    (root / "good").mkdir(parents=True)
    (root / "good" / "1.txt").write_text("x")
    with pytest.raises(
        DataError, match=r"there is only one class, 'good', two or more are needed; put the texts of each"
    ):
        load(str(root), SourceOptions())
    (root / "bad").mkdir()
    for i in range(4):
        (root / "bad" / f"{i}.txt").write_text("y" * (i == 0))
        (root / "good" / f"{i}.txt").write_text("")
    with pytest.raises(
        DataError, match=r"7 of 8 texts are empty or cannot be read, more than half, the first is bad/1\.txt"
    ):
        load(str(root), SourceOptions())


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["t.csv", "t.jsonl", "t.parquet"]))
def test_any_bytes_are_a_task_or_a_data_error(content: bytes, name: str) -> None:
    with TemporaryDirectory() as folder:
        try:
            read(Path(folder) / name, content, text="body")
        except DataError as error:
            assert str(error)


@settings(deadline=None)
@given(st.lists(st.text(max_size=30), max_size=12))
def test_any_texts_are_a_task_or_a_data_error(texts: list[str]) -> None:
    import json

    content = "".join(json.dumps({"body": t, "kind": "ab"[i % 2]}) + "\n" for i, t in enumerate(texts)) or "\n"
    with TemporaryDirectory() as folder:
        try:
            task = read(Path(folder) / "t.jsonl", content, text="body", target="kind")
        except DataError as error:
            assert str(error)
        else:
            assert {*task.develop.x} <= {t.strip() for t in texts}
