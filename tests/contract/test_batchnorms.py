"""What every batch normalization layer must do. A new layer is one row of MEMBERS (and of the tables it claims)."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from gapless.batchnorm import BatchNorm, BatchRenorm, FrozenBatchNorm, GhostBatchNorm, SplitBatchNorm

Make = Callable[..., nn.Module]


def ghost(features: int, **settings: Any) -> nn.Module:
    return GhostBatchNorm(features, ghost_size=4, **settings)


def renorm(features: int, **settings: Any) -> nn.Module:
    return BatchRenorm(features, r_max=1.5, d_max=0.5, start=0, r_end=0, d_end=0, **settings)


def frozen(features: int, **settings: Any) -> nn.Module:
    settings.pop("momentum", None)
    return FrozenBatchNorm(features, **settings)


MEMBERS: dict[str, Make] = {
    "plain": BatchNorm,
    "ghost": ghost,
    "renorm": renorm,
    "frozen": frozen,
    "split": SplitBatchNorm,
}
# Settings under which a layer in training is exactly torch's.
AS_TORCH: dict[str, Make] = {
    "plain": BatchNorm,
    "ghost": lambda n, **s: GhostBatchNorm(n, ghost_size=8, **s),
    "renorm": lambda n, **s: BatchRenorm(n, r_max=1, d_max=0, **s),
    "renorm before it starts": lambda n, **s: BatchRenorm(n, start=3, r_end=3, d_end=3, **s),
}
TORCH_KEYS = ("plain", "ghost", "renorm", "frozen")
SHAPES = [(8, 3), (8, 3, 5), (8, 3, 4, 5), (8, 3, 2, 3, 2)]

members = pytest.mark.parametrize("make", MEMBERS.values(), ids=MEMBERS)
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)


def noise(shape: tuple[int, ...], seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return 2 * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype) + 1


def torch_norm(shape: tuple[int, ...], **settings: Any) -> nn.Module:
    kind = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}[len(shape)]
    return kind(shape[1], **settings)


def scatter(*norms: nn.Module) -> None:
    """Put every parameter and statistic of the first anywhere, and the others where the first is."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, value in norms[0].state_dict().items():
            if value.is_floating_point():
                value.uniform_(0.5, 2, generator=generator) if "mean" not in name else value.normal_(
                    generator=generator
                )
    for other in norms[1:]:
        other.load_state_dict(norms[0].state_dict())


def run(norm: nn.Module, x: Tensor) -> list[Tensor]:
    """Output, gradients and state after one forward and backward."""
    x = x.detach().clone().requires_grad_()
    y = norm(x)
    y.backward(noise(tuple(y.shape), seed=5, dtype=y.dtype))
    grads = [p.grad.clone() for p in norm.parameters() if p.grad is not None]
    assert x.grad is not None
    return [y.detach(), x.grad, *grads, *(v.clone() for v in norm.state_dict().values())]


@members
@shapes
def test_eval_mode_is_torchs_and_leaves_the_statistics(make: Make, shape: tuple[int, ...]) -> None:
    reference = torch_norm(shape).eval()
    norm = make(shape[1]).eval()
    scatter(reference)
    norm.load_state_dict(reference.state_dict(), strict=False)
    x = noise(shape)
    assert torch.equal(norm(x), reference(x))
    assert all(torch.equal(norm.state_dict()[k], v) for k, v in reference.state_dict().items())
    assert torch.equal(x, noise(shape)), "the input was changed"


@pytest.mark.parametrize("make", AS_TORCH.values(), ids=AS_TORCH)
@shapes
@pytest.mark.parametrize("momentum", [0.1, 0.7, None])
def test_special_case_is_torchs_in_training(make: Make, shape: tuple[int, ...], momentum: float | None) -> None:
    reference, norm = torch_norm(shape, momentum=momentum), make(shape[1], momentum=momentum)
    scatter(reference, norm)
    for step in range(3):
        for got, expected in zip(run(norm, noise(shape, step)), run(reference, noise(shape, step)), strict=True):
            torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)
    assert int(norm.get_buffer("num_batches_tracked")) == 3


@pytest.mark.parametrize("name", [n for n in MEMBERS if n != "frozen"])
@pytest.mark.parametrize("momentum", [0.0, 0.3, 1.0])
def test_momentum_is_the_weight_of_the_new_batch(name: str, momentum: float) -> None:
    norm = MEMBERS[name](3, momentum=momentum).double()
    scatter(norm)
    old = copy.deepcopy(norm.state_dict())
    x = noise((8, 3, 6), dtype=torch.float64)
    norm(x)
    parts = {"ghost": [x[:4], x[4:]], "split": [x[:4]]}.get(name, [x])
    mean = torch.stack([part.mean((0, 2)) for part in parts]).mean(0)
    var = torch.stack([part.var((0, 2)) for part in parts]).mean(0)
    torch.testing.assert_close(norm.running_mean, (1 - momentum) * old["running_mean"] + momentum * mean)
    torch.testing.assert_close(norm.running_var, (1 - momentum) * old["running_var"] + momentum * var)
    assert int(norm.get_buffer("num_batches_tracked")) == 1


