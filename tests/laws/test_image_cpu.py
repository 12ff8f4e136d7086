"""The compiled interpreter does what the torch interpreter does, one picture at a time, whatever runs beside it."""

import numpy as np
import pytest
import torch

from gapless.augment.image.cpu import interpreter as cpu
from gapless.augment.image.ops import OPS
from gapless.augment.image.policy import Policy, Step
from gapless.augment.image.program import FILLS, Fill, Program
from gapless.augment.image.torch.interpreter import run

NAMES = sorted(OPS)


def pictures(batch: int = 4, channels: int = 3, height: int = 26, width: int = 33) -> np.ndarray:
    """Noisy waves, uint8 (B, H, W, C): every level occurs, neighbours differ."""
    generator = np.random.default_rng(channels)
    y, x = np.mgrid[:height, :width]
    waves = [
        128 + 90 * np.sin(x / (2 + c) + b) + 50 * np.cos(y / 3 + c) + generator.normal(0, 8, (height, width))
        for b in range(batch)
        for c in range(channels)
    ]
    levels = np.clip(np.array(waves), 0, 255).reshape(batch, channels, height, width)
    return np.ascontiguousarray(levels.transpose(0, 2, 3, 1).astype(np.uint8))


def reference(program: Program, images: np.ndarray) -> torch.Tensor:
    return run(program, torch.from_numpy(images).permute(0, 3, 1, 2))


def difference(program: Program, images: np.ndarray) -> torch.Tensor:
    """In grey levels, after both were rounded."""
    return ((cpu.run(program, images) * 255).round() - reference(program, images)).abs()


def full(name: str, fill: Fill = "black", share: float = 0.4) -> Policy:
    op = OPS[name]
    return Policy((Step(name, op.strong * share if op.law == "uniform" else op.strong),), fill=fill)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("channels", [1, 3, 4, 5])
def test_every_operation_alone_is_within_one_level_of_torch(name: str, channels: int) -> None:
    images = pictures(channels=channels)
    policy = full(name)
    program = policy.program(np.random.default_rng(1).random((4, policy.columns)), 26, 33)
    assert difference(program, images).max() <= 1


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("name", ["rotate", "perspective", "scale", "quarter_turn", "shift_x"])
def test_warps_fill_alike(name: str, channels: int, fill: Fill) -> None:
    images = pictures(channels=channels)
    policy = full(name, fill, 0.9)
    program = policy.program(np.random.default_rng(2).random((4, policy.columns)), 26, 33)
    off = difference(program, images)
    # Where a homography looks edge-on, neighbouring places are many pixels apart and float32 decides which is read.
    assert (off > 1).float().mean() <= (0.002 if name == "perspective" else 0)


