"""What is and what is not a norm by behaviour."""

import pytest
import torch
from torch import Tensor, nn

from gapless import batchnorm, decay
from gapless.kinds import _known, is_norm, normalises  # pyright: ignore[reportPrivateUsage]
from gapless.recipe import Decay, Recipe


class L2Norm(nn.Module):
    """Unit length times a gain, channels first, as in SSD."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.full((1, 6, 1, 1), 20.0))

    def forward(self, x: Tensor) -> Tensor:
        return self.gain * x / x.norm(dim=1, keepdim=True).clamp_min(1e-10)


class ChannelNorm(nn.Module):
    """ConvNeXt's layer norm for maps: a vector of gains that only fits an input of four dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(6)), nn.Parameter(torch.zeros(6))

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean(1, keepdim=True)
        unit = centred / centred.square().mean(1, keepdim=True).add(1e-6).sqrt()
        return unit * self.weight[:, None, None] + self.bias[:, None, None]


class HandBatchNorm(nn.Module):
    """Batch norm written by hand: in eval mode it is an affine map, in train mode it normalises and writes buffers."""

    running: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.zeros(5)), nn.Parameter(torch.zeros(5))
        self.register_buffer("running", torch.zeros(5))

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(0) if self.training else self.running
        if self.training:
            self.running.lerp_(mean.detach(), 0.1)
            x = (x - mean) / x.std(0).add(1e-5)
        return x * self.gamma + self.beta


class ScaleNorm(nn.Module):
    """In half precision and with a shift: T5's way of keeping the input's type."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(8, dtype=torch.bfloat16))
        self.bias = nn.Parameter(torch.ones(8, dtype=torch.bfloat16))

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        return self.weight * (wide / wide.norm(dim=-1, keepdim=True) * 8**0.5).to(x.dtype) + self.bias


class PerHead(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(3, 4))

    def forward(self, x: Tensor) -> Tensor:
        return x / x.pow(2).mean(-1, keepdim=True).sqrt() * self.gain


@pytest.mark.parametrize("build", [L2Norm, ChannelNorm, HandBatchNorm, ScaleNorm, PerHead])
def test_norms_of_unknown_types_are_found(build: type[nn.Module]) -> None:
    assert normalises(build())


class LayerScale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((6,), 1e-6))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class CosineLinear(nn.Module):
    """A matrix behind a normalisation: shape-preserving and scale-invariant, and yet a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 6))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.normalize(x, dim=-1) @ self.weight.mT


class ShiftedSoftmax(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(6))

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.shift).softmax(-1)


