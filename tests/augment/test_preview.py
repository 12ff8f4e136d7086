"""What a contact sheet shows: the operations from weak to strong, the policy as it is drawn, marks that move along."""

import numpy as np
import pytest

from gapless.augment.image.augmix import AugMix
from gapless.augment.image.ops import OPS
from gapless.augment.image.policy import Choice, Policy, Step
from gapless.augment.image.policy_toml import preset, presets
from gapless.augment.image.preview import LEVELS, Marks, preview


def pictures(count: int = 3, channels: int = 3) -> list[np.ndarray]:
    return [np.random.default_rng(n).integers(0, 256, (20 + n, 30, channels), dtype=np.uint8) for n in range(count)]


def distances(cells) -> list[float]:
    """How far each picture is from the first."""
    return [np.abs(cell.picture.astype(float) - cells[0].picture).mean() for cell in cells]


def rows_of(policy: Policy | AugMix, count: int = 3, seed: int = 0):
    shown = pictures(count)
    return preview(policy, shown, [Marks()] * count, seed=seed)


@pytest.mark.parametrize("name", sorted(OPS))
def test_an_operation_goes_from_weak_to_strong(name: str) -> None:
    op = OPS[name]
    strength = op.strong * 0.4 if op.law == "uniform" else min(op.strong, 4)
    smooth = [np.add.outer(np.arange(40), 2 * np.arange(50))[:, :, None].repeat(3, 2).astype(np.uint8)]
    smooth[0][:, :, 1] //= 2
    (row,) = preview(Policy((Step(name, strength, 0.5),), fill="edge"), smooth, [Marks()]).operations
    assert row.name == name and "p 0.5" in row.notes
    captions = [cell.caption for cell in row.cells]
    assert captions[0] == "as it is" and (row.cells[0].picture == smooth[0]).all()
    assert all(caption.endswith(op.unit) for caption in captions[1:])
    if op.law in ("switch", "fixed"):
        assert len(captions) == (1 + LEVELS if op.draws else 2)
        return
    levels = [float(caption.split()[0]) for caption in captions[1:]]
    assert np.abs(levels).max() == pytest.approx(strength, rel=0.05)
    assert (np.diff(np.abs(levels)) >= 0).all()
    assert {np.sign(level) for level in levels} == ({-1, 1} if op.signed else {1})
    assert row.notes[0].startswith("±" if op.signed else "0 to ") and op.unit in row.notes[0]
    far = distances(row.cells)
    weak, strong = (max(far[1:3]), max(far[-2:])) if op.signed else (far[1], far[-1])
    assert weak <= strong or name in ("hue", "hue_matrix", "rotate", "solarize")
    assert strong > 0 or "changes nothing here" in row.notes


def test_operations_that_stand_several_times_have_one_row_at_their_strongest() -> None:
    steps = (Step("rotate", 5, 0.2, "full"), Choice(((Step("rotate", 20, 0.7, "full"),), (Step("erase", 0.0),))))
    (row,) = rows_of(Policy(steps)).operations
    assert row.name == "rotate"
    assert row.notes == ("always ±20 deg", "p 0.2 to 0.7", "stands 2 times")


def test_what_changes_nothing_is_said() -> None:
    gray = [picture.repeat(1, 2) for picture in pictures(1, 1)]
    (row,) = preview(Policy((Step("saturation", 0.5),)), gray, [Marks()]).operations
    assert row.notes == ("±0.5 share", "changes nothing here")


@pytest.mark.parametrize("name", presets())
def test_every_shipped_policy_can_be_looked_at(name: str) -> None:
    shown = rows_of(preset(name))
    assert len(shown.operations) == len({step.op for step in preset(name).every_step if not step.idle})
    assert [len(row.cells) for row in shown.whole] == [1 + LEVELS] * 3
    assert max(distances(shown.whole[0].cells)) > 0


def test_the_whole_policy_is_drawn_by_the_seed() -> None:
    one, same, other = (rows_of(preset("classic"), seed=seed).whole for seed in (0, 0, 1))
    for a, b, c in zip(one, same, other, strict=True):
        assert all((x.picture == y.picture).all() for x, y in zip(a.cells, b.cells, strict=True))
        assert any((x.picture != y.picture).any() for x, y in zip(a.cells[1:], c.cells[1:], strict=True))
    assert one[1].notes == ("30 x 21 pixels",)


def test_a_policy_with_a_size_shows_pictures_of_it() -> None:
    shown = rows_of(Policy((Step("resized_crop", 0.4), Step("rotate", 9)), size=(16, 24)))
    assert {cell.picture.shape for row in (*shown.operations, *shown.whole) for cell in row.cells} == {(16, 24, 3)}


def test_marks_move_along() -> None:
    mask = np.zeros((20, 30), np.uint8)
    mask[5:10, 3:9] = 2
    marks = Marks(mask, np.array([[3.0, 5, 9, 10]]), np.array([[4.0, 6]]))
    picture = np.zeros((20, 30, 3), np.uint8)
    shown = preview(Policy((Step("flip_x", 1), Step("shift_x", 30))), [picture], [marks])
    flipped = shown.operations[0].cells[1].marks
    assert flipped.mask is not None
    assert (flipped.mask == mask[:, ::-1]).all()
    np.testing.assert_allclose(flipped.boxes, [[21, 5, 27, 10]])
    np.testing.assert_allclose(flipped.points, [[26, 6]])
    gone = shown.operations[1].cells[-1].marks
    assert gone.mask is not None and not gone.mask.any()
    assert gone.boxes.shape == (0, 4) and gone.points.shape == (0, 2)


def test_augmix_shows_mixed_copies_without_marks() -> None:
    shown = preview(AugMix.paper(), pictures(1), [Marks(points=np.array([[3.0, 4]]))])
    assert len(shown.operations) == 9
    assert shown.whole[0].cells[0].marks.any and not any(cell.marks.any for cell in shown.whole[0].cells[1:])
    assert "marks move apart" in shown.whole[0].notes
    assert len({cell.picture.tobytes() for cell in shown.whole[0].cells}) > 3


def test_wrong_arguments_name_what_is_right() -> None:
    with pytest.raises(ValueError, match="a preview needs at least one picture"):
        preview(Policy(()), [], [])
    with pytest.raises(ValueError, match="there are 2 pictures but marks for 1 and classes for none"):
        preview(Policy(()), pictures(2), [Marks()])
    with pytest.raises(ValueError, match="there are 2 pictures but marks for 2 and classes for 3"):
        preview(Policy(()), pictures(2), [Marks()] * 2, ["a", "b", "c"])
