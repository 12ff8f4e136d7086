"""A run directory that is another's, damaged, or on a full disk: told, never overwritten, and good again afterwards."""

import errno
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from command import TINY, events, figures, gapless
from conftest import Finished


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def folder(finished: Finished, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished.folder, tmp_path / "run"))


def changed(arguments: tuple[object, ...], **options: object) -> list[object]:
    """The arguments with other values for some options."""
    found = list(arguments)
    for name, value in options.items():
        option = "--" + name.replace("_", "-")
        if option in found:
            found[found.index(option) + 1] = value
        else:
            found += [option, value]
    return found


# ── another's ──

OTHERS: dict[str, tuple[dict[str, object], str]] = {
    "seed": ({"seed": 7}, "seed"),
    "rows": ({"train_size": 70}, "data"),
    "model": ({"model": "resnet"}, "model"),
    "width": ({"width": 5}, "parameters"),
    "batch size": ({"batch_size": 8}, "batch size"),
    "optimizer": ({"optimizer": "sgd"}, "optimizer"),
    "averaging": ({"ema": 0.5}, "averaging"),
    "epochs": ({"epochs": 5}, "--epochs 5: this run was begun with 4"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_run_of_something_else_is_left_alone(name: str, finished: Finished, folder: Path) -> None:
    options, said = OTHERS[name]
    before = tree(folder)
    ran = gapless(*changed(finished.arguments, **options), "--out", folder)
    assert ran.code == 2, ran.err
    assert said in ran.json["error"]["message"]
    assert "choose another" in ran.json["error"]["message"]
    assert tree(folder) == before


def test_other_data_of_the_same_name_and_size(tmp_path: Path) -> None:
    """One value of one row differs: the journal's scores are not those of this data."""
    source, out = tmp_path / "data.csv", tmp_path / "run"
    rows = [f"{n},{(n * 7) % 11},{'ab'[n % 2]}" for n in range(40)]
    source.write_text("\n".join(["x,z,y", *rows]))
    arguments = ("tune", source, "--target", "y", "--epochs", 2, "--trials", 10, "--workers", 1, "--out", out, "--json")
    assert gapless(*arguments).code == 0
    source.write_text("\n".join(["x,z,y", *rows[:-1], "39.5,9,b"]))
    ran = gapless(*arguments)
    assert ran.code == 2
    assert "holds a run of another data" in ran.json["error"]["message"]


def test_files_that_are_no_run(tmp_path: Path) -> None:
    """A folder of the user's with files in it: a run begins beside them and touches none."""
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "journal.jsonl").write_text("dear diary\n")
    ran = gapless("tune", "digits", *TINY, "--trials", 10, "--out", tmp_path, "--json")
    assert ran.code == 3
    assert "line 1: damaged" in ran.json["error"]["message"]
    assert tree(tmp_path) == {"notes.txt": b"mine", "journal.jsonl": b"dear diary\n", "journal.jsonl.lock": b""}


def test_out_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    ran = gapless("tune", "digits", *TINY, "--trials", 10, "--out", tmp_path / "file", "--json")
    assert ran.code == 3
    assert "choose another --out" in ran.json["error"]["message"]
    assert (tmp_path / "file").read_text() == "mine"


def test_a_damaged_line_in_the_middle(finished: Finished, folder: Path) -> None:
    lines = (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    lines[10] = lines[10][:30] + b"\n"
    (folder / "journal.jsonl").write_bytes(b"".join(lines))
    before = tree(folder)
    ran = gapless(*finished.arguments, "--out", folder)
    assert ran.code == 3
    assert "journal.jsonl line 11: damaged" in ran.json["error"]["message"]
    assert tree(folder) == before


def test_a_journal_of_a_later_version(finished: Finished, folder: Path) -> None:
    text = (folder / "journal.jsonl").read_text().replace('"op": "rotate"', '"op": "wormhole"')
    (folder / "journal.jsonl").write_text(re.sub(r', "crc": "\w{8}"', "", text))
    ran = gapless(*finished.arguments, "--out", folder)
    assert ran.code == 3
    assert "not a candidate of this version of gapless" in ran.json["error"]["message"]


def test_a_journal_of_another_schema(finished: Finished, folder: Path) -> None:
    text = (folder / "journal.jsonl").read_text().replace('"schema": 1', '"schema": 99')
    (folder / "journal.jsonl").write_text(re.sub(r', "crc": "\w{8}"', "", text))
    ran = gapless(*finished.arguments, "--out", folder)
    assert ran.code == 2
    assert "another version of gapless (schema 99, this one writes 1)" in ran.json["error"]["message"]


def test_a_score_changed_afterwards_is_no_evidence(finished: Finished, folder: Path) -> None:
    """One digit of one score, as a bad disk or a wish would change it."""
    lines = (folder / "journal.jsonl").read_text().splitlines(keepends=True)
    number = next(n for n, line in enumerate(lines) if '"score": 0.' in line)
    at = lines[number].index('"score": 0.') + len('"score": 0.')
    lines[number] = lines[number][:at] + str(9 - int(lines[number][at])) + lines[number][at + 1 :]
    (folder / "journal.jsonl").write_text("".join(lines))
    ran = gapless(*finished.arguments, "--out", folder)
    assert ran.code == 3
    message = f"journal.jsonl line {number + 1}: damaged (its checksum does not match)"
    assert message in ran.json["error"]["message"]


# ── a full disk ──


class Room:
    """Lets so many calls through and then the disk is full."""

    def __init__(self, calls: int, real: Any):
        self.calls, self.real = calls, real

    def __call__(self, *arguments: Any) -> Any:
        self.calls -= 1
        if self.calls < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.real(*arguments)


@pytest.mark.parametrize("calls", [1, 13, 70])
def test_a_disk_that_fills_up_and_has_room_again(
    calls: int, finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every write of the journal and of checkpoints ends in fsync; the first that fails ends the run, and no trial
    is thereby a failure."""
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", Room(calls, os.fsync))
        ran = gapless(*finished.arguments, "--out", folder)
    assert ran.code == 3
    assert "No space left on device" in ran.json["error"]["message"]
    assert "make room" in ran.json["error"]["message"]
    assert not [p for p in folder.rglob("*") if p.suffix == ".part" or p.name == "result.json"]
    assert not [e for e in events(folder) if e.get("status") == "failed"]
    again = gapless(*finished.arguments, "--out", folder)
    assert again.code == 0, again.err
    assert figures(folder) == figures(finished.folder)


@pytest.mark.parametrize("file", ["recipe.toml", "report.html"])
def test_a_disk_that_fills_up_at_the_very_end(
    file: str, finished: Finished, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("recipe.toml", "result.json", "report.html"):
        (folder / name).write_text(f"old {name}")
    replace = Path.replace

    def full(self: Path, target: Path) -> Path:
        if Path(target).name == file:
            raise OSError(errno.ENOSPC, "No space left on device")
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        ran = gapless(*finished.arguments, "--out", folder)
    assert ran.code == 3
    assert file in ran.json["error"]["message"]
    assert (folder / file).read_text() == f"old {file}"  # whole, never half
    assert not list(folder.glob(".*.part"))
    assert gapless(*finished.arguments, "--out", folder).code == 0
    assert figures(folder) == figures(finished.folder)