class ConstantGate(nn.Module):
    """Ignores its input: invariant to scale, but also to everything else."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Parameter(torch.zeros(6))

    def forward(self, x: Tensor) -> Tensor:
        return self.gate.sigmoid().expand_as(x)


class Sign(nn.Module):
    """Whatever parameter sits on it, sign() is invariant to scale: it normalises, in the end, and its gain is 1-d."""

    def __init__(self) -> None:
        super().__init__()
        self.gains = nn.Parameter(torch.randn(6, 6))

    def forward(self, x: Tensor) -> Tensor:
        return x.sign() @ self.gains


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(6))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.weight * x / y


@pytest.mark.parametrize("build", [LayerScale, CosineLinear, ShiftedSoftmax, ConstantGate, Sign, TwoInputs])
def test_what_is_no_norm_is_not_taken_for_one(build: type[nn.Module]) -> None:
    torch.manual_seed(0)
    assert not normalises(build())


@pytest.mark.parametrize(
    "module", [nn.Linear(4, 4), nn.Conv1d(4, 4, 1), nn.PReLU(4), nn.Embedding(4, 4), nn.GRUCell(4, 4), nn.Identity()]
)
def test_torchs_other_layers_are_no_norms(module: nn.Module) -> None:
    assert not is_norm(module)


def test_torchs_norms_are_norms_by_type_even_where_a_probe_cannot_run() -> None:
    assert all(is_norm(m) for m in (nn.SyncBatchNorm(4), nn.InstanceNorm3d(4), nn.RMSNorm(4), nn.GroupNorm(2, 4)))


def test_neither_hooks_nor_buffers_nor_mode_are_touched() -> None:
    module = HandBatchNorm()
    called: list[int] = []
    module.register_forward_hook(lambda *_: called.append(1))
    module.eval()
    assert normalises(module)
    assert not called and not module.training and not module.running.any() and not module.gamma.any()


def test_a_meta_module_is_left_to_the_rules_of_shape() -> None:
    with torch.device("meta"):
        module = PerHead()
    assert not normalises(module)


def test_modules_that_are_alike_are_probed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counted(PerHead):
        runs = 0

        def forward(self, x: Tensor) -> Tensor:
            Counted.runs += 1
            return super().forward(x)

    assert normalises(Counted())
    once = Counted.runs
    assert normalises(Counted()) and Counted.runs == once > 0
    other = Counted()
    other.flag = True  # pyright: ignore[reportAttributeAccessIssue]  # a setting that forward may look at
    assert normalises(other) and Counted.runs > once


def test_torchs_layers_and_tables_are_told_by_type(monkeypatch: pytest.MonkeyPatch) -> None:
    class Words(nn.Embedding):
        def forward(self, input: Tensor) -> Tensor:
            raise AssertionError("a table of words is not probed")

    assert not is_norm(Words(64, 64)) and not is_norm(nn.Embedding(4, 4))


def test_a_sharded_model_gets_its_groups() -> None:
    """After fully_shard parameters are DTensors: torch's order is to shard first and to build the optimizer then."""
    from torch import distributed
    from torch.distributed.fsdp import fully_shard
    from torch.testing._internal.distributed.fake_pg import FakeStore

    model = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), PerHead(), nn.Linear(4, 2))
    plain = decay.account(model, 0.1)
    distributed.init_process_group("fake", store=FakeStore(), rank=0, world_size=2)
    try:
        mesh = distributed.init_device_mesh("cpu", (2,))
        fully_shard(model, mesh=mesh)
        _known.cache_clear()  # so that the sharded module is probed
        sharded = decay.account(model, 0.1)
        assert [(row.name, row.rule) for row in sharded] == [(row.name, row.rule) for row in plain]
        made = Recipe(decay=Decay(strength=0.1)).optimizer(model, lr=0.1)
        assert {id(p) for g in made.param_groups for p in g["params"]} == {id(p) for p in model.parameters()}
    finally:
        distributed.destroy_process_group()


class Weightless(nn.Module):
    """A layer norm without scale and shift, by hand."""

    def forward(self, x: Tensor) -> Tensor:
        return (x - x.mean(-1, keepdim=True)) * (x.var(-1, keepdim=True, unbiased=False) + 1e-5).rsqrt()


class Counting(nn.Module):
    """A batch norm without scale and shift, by hand, that keeps statistics."""

    running: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("running", torch.zeros(8))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.running.lerp_(x.mean(0), 0.1)
        return (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt()


class UnitLength(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x / x.norm(dim=-1, keepdim=True)


class InputNorm(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x - 0.5) / 0.25


class Sign(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.sign()


@pytest.mark.parametrize(
    ("build", "norm"), [(Weightless, True), (Counting, True), (UnitLength, False), (InputNorm, False), (Sign, False)]
)
def test_a_norm_without_weights_is_told_by_what_it_puts_out(build: type[nn.Module], norm: bool) -> None:
    module = build()
    before = [buffer.clone() for buffer in module.buffers()]
    assert is_norm(module) == norm
    assert all(map(torch.equal, module.buffers(), before))
    model = nn.Sequential(nn.Linear(4, 8), module, nn.Linear(8, 8), nn.Linear(8, 2))
    assert bool(batchnorm.insert(model).paths) != norm
