"""recipe.batch on targets with positions, inputs of other shapes and labels of every kind: done, or refused."""

from typing import Any

import pytest
import torch
from test_batch import gen, pictures
from torch import Tensor

from gapless.errors import DataError, UsageError
from gapless.recipe import Augment, Op, Recipe

MOVES = Augment(ops=(Op(op="rotate", strength=40.0), Op(op="flip_x", strength=1.0, p=0.5)))
COLOURS = Augment(ops=(Op(op="brightness", strength=0.3),))
LABELS = torch.arange(6) % 3


def squares() -> tuple[Tensor, Tensor]:
    """Pictures whose white part is what the mask says."""
    masks = torch.zeros(6, 24, 24, dtype=torch.int64)
    for row in range(6):
        masks[row, 3 + row : 13 + row, 2:14] = 1
    return masks[:, None].expand(-1, 3, -1, -1).float().contiguous(), masks


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool, torch.float32])
@pytest.mark.parametrize("form", [(6, 24, 24), (6, 1, 24, 24)])
def test_masks_move_with_their_pictures(form: tuple[int, ...], dtype: torch.dtype) -> None:
    x, masks = squares()
    inputs, targets = Recipe(augment=MOVES).batch(x, masks.to(dtype).view(form), gen())
    assert (targets.shape, targets.dtype) == (form, dtype)
    assert not torch.equal(targets.view_as(masks), masks.to(dtype))
    wrong = (inputs[:, 0] - targets.view_as(masks).float()).abs()
    assert float((wrong > 0.6).float().mean()) < 0.01  # a pixel cut by an edge may fall either way


def test_what_a_moved_mask_shows_outside() -> None:
    x, masks = squares()
    _, targets = Recipe(augment=MOVES).batch(x, masks, gen(), outside=-100)
    assert set(targets.unique().tolist()) == {-100, 0, 1}
    _, kept = Recipe(augment=COLOURS).batch(x, masks, gen(), outside=-100)
    assert torch.equal(kept, masks)


def test_masks_are_mixed_with_their_pictures() -> None:
    x, masks = squares()
    inputs, pasted = Recipe(augment=Augment(cutmix=1.0)).batch(x, masks, gen())
    assert torch.equal(inputs[:, 0], pasted.float())
    assert not torch.equal(pasted, masks)
    inputs, blended = Recipe(augment=Augment(mixup=1.0)).batch(x, masks, gen(), classes=2)
    assert blended.shape == (6, 2, 24, 24)
    torch.testing.assert_close(inputs[:, 0], blended[:, 1])
    _, smooth = Recipe(augment=Augment(label_smoothing=0.2)).batch(x, masks, gen(), classes=2)
    torch.testing.assert_close(smooth[:, 1], masks * 0.8 + 0.1)


@pytest.mark.parametrize("part", [MOVES, Augment(cutmix=1.0), COLOURS])
def test_other_positions_are_refused_where_something_moves(part: Augment) -> None:
    points, boxes = torch.rand(6, 4, 2), [{"boxes": torch.zeros(1, 4)}] * 6
    if part is COLOURS:
        assert Recipe(augment=part).batch(pictures(torch.float32, rows=6), points, gen())[1] is points
        assert Recipe(augment=part).batch(pictures(torch.float32, rows=6), boxes, gen())[1] is boxes  # type: ignore[arg-type]
        return
    with pytest.raises(UsageError, match=r"labels of shape \(6, 4, 2\) may have positions .* move_points"):
        Recipe(augment=part).batch(pictures(torch.float32, rows=6), points, gen())
    with pytest.raises(UsageError, match=r"labels must be a tensor, got a list; .* move_boxes"):
        Recipe(augment=part).batch(pictures(torch.float32, rows=6), boxes, gen())  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(6, 3, 8), (6, 5, 3, 8, 8)])