@pytest.mark.parametrize("name", [n for n in MEMBERS if n != "frozen"])
def test_momentum_none_averages_over_all_batches(name: str) -> None:
    norm = MEMBERS[name](3, momentum=None).double()
    batches = [noise((4, 3, 6), seed, torch.float64) for seed in range(5)]
    if name == "split":  # its own part is the first half
        batches = [torch.cat([x, x]) for x in batches]
    for x in batches:
        norm(x)
    torch.testing.assert_close(norm.running_mean, torch.stack([x[:4].mean((0, 2)) for x in batches]).mean(0))
    torch.testing.assert_close(norm.running_var, torch.stack([x[:4].var((0, 2)) for x in batches]).mean(0))


@pytest.mark.parametrize("name", TORCH_KEYS)
@pytest.mark.parametrize("affine", [True, False])
def test_state_dict_is_torchs(name: str, affine: bool) -> None:
    reference, norm = nn.BatchNorm2d(3, affine=affine), MEMBERS[name](3, affine=affine)
    scatter(reference)
    norm.load_state_dict(reference.state_dict())
    assert list(norm.state_dict()) == list(reference.state_dict())
    back = nn.BatchNorm2d(3, affine=affine)
    back.load_state_dict(norm.state_dict())
    assert all(torch.equal(back.state_dict()[k], v) for k, v in reference.state_dict().items())


def test_split_adds_keys_only_below_auxiliary() -> None:
    keys = list(SplitBatchNorm(3, splits=3).state_dict())
    own = list(nn.BatchNorm2d(3).state_dict())
    assert keys == [*own, *(f"auxiliary.{i}.{k}" for i in range(2) for k in own)]


@members
@pytest.mark.parametrize("training", [True, False])
def test_gradients_in_float64(make: Make, training: bool) -> None:
    norm = make(2).double().train(training)
    if isinstance(norm, BatchRenorm):
        # At their limits r and d are constants; in between they have no gradient on purpose (see tests/laws).
        norm.running_mean.fill_(100)
        norm.running_var.fill_(1e-4)
    else:
        scatter(norm)
    state = {k: v.clone() for k, v in norm.state_dict().items()}
    names = [n for n, _ in norm.named_parameters()]
    values = [p.detach().clone().requires_grad_() for _, p in norm.named_parameters()]

    def apply(x: Tensor, *parameters: Tensor) -> Tensor:
        fresh = {k: v.clone() for k, v in state.items()}  # every call sees the same statistics
        return functional_call(norm, {**fresh, **dict(zip(names, parameters, strict=True))}, (x,))

    x = noise((8, 2, 2), dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(apply, (x, *values))
    assert torch.autograd.gradgradcheck(apply, (x, *values), fast_mode=True)


@members
@pytest.mark.parametrize("training", [True, False])
def test_copies_are_equal_and_independent(make: Make, training: bool) -> None:
    norm = make(3).train(training)
    scatter(norm)
    x = noise((8, 3, 5))
    for other in (copy.deepcopy(norm), pickle.loads(pickle.dumps(norm))):
        before = {k: v.clone() for k, v in norm.state_dict().items()}
        assert other.training == norm.training
        y = other(x)
        assert all(torch.equal(norm.state_dict()[k], v) for k, v in before.items())
        assert torch.equal(y, copy.deepcopy(norm)(x))
        assert repr(other) == repr(norm)


@members
@pytest.mark.parametrize("training", [True, False])
def test_strides_do_not_matter_and_formats_stay(make: Make, training: bool) -> None:
    norm = make(3).train(training)
    scatter(norm)
    x = noise((8, 3, 4, 6))
    expected = copy.deepcopy(norm)(x)
    for view in (x.transpose(2, 3).contiguous().transpose(2, 3), torch.stack([x, x], -1)[..., 0]):
        assert not view.is_contiguous()
        torch.testing.assert_close(copy.deepcopy(norm)(view), expected)
    last = copy.deepcopy(norm)(x.to(memory_format=torch.channels_last))
    torch.testing.assert_close(last, expected)
    assert last.is_contiguous(memory_format=torch.channels_last)


@members
def test_half_types_device_and_autocast(make: Make) -> None:
    x = noise((8, 3, 5))
    for dtype in (torch.float64, torch.bfloat16):
        norm = make(3, dtype=dtype)
        assert norm(x.to(dtype)).dtype == dtype
        assert {v.dtype for v in norm.state_dict().values()} == {dtype, torch.int64}
    norm = make(3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = norm(x.bfloat16())
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), make(3)(x), rtol=0.02, atol=0.02)
    assert norm.running_mean.dtype == torch.float32
    assert {v.device.type for v in make(3, device="meta").state_dict().values()} == {"meta"}


