"""Checkpoints: whole or not there, refused when damaged or of another training, and never a pickle."""

import json
import os
import pickle
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save
from small_tasks import pictures

from gapless.errors import DataError
from gapless.recipe import Decay, Recipe, preset
from gapless.train import checkpoint
from gapless.train.loop import Plan, Trainer

TENSORS = {"a": torch.arange(6.0).view(2, 3), "b": torch.tensor(3), "c": torch.zeros(2, 0)}
STRONG = preset("image", "strong")


def trainer(recipe: Recipe = STRONG, lr: float = 0.01, seed: int = 0, rows: int = 60, **changes: Any) -> Trainer:
    task = pictures(64)
    return Trainer(task, np.arange(rows), recipe, lr, seed, replace(Plan(4, 16), **changes), task.develop)


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "c.safetensors"
    turned = torch.arange(24.0).view(1, 2, 3, 4).to(memory_format=torch.channels_last)
    checkpoint.write(path, TENSORS | {"d": turned, "e": turned[:, :1]}, {"epoch": 3, "name": "é"})
    tensors, facts = checkpoint.read(path)
    assert facts == {"epoch": 3, "name": "é"}
    assert tensors.keys() == {"a", "b", "c", "d", "e"}
    for name, tensor in (TENSORS | {"d": turned, "e": turned[:, :1]}).items():
        assert torch.equal(tensors[name], tensor)
        assert tensors[name].dtype == tensor.dtype
    assert [p.name for p in path.parent.iterdir()] == ["c.safetensors"]  # nothing left beside it


def test_truncated_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    checkpoint.write(path, TENSORS, {"epoch": 1})
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        with pytest.raises(DataError, match="not a readable checkpoint"):
            checkpoint.read(path)


def test_flipped_bits_never_crash(tmp_path: Path) -> None:
    """A damaged file is refused, or gives tensors; it never brings the process down."""
    path = tmp_path / "c.safetensors"
    checkpoint.write(path, TENSORS, {"epoch": 1})
    whole = path.read_bytes()
    refused = 0
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
        try:
            tensors, facts = checkpoint.read(path)
            assert isinstance(facts, dict)
            assert all(isinstance(t, torch.Tensor) for t in tensors.values())
        except DataError:
            refused += 1
    assert refused > 100


class Boom:
    """Unpickling this would leave a file behind."""

    def __reduce__(self) -> Any:
        return (os.mkdir, ("boom",))


HOSTILE = {
    "empty": b"",
    "a pickle": pickle.dumps(Boom()),
    "a torch file": b"PK\x03\x04" + pickle.dumps(Boom()),
    "a header of 2^60 bytes": struct.pack("<Q", 2**60) + b"{}",
    "a header that is no JSON": struct.pack("<Q", 4) + b"abcd",
    "a tensor outside of the file": struct.pack("<Q", 60)
    + b'{"a":{"dtype":"F32","shape":[1000],"data_offsets":[0,4000]}}'.ljust(60),
    "no facts": save({"a": torch.zeros(1)}),
    "facts that are no JSON": save({"a": torch.zeros(1)}, {"facts": "{"}),
    "facts that are a list": save({"a": torch.zeros(1)}, {"facts": "[1]"}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "c.safetensors"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(DataError, match=str(path)):
        trainer().load(path)
    assert not (tmp_path / "boom").exists()


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a readable checkpoint"):
        trainer().load(tmp_path / "none.safetensors")


@pytest.mark.parametrize(
    "other",
    [
        {"recipe": STRONG.replace("decay", Decay(strength=0.1))},
        {"recipe": Recipe()},
        {"lr": 0.02},
        {"seed": 1},
        {"rows": 61},
        {"epochs": 5},
        {"batch_size": 8},
        {"optimizer": "sgd"},
        {"ema": 0.5},
    ],
    ids=lambda other: next(iter(other)),
)
def test_of_another_training(other: dict[str, Any], tmp_path: Path) -> None:
    first = trainer()
    first.run_to(1)
    first.save(tmp_path / "c.safetensors")
    with pytest.raises(DataError, match="of another training; delete it"):
        trainer(**other).load(tmp_path / "c.safetensors")


def test_of_this_training_but_with_other_tensors(tmp_path: Path) -> None:
    first = trainer()
    first.run_to(1)
    first.save(tmp_path / "c.safetensors")
    tensors, facts = checkpoint.read(tmp_path / "c.safetensors")
    for wrong in (
        {k: v for k, v in tensors.items() if k != "model.head.weight"},
        tensors | {"model.head.weight": torch.zeros(3)},
        tensors | {"optimizer.x.exp_avg": torch.zeros(3)},
    ):
        checkpoint.write(tmp_path / "wrong.safetensors", wrong, facts)
        with pytest.raises(DataError, match="not a checkpoint of this training"):
            trainer().load(tmp_path / "wrong.safetensors")
    checkpoint.write(tmp_path / "wrong.safetensors", tensors, {k: v for k, v in facts.items() if k != "epoch"})
    with pytest.raises(DataError, match="not a checkpoint of this training"):
        trainer().load(tmp_path / "wrong.safetensors")


def test_checkpoints_are_safetensors(tmp_path: Path) -> None:
    t = trainer()
    t.run_to(1)
    t.save(tmp_path / "c.safetensors")
    raw = (tmp_path / "c.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    assert json.loads(header["__metadata__"]["facts"])["epoch"] == 1
    names = {name.partition(".")[0] for name in header if name != "__metadata__"}
    assert names == {"model", "optimizer"}