def test_sequences_and_videos_are_refused_or_mixed_up(shape: tuple[int, ...]) -> None:
    x = torch.rand(shape, generator=gen())
    for part, name in ((MOVES, "rotate, flip_x"), (Augment(noise=0.1), "noise"), (Augment(cutmix=0.2), "cutmix")):
        with pytest.raises(UsageError, match=rf"pictures \(B, C, H, W\) or rows \(B, F\) for {name}, got shape"):
            Recipe(augment=part).batch(x, LABELS, gen(), classes=3)
    inputs, targets = Recipe(augment=Augment(mixup=1.0)).batch(x, LABELS, gen(), classes=3)
    assert not torch.equal(inputs, x)
    assert targets.shape == (6, 3)


def test_the_frames_of_a_video_move_alike_as_channels() -> None:
    x = torch.rand(2, 1, 3, 9, 9, generator=gen()).expand(-1, 4, -1, -1, -1)
    inputs, _ = Recipe(augment=MOVES).batch(x.flatten(1, 2), LABELS[:2], gen())
    frames = inputs.view(2, 4, 3, 9, 9)
    assert torch.equal(frames, frames[:, :1].expand_as(frames))
    assert not torch.equal(frames, x)


@pytest.mark.parametrize("part", [Augment(mixup=0.2), Augment(cutmix=0.2), Augment(label_smoothing=0.1)])
@pytest.mark.parametrize("columns", [1, 5])
def test_integer_labels_in_columns_are_refused_where_they_would_become_soft(part: Augment, columns: int) -> None:
    labels, x = torch.randint(0, 2, (6, columns), generator=gen()), pictures(torch.float32, rows=6)
    with pytest.raises(UsageError, match=r"for one-hot labels give labels.argmax\(1\), .* labels.float\(\)"):
        Recipe(augment=part).batch(x, labels, gen(), classes=columns)
    assert Recipe(augment=MOVES).batch(x, labels, gen())[1] is labels
    if part.mixup:
        _, mixed = Recipe(augment=part).batch(x, labels.float(), gen())
        assert mixed.shape == labels.shape
    if not part.cutmix:
        with pytest.raises(UsageError, match="class numbers of shape"):
            Recipe(augment=part).mixing(torch.nn.Embedding(3, 2), labels, gen(), columns)


def test_wrong_counts_and_no_generator_are_named() -> None:
    x, nothing = pictures(torch.float32, rows=6), None
    with pytest.raises(DataError, match="a label for each of 6 inputs, got 2 labels"):
        Recipe(augment=Augment(mixup=0.2)).batch(x, LABELS[:2], gen(), classes=3)
    with pytest.raises(UsageError, match=r"generator must be a torch.Generator, got None; make one before the loop"):
        Recipe(augment=MOVES).batch(x, LABELS, nothing)  # type: ignore[arg-type]


@pytest.mark.parametrize("part", [MOVES, COLOURS, Augment(mixup=0.2), Augment(cutmix=1.0)])
def test_channels_last_stays(part: Augment) -> None:
    x: Any = pictures(torch.float32, rows=6)
    plain, _ = Recipe(augment=part).batch(x, LABELS, gen(), classes=3)
    inputs, _ = Recipe(augment=part).batch(x.to(memory_format=torch.channels_last), LABELS, gen(), classes=3)
    assert inputs.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(inputs, plain)


def test_autocast_changes_nothing() -> None:
    """Places and colours in bfloat16 would be off by pixels and by twenty levels."""
    x, masks = squares()
    names = ("rotate", "hue", "contrast", "perspective", "blur", "pad_crop", "saturation")
    part = Augment(ops=tuple(Op(op=name, strength=0.3 if name != "pad_crop" else 3.0) for name in names))
    plain, moved = Recipe(augment=part).batch(x, masks, gen())
    with torch.autocast("cpu", torch.bfloat16):
        inputs, same = Recipe(augment=part).batch(x, masks, gen())
    assert inputs.dtype is torch.float32
    assert torch.equal(inputs, plain)
    assert torch.equal(same, moved)
