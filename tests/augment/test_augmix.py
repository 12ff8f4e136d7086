"""AugMix: shares, chains and the consistency loss."""

import numpy as np
import pytest
import torch

from gapless.augment.image.augmix import AugMix, jensen_shannon
from gapless.augment.image.policy import Step
from gapless.augment.image.torch.interpreter import run


def test_shares_sum_to_one_and_are_uniform_on_the_simplex() -> None:
    mix = AugMix.paper()
    shares = mix.shares(np.random.default_rng(0).random((20000, mix.columns)))
    assert shares.shape == (20000, 4)
    np.testing.assert_allclose(shares.sum(1), 1)
    assert shares.min() >= 0
    np.testing.assert_allclose(shares.mean(0), [1 / 2, 1 / 6, 1 / 6, 1 / 6], atol=0.01)
    weights = shares[:, 1:] / shares[:, 1:].sum(1, keepdims=True)
    np.testing.assert_allclose(weights.var(0), (1 / 3 * 2 / 3) / 4, rtol=0.05)


def test_the_papers_operations_are_those_of_severity_3() -> None:
    mix = AugMix.paper()
    strengths = {step.op: step.strength for step in mix.steps}
    assert len(mix.steps) == len(strengths) == 9 and (mix.width, mix.depth) == (3, 3)
    assert strengths["rotate"] == 0.3 * 30 and strengths["solarize"] == int(0.3 * 256)
    assert strengths["shear_x"] == strengths["shear_y"] == pytest.approx(np.rad2deg(np.arctan(0.3 * 0.3)), abs=1e-4)
    assert strengths["translate_x"] == strengths["translate_y"] == pytest.approx(0.3 / 3)
    assert not {"contrast", "brightness", "saturation", "sharpness"} & set(strengths), "those of the test corruptions"


def test_chains_have_every_length_equally_often() -> None:
    mix = AugMix((Step("brightness", 0.5, magnitude="full"), Step("solarize", 200, magnitude="full")), width=1)
    (program,) = mix.programs(np.random.default_rng(0).random((3000, mix.columns)), 8, 8)
    steps = np.zeros(3000)
    images = torch.full((3000, 1, 8, 8), 0.5)
    for group in program.groups:
        steps[slice(None) if group.rows is None else group.rows] += 1
    assert (steps >= 1).all(), "a chain is at least one operation long"
    assert images.shape[0] == len(steps)
    alternating = (steps == 3).mean()
    assert alternating == pytest.approx(1 / 3 * 1 / 4, abs=0.02), "length 3 and no two neighbours alike"


def test_a_copy_is_the_mix_of_its_chains_and_keeps_the_dtype() -> None:
    mix = AugMix.paper()
    u = np.random.default_rng(1).random((16, mix.columns))
    images = torch.rand(16, 3, 20, 20)
    views = [images, *(run(program, images) for program in mix.programs(u, 20, 20))]
    shares = torch.from_numpy(mix.shares(u)).float()
    wanted = sum(shares[:, i].view(-1, 1, 1, 1) * view for i, view in enumerate(views))
    torch.testing.assert_close(mix(u, images), wanted)
    assert (mix(u, images) != images).any()
    whole = mix(u, (images * 255).to(torch.uint8))
    assert whole.dtype == torch.uint8
    u[:, 0] = 1 - 1e-12
    torch.testing.assert_close(mix(u, images), images)


def test_the_consistency_loss_is_the_jensen_shannon_divergence() -> None:
    a, b, c = torch.randn(3, 6, 5)
    p = [torch.softmax(view, 1) for view in (a, b, c)]
    mean = sum(p) / 3
    wanted = sum((q * (q / mean).log()).sum(1).mean() for q in p) / 3
    torch.testing.assert_close(jensen_shannon(a, b, c), wanted)
    torch.testing.assert_close(jensen_shannon(a, a + 3, a), torch.tensor(0.0), atol=1e-6, rtol=0)
    sure = torch.tensor([[1e4, 0.0]]), torch.tensor([[0.0, 1e4]])
    torch.testing.assert_close(jensen_shannon(*sure), torch.tensor(2.0).log())


def test_wrong_arguments_name_what_is_right() -> None:
    with pytest.raises(ValueError, match="width and depth must be at least 1, got 0 and 3"):
        AugMix((Step("rotate", 3),), width=0)
    with pytest.raises(ValueError, match="AugMix needs at least one step"):
        AugMix(())
    mix = AugMix.paper()
    with pytest.raises(ValueError, match=rf"u must have shape \(B, {mix.columns}\)"):
        mix(np.zeros((2, 3)), torch.rand(2, 3, 8, 8))
    with pytest.raises(ValueError, match="at least two views are needed, got 1"):
        jensen_shannon(torch.zeros(2, 3))
