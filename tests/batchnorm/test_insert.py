"""insert: what it adds and where, what it leaves alone and why, and that it can be taken out without a trace."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch
from torch import Tensor, distributed, nn
from torch.nn.utils import parametrizations, prune
from torch.testing._internal.distributed.fake_pg import FakeStore

from gapless.batchnorm import fold, insert, remove


class Net(nn.Module):
    """A convolutional network without normalization, with a linear layer on the way and one as head."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, padding=1)
        self.conv2 = nn.Conv2d(4, 6, 3, stride=2)
        self.fc = nn.Linear(6 * 9, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.conv2(torch.relu(self.conv1(x))))
        return self.head(torch.relu(self.fc(x.flatten(1))))


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = self.first
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.second(torch.relu(self.first(x)))))


def images(rows: int = 16) -> Tensor:
    return torch.randn(rows, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def everything(model: nn.Module) -> dict[str, object]:
    """All that undo must restore: bits, module types and modes, hooks."""
    state: dict[str, object] = {k: v.clone() for k, v in model.state_dict().items()}
    for path, module in model.named_modules():
        state[f"{path}|"] = (type(module), module.training, list(vars(module)["_forward_hooks"].values()))
    return state


def same(a: dict[str, object], b: dict[str, object]) -> bool:
    return list(a) == list(b) and all(
        torch.equal(v, w) if isinstance(v, Tensor) and isinstance(w, Tensor) else v == w
        for v, w in zip(a.values(), b.values(), strict=True)
    )


def test_old_names_stay_and_new_ones_are_added() -> None:
    plain, model = Net(), Net()
    insert(model)
    keys = set(model.state_dict())
    assert set(plain.state_dict()) < keys
    assert {k.rsplit(".", 1)[0] for k in keys - set(plain.state_dict())} == {
        f"{p}.batchnorm" for p in ("conv1", "conv2", "fc")
    }
    assert {n for n, _ in plain.named_parameters()} < {n for n, _ in model.named_parameters()}


def test_account_says_where_and_why() -> None:
    inserted = insert(Net())
    assert inserted.paths == ("conv1", "conv2", "fc")
    assert str(inserted).splitlines() == [
        "conv1: BatchNorm2d(4) (after Conv2d)",
        "conv2: BatchNorm2d(6) (after Conv2d)",
        "fc: BatchNorm1d(8) (after Linear)",
        "head: nothing (the head: the last weight layer in the order of registration; an example tells where the heads "
        "are)",
    ]


def test_output_of_every_layer_is_normalised_in_training() -> None:
    model = Net()
    insert(model)
    seen: dict[str, Tensor] = {}
    for name in ("conv1", "conv2", "fc"):
        model.get_submodule(name).register_forward_hook(lambda m, a, y, name=name: seen.__setitem__(name, y))
    model(images())
    for y in seen.values():
        rows = y.transpose(0, 1).flatten(1)
        assert torch.allclose(rows.mean(1), torch.zeros(len(rows)), atol=1e-5)
        # eps counts when a channel hardly varies
        assert torch.allclose(rows.var(1, correction=0), torch.ones(len(rows)), atol=1e-2)
    assert all(int(n) == 1 for k, n in model.state_dict().items() if k.endswith("num_batches_tracked"))


def test_undo_restores_everything_and_may_be_called_twice() -> None:
    model = Net().eval()
    model.fc.register_forward_hook(print)
    before = everything(model)
    inserted = insert(model)
    assert not same(before, everything(model))
    inserted.undo()
    assert same(before, everything(model))
    inserted.undo()
    assert same(before, everything(model))


def test_undo_after_training_keeps_the_trained_weights() -> None:
    model = Net()
    inserted = insert(model)
    with torch.no_grad():
        model.conv1.weight.add_(1)
    expected = model.conv1.weight.clone()
    inserted.undo()
    assert torch.equal(model.conv1.weight, expected)


def test_twice_is_once() -> None:
    once, twice = Net(), Net()
    twice.load_state_dict(once.state_dict())
    insert(once)
    insert(twice)
    again = insert(twice, momentum=0.3)
    assert again.paths == ("conv1", "conv2", "fc")
    assert once.state_dict().keys() == twice.state_dict().keys()
    assert torch.equal(once(images()), twice(images()))
    assert twice.conv1.get_submodule("batchnorm").momentum == 0.3
    again.undo()
    assert twice.state_dict().keys() == Net().state_dict().keys()


@pytest.mark.parametrize("how", ["deepcopy", "pickle", "torch.save"])
def test_copies_compute_the_same_and_can_be_undone(how: str) -> None:
    model = Net()
    insert(model)
    model(images())
    if how == "deepcopy":
        other = copy.deepcopy(model)
    elif how == "pickle":
        other = pickle.loads(pickle.dumps(model))
    else:
        file = io.BytesIO()
        torch.save(model, file)
        file.seek(0)
        other = torch.load(file, weights_only=False)
    assert torch.equal(other.eval()(images()), model.eval()(images()))
    other.conv1.batchnorm.running_mean.add_(1)
    assert not torch.equal(other(images()), model(images())), "the copy still uses the original's batch norm"
    remove(other)
    assert same(everything(other), {k: v for k, v in everything(other).items() if "batchnorm" not in k})
    assert other.state_dict().keys() == Net().state_dict().keys()


def test_state_dict_round_trip() -> None:
    model, other = Net(), Net()
    insert(model)
    insert(other)
    model(images())
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.eval()(images()), model.eval()(images()))


