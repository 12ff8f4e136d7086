"""What a loader refuses, with the value and the right range in the message."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from gapless.augment.image import Policy, Step
from gapless.augment.image.cpu.interpreter import Normal
from gapless.data import Loader
from gapless.errors import DataError, UsageError

X = np.zeros((6, 5, 5, 3), np.uint8)
POLICY = Policy((Step("rotate", 10),))


@pytest.mark.parametrize(
    ("pictures", "error", "message"),
    [
        (X.astype(np.float64), DataError, "uint8, or of float32 with levels in [0, 1], got float64 (6, 5, 5, 3)"),
        (X.astype(np.int64), DataError, "got int64 (6, 5, 5, 3)"),
        (X[0], DataError, "pictures must be an array (N, H, W, C)"),
        (X[..., 0], DataError, "got uint8 (6, 5, 5)"),
        (X[:0], DataError, "there are no pictures: the array has shape (0, 5, 5, 3)"),
        (X[:, :0], DataError, "at least one pixel and one channel, got an array of shape (6, 0, 5, 3)"),
        (X.transpose(0, 3, 1, 2), DataError, "looks like (N, C, H, W); use x.transpose(0, 2, 3, 1)"),
        (torch.from_numpy(X), UsageError, "pictures must be a numpy array (N, H, W, C), np.load"),
        ([X[0]], UsageError, "or Files([...]), got list"),
        ("folder", UsageError, "got str"),
    ],
)
def test_pictures(pictures: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        Loader(pictures)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (range(5), "labels must have one row for each of 6 pictures, got shape (5,)"),
        (3, "labels must have one row for each of 6 pictures, got shape ()"),
        (["cat"] * 6, "labels must be numbers, got <U3 of shape (6,); number the classes from 0"),
        ([0, 1, None, 1, 0, 1], "labels must be numbers, got object"),
        ([0, 1, 2, float("nan"), 4, 5], "labels must be finite, got nan at row 3"),
        (np.full((6, 2), np.inf), "labels must be finite, got [inf inf] at row 0"),
    ],
)
def test_labels(labels: Any, message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        Loader(X, labels)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"threads": 0}, "threads must be at least 1, got 0"),
        ({"ahead": 0}, "ahead must be at least 1, got 0"),
        ({"rows": []}, "rows must name at least one picture, got none"),
        ({"rows": [0, 6]}, "rows must be from 0 to 5, got 0 to 6"),
        ({"rows": [-1]}, "rows must be from 0 to 5, got -1 to -1"),
        ({"rows": [0.5]}, "rows must be a list of row numbers, got float64 of shape (1,)"),
        ({"batch_size": 7, "drop_last": True}, "drop_last leaves nothing of 6 rows in batches of 7"),
        ({"normal": Normal((0.5,), (0.5,))}, "a mean and a deviation for each of 3 channels, got 1"),
        ({"normal": Normal((0.5,) * 3, (0.5,))}, "normal has 3 means and 1 deviations"),
        ({"normal": Normal((0.5,) * 3, (0.5, 0, 0.5))}, "deviations must be above 0, for levels from 0 to 1"),
        ({"normal": Normal((0.5, float("nan"), 0.5), (0.5,) * 3)}, "means must be finite"),
    ],
)
def test_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((UsageError, DataError), match=re.escape(message)):
        Loader(X, None, POLICY, **arguments)


def test_a_negative_epoch() -> None:
    with pytest.raises(UsageError, match="epoch must be at least 0, got -1"):
        Loader(X).set_epoch(-1)


@pytest.mark.parametrize("wrong", [float("nan"), 1.5, -0.2, 255.0, float("inf")])
def test_float_levels_out_of_range_name_their_picture(wrong: float) -> None:
    x = np.full((9, 5, 5, 1), 0.5, np.float32)
    x[7, 2, 2] = wrong
    seen = 0
    with pytest.raises(DataError, match=r"picture 7: float32 levels must be in \[0, 1\], got .*; divide by"):
        for _ in Loader(x, None, POLICY, 3, shuffle=False):
            seen += 1
    assert seen == 2


# ── pinned memory: no GPU stands here, so torch's part is played ──


def test_pinned_memory_needs_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="pin=True needs CUDA, which torch does not find"):
        Loader(X, pin=True)


def test_pinned_buffers_wait_for_copies_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """A buffer is written again only after the copies that were begun from it before the next batch was asked for."""
    said: list[str] = []
    event = SimpleNamespace(record=lambda: said.append("record"), synchronize=lambda: said.append("wait"))
    monkeypatch.setattr(torch.cuda, "Event", lambda: event)
    monkeypatch.setattr(torch.Tensor, "is_pinned", always)
    loader = Loader(X, None, POLICY, 3)
    for number, _ in enumerate(loader):
        assert said == ["record"] * number  # two batches, two buffers: neither is written a second time
    assert said == ["record"] * 2
    for _ in loader:
        break
    assert "wait" in said
    assert said.count("record") == 3  # the batch that was held when the pass was broken off counts


def always(tensor: torch.Tensor) -> bool:
    return True