@members
def test_compiles_without_a_graph_break(make: Make) -> None:
    torch.compiler.reset()
    norm = make(3)
    scatter(norm)
    other = copy.deepcopy(norm)
    compiled = torch.compile(norm, backend="eager", fullgraph=True)
    for step in range(2):
        assert torch.equal(compiled(noise((8, 3, 5), step)), other(noise((8, 3, 5), step)))
    assert all(torch.equal(v, norm.state_dict()[k]) for k, v in other.state_dict().items())


@members
@pytest.mark.parametrize("affine", [True, False])
def test_affine(make: Make, affine: bool) -> None:
    norm = make(3, affine=affine)
    assert ("weight" in norm.state_dict()) == affine
    assert norm(noise((8, 3, 5))).shape == (8, 3, 5)


@members
@pytest.mark.parametrize("eps", [0.0, -1.0, float("nan"), float("inf")])
def test_bad_eps(make: Make, eps: float) -> None:
    with pytest.raises(ValueError, match=re.escape(f"eps must be above 0 and finite, got {eps}")):
        make(3, eps=eps)


@pytest.mark.parametrize("name", [n for n in MEMBERS if n != "frozen"])
@pytest.mark.parametrize("momentum", [1.5, -0.1, float("nan")])
def test_bad_momentum(name: str, momentum: float) -> None:
    with pytest.raises(ValueError, match=re.escape(f"momentum must be in [0, 1] or None, got {momentum}")):
        MEMBERS[name](3, momentum=momentum)


@members
def test_bad_features_and_inputs(make: Make) -> None:
    with pytest.raises(ValueError, match="num_features must be at least 1, got 0"):
        make(0)
    norm = make(3)
    name = type(norm).__name__
    for shape in ((3,), (8, 4), (8, 5, 3)):
        with pytest.raises(
            ValueError, match=rf"{name} expects an input of shape \(N, 3\).*got {re.escape(str(shape))}"
        ):
            norm(torch.zeros(shape))
    if make is not frozen:
        with pytest.raises(ValueError, match=r"more than (one|1) value per channel"):
            norm(torch.zeros(2 if make is SplitBatchNorm else 1, 3))


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: GhostBatchNorm(3, ghost_size=1), "ghost_size must be at least 2 rows, got 1"),
        (lambda: BatchRenorm(3, r_max=0.5), "r_max must be at least 1 and d_max at least 0, got 0.5 and 5.0"),
        (lambda: BatchRenorm(3, d_max=-1), "r_max must be at least 1 and d_max at least 0, got 3.0 and -1"),
        (lambda: BatchRenorm(3, start=10, r_end=5), "0 <= start <= r_end and d_end, in steps, got 10, 5 and 25000"),
        (lambda: SplitBatchNorm(3, splits=1), "splits must be at least 2, got 1"),
        (lambda: SplitBatchNorm(3, splits=3)(torch.zeros(8, 3)), "8 rows cannot be split into 3 equal parts"),
    ],
)
def test_bad_arguments_of_its_own(build: Callable[[], object], text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        build()


@pytest.mark.parametrize("kind", [BatchNorm, GhostBatchNorm, BatchRenorm, FrozenBatchNorm, SplitBatchNorm])
def test_docstring_has_formula_and_reference(kind: type[nn.Module]) -> None:
    text = inspect.getdoc(kind) or ""
    assert re.search(r"Source: .*(19|20)\d\d", text)
    assert "Raises:" in text and "num_features" in text


@pytest.mark.parametrize("train_affine", [True, False])
def test_frozen_stays_frozen(train_affine: bool) -> None:
    norm = FrozenBatchNorm(3, train_affine=train_affine)
    scatter(norm)
    model = nn.Sequential(nn.Conv1d(3, 3, 1), norm)
    before = {k: v.clone() for k, v in norm.state_dict().items()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.5)
    model.train()
    for step in range(3):
        model(noise((4, 3, 5), step)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    torch.optim.swa_utils.update_bn([noise((4, 3, 5))], model)
    moved = {k for k, v in norm.state_dict().items() if not torch.equal(v, before[k])}
    assert moved == ({"weight", "bias"} if train_affine else set())
    assert not norm.training and model.training
    assert isinstance(nn.SyncBatchNorm.convert_sync_batchnorm(model)[1], FrozenBatchNorm)