@pytest.mark.parametrize("size", [(26, 33), (9, 12), (50, 40), (1, 1)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_resized_crops_and_what_comes_before_and_after(size: tuple[int, int], channels: int) -> None:
    images = pictures(channels=channels)
    steps = [Step("brightness", 0.3), Step("resized_crop", 0.9), Step("flip_x", 1, 0.5), Step("rotate", 20)]
    policy = Policy((*steps, Step("contrast", 0.4), Step("erase", 0.3)), size=size, fill="gray")
    program = policy.program(np.random.default_rng(3).random((4, policy.columns)), 26, 33)
    assert difference(program, images).max() <= 2


def test_two_resized_crops_with_a_turn_between_them() -> None:
    images = pictures()
    steps = (Step("resized_crop", 0.5), Step("rotate", 20), Step("resized_crop", 0.5))
    for size in (None, (40, 20)):
        program = Policy(steps, size=size).program(np.random.default_rng(3).random((4, 12)), 26, 33)
        assert difference(program, images).max() <= 2


def test_chains_of_their_own_differ_at_ties_only() -> None:
    images = pictures(96)
    steps = tuple(step for name in NAMES if name != "resized_crop" for step in full(name).steps)
    policy = Policy(steps, pick=3, fill="reflect")
    program = policy.program(np.random.default_rng(4).random((96, policy.columns)), 26, 33)
    off = difference(program, images)
    assert (off > 1).float().mean() < 0.01, "a tie of one level in front of a step-shaped table is amplified"
    assert (off > 0).float().mean() < 0.15


def test_a_picture_is_the_same_bits_whatever_runs_beside_it() -> None:
    images = pictures(12)
    steps = tuple(step for name in NAMES if name != "resized_crop" for step in full(name).steps)
    policy = Policy(steps, pick=2)
    u = np.random.default_rng(5).random((12, policy.columns))
    together = cpu.run(policy.program(u, 26, 33), images)
    threaded = cpu.run(policy.program(u, 26, 33), images, threads=3)
    assert torch.equal(together, threaded)
    for b in range(12):
        alone = cpu.run(policy.program(u[b : b + 1], 26, 33), images[b : b + 1])
        assert torch.equal(alone[0], together[b])


def test_pictures_of_many_sizes_become_one_batch() -> None:
    sizes = [(40, 30), (26, 33), (8, 90), (1, 1), (3, 2)]
    images = [pictures(1, 3, *size)[0] for size in sizes]
    policy = Policy((Step("resized_crop", 0.5), Step("rotate", 10), Step("hue", 30)), size=(16, 20))
    u = np.random.default_rng(6).random((5, policy.columns))
    heights, widths = np.array(sizes).T
    got = cpu.run(policy.program(u, heights, widths), images)
    for b, (height, width) in enumerate(sizes):
        wanted = reference(policy.program(u[b : b + 1], height, width), images[b][None])
        assert ((got[b] * 255).round() - wanted[0]).abs().max() <= 2


def test_a_plan_for_many_batches_gives_each_what_one_run_gives_all() -> None:
    sizes = [(40, 30), (26, 33), (8, 90), (1, 1), (3, 2), (9, 9), (50, 20)]
    images = [pictures(1, 3, *size)[0] for size in sizes]
    policy = Policy((Step("resized_crop", 0.5), *full("rotate").steps, *full("posterize").steps), size=(9, 9))
    u = np.random.default_rng(10).random((7, policy.columns))
    program, normal = policy.program(u, *np.array(sizes).T), cpu.Normal((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
    whole, plan = cpu.run(program, images, normal), cpu.prepare(program, 3, normal)
    for start, stop in ((4, 7), (0, 4), (2, 2), (0, 7)):
        assert torch.equal(plan.run(images[start:stop], start), whole[start:stop])
    with pytest.raises(ValueError, match="the program is for 7 pictures, got number 5 to 8"):
        plan.run(images[4:7], 5)
    with pytest.raises(ValueError, match="pictures of other sizes"):
        plan.run(images[4:6], 3)


@pytest.mark.parametrize("layout", ["whole", "every other column", "colours first"])
def test_rows_of_an_array_are_read_where_they_lie(layout: str) -> None:
    many = np.random.default_rng(0).integers(0, 256, (40, 20, 48, 3), dtype=np.uint8)
    many = {"whole": many, "every other column": many[:, :, ::2], "colours first": many[:, ::-1, :, ::-1]}[layout]
    before = many.copy()
    rows = np.array([7, 3, 39, 7, 0], np.int32)
    policy = Policy((Step("rotate", 20), Step("brightness", 0.3)))
    program = policy.program(np.random.default_rng(1).random((6, policy.columns)), 20, many.shape[2])
    plan = cpu.prepare(program, 3)
    for threads in (1, 3):
        got = plan.run(many, 1, None, threads, rows)
        assert torch.equal(got, plan.run(np.ascontiguousarray(many[rows]), 1))
    assert (many == before).all()
    assert plan.run(many, 2, rows=rows[:0]).shape == (0, 3, 20, many.shape[2])
    for wrong in ([40], [-1]):
        with pytest.raises(ValueError, match=f"rows must be from 0 to 39, got {wrong[0]} to {wrong[0]}"):
            plan.run(many, rows=np.array(wrong))
    with pytest.raises(ValueError, match=r"rows must be whole numbers \(B,\), got float64 \(1,\)"):
        plan.run(many, rows=np.array([0.5]))  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="rows are of one array of pictures, got a list"):
        plan.run(list(many), rows=rows)


@pytest.mark.parametrize("threads", [2, 3, 20])
def test_threads_leave_no_picture_out(threads: int) -> None:
    policy = Policy((Step("rotate", 30), Step("contrast", 0.5)))
    images = pictures(13)
    program = policy.program(np.random.default_rng(11).random((13, policy.columns)), 26, 33)
    wanted = cpu.run(program, images)
    for _ in range(30):
        out = torch.full_like(wanted, float("nan"))
        assert torch.equal(cpu.run(program, images, out=out, threads=threads), wanted)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (2, 2)])
def test_tiny_pictures(size: tuple[int, int]) -> None:
    images = pictures(3, 3, *size)
    for name in NAMES:
        policy = full(name)
        program = policy.program(np.random.default_rng(7).random((3, policy.columns)), *size)
        assert difference(program, images).max() <= 1, name


def test_normalising_is_part_of_the_pass() -> None:
    normal = cpu.Normal((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
    images = pictures()
    mean, deviation = (torch.tensor(v).view(3, 1, 1) for v in (normal.mean, normal.deviation))
    for steps in ([], ["rotate"], ["rotate", "contrast"], ["rotate", "brightness"], ["posterize"], ["blur", "erase"]):
        policy = Policy(tuple(full(name).steps[0] for name in steps))
        program = policy.program(np.random.default_rng(8).random((4, policy.columns)), 26, 33)
        plain = cpu.run(program, images)
        torch.testing.assert_close(cpu.run(program, images, normal), (plain - mean) / deviation, atol=2e-5, rtol=1e-5)


def test_the_source_is_never_changed_and_may_have_any_strides() -> None:
    images = pictures(4, 3, 40, 50)
    view = images[:, 3:29, 10:43]
    mirrored, reordered = images[:, :, ::-1], np.asfortranarray(images)
    before = images.copy()
    policy = Policy((Step("rotate", 30), Step("sharpness", 0.5), Step("equalize", 1)))
    u = np.random.default_rng(9).random((4, policy.columns))
    for strided in (view, mirrored, reordered):
        program = policy.program(u, *strided.shape[1:3])
        assert torch.equal(cpu.run(program, strided), cpu.run(program, strided.copy()))
        listed = cpu.run(program, list(strided))
        assert torch.equal(listed, cpu.run(program, strided))
    assert (images == before).all()


def test_a_batch_of_none_and_the_memory_that_is_handed_in() -> None:
    policy = Policy((Step("rotate", 30),))
    assert cpu.run(policy.program(np.zeros((0, 2)), 26, 33), pictures(0)).shape == (0, 3, 26, 33)
    program = policy.program(np.zeros((4, 2)), 26, 33)
    out = torch.full((4, 3, 26, 33), float("nan"))
    assert cpu.run(program, pictures(), out=out) is out
    assert torch.equal(out, cpu.run(program, pictures()))


def test_wrong_pictures_are_refused() -> None:
    policy = Policy((Step("rotate", 30),))
    program = policy.program(np.zeros((4, 2)), 26, 33)
    with pytest.raises(ValueError, match="the program is for 4 pictures, got 3"):
        cpu.run(program, pictures(3))
    with pytest.raises(ValueError, match="the program was made for pictures of other sizes"):
        cpu.run(program, pictures(4, 3, 26, 34))
    with pytest.raises(ValueError, match=r"uint8 arrays of shape \(B, H, W, C\), got float32 \(4, 26, 33, 3\)"):
        cpu.run(program, pictures().astype(np.float32))
    with pytest.raises(ValueError, match=r"uint8 arrays of shape \(H, W, C\), got uint8 \(26, 33\)"):
        cpu.run(program, [picture[:, :, 0] for picture in pictures()])
    with pytest.raises(
        ValueError, match=r"out must be contiguous float32 of shape \(4, 3, 26, 33\), got torch.float32 \(4, 3"
    ):
        cpu.run(program, pictures(), out=torch.zeros(4, 3, 33, 26))
    with pytest.raises(ValueError, match="normal must have 3 means and deviations"):
        cpu.run(program, pictures(), cpu.Normal((0.5,), (0.5,)))
    with pytest.raises(ValueError, match=r"all pictures must have 3 channels, got shape \(26, 33, 1\)"):
        cpu.run(program, [*pictures(3), pictures(1, 1)[0]])
    with pytest.raises(ValueError, match=r"uint8 arrays of shape \(B, H, W, C\), got uint8 \(4, 26, 33\)"):
        cpu.run(program, pictures()[..., 0])
    with pytest.raises(ValueError, match="threads must be at least 1, got 0"):
        cpu.run(program, pictures(), threads=0)
    with pytest.raises(ValueError, match="at least one pixel and one channel"):
        cpu.run(policy.program(np.zeros((4, 2)), 26, 33), pictures()[:, :0])
    with pytest.raises(ValueError, match="need a policy with a size"):
        policy.program(np.zeros((2, 2)), np.array([3, 4]), np.array([5, 6]))
