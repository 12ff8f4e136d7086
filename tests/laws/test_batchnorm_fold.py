"""fold(model) computes what the model computes in eval mode, for every kind and configuration of layer."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from gapless.batchnorm import fold, freeze, insert, to_ghost, to_renorm, to_split
from gapless.surgery import plain_class

CONVS = {
    (1, False): nn.Conv1d,
    (2, False): nn.Conv2d,
    (3, False): nn.Conv3d,
    (1, True): nn.ConvTranspose1d,
    (2, True): nn.ConvTranspose2d,
    (3, True): nn.ConvTranspose3d,
}
NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
LIMIT = {torch.float32: 1e-5, torch.float64: 1e-10}


@dataclass(frozen=True)
class Layer:
    dims: int
    transposed: bool
    groups: int
    inputs: int
    outputs: int
    kernel: int
    stride: int
    padding: int
    dilation: int
    mode: str
    bias: bool
    affine: bool
    dtype: torch.dtype
    seed: int

    def conv(self) -> nn.Module:
        return CONVS[self.dims, self.transposed](
            self.inputs * self.groups,
            self.outputs * self.groups,
            self.kernel,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            bias=self.bias,
            padding_mode=self.mode,
            dtype=self.dtype,
        )

    def data(self) -> Tensor:
        generator = torch.Generator().manual_seed(self.seed)
        shape = (3, self.inputs * self.groups, *[7, 6, 5][: self.dims])
        return torch.randn(shape, generator=generator, dtype=self.dtype)


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    transposed = draw(st.booleans())
    kernel = draw(st.integers(1, 3))
    return Layer(
        dims=draw(st.integers(1, 3)),
        transposed=transposed,
        groups=draw(st.integers(1, 3)),
        inputs=draw(st.integers(1, 3)),
        outputs=draw(st.integers(1, 3)),
        kernel=kernel,
        stride=draw(st.integers(1, 2)),
        padding=draw(st.integers(0, kernel - 1)),
        dilation=draw(st.integers(1, 2)),
        mode="zeros" if transposed else draw(st.sampled_from(["zeros", "circular", "replicate"])),
        bias=draw(st.booleans()),
        affine=draw(st.booleans()),
        dtype=draw(st.sampled_from([torch.float32, torch.float64])),
        seed=draw(st.integers(0, 10_000)),
    )


def scatter(model: nn.Module, seed: int) -> None:
    """Scales of both signs, shifts and statistics anywhere, as if long trained."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for norm in model.modules():
            if isinstance(norm, nn.modules.batchnorm._BatchNorm):
                norm.running_mean.normal_(generator=generator)
                norm.running_var.uniform_(0.05, 4, generator=generator)
                norm.num_batches_tracked.fill_(100)
                if norm.affine:
                    norm.weight.normal_(1, 1, generator=generator)
                    norm.bias.normal_(generator=generator)


def apart(a: Tensor, b: Tensor) -> float:
    return float((a - b).detach().abs().max() / b.detach().abs().max().clamp(min=1))


@settings(max_examples=150, deadline=None)
@given(layers())
def test_every_convolution_inserted(layer: Layer) -> None:
    model = nn.Sequential(layer.conv(), nn.Flatten(), nn.LazyLinear(1, dtype=layer.dtype))
    keys = list(model.state_dict())
    assert insert(model).paths == ("0",)
    scatter(model, layer.seed)
    folded = fold(model, new_bias=not layer.bias)
    x = layer.data()
    with_norm, without = model[0].eval()(x), folded[0].eval()(x)
    assert apart(without, with_norm) < LIMIT[layer.dtype]
    assert type(folded[0]) is plain_class(model[0]) and not list(folded[0].children())
    assert set(folded.state_dict()) - set(keys) == (set() if layer.bias else {"0.bias"})
    if layer.bias:
        layer.conv().load_state_dict(folded[0].state_dict())


@settings(max_examples=75, deadline=None)
@given(layers())
def test_every_convolution_with_a_batch_norm_of_its_own(layer: Layer) -> None:
    norm = NORMS[layer.dims](layer.outputs * layer.groups, affine=layer.affine, dtype=layer.dtype)
    model = nn.Sequential(layer.conv(), norm)
    scatter(model, layer.seed)
    folded = fold(model, example=layer.data() if layer.seed % 2 else None)
    assert apart(folded.eval()(layer.data()), model.eval()(layer.data())) < LIMIT[layer.dtype]
    assert isinstance(folded[1], nn.Identity)


@settings(max_examples=50, deadline=None)
@given(
    features=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    lead=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    seed=st.integers(0, 10_000),
)
def test_every_linear(features: tuple[int, int], lead: list[int], dtype: torch.dtype, seed: int) -> None:
    model = nn.Sequential(nn.Linear(*features, dtype=dtype), nn.Linear(features[1], 2, dtype=dtype))
    insert(model)
    scatter(model, seed)
    x = torch.randn((*lead, features[0]), generator=torch.Generator().manual_seed(seed), dtype=dtype)
    assert apart(fold(model).eval()(x), model.eval()(x)) < LIMIT[dtype]


@settings(max_examples=30, deadline=None)
@given(widths=st.lists(st.integers(1, 8), min_size=2, max_size=6), seed=st.integers(0, 10_000))
def test_deep_networks(widths: list[int], seed: int) -> None:
    layers: list[nn.Module] = []
    for before, after in zip([3, *widths], widths, strict=False):
        layers += [nn.Conv1d(before, after, 3, padding=1), nn.GELU()]
    model = nn.Sequential(*layers, nn.Conv1d(widths[-1], 2, 1)).double()
    insert(model)
    scatter(model, seed)
    x = torch.randn((4, 3, 9), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    assert apart(fold(model).eval()(x), model.eval()(x)) < 1e-10


@pytest.mark.parametrize("convert", [freeze, to_ghost, to_renorm, to_split])
def test_converted_batch_norms_fold_too(convert: object) -> None:
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 3, 3), nn.ReLU(), nn.Conv2d(3, 2, 1)).double()
    insert(model)
    scatter(model, 3)
    assert callable(convert)
    convert(model)
    x = torch.randn((4, 2, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    folded = fold(model)
    assert apart(folded.eval()(x), model.eval()(x)) < 1e-10
    assert list(folded.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias"]