def test_device_dtype_and_mode_follow_the_layer() -> None:
    model = Net().double().eval()
    model.conv2.train()
    insert(model)
    assert model.conv1.get_submodule("batchnorm").running_mean.dtype == torch.float64
    assert not model.conv1.get_submodule("batchnorm").training
    assert model.conv2.get_submodule("batchnorm").training
    on_meta = Net().to("meta")
    insert(on_meta)
    assert {b.device.type for b in on_meta.buffers()} == {"meta"}
    model.train().float()(images())
    assert {b.dtype for b in model.buffers() if b.is_floating_point()} == {torch.float32}


@pytest.mark.parametrize("shape", [(6, 5), (3, 2, 5), (2, 3, 2, 5)])
def test_linear_normalises_over_all_leading_axes(shape: tuple[int, ...]) -> None:
    model = nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 2))
    insert(model)
    x = torch.randn(shape)
    y = model[0](x)
    assert y.shape == (*shape[:-1], 4)
    rows = y.reshape(-1, 4)
    assert torch.allclose(rows.mean(0), torch.zeros(4), atol=1e-5)
    plain = nn.functional.linear(x, model[0].weight, model[0].bias).reshape(-1, 4)
    assert torch.allclose(rows, nn.BatchNorm1d(4)(plain), atol=1e-6)


def test_convolution_without_a_batch_axis() -> None:
    model = nn.Sequential(nn.Conv1d(2, 3, 3), nn.Conv1d(3, 1, 1))
    insert(model)
    x = torch.randn(2, 9)
    y = model[0](x)
    assert y.shape == (3, 7)
    assert torch.allclose(y.mean(1), torch.zeros(3), atol=1e-5)


@pytest.mark.parametrize(
    "norm",
    [
        nn.BatchNorm2d(4),
        nn.GroupNorm(2, 4),
        nn.LayerNorm(4),
        nn.RMSNorm(4),
        nn.InstanceNorm2d(4),
    ],
)
def test_a_model_that_normalises_is_left_alone(norm: nn.Module) -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), norm, nn.Flatten(), nn.Linear(4, 2))
    before = everything(model)
    inserted = insert(model)
    assert inserted.paths == ()
    assert str(inserted) == f"1: nothing (the model already normalises, with {type(norm).__name__} here)"
    assert same(before, everything(model))


def test_custom_norms_count_by_name_but_wrappers_and_roots_do_not() -> None:
    class MyRMSNorm(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(2))

    class EvoNorm2dS0(MyRMSNorm):
        pass

    class InputNorm(nn.Module):
        """A fixed shift and scale of the input: nothing is normalised inside the model."""

    class NormalizedHead(MyRMSNorm):
        pass

    class ConvNorm(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 3)

    class NetWithoutNorm(Net):
        pass

    for norm in (MyRMSNorm(), EvoNorm2dS0()):
        assert insert(nn.Sequential(nn.Linear(2, 2), norm, nn.Linear(2, 2))).paths == ()
    for norm in (InputNorm(), NormalizedHead(), nn.LocalResponseNorm(2)):
        assert insert(nn.Sequential(nn.Linear(2, 2), norm, nn.Linear(2, 2))).paths == ("0",)
    assert insert(nn.Sequential(ConvNorm(), nn.Conv2d(2, 2, 3))).paths == ("0.conv",)
    assert insert(NetWithoutNorm()).paths == ("conv1", "conv2", "fc")


def test_a_shared_layer_gets_one() -> None:
    model = Shared()
    assert insert(model).paths == ("first",)
    model(torch.randn(8, 4))
    assert int(model.first.get_submodule("batchnorm").num_batches_tracked) == 2


@pytest.mark.parametrize("kind", ["weight_norm", "spectral_norm", "pruning"])
def test_parametrized_layers_are_skipped(kind: str) -> None:
    layer = nn.Linear(4, 4)
    if kind == "weight_norm":
        parametrizations.weight_norm(layer)
    elif kind == "spectral_norm":
        parametrizations.spectral_norm(layer)
    else:
        prune.l1_unstructured(layer, "weight", amount=2)
    inserted = insert(nn.Sequential(layer, nn.Linear(4, 4), nn.Linear(4, 2)))
    assert inserted.paths == ("1",)
    assert "parametrized" in inserted.account[0].why


