"""The mask is a hash, so what a generator promises has to be shown. Bounds are 4 standard deviations, seeds fixed."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gapless.dropout import Dropout, fast

N = 1 << 18
SEEDS = 40


def dropped(seed: int, p: float, n: int = N) -> np.ndarray:
    """The standardised mask: (1 where dropped, else 0) - p, over its standard deviation."""
    mask = fast.run(torch.ones(n), fast.Rule(p, 1.0), seed, None).numpy() == 0
    return (mask - p) / math.sqrt(p * (1 - p))


def reference(n: int, seed: int, p: float) -> np.ndarray:
    """The same mask, in numpy with 64-bit integers and explicit remainders."""
    low, high = fast.key(seed, 0)
    h = (np.arange(n, dtype=np.uint64) * 0x9E3779B9 + low) % 2**32
    h = (h ^ (h >> 16)) * 0x7FEB352D % 2**32
    h = (h ^ (h >> 15)) ^ high
    h = h * 0x846CA68B % 2**32
    h = h ^ (h >> 16)
    return h < round(p * 2**32)


@given(st.integers(1, 3000), st.integers(0, 2**63 - 1), st.floats(0.001, 0.999), st.sampled_from(["f4", "f8", "bf2"]))
@settings(deadline=None, max_examples=60)
def test_the_compiled_loop_computes_the_hash(n: int, seed: int, p: float, kind: str) -> None:
    dtype = {"f4": torch.float32, "f8": torch.float64, "bf2": torch.bfloat16}[kind]
    x = torch.linspace(1, 2, n, dtype=dtype)
    y = fast.run(x, fast.Rule(p, 1 / (1 - p)), seed, None)
    mask = torch.from_numpy(reference(n, seed, p))
    assert torch.equal(y == 0, mask)
    wide = x.to(torch.float64 if dtype is torch.float64 else torch.float32)
    expected = torch.where(mask, 0, wide * torch.tensor(1 / (1 - p), dtype=wide.dtype)).to(dtype)
    assert torch.equal(y, expected)  # for bfloat16: torch's rounding to the nearest even


@pytest.mark.parametrize("p", [0.5, 0.1, 0.9, 0.001])
def test_the_share_that_is_dropped(p: float) -> None:
    scores = [dropped(seed, p).sum() / math.sqrt(N) for seed in range(SEEDS)]
    assert max(map(abs, scores)) < 4
    assert abs(sum(scores)) / math.sqrt(SEEDS) < 4
    spread = np.var(scores, ddof=1)  # chi-squared over its degrees of freedom
    assert abs(spread - 1) < 4 * math.sqrt(2 / (SEEDS - 1))


@pytest.mark.parametrize("p", [0.5, 0.1])
@pytest.mark.parametrize("lag", [1, 2, 3, 7, 8, 16, 31, 32, 64, 127, 128, 1024, 4096, 65536])
def test_neighbours_are_independent(p: float, lag: int) -> None:
    scores = [(z[lag:] @ z[:-lag]) / math.sqrt(N - lag) for z in (dropped(seed, p) for seed in range(20))]
    assert max(map(abs, scores)) < 4
    assert abs(sum(scores)) / math.sqrt(20) < 4


@pytest.mark.parametrize("p", [0.5, 0.1])
def test_steps_and_layers_are_independent(p: float) -> None:
    """Seeds from torch's generator, as a training run draws them, and the worst ones by hand: 0, 1, 2, ..."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.empty(24, dtype=torch.int64).random_(generator=generator).tolist()
    for seeds in (drawn, list(range(24)), [1 << bit for bit in range(24)]):
        masks = np.stack([dropped(seed, p) for seed in seeds])
        scores = (masks @ masks.T) / math.sqrt(N)
        pairs = scores[np.triu_indices(24, 1)]  # 276 pairs: the largest of them stays under 4.5 in 499 of 500 worlds
        assert np.abs(pairs).max() < 4.5
        assert abs(pairs.sum()) / math.sqrt(len(pairs)) < 4
        shifted = (masks[:, 1:] @ masks[:, :-1].T)[np.triu_indices(24, 1)] / math.sqrt(N - 1)
        assert np.abs(shifted).max() < 4.5


def test_bytes_of_the_mask_are_uniform() -> None:
    """Eight neighbours together take all 256 patterns equally often: chi-squared with 255 degrees of freedom."""
    scores: list[float] = []
    for seed in range(SEEDS):
        bits = (dropped(seed, 0.5) > 0).reshape(-1, 8)
        counts = np.bincount(np.packbits(bits, axis=1)[:, 0], minlength=256)
        expected = N / 8 / 256
        scores.append(float(((counts - expected) ** 2 / expected).sum()))
    assert abs(np.mean(scores) - 255) < 4 * math.sqrt(2 * 255 / SEEDS)
    assert max(scores) < 255 + 4.5 * math.sqrt(2 * 255)


def test_runs_have_the_length_of_independent_draws() -> None:
    """A run of equal elements is as long as a geometric variable: mean 2, variance 2 at p = 1/2."""
    bits = np.concatenate([dropped(seed, 0.5) > 0 for seed in range(8)])
    lengths = np.diff(np.flatnonzero(np.diff(bits)))
    error = math.sqrt(2 / len(lengths))
    assert abs(lengths.mean() - 2) < 4 * error
    assert abs(lengths.var() - 2) < 4 * math.sqrt((26 - 4) / len(lengths))  # fourth central moment 26 of that law


def test_mean_and_variance_of_the_output() -> None:
    torch.manual_seed(0)
    p, x = 0.3, torch.ones(1 << 20)
    y = Dropout(p)(x)
    assert abs(float(y.mean()) - 1) < 4 * math.sqrt(p / (1 - p) / len(x))
    assert set(y.unique().tolist()) == {0.0, float(torch.tensor(1 / (1 - p)))}


def test_rows_of_a_batch_and_two_layers_of_one_step_differ() -> None:
    torch.manual_seed(0)
    layer, x = Dropout(0.5), torch.ones(64, 4096)
    first, second = layer(x) - 1, layer(x) - 1  # +-1
    rows = (first @ first.T / 64)[tuple(torch.triu_indices(64, 64, 1))]
    assert float(rows.abs().max()) < 4.9  # 2016 pairs
    assert abs(float((first * second).sum())) / math.sqrt(x.numel()) < 4
    columns: Tensor = first.mean(0) * 8
    assert abs(float((columns**2).mean()) - 1) < 4 * math.sqrt(2 / 4096)


def test_positions_beyond_32_bits_use_another_key() -> None:
    assert len({fast.key(seed, piece) for seed in range(50) for piece in range(4)}) == 200


def test_pieces_of_a_large_tensor_are_independent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast, "PIECE", 1 << 16)
    z = dropped(0, 0.5, 1 << 17)
    assert abs(z[: 1 << 16] @ z[1 << 16 :]) / math.sqrt(1 << 16) < 4
    assert abs(z.sum()) / math.sqrt(1 << 17) < 4
