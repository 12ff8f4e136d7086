"""Penalties and constraints over every kind of weight that torch has: shape, dtype and memory format."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn, optim

from gapless import decay

LAYERS: dict[str, Any] = {
    "linear": lambda **k: nn.Linear(3, 4, **k),
    "bilinear": lambda **k: nn.Bilinear(2, 3, 4, **k),
    "conv1d": lambda **k: nn.Conv1d(3, 4, 2, **k),
    "conv2d": lambda **k: nn.Conv2d(3, 4, 2, **k),
    "conv2d grouped": lambda **k: nn.Conv2d(4, 4, (1, 3), groups=2, **k),
    "conv2d channels last": lambda **k: nn.Conv2d(3, 4, 2, **k).to(memory_format=torch.channels_last),
    "conv3d": lambda **k: nn.Conv3d(3, 4, (1, 2, 3), **k),
    "transposed 1d": lambda **k: nn.ConvTranspose1d(3, 4, 2, **k),
    "transposed 2d grouped": lambda **k: nn.ConvTranspose2d(4, 6, 2, groups=2, **k),
    "transposed 3d": lambda **k: nn.ConvTranspose3d(3, 4, 2, **k),
}
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.complex64)
PENALTIES: dict[str, Any] = {
    "L1": decay.L1(0.1),
    "L2": decay.L2(0.1),
    "ElasticNet": decay.ElasticNet(0.1),
    "Spectral": decay.Spectral(0.1),
    "Orthogonal": decay.Orthogonal(0.1),
}


def built(name: str, dtype: torch.dtype) -> nn.Module:
    torch.manual_seed(0)
    return LAYERS[name](dtype=dtype)


def units(name: str, weight: Tensor) -> Tensor:
    """(units, inputs of one unit), written once more."""
    if name.startswith("transposed"):
        groups = 2 if "grouped" in name else 1
        weight = torch.cat([part.transpose(0, 1) for part in weight.chunk(groups)])
    return weight.reshape(len(weight), -1)


def expected(name: str, kind: str, weight: Tensor) -> Tensor:
    w = units(name, weight).to(torch.complex128 if weight.is_complex() else torch.float64)
    size = w.abs()
    if kind == "L1":
        return 0.1 * size.sum()
    if kind == "L2":
        return 0.1 * size.square().sum()
    if kind == "ElasticNet":
        return 0.1 * (0.5 * size + 0.25 * size.square()).sum()
    if kind == "Spectral":
        return 0.05 * torch.linalg.matrix_norm(w, 2).square()
    gram = w @ w.mH if w.shape[0] <= w.shape[1] else w.mH @ w
    return 0.1 * (gram - torch.eye(len(gram), dtype=w.dtype)).abs().square().sum()


@pytest.mark.parametrize("kind", PENALTIES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", LAYERS)
def test_a_penalty_is_its_formula_and_a_real_number(name: str, dtype: torch.dtype, kind: str) -> None:
    layer = built(name, dtype)
    value = decay.penalty(layer, PENALTIES[kind])()
    assert not value.is_complex()
    rough = {"rtol": 0.05, "atol": 0.02} if dtype is torch.bfloat16 else {"rtol": 1e-4, "atol": 1e-5}
    torch.testing.assert_close(value.double(), expected(name, kind, layer.get_parameter("weight").detach()), **rough)
    value.backward()
    gradient = layer.get_parameter("weight").grad
    assert gradient is not None
    assert bool(torch.isfinite(torch.view_as_real(gradient) if gradient.is_complex() else gradient).all())


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", LAYERS)
def test_max_norm_shortens_the_units_that_are_too_long(name: str, dtype: torch.dtype) -> None:
    layer = built(name, dtype)
    weight = layer.get_parameter("weight")
    before = units(name, weight.detach()).clone()
    size = torch.linalg.vector_norm(before, dim=1)
    limit = float(size.median())
    optimizer = optim.SGD(layer.parameters(), lr=0.1)
    decay.constrain(optimizer, layer, decay.MaxNorm(limit))
    optimizer.step()
    after = before * (limit / size).clamp(max=1)[:, None]
    rough = {"rtol": 0.02, "atol": 0.02} if dtype is torch.bfloat16 else {}
    torch.testing.assert_close(units(name, weight.detach()), after, **rough)
    assert bool((size > limit).any())


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", LAYERS)
def test_soft_threshold_makes_values_smaller_by_the_threshold(name: str, dtype: torch.dtype) -> None:
    layer = built(name, dtype)
    weight = layer.get_parameter("weight")
    before = weight.detach().clone()
    size = before.abs()
    middle = float(size.median())
    optimizer = optim.SGD(layer.parameters(), lr=0.5)
    decay.constrain(optimizer, layer, decay.SoftThreshold(2 * middle))
    optimizer.step()
    after = torch.where(size > middle, before * (1 - middle / size), torch.zeros_like(before))
    rough = {"rtol": 0.02, "atol": 2e-3} if dtype is torch.bfloat16 else {"rtol": 1e-5, "atol": 1e-6}
    torch.testing.assert_close(weight.detach(), after, **rough)
    assert bool((after == 0).any()) and bool((after != 0).any())