def test_sealed_layers_are_skipped_and_complex_ones() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Linear(4, 4)
            self.attend = nn.MultiheadAttention(4, 2, batch_first=True)
            self.recur = nn.LSTM(4, 4, batch_first=True)
            self.head = nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = self.embed(x)
            return self.head(self.recur(self.attend(x, x, x)[0])[0])

    model = Attention()
    inserted = insert(model)
    assert inserted.paths == ("embed",)
    assert "MultiheadAttention" in {p.path: p.why for p in inserted.account}["attend.out_proj"]
    model(torch.randn(2, 3, 4)).sum().backward()
    imaginary = nn.Sequential(nn.Linear(2, 2, dtype=torch.complex64), nn.Linear(2, 2))
    assert insert(imaginary).account[0].why == "its weight is complex"


def test_what_cannot_be_folded_is_said_at_once() -> None:
    tied = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4, bias=False), nn.Linear(4, 2))
    tied[1].weight = tied[0].weight
    why = [placement.why for placement in insert(tied).account]
    assert why[0] == why[1] == "after Linear; cannot be folded: its weight is tied (0.weight, 1.weight)"
    assert why[2] == "after Linear; it has no bias, folding will need new_bias=True"


def test_skip_leaves_named_layers_alone() -> None:
    inserted = insert(Net(), skip=["conv*"])
    assert inserted.paths == ("fc",)
    assert inserted.account[0].why == "skip names it"
    with pytest.raises(
        ValueError, match=r"no convolution or linear layer is called 'conv3'. Did you mean 'conv2'\?|'conv1'\?"
    ):
        insert(Net(), skip=["conv3"])


@pytest.mark.parametrize("momentum", [0.0, -0.1, 1.5, float("nan")])
def test_bad_momentum(momentum: float) -> None:
    with pytest.raises(ValueError, match=r"momentum must be in \(0, 1\], got "):
        insert(Net(), momentum=momentum)


def test_one_row_in_training_says_what_to_do() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    insert(model)
    with pytest.raises(ValueError, match="drop_last=True"):
        model(torch.randn(1, 3))
    assert model.eval()(torch.randn(1, 3)).shape == (1, 1)


def test_wrapped_models_are_refused_with_what_to_do_first() -> None:
    compiled = torch.compile(Net(), backend="eager")
    assert isinstance(compiled, nn.Module)
    in_place = Net()
    in_place.conv1.compile(backend="eager")
    for model, name in (
        (compiled, "torch.compile"),
        (in_place, "Module.compile"),
        (nn.DataParallel(Net()), "DataParallel"),
        (nn.Sequential(compiled), "torch.compile"),
    ):
        with pytest.raises(ValueError, match=f"has already gone through {name}.* insert batch norm first"):
            insert(model)
        with pytest.raises(ValueError, match=f"has already gone through {name}"):
            fold(model)


def test_compile_and_export_see_the_hook() -> None:
    torch.compiler.reset()
    model = Net()
    insert(model)
    model(images())
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    assert torch.equal(compiled(images()), copy.deepcopy(model)(images()))
    model.eval()
    assert torch.equal(compiled(images()), model(images()))
    exported = torch.export.export(model, (images(),)).module()
    assert torch.allclose(exported(images()), model(images()))


def test_autocast_bfloat16_and_channels_last() -> None:
    model = Net().to(memory_format=torch.channels_last)
    insert(model)
    x = images().to(memory_format=torch.channels_last)
    seen: list[Tensor] = []
    model.conv2.register_forward_hook(lambda m, a, y: seen.append(y))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        model(x).float().sum().backward()
    assert seen[0].dtype == torch.bfloat16
    assert seen[0].is_contiguous(memory_format=torch.channels_last)
    assert model.conv1.get_submodule("batchnorm").running_mean.dtype == torch.float32
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


def test_a_transformer_normalises_already() -> None:
    model = nn.Transformer(8, 2, 1, 1, 16, batch_first=True)
    assert "the model already normalises, with LayerNorm here" in str(insert(model))


def test_distributed_data_parallel_comes_afterwards() -> None:
    # torch's backend without a network: gloo can block for minutes while it looks for an interface.
    distributed.init_process_group("fake", store=FakeStore(), rank=0, world_size=1)
    try:
        model = Net()
        wrapped = nn.parallel.DistributedDataParallel(model)
        with pytest.raises(ValueError, match="the model has already gone through DistributedDataParallel"):
            insert(wrapped)
        insert(model)
        after = nn.parallel.DistributedDataParallel(model)
        after(images())
        assert int(model.conv1.get_submodule("batchnorm").num_batches_tracked) == 1
    finally:
        distributed.destroy_process_group()
