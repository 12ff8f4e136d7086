"""Smooth warps of the compiled engine at their edges: tiny, long, wide and gray pictures, and where memory ends."""

import ctypes
import mmap
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gapless.augment.image.cpu import interpreter as cpu
from gapless.augment.image.policy import Policy, Step
from gapless.augment.image.program import FILLS, Fill, Program
from gapless.augment.image.torch.interpreter import run

Bytes = NDArray[np.uint8]


def noise(batch: int, height: int, width: int, channels: int) -> Bytes:
    return np.random.default_rng(width).integers(0, 256, (batch, height, width, channels), np.uint8)


def crops(shape: tuple[int, ...], size: tuple[int, int], steps: Sequence[Step] = (), fill: Fill = "black") -> Program:
    """Crops of any size, each with a flip or without."""
    batch, height, width, _ = shape
    flips = (Step("flip_x", 1, 0.5), Step("flip_y", 1, 0.5))
    policy = Policy((*steps, Step("resized_crop", 0.98), *flips), fill=fill, size=size)
    return policy.program(np.random.default_rng(5).random((batch, policy.columns)), height, width)


def worst(program: Program, pictures: Bytes, got: torch.Tensor | None = None) -> float:
    """The largest distance to what torch finds in float32, in levels."""
    got = cpu.run(program, pictures) if got is None else got
    wanted = run(program, torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255)
    return float((got - wanted).abs().max()) * 255


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("width", range(1, 14))
def test_narrow_pictures(width: int, channels: int) -> None:
    for height, size in ((1, (3, 5)), (7, (1, 1)), (5, (2, 9)), (12, (6, 3)), (3, (4, 4)), (9, (5, 2))):
        pictures = noise(6, height, width, channels)
        assert worst(crops(pictures.shape, size), pictures) < 0.4


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_filters_of_many_taps(channels: int) -> None:
    for shape, size in (
        ((3, 130, 170, channels), (5, 7)),
        ((2, 40, 600, channels), (9, 2)),
        ((2, 700, 9, channels), (7, 9)),
    ):
        pictures = noise(*shape)
        assert worst(crops(shape, size), pictures) < 0.5


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_filters_that_begin_outside(channels: int, fill: Fill) -> None:
    """A move joins the crop, which then reads from beyond the edges."""
    pictures = noise(16, 21, 26, channels)
    moved = crops(pictures.shape, (17, 19), (Step("translate_x", 0.6), Step("translate_y", 0.6)), fill)
    assert worst(moved, pictures) < 0.4


@pytest.mark.parametrize("level", [0, 1, 127, 254, 255])
def test_one_level_stays_that_level(level: int) -> None:
    for shape, size in (((8, 50, 61, 3), (24, 30)), ((2, 400, 300, 4), (7, 9)), ((4, 9, 5, 1), (20, 20))):
        got = cpu.run(crops(shape, size), np.full(shape, level, np.uint8)) * 255
        assert float((got - level).abs().max()) <= 0.25


def at_the_end_of_memory(pictures: Bytes) -> tuple[list[Bytes], mmap.mmap]:
    """The pictures, each ending where a page begins that nobody may read, and each beginning behind such a page."""
    page, size = mmap.PAGESIZE, pictures[0].nbytes
    room = -(-size // page) * page
    held = mmap.mmap(-1, (len(pictures) * 2 * (room + page)) + page)
    first = ctypes.addressof(ctypes.c_char.from_buffer(held))
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    found: list[Bytes] = []
    for n, picture in enumerate(pictures):
        for where, offset in enumerate((page, page + room - size)):
            start = (2 * n + where) * (room + page)
            copy = np.frombuffer(held, np.uint8, size, start + offset).reshape(picture.shape)
            copy[:] = picture
            assert protect(ctypes.c_void_p(first + start), ctypes.c_size_t(page), 0) == 0
            found.append(copy)
    assert protect(ctypes.c_void_p(first + len(found) * (room + page)), ctypes.c_size_t(page), 0) == 0
    return found, held


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("width", [1, 3, 4, 5, 6, 7, 8, 9, 10, 31])
def test_nothing_is_read_past_either_end_of_a_picture(width: int, channels: int) -> None:
    """The process would not survive it."""
    pictures = noise(3, 6, width, channels)
    placed, held = at_the_end_of_memory(pictures)
    policy = Policy((), size=(4, 11))
    program = policy.program(np.zeros((len(placed), policy.columns)), 6, width)
    got = cpu.run(program, placed)
    assert worst(program, pictures.repeat(2, 0), got) < 0.4
    assert len(held) > 0


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_rows_with_other_bytes_between_them(channels: int) -> None:
    whole = noise(5, 40, 64, channels)
    parts = [picture[3:33, 5 + n : 50 + n] for n, picture in enumerate(whole)]
    assert all(part.strides[0] == 64 * channels for part in parts)
    compact = np.stack(parts)
    program = crops(compact.shape, (13, 16))
    assert torch.equal(cpu.run(program, parts), cpu.run(program, compact))
    assert worst(program, compact) < 0.4


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_what_is_worked_on_before_is_read_from_its_planes(channels: int) -> None:
    for width in (2, 3, 6, 33):
        pictures = noise(4, 12, width, channels)
        changed = crops(pictures.shape, (7, 10), (Step("invert", 1), Step("posterize", 1)))
        assert worst(changed, pictures) < 1
