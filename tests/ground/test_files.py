"""Files are there whole or not at all, whatever the disk does."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from gapless.errors import DataError
from gapless.files import unfinished, write_atomically


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_full_disk_leaves_the_old_file(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "recipe.toml"
    write_atomically(path, b"old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if step == "replace":
        monkeypatch.setattr(Path, "replace", full)
    elif step == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    else:
        limited(monkeypatch)
    with pytest.raises(DataError, match="cannot be written: No space left on device; make room or choose another"):
        write_atomically(path, b"new" * 1000)
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["recipe.toml"]


def limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk on which the first block still fits."""
    real = Path.open

    class Full:
        def __init__(self, file: Any):
            self.file = file

        def __enter__(self) -> "Full":
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

        def write(self, content: bytes) -> int:
            self.file.write(content[:100])
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", lambda self, mode: Full(real(self, mode)))  # pyright: ignore


@pytest.mark.parametrize("there", ["file.txt/recipe.toml", "file.txt/deep/recipe.toml"])
def test_a_file_where_the_folder_should_be(there: str, tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("mine")
    with pytest.raises(DataError, match="cannot be written"):
        write_atomically(tmp_path / there, b"x")
    assert (tmp_path / "file.txt").read_text() == "mine"


def test_contents_are_exact(tmp_path: Path) -> None:
    for content in (b"", b"\x00\r\n\xff", os.urandom(100_000)):
        write_atomically(tmp_path / "x", content)
        assert (tmp_path / "x").read_bytes() == content


def test_what_stops_the_writer_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("old")
    with pytest.raises(KeyboardInterrupt), unfinished(tmp_path / "x") as beside:
        beside.write_text("ne")
        raise KeyboardInterrupt
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("x", "old")]


def test_until_the_end_the_old_file_stands(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("old")
    with unfinished(tmp_path / "x") as beside:
        beside.write_text("new")
        assert (tmp_path / "x").read_text() == "old"
        assert beside.parent == tmp_path
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("x", "new")]
