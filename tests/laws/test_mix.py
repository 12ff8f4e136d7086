"""The mathematics of mixing samples: what is kept, what sums to 1, and that labels follow the pixels."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gapless.augment.mix import (
    Pairs,
    accuracy,
    add_noise,
    blend,
    blend_table,
    draw_boxes,
    draw_pairs,
    paste,
    soft_labels,
)

BATCHES = st.integers(1, 40)
SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=40, deadline=None)
@given(BATCHES, SEEDS, st.floats(0.05, 5), st.sampled_from(["sample", "batch"]), st.floats(0, 0.9))
def test_soft_labels_sum_to_one_however_mixed(batch, seed, alpha, per, smoothing) -> None:
    generator = np.random.default_rng(seed)
    pairs = draw_pairs(batch, alpha, generator, per)
    labels = torch.from_numpy(generator.integers(0, 7, batch))
    soft = blend(soft_labels(labels, 7, smoothing), pairs)
    torch.testing.assert_close(soft.sum(1), torch.ones(batch))
    assert soft.min() >= 0
    assert sorted(pairs.partner.tolist()) == list(range(batch))
    assert pairs.share.min() >= 0 and pairs.share.max() <= 1
    if per == "batch":
        assert len(set(pairs.share.tolist())) == 1


def test_shares_follow_beta() -> None:
    share = draw_pairs(20000, 0.4, np.random.default_rng(0)).share
    assert share.mean().item() == pytest.approx(0.5, abs=0.01)
    assert share.var().item() == pytest.approx(0.25 / 1.8, rel=0.03), "var of Beta(a, a) is 1 / (4 (2 a + 1))"


def test_label_smoothing_is_torchs() -> None:
    logits, labels = torch.randn(9, 5), torch.randint(0, 5, (9,))
    ours = torch.nn.functional.cross_entropy(logits, soft_labels(labels, 5, 0.1))
    torch.testing.assert_close(ours, torch.nn.functional.cross_entropy(logits, labels, label_smoothing=0.1))


def test_blending_keeps_the_sample_at_share_one_and_takes_the_partner_at_zero() -> None:
    x = torch.rand(4, 3, 5, 5)
    partner = torch.tensor([1, 2, 3, 0])
    assert (blend(x, Pairs(partner, torch.ones(4))) == x).all()
    assert (blend(x, Pairs(partner, torch.zeros(4))) == x[partner]).all()
    half = blend(x, Pairs(partner, torch.full((4,), 0.25)))
    torch.testing.assert_close(half, 0.25 * x + 0.75 * x[partner])


@settings(max_examples=60, deadline=None)
@given(BATCHES, SEEDS, st.integers(1, 17), st.integers(1, 17))
def test_the_share_is_what_cutmix_leaves_of_the_picture(batch, seed, height, width) -> None:
    generator = np.random.default_rng(seed)
    boxes, pairs = draw_boxes(draw_pairs(batch, 1.0, generator), height, width, generator)
    owner = torch.arange(batch).view(-1, 1, 1, 1).expand(-1, 2, height, width)
    pasted = paste(owner, pairs, boxes)
    for b in range(batch):
        own = (pasted[b] == b).float().mean().item()
        if pairs.partner[b] != b:
            assert own == pytest.approx(pairs.share[b].item(), abs=1e-6)
            assert set(pasted[b].unique().tolist()) <= {b, int(pairs.partner[b])}
    mask = paste(owner[:, 0], pairs, boxes)
    assert (mask == pasted[:, 0]).all()


def test_cutmix_boxes_have_the_area_the_papers_lambda_asks_for() -> None:
    generator = np.random.default_rng(0)
    pairs = Pairs(torch.arange(4000), torch.full((4000,), 0.84))
    boxes, kept = draw_boxes(pairs, 100, 50, generator)
    sizes = boxes[:, 2:] - boxes[:, :2]
    inside = (boxes[:, 0] > 0) & (boxes[:, 1] > 0) & (boxes[:, 2] < 50) & (boxes[:, 3] < 100)
    assert inside.sum() > 500
    assert (sizes[inside] == torch.tensor([20, 40])).all(), "sqrt(1 - 0.84) = 0.4 of each side"
    assert kept.share[inside].unique().tolist() == pytest.approx([0.84])
    assert (kept.share >= 0.84 - 1e-6).all(), "a box cut at the edge leaves more"


@pytest.mark.parametrize("lam", [0.0, 1.0])
def test_cutmix_at_the_ends_takes_nothing_or_up_to_everything(lam: float) -> None:
    x = torch.rand(3, 1, 6, 6)
    pairs = Pairs(torch.tensor([1, 2, 0]), torch.full((3,), lam))
    boxes, kept = draw_boxes(pairs, 6, 6, np.random.default_rng(1))
    if lam == 1:
        assert (paste(x, kept, boxes) == x).all()
        assert (kept.share == 1).all()
    else:
        assert kept.share.max() < 0.8


def test_categories_are_never_averaged_and_come_from_the_partner_in_proportion() -> None:
    generator = np.random.default_rng(0)
    batch = 6000
    x = torch.stack([torch.zeros(batch), torch.arange(batch) % 2 * 4.0, torch.ones(batch)], dim=1)
    partner = torch.arange(batch).flip(0)
    out = blend_table(x, Pairs(partner, torch.full((batch,), 0.7)), [1], generator)
    assert set(out[:, 1].tolist()) == {0.0, 4.0}
    assert (out[:, 1] == x[:, 1]).float().mean().item() == pytest.approx(0.7, abs=0.03)
    assert (x[partner, 1] != x[:, 1]).all()
    assert (out[:, 0] == 0).all() and (out[:, 2] == 1).all()


def test_noise_is_in_units_of_the_columns_deviation() -> None:
    deviation = torch.tensor([1.0, 10.0, 3.0, 0.0])
    x = torch.zeros(20000, 4)
    noisy = add_noise(x, deviation, 0.5, [2], np.random.default_rng(0))
    assert noisy.std(0).tolist() == pytest.approx([0.5, 5.0, 0.0, 0.0], rel=0.03)
    assert noisy.mean(0).abs().max() < 0.2
    assert (x == 0).all() and deviation.tolist() == [1, 10, 3, 0]
    assert (add_noise(x, deviation, 0, [], np.random.default_rng(0)) == x).all()


def test_accuracy_counts_hard_labels_by_their_shares() -> None:
    labels = torch.tensor([0, 1, 2, 3])
    logits = torch.nn.functional.one_hot(torch.tensor([0, 2, 2, 0]), 4).float()
    assert accuracy(logits, labels) == 0.5
    pairs = Pairs(torch.tensor([1, 2, 3, 0]), torch.tensor([0.7, 0.7, 0.7, 0.7]))
    assert accuracy(logits, labels, pairs) == pytest.approx((0.7 + 0.3 + 0.7 + 0.3) / 4)


def test_the_same_generator_state_draws_the_same_pairs() -> None:
    a, b = (draw_pairs(16, 0.3, np.random.default_rng(5)) for _ in range(2))
    assert (a.partner == b.partner).all() and (a.share == b.share).all()


def test_a_batch_of_none_and_of_one() -> None:
    generator = np.random.default_rng(0)
    for batch in (0, 1):
        pairs = draw_pairs(batch, 1.0, generator)
        x = torch.rand(batch, 3, 4, 4)
        torch.testing.assert_close(blend(x, pairs), x)
        boxes, kept = draw_boxes(pairs, 4, 4, generator)
        assert (paste(x, kept, boxes) == x).all()


@pytest.mark.parametrize("per", ["sample", "batch"])
def test_boxes_are_drawn_for_each_picture_or_once(per) -> None:
    generator = np.random.default_rng(3)
    boxes, kept = draw_boxes(draw_pairs(64, 1.0, generator, per), 32, 48, generator, per)
    assert (len(boxes.unique(dim=0)) == 1) == (per == "batch")
    assert (len(kept.share.unique()) == 1) == (per == "batch")


def test_masks_are_pasted_as_their_pictures_and_blended_as_soft_labels() -> None:
    """Every picture shows its own mask, so mask and picture can be told apart if they do not move together."""
    generator = np.random.default_rng(4)
    masks = torch.from_numpy(generator.integers(0, 5, (6, 12, 16)))
    pictures = (masks[:, None].float() / 4).repeat(1, 3, 1, 1)
    boxes, cut = draw_boxes(draw_pairs(6, 1.0, generator), 12, 16, generator)
    assert torch.equal(paste(pictures, cut, boxes)[:, 0], paste(masks, cut, boxes).float() / 4)
    assert (paste(masks, cut, boxes) != masks).any()
    pairs = draw_pairs(6, 1.0, generator)
    soft = blend(soft_labels(masks, 5), pairs)
    assert soft.shape == (6, 5, 12, 16)
    torch.testing.assert_close(soft.sum(1), torch.ones(6, 12, 16))
    torch.testing.assert_close((soft * torch.arange(5.0).view(1, 5, 1, 1)).sum(1) / 4, blend(pictures, pairs)[:, 0])
    logits = torch.randn(6, 5, 12, 16)
    parts = [
        torch.nn.functional.cross_entropy(logits, m, reduction="none").mean((1, 2))
        for m in (masks, masks[pairs.partner])
    ]
    wanted = (pairs.share * parts[0] + (1 - pairs.share) * parts[1]).mean()
    torch.testing.assert_close(torch.nn.functional.cross_entropy(logits, soft), wanted)


def test_several_labels_at_once_are_blended_each() -> None:
    many = torch.tensor([[1.0, 1, 0], [0, 1, 1], [0, 0, 0]])
    pairs = Pairs(torch.tensor([1, 2, 0]), torch.tensor([0.25, 0.5, 1.0]))
    torch.testing.assert_close(blend(many, pairs), torch.tensor([[0.25, 1, 0.75], [0, 0.5, 0.5], [0, 0, 0]]))


def test_accuracy_of_masks_counts_pixels() -> None:
    masks = torch.tensor([[[0, 1], [1, 1]], [[2, 2], [0, 0]]])
    logits = torch.nn.functional.one_hot(masks, 3).permute(0, 3, 1, 2).float()
    assert accuracy(logits, masks) == 1
    assert accuracy(logits, masks.roll(1, 2)) == 0.5 + 0.25
    pairs = Pairs(torch.tensor([1, 0]), torch.tensor([0.75, 0.75]))
    assert accuracy(logits, masks, pairs) == pytest.approx(0.75)


def test_wrong_arguments_name_what_is_right() -> None:
    generator = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"alpha must be above 0, got 0"):
        draw_pairs(4, 0, generator)
    with pytest.raises(ValueError, match=r"smoothing must be in \[0, 1\), got 1"):
        soft_labels(torch.tensor([0]), 2, 1)
    for labels, got in ((torch.tensor([0, 3]), "from 0 to 3"), (torch.tensor([-1, 1]), "from -1 to 1")):
        with pytest.raises(ValueError, match=rf"labels must be from 0 to 2, got labels {got}"):
            soft_labels(labels, 3)
    with pytest.raises(ValueError, match=r"class numbers, torch\.int64, got torch\.float32"):
        soft_labels(torch.zeros(2), 2)
    with pytest.raises(ValueError, match=r"logits \(4, 3\) need labels of shape \(4,\), got \(5,\)"):
        accuracy(torch.zeros(4, 3), torch.zeros(5, dtype=torch.int64))
    pairs = draw_pairs(4, 1.0, generator)
    for wrong in ("pixel", "Batch"):
        with pytest.raises(ValueError, match=f"per must be 'sample' or 'batch', got '{wrong}'"):
            draw_boxes(pairs, 8, 8, generator, wrong)  # pyright: ignore[reportArgumentType]  # the point of the test
    with pytest.raises(ValueError, match=r"boxes must have shape \(4, 4\), got \(3, 4\)"):
        paste(torch.rand(4, 1, 8, 8), pairs, torch.zeros(3, 4))
    with pytest.raises(ValueError, match="5 samples but 4 pairs"):
        blend(torch.rand(5, 2), pairs)
    with pytest.raises(ValueError, match=r"floating point values, got torch\.uint8"):
        blend(torch.zeros(4, 3, dtype=torch.uint8), pairs)
    with pytest.raises(ValueError, match=r"categorical columns must be from 0 to 1, got \[2\]"):
        blend_table(torch.rand(4, 2), pairs, [2], generator)
    with pytest.raises(ValueError, match=r"one entry for each of 2 columns, got \(3,\)"):
        add_noise(torch.rand(4, 2), torch.ones(3), 0.1, [], generator)
    with pytest.raises(ValueError, match=r"strength of the noise must be at least 0, got -1"):
        add_noise(torch.rand(4, 2), torch.ones(2), -1, [], generator)
